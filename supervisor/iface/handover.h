/* The way of a frozen generation into the store: fetch a chunk from the worker, append it
 * to the store, until the last; then, durable there, release it. One chunk at a time.
 * Whatever fails begins again at the first chunk: the store knows a map by (file id,
 * rotation), so a repeat is not a double. */
#ifndef WEIR_SUPERVISOR_HANDOVER_H
#define WEIR_SUPERVISOR_HANDOVER_H

#include "common/interval.h"
#include "supervisor/loop/backoff.h"
#include "supervisor/child/child.h"

#define HANDOVER_FETCH_MS 10000
#define HANDOVER_WHY_SIZE (4 * MSG_TEXT_MAX + 1)

struct worker;

enum handover_step {
	HANDOVER_IDLE = 0, /* may begin */
	HANDOVER_FETCHES,
	HANDOVER_APPENDS,
	HANDOVER_WAITS, /* for the store, or the time to try again */
};

struct handover {
	uint64_t rotation; /* 0: nothing is frozen */
	uint64_t file_id;
	struct interval interval;
	bool has_interval;
	int64_t since_ms; /* wall clock */
	bool durable; /* what is left is the release */
	enum handover_step step;
	bool has_slot; /* one of STORE_HANDOVERS */
	struct child_ask *ask; /* fetch or append under way */
	uint64_t cursor;
	uint64_t next;
	uint64_t part;
	bool last;
	unsigned failures; /* in a row */
	struct backoff backoff;
	struct loop_timer timer;
	char
	    why[HANDOVER_WHY_SIZE]; /* why it is not durable yet; "" while it goes on */
	uint64_t count; /* durable since the start */
};

void handover_init(struct worker *worker);
void handover_fini(struct worker *worker);

/* A generation was frozen, or is found frozen: interval is NULL when that is not known. */
void handover_begin(struct worker *worker, uint64_t rotation, uint64_t file_id,
    const struct interval *interval);

/* It is released, or gone with its file. */
void handover_end(struct worker *worker);

/* The worker died: what was under way is void. */
void handover_worker_lost(struct worker *worker);

/* The store serves (again): what waits goes on at once. */
void handover_store_ready(struct worker *worker);

/* Goes on where it can. */
void handover_step(struct worker *worker);

#endif
