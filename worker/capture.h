/* The capture of one interface: the state machine, the thread that reads, and the only
 * owner of packet handles and meter.
 *
 *	 +---------------+  initialize() fails
 *	 | UNINITIALIZED |------------------------+
 *	 +---------------+<----------------+      |
 *	    |         ^     recoverError() |      |
 *	    | initialize()                 |      v
 *	    |         | uninitialize()   +-----------+
 *	    v         |                  |   ERROR   |
 *	 +-------------+                 +-----------+
 *	 | INITIALIZED | activate() fails  ^      ^
 *	 +-------------+-------------------+      |
 *	    |         ^                           |
 *	    | activate()                          |
 *	    |         | deactivate()              |
 *	    v         |                           |
 *	 +-------------+   capturePacket() fails  |
 *	 |   ACTIVE    |--------------------------+
 *	 +-------------+
 *
 * A process takes the opening transitions once, since it has the capability for them
 * only at its start; afterwards the machine can only be left. capture_enable() goes to
 * ACTIVE or ERROR, capture_disable() goes to UNINITIALIZED from anywhere.
 *
 * Threads: whoever calls capture_new() owns the capture until capture_start(), and again
 * after capture_stop(). In between the capture thread owns it, and others get at it with
 * capture_run(). */
#ifndef WEIR_WORKER_CAPTURE_H
#define WEIR_WORKER_CAPTURE_H

#include "worker/meter.h"
#include "worker/source.h"

struct capture;

enum capture_state {
	CAPTURE_UNINITIALIZED = 1,
	CAPTURE_INITIALIZED = 2,
	CAPTURE_ACTIVE = 3,
	CAPTURE_ERROR = 4,
};

/* "uninitialized", ... */
const char *capture_state_name(enum capture_state state);

/* The books against the kernel, after a drain: `kernel` is what it put into the rings,
 * `early` how much of that may rightly be missing. */
struct capture_witness {
	bool known;
	uint64_t kernel;
	uint64_t handed_over;
	uint64_t early;
	bool agrees;
	int64_t drain_ms;
};

struct capture_status {
	enum capture_state state;
	struct source_fault fault; /* why ERROR; else no reason and no text */
	struct source_facts facts; /* of the last activation; 0 handles when closed */
	struct capture_config config;
	struct capture_witness witness;
};

/* 0 or negative errno. `ops` and `options` are those of the source. */
int capture_new(struct capture **out, const struct source_ops *ops,
    const struct source_options *options);

/* initialize() and activate(). ERROR is not a failure of the process, so there is no
 * return value: capture_status() tells. Needs CAP_NET_RAW for a live source. */
void capture_enable(struct capture *capture);

/* Starts reading into the meter, which is borrowed until capture_free(). 0 or negative
 * errno. */
int capture_start(struct capture *capture, struct meter *meter);

/* Ends the thread, if there is one; the caller owns the capture again. */
void capture_stop(struct capture *capture);

/* Drains and closes in whatever state it is. */
void capture_free(struct capture *capture);

/* Has `run` called by the owner between two batches and waits for its end: on the
 * capture thread, or at once when there is none. The meter is flushed and has what the
 * kernel counted. Any thread. */
void capture_run(struct capture *capture, void (*run)(void *arg), void *arg);

/* The same for a call that takes less time than reading the kernel's counters does: these
 * are as of the last second. */
void capture_run_briefly(struct capture *capture, void (*run)(void *arg), void *arg);

/* The following belong to the owner: inside capture_run(), or without a thread. */

/* Drains when ACTIVE, closes; the flows stay in the meter. Takes at most the timeout and
 * some 200 ms more. Idempotent. */
void capture_disable(struct capture *capture);

/* Another filter in place. 0, or negative errno and a fault, with nothing changed. */
int capture_set_filter(
    struct capture *capture, const char *text, struct source_fault *fault);

void capture_status(const struct capture *capture, struct capture_status *out);

#endif
