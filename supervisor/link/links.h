/* The network interfaces (links) of this network namespace as the kernel tells them
 * over rtnetlink(7): a table that is read once and follows every change. Nothing is
 * polled, so links that do nothing cost nothing, however many there are. When the
 * kernel could not keep up (ENOBUFS) the table is read again and compared.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_LINK_LINKS_H
#define WEIR_SUPERVISOR_LINK_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/iface.h"
#include "common/interval.h"
#include "supervisor/loop/loop.h"

struct link {
	int index; /* a name that is used again is another index */
	struct iface_name name;
	unsigned flags; /* IFF_UP, IFF_LOOPBACK, ...: netdevice(7) */
	unsigned mtu;
	unsigned promiscuity; /* how many have asked for promiscuous mode */
	int master; /* index of the bridge, bond or team it is a port of; 0: none */
	int lower; /* IFLA_LINK: a VLAN's parent, the peer of a veth; 0: none or itself */
	bool lower_elsewhere; /* ... which is in another network namespace */
	char kind[16]; /* IFLA_INFO_KIND: "veth", "vlan", ...; "" for hardware and lo */
	/* Since the link was made; as of the last event or links_refresh(). */
	struct link_counts counts;
	uint64_t rx_packets; /* the parts of counts.packets */
	uint64_t tx_packets;
};

struct links;

struct links_events {
	/* Something about the interface of that name is not what it was: it has
	 * appeared, vanished, gone up or down, was replaced by another of the same
	 * name, or one of its attributes (not its counts) changed. Look it up. A
	 * rename tells both names. Called after the table is up to date; not during
	 * links_new(). Everything here may be called from it but links_free(). */
	void (*changed)(void *arg, const struct iface_name *name);
};

/* Reads the table and begins to follow. 0 or negative errno. */
int links_new(struct links **out, struct loop *loop, const struct links_events *events,
    void *arg);
void links_free(struct links *links); /* accepts NULL */

/* NULL when there is none. Valid until the loop turns again. */
const struct link *links_find(const struct links *links, const char *name);
const struct link *links_find_index(const struct links *links, int index);

/* Every link, in no order. */
void links_each(const struct links *links,
    void (*each)(void *arg, const struct link *link), void *arg);
size_t links_count(const struct links *links);

/* Asks the kernel for this one now, so that its counts are of now (it answers at
 * once; changes that come with it are told as events later). 0, or negative errno:
 * -ENODEV when it is gone. */
int links_refresh(struct links *links, int index);

/* What link_offload() says of the link. The kernel is asked once, and again when it has told
 * anything about the link, which it does when they change. -ENODEV when it is gone. */
#define LINK_OFFLOAD_SIZE 64
int links_offload(
    const struct links *links, int index, char out[static LINK_OFFLOAD_SIZE]);

/* The offloads in force that change what a capture sees, as words: "gro", "lro",
 * "gso", "tso", "rx-vlan", "tx-vlan", separated by spaces; "" for none. 0, or
 * negative errno when they are not known (ethtool ioctl on the name). */
int link_offload(const char *name, char out[static LINK_OFFLOAD_SIZE]);

#endif
