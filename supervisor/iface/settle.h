/* Waiting until an interface has got where an operator wants it, or is known not to get
 * there. Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_IFACE_SETTLE_H
#define WEIR_SUPERVISOR_IFACE_SETTLE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "proto/msg.h"

struct worker;

enum settle_goal {
	SETTLE_ENABLED, /* counting, or waiting for an interface that is not there */
	SETTLE_DISABLED, /* drained and closed */
	SETTLE_REMOVED, /* drained, handed over, gone */
};

struct settle_result {
	bool reached;
	char error
	    [32]; /* "" when reached; else a reason of the worker or an error's name */
	char text[4 * MSG_TEXT_MAX + 1]; /* for people; may be there when reached */
};

/* Lives with its owner, who must cancel it before it goes. `done` is called once, possibly
 * from within worker_settle(). */
struct settle_wait {
	void (*done)(void *arg, const struct settle_result *result);
	void *arg;
	enum settle_goal goal;
	struct worker *worker; /* private from here; NULL: waits no more */
	TAILQ_ENTRY(settle_wait) entry;
};
TAILQ_HEAD(settle_waits, settle_wait);

void worker_settle(
    struct worker *worker, struct settle_wait *wait, enum settle_goal goal);
void settle_cancel(struct settle_wait *wait);

/* After anything about the worker has changed. */
void worker_settle_check(struct worker *worker);

/* The interface is removed: ends all waiting. */
void worker_settle_gone(struct worker *worker);

#endif
