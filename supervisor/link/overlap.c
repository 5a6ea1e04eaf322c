/* Some links lie over others and see what passes through those: a bridge, bond or team
 * over its ports, a VLAN and its like over their parent. Two links see the same packets
 * when one can be reached from the other by going down. The ends of a veth pair count
 * as one there: what the one sends the other receives.
 *
 * Going down is a straight line but for ports: a link says whose port it is, so its
 * ports are found by a pass over the table. Each of those links gets one pass, and
 * there is a limit to how many, so whatever the table says the walk ends. Two links
 * over the same one (two VLANs, two ports of a bridge) see packets of their own. */
#include "supervisor/link/overlap.h"

#include <stdio.h>
#include <string.h>

/* Links with ports that one walk looks through, and straight steps before the next: the
 * kernel stacks at most 8 over each other. */
#define OVERLAP_PASSES 32
#define OVERLAP_STEPS 16

/* Longest escaped name: \xNN for each byte. */

static bool
overlap_is_one_of(const struct link *link, const char *const *kinds)
{
	for (; *kinds; kinds++) {
		if (strcmp(link->kind, *kinds) == 0)
			return true;
	}
	return false;
}

/* Tunnels and macsec name a lower link too, but other packets pass through that. */
static bool
overlap_is_upper(const struct link *link)
{
	static const char *const kinds[] = {
	    "vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", NULL};

	return link->lower != 0 && !link->lower_elsewhere &&
	    overlap_is_one_of(link, kinds);
}

/* Whether it sees what its ports see, not only groups them (Open vSwitch does).
 * Without a kind it is hardware, which has no ports, or a paravirtual device with
 * hardware behind it: asked for the one port only. */
static bool
overlap_sees_ports(const struct link *link, const struct link *port)
{
	static const char *const kinds[] = {"bridge", "bond", "team", "vrf", NULL};

	if (link->kind[0] == '\0')
		return port->master == link->index;
	return overlap_is_one_of(link, kinds);
}

static bool
overlap_is_pair_end(const struct link *link)
{
	static const char *const kinds[] = {"veth", "netkit", NULL};

	return overlap_is_one_of(link, kinds);
}

/* The kernel does not always tell of an end when the other one is made or moved, so one
 * that names the other is enough unless that one names a third. */
static bool
overlap_is_pair(const struct link *a, const struct link *b)
{
	if (!overlap_is_pair_end(a) || strcmp(a->kind, b->kind) != 0)
		return false;
	if (a->lower_elsewhere || b->lower_elsewhere)
		return false;
	return (a->lower == b->index && (b->lower == a->index || b->lower == 0)) ||
	    (b->lower == a->index && a->lower == 0);
}

struct overlap_walk {
	const struct links *links;
	const struct link *target;
	int queue[OVERLAP_PASSES]; /* links with ports, each once */
	unsigned used;
	unsigned at;
	const struct link *found; /* what the way down comes from when it gets there */
};

/* From `link` straight down; a link with ports that ends it goes into the queue. */
static void
overlap_walk_down(
    struct overlap_walk *walk, const struct link *above, const struct link *link)
{
	for (int i = 0; i < OVERLAP_STEPS && link; i++) {
		if (link->index == walk->target->index ||
		    overlap_is_pair(link, walk->target)) {
			walk->found = link->index == walk->target->index ? above : link;
			return;
		}
		if (!overlap_is_upper(link))
			break;
		above = link;
		link = links_find_index(walk->links, link->lower);
	}
	if (!link || !overlap_sees_ports(link, walk->target) ||
	    walk->used == OVERLAP_PASSES)
		return;
	for (unsigned i = 0; i < walk->used; i++) {
		if (walk->queue[i] == link->index)
			return;
	}
	walk->queue[walk->used++] = link->index;
}

static void
overlap_walk_port(void *arg, const struct link *link)
{
	struct overlap_walk *walk = arg;
	int master = walk->queue[walk->at];

	if (!walk->found && link->master == master)
		overlap_walk_down(walk, links_find_index(walk->links, master), link);
}

/* The last link before `low` on the way down from `top`: one that lies directly over
 * it, or the other end of its pair. NULL when there is no such way. */
static const struct link *
overlap_above(const struct links *links, const struct link *top, const struct link *low)
{
	struct overlap_walk walk = {.links = links, .target = low};

	/* Under most links lies nothing. */
	if (!overlap_is_upper(top) && !overlap_sees_ports(top, low))
		return NULL;
	overlap_walk_down(&walk, top, top);
	for (; !walk.found && walk.at < walk.used; walk.at++)
		links_each(links, overlap_walk_port, &walk);
	return walk.found;
}

bool
overlap_between(const struct links *links, const struct link *a, const struct link *b,
    char text[static OVERLAP_TEXT_SIZE])
{
	char other[IFACE_SHOWN_SIZE];
	char between[IFACE_SHOWN_SIZE];
	const struct link *above;
	bool a_is_top = true;

	if (a->index == b->index)
		return false;
	iface_shown(b->name.s, other);
	if (overlap_is_pair(a, b)) {
		snprintf(text, OVERLAP_TEXT_SIZE,
		    "sees the packets of %s too, the other end of its pair", other);
		return true;
	}
	above = overlap_above(links, a, b);
	if (!above) {
		above = overlap_above(links, b, a);
		a_is_top = false;
	}
	if (!above)
		return false;
	if (above != (a_is_top ? a : b)) {
		iface_shown(above->name.s, between);
		snprintf(text, OVERLAP_TEXT_SIZE,
		    "sees packets of %s too, by way of %s", other, between);
	} else if (a_is_top && overlap_is_upper(a)) {
		snprintf(text, OVERLAP_TEXT_SIZE,
		    "sees packets of %s too, on which it lies (%s)", other, a->kind);
	} else if (a_is_top) {
		snprintf(text, OVERLAP_TEXT_SIZE,
		    "sees the packets of %s too, which is its port", other);
	} else if (overlap_is_upper(b)) {
		snprintf(text, OVERLAP_TEXT_SIZE,
		    "sees the packets of %s too, which lies on it (%s)", other,
		    b->kind);
	} else {
		snprintf(text, OVERLAP_TEXT_SIZE,
		    "sees the packets of %s too, whose port it is", other);
	}
	return true;
}
