#include "supervisor/iface/worker_link.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

#define LINK_UNMATCHED_MAX 2

/* An interface that is being made is down for a moment, and so is one that is being
 * deleted: neither is worth a line. */
#define LINK_DOWN_MS 300

const char *
link_presence_name(enum link_presence presence)
{
	static const char *const names[] = {[LINK_WAITING] = "waiting",
	    [LINK_UP] = "up",
	    [LINK_DOWN] = "down",
	    [LINK_GONE] = "gone"};

	return names[presence];
}

static const struct link *
worker_link_find(const struct worker *worker)
{
	return links_find(worker->supervisor->links, worker->iface.s);
}

enum link_presence
worker_link_presence(const struct worker *worker)
{
	const struct link *link = worker_link_find(worker);

	if (!link)
		return worker->link.seen ? LINK_GONE : LINK_WAITING;
	return link->flags & IFF_UP ? LINK_UP : LINK_DOWN;
}

static void worker_link_on_down(void *arg);

/* Whether it has come, gone, changed up and down, or been replaced since this was last
 * asked: what another try may be made for. */
static bool
worker_link_moved(struct worker *worker)
{
	struct worker_link *state = &worker->link;
	const struct link *link = worker_link_find(worker);
	enum link_presence presence = worker_link_presence(worker);
	int index = link ? link->index : 0;
	bool moved = presence != state->told || index != state->told_index;

	state->told = presence;
	state->told_index = index;
	return moved;
}

void
worker_link_init(struct worker *worker)
{
	worker->link.down_timer =
	    (struct loop_timer){.fire = worker_link_on_down, .arg = worker};
	worker_link_moved(worker);
}

void
worker_link_fini(struct worker *worker)
{
	loop_timer_clear(worker->supervisor->loop, &worker->link.down_timer);
}

/*
 * What the interface counts itself.
 */

/* The interface with counts of now; NULL when it is not there or cannot be read. */
static const struct link *
worker_link_read(const struct worker *worker)
{
	const struct link *link = worker_link_find(worker);

	if (!link || links_refresh(worker->supervisor->links, link->index) != 0)
		return NULL;
	return worker_link_find(worker);
}

static struct link_counts
worker_link_since_begin(const struct worker_link *state, const struct link *link)
{
	const struct link_counts *begin = &state->counts;

	/* A driver that begins anew (a reset) is one whose counts are not known. What is
	 * sent meanwhile must not hide that. */
	if (!link || state->counts_index == 0 || link->index != state->counts_index ||
	    !link->counts.known || link->rx_packets < state->rx_packets ||
	    link->tx_packets < state->tx_packets ||
	    link->counts.dropped < begin->dropped ||
	    link->counts.missed < begin->missed)
		return (struct link_counts){.known = false};
	return (struct link_counts){.known = true,
	    .packets = link->counts.packets - begin->packets,
	    .dropped = link->counts.dropped - begin->dropped,
	    .missed = link->counts.missed - begin->missed};
}

static void
worker_link_begin_at(struct worker_link *state, const struct link *link)
{
	bool known = link && link->counts.known;

	state->counts_open = false;
	state->counts_index = known ? link->index : 0;
	if (!known)
		return;
	state->counts = link->counts;
	state->rx_packets = link->rx_packets;
	state->tx_packets = link->tx_packets;
}

/* `link` as worker_link_read() gave it: one that is there and could not be read is not one
 * whose counts begin when it appears. */
static void
worker_link_begin(struct worker *worker, const struct link *link)
{
	worker_link_begin_at(&worker->link, link);
	worker->link.counts_open = !worker_link_find(worker);
}

struct link_counts
worker_link_counts(const struct worker *worker)
{
	return worker_link_since_begin(&worker->link, worker_link_read(worker));
}

/*
 * It comes and goes.
 */

/* What is there now is what the process has opened or is to open. */
static void
worker_link_set(struct worker *worker, const struct link *link)
{
	struct worker_link *state = &worker->link;

	state->index = link ? link->index : 0;
	state->lost = false;
	state->cut_due = false;
	if (link)
		state->renamed.s[0] = '\0';
	manager_overlap_changed(worker->supervisor);
}

void
worker_link_start(struct worker *worker, bool held, bool fresh)
{
	const struct link *link = worker_link_find(worker);

	worker->link.seen = worker->link.seen || link;
	worker->link.away = !link;
	if (!held)
		worker_link_set(worker, link);
	if (!fresh) {
		worker_link_pause(worker);
		return;
	}
	worker_link_begin(worker, worker_link_read(worker));
	worker->link.paused = false;
}

void
worker_link_take(struct worker *worker)
{
	const struct worker_link *state = &worker->link;
	const struct link *link = worker_link_find(worker);

	if (state->lost && !state->cut_due && link &&
	    worker->state == WORKER_UNINITIALIZED)
		worker_link_set(worker, link);
}

/* What the process has opened is not what the name stands for. */
static void
worker_link_lose(struct worker *worker)
{
	struct worker_link *state = &worker->link;
	const struct link *now = worker_link_find(worker);
	const struct link *old =
	    links_find_index(worker->supervisor->links, state->index);

	if (state->lost)
		return;
	state->lost = true;
	state->cut_due = true;
	if (old && !now) {
		state->renamed = old->name;
		log_iface_warn("link", worker->iface.s,
		    "is now called %s (index %d); its flows are stored%s", old->name.s,
		    state->index, worker->named ? " and its name is waited for" : "");
	} else if (old) {
		log_iface_warn("link", worker->iface.s,
		    "is now called %s (index %d), and index %d has its name; the flows of "
		    "the old one are stored first",
		    old->name.s, state->index, now->index);
	} else if (now) {
		log_iface_warn("link", worker->iface.s,
		    "was replaced: index %d is gone, index %d has its name; the flows of "
		    "the old one are stored first",
		    state->index, now->index);
	} else {
		log_iface_warn("link", worker->iface.s,
		    "is gone (index %d); its flows are stored", state->index);
	}
}

static void
worker_link_on_down(void *arg)
{
	struct worker *worker = arg;

	worker->link.down = true;
	log_iface_warn(
	    "link", worker->iface.s, "is down; counting goes on when it is up");
}

static void
worker_link_tell_down(struct worker *worker, const struct link *link)
{
	struct worker_link *state = &worker->link;
	struct loop *loop = worker->supervisor->loop;
	bool down = link && !(link->flags & IFF_UP);

	if (!down)
		loop_timer_clear(loop, &state->down_timer);
	else if (!state->down && !state->down_timer.armed)
		loop_timer_set(loop, &state->down_timer, LINK_DOWN_MS);
	if (state->down && !down) {
		state->down = false;
		if (link)
			log_iface_info("link", worker->iface.s, "is up again");
	}
}

static void
worker_link_tell_there(struct worker *worker, const struct link *link)
{
	struct worker_link *state = &worker->link;

	if (link && state->away)
		log_iface_info("link", worker->iface.s, "%s (index %d)",
		    state->seen ? "is back" : "is there now", link->index);
	state->away = !link;
	if (!link)
		return;
	state->seen = true;
	state->renamed.s[0] = '\0';
	if (state->counts_open && link->counts.known)
		worker_link_begin_at(state, link);
}

void
worker_link_changed(struct worker *worker)
{
	struct worker_link *state = &worker->link;
	const struct link *link = worker_link_find(worker);
	bool moved = worker_link_moved(worker);

	worker_link_tell_there(worker, link);
	if (link && state->index == 0)
		state->index = link->index; /* the process opened, or opens, this one */
	else if (state->index != 0 && (!link || link->index != state->index))
		worker_link_lose(worker);
	worker_link_tell_down(worker, link);
	manager_health_changed(worker->supervisor);
	if (state->lost && !worker->named && !link && !worker->leaving) {
		worker_leave(worker); /* may free it */
		return;
	}
	if (moved)
		worker_retry_now(worker);
	worker_step(worker);
}

bool
worker_link_unmatched(const struct worker *worker)
{
	return worker->link.unmatched >= LINK_UNMATCHED_MAX;
}

void
worker_link_pause(struct worker *worker)
{
	worker->link.paused = true;
	worker->link.unmatched = 0;
}

static void
worker_link_judge_filter(
    struct worker *worker, const struct link_counts *counts, uint64_t packets)
{
	struct worker_link *state = &worker->link;

	if (worker->applied.filter[0] == '\0' || packets > 0 || !counts->known ||
	    state->paused || worker->state != WORKER_ACTIVE) {
		state->unmatched = 0;
		return;
	}
	if (counts->packets == 0 || state->unmatched > LINK_UNMATCHED_MAX)
		return;
	if (++state->unmatched == LINK_UNMATCHED_MAX)
		log_iface_warn("filter", worker->iface.s,
		    "the filter has matched nothing for %d intervals, while the interface "
		    "counted packets",
		    LINK_UNMATCHED_MAX);
}

struct link_counts
worker_link_cut(struct worker *worker, uint64_t packets, bool now)
{
	struct link_counts counts = {.known = false};

	if (now) {
		const struct link *link = worker_link_read(worker);

		counts = worker_link_since_begin(&worker->link, link);
		worker_link_begin(worker, link);
	} else {
		worker_link_begin_at(&worker->link, NULL);
	}
	worker_link_judge_filter(worker, &counts, packets);
	worker->link.paused = worker->state != WORKER_ACTIVE;
	return counts;
}
