/* The process weir-store: kept running, asked by the hand-overs. */
#ifndef WEIR_SUPERVISOR_STORE_LINK_H
#define WEIR_SUPERVISOR_STORE_LINK_H

#include "supervisor/loop/backoff.h"
#include "supervisor/child/child.h"

/* How long the store may take. A slow disk is no fault; a store that stands still for
 * longer than this is ended and started again, and the hand-over repeated. */
#define STORE_APPEND_MS 60000
#define STORE_FLUSH_MS 10000
#define STORE_START_MS 60000 /* to its first answer: the database may need recovery */
#define STORE_STATUS_MS 2000
#define STORE_POLL_MS 5000

/* Hand-overs at the same time: each has up to two chunks in memory, and the store takes
 * one after the other anyway. */
#define STORE_HANDOVERS 4

struct supervisor;

struct store_link {
	struct supervisor *supervisor;
	struct child *child; /* NULL: none at the moment */
	struct backoff deaths;
	struct loop_timer start_timer;
	struct loop_timer poll_timer;
	struct child_ask *poll;
	bool closing; /* its end is wanted */
	unsigned handovers; /* under way */
	uint64_t restarts;
	char last_exit[CHILD_EXIT_TEXT];
	int64_t last_exit_ms;
};

/* Starts the store. Failures are logged and tried again. */
void store_link_start(struct supervisor *supervisor);

/* A start that is put off comes now. */
void store_link_hurry(struct store_link *store);

/* Whether it can be asked now. */
bool store_link_ready(const struct store_link *store);

/* Asks for a flush, then closes the pipe. */
void store_link_finish(struct store_link *store);

void store_link_fini(struct store_link *store);

#endif
