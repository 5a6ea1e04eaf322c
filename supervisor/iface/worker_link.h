/* The interface of a worker as the kernel tells it: whether it is there, whether it is still
 * the one that the process has opened, and what it counts itself.
 *
 * Three things that look alike from inside a capture are kept apart: an interface that is
 * down is still the same one and goes on in the same process; one that is gone ends its
 * interval, and what comes back under its name is another interface; one that has not been
 * there yet is waited for.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_IFACE_WORKER_LINK_H
#define WEIR_SUPERVISOR_IFACE_WORKER_LINK_H

#include "common/interval.h"
#include "supervisor/link/overlap.h"

struct worker;

enum link_presence {
	LINK_WAITING = 0, /* has not been there since we run */
	LINK_UP,
	LINK_DOWN,
	LINK_GONE,
};
const char *link_presence_name(enum link_presence presence);

struct worker_link {
	int index; /* of what the process has opened, or is to; 0: none was there */
	bool seen; /* it has been there */
	bool away; /* it is not there now, as far as was said */
	bool down; /* and it was said */
	struct loop_timer down_timer; /* it is down since, and that was not said yet */
	enum link_presence told; /* as of the last change */
	int told_index;
	bool lost; /* what was opened is there no more: close, rotate, open what is */
	bool cut_due; /* ... that rotation has not been answered yet */
	struct iface_name renamed; /* while it is gone: what it is called now; "" */

	/* counters of the interface at the begin of the running interval */
	int counts_index; /* 0: not known */
	bool counts_open; /* none was there: those of the one that appears, then */
	struct link_counts counts;
	uint64_t rx_packets; /* the parts of counts.packets */
	uint64_t tx_packets;

	bool paused; /* it has not counted all through the running interval */
	unsigned
	    unmatched; /* intervals in a row: the filter took nothing of something */
	char overlap
	    [OVERLAP_TEXT_SIZE]; /* which other captured interface sees the same */
	bool overlap_due; /* ... to be looked at */
};

void worker_link_init(struct worker *worker);
void worker_link_fini(struct worker *worker);

/* A process has been started: it opens what is there now, unless it is `held` until the
 * interval of what was there has ended. With a `fresh` record file the interval begins. */
void worker_link_start(struct worker *worker, bool held, bool fresh);

/* Closed, and what it counted on the interface that is gone is rotated: what is there now is
 * what is to be opened, some day. */
void worker_link_take(struct worker *worker);

/* It does not count, or not as it did: this interval tells nothing about the filter. */
void worker_link_pause(struct worker *worker);

/* Something about the interface has changed, or may have. */
void worker_link_changed(struct worker *worker);

enum link_presence worker_link_presence(const struct worker *worker);

/* Counts of the running interval up to now; not known when the interface was another at
 * its begin. */
struct link_counts worker_link_counts(const struct worker *worker);

/* An interval, in which the worker counted `packets`, has ended and the next begun, at one
 * reading of the interface: what it counted in the one that ended. With `now` false that
 * was some time ago: of neither interval it is known what the interface counted. */
struct link_counts worker_link_cut(struct worker *worker, uint64_t packets, bool now);

/* The filter has taken nothing for so long that it is worth a warning. */
bool worker_link_unmatched(const struct worker *worker);

#endif
