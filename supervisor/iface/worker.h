/* One interface: what the operator wants of it, the process that counts it, the numbered
 * commands to that process, and the hand-over of what it froze. Each is a state that the
 * next step is derived from (worker_step), so that a death, a lost answer or a late store
 * at any point leads back to the same place.
 *
 *	worker.c          the process: start, end, what is wanted
 *	worker_link.c     the interface as the kernel tells it
 *	worker_status.c   what it says of itself, errors that may pass
 *	worker_command.c  commands, one at a time, each with a number
 *	handover.c        rotate -> fetch -> append -> release
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_WORKER_H
#define WEIR_SUPERVISOR_WORKER_H

#include "common/config.h"
#include "common/iface.h"
#include "common/interval.h"
#include "supervisor/loop/backoff.h"
#include "supervisor/child/child.h"
#include "supervisor/iface/handover.h"
#include "supervisor/iface/records.h"
#include "supervisor/iface/settle.h"
#include "supervisor/iface/worker_link.h"

#define WORKER_POLL_MS 1000
#define WORKER_STATUS_MS 2000
#define WORKER_START_MS 30000 /* open, adopt, dial, first answer */
#define WORKER_COMMAND_MS 5000
#define WORKERS_MAX CONFIG_IFACES_MAX /* as many again may be leaving */

struct supervisor;

/* As on the wire; worker_state_name. */
enum worker_state {
	WORKER_UNINITIALIZED = 1,
	WORKER_INITIALIZED,
	WORKER_ACTIVE,
	WORKER_ERROR,
};
const char *worker_state_name(enum worker_state state);

/* How a rotation that somebody waits for went. */
struct rotate_result {
	enum msg_error error; /* MSG_OK: durable */
	char text[MSG_TEXT_MAX + 1];
	struct interval interval; /* with MSG_OK */
};

/* Somebody who waits for the next rotation; lives with its owner, who must cancel it
 * before it goes. `done` is called once. */
struct rotate_wait {
	void (*done)(void *arg, const struct rotate_result *result);
	void *arg;
	struct worker *worker; /* private from here; NULL: waits no more */
	bool attached; /* its rotation has been asked for */
	TAILQ_ENTRY(rotate_wait) entry;
};

/* The command that is under way: kept, with its number, until it is answered, also by a
 * successor. */
struct command {
	bool active;
	enum msg_type type;
	uint64_t seq;
	uint64_t file_id; /* the record file it is numbered in */
	uint64_t rotation; /* release */
	int64_t end_ms; /* rotate */
	bool repeat; /* rotate: of a supervisor that is gone, frozen before our time */
	bool last; /* rotate: chosen after the drain, nothing is counted after it */
	bool cut; /* rotate: ends the interval of an interface that is gone */
	unsigned sent; /* how often: the first answer may have been lost */
	struct capture_config config; /* update */
	struct child_ask *ask; /* NULL while it cannot be sent */
};

struct worker {
	struct supervisor *supervisor;
	TAILQ_ENTRY(worker) entry;
	struct iface_name iface;
	char label[32];

	/* wanted */
	char configured_by[CONFIG_PATTERN_SIZE]; /* its name, a pattern, any-up */
	bool named; /* by its name; else it goes when its interface goes */
	struct capture_config config;
	bool enabled;
	bool leaving; /* to be drained, handed over and removed */

	/* the process */
	struct child *child;
	bool synced; /* its status has told number and frozen generation */
	bool ending; /* its end is wanted */
	bool finished; /* ... and nothing comes after it */
	bool await_reap; /* the next start depends on how the last one ended */
	bool exit_unknown; /* it has died, and how is not known yet */
	pid_t died; /* the last one that did: who goes sooner may be reaped later */
	struct capture_config applied; /* what it runs with */
	enum worker_state state;
	char reason[32];
	char reason_text[4 * MSG_TEXT_MAX + 1];
	struct mono active_since;
	struct child_ask *status_ask;
	struct loop_timer start_timer;
	struct loop_timer poll_timer;
	struct loop_timer retry_timer;
	int64_t start_delay_ms;
	struct backoff deaths;
	struct backoff retries;
	unsigned dead_adopters; /* in a row, before any of them answered */
	uint64_t restarts;
	char last_exit[CHILD_EXIT_TEXT];
	int64_t last_exit_ms;

	struct worker_link link;

	/* its record file */
	int records_fd; /* -1: not open */
	struct mono records_locked_at; /* by somebody else, as was said; 0: not */
	char set_aside[RECORDS_NAME_SIZE]; /* the last file that was; or "" */
	uint64_t file_id;

	/* commands */
	uint64_t seq; /* the last that was carried out */
	struct command command;
	bool boundary_due; /* an interval has ended */
	int64_t boundary_ms;
	bool last_rotation_done; /* leaving: after the drain */
	TAILQ_HEAD(rotate_waits, rotate_wait) waits;
	struct settle_waits settle_waits;

	struct handover handover;
};

/* worker.c */

/* Makes an interface and starts its process. 0, -ENOMEM, or -E2BIG after having said in
 * the log that there are too many. */
int worker_new(struct worker **out, struct supervisor *supervisor,
    const struct iface_name *iface, const struct config_iface *entry, bool enabled);
void worker_free(struct worker *worker);

/* Wanted from now on: other settings, or the end (manager_worker_gone follows), or both
 * taken back. */
void worker_set_entry(struct worker *worker, const struct config_iface *entry);
void worker_set_enabled(struct worker *worker, bool enabled);
void worker_leave(struct worker *worker);
void worker_stay(struct worker *worker);

/* Ends the process without waiting for anything; its records stay. */
void worker_abandon(struct worker *worker);

/* Does whatever can be done next. Call after any change. */
void worker_step(struct worker *worker);

/* Ends the process and starts another on the same records. */
void worker_renew(struct worker *worker);

/* There is no process, and it will be a while until there is one: it has died, or could not
 * be started, again and again. How the last one ended is known then. */
bool worker_is_backed_off(const struct worker *worker);

/* worker_status.c */

/* Asks for it; the answer arms the next time. */
void worker_ask_status(struct worker *worker, int64_t allowance_ms);

/* What the worker is thought to be may not be true any more: asks before going on. */
void worker_resync(struct worker *worker);

/* Not counting, and why; logged when that is news. */
void worker_set_error(struct worker *worker, const char *reason, const char *text);

/* In ERROR until the interface is there, or up. */
bool worker_waits_for_link(const struct worker *worker);

/* In ERROR, and the cure is there: that process, at once. */
void worker_retry_now(struct worker *worker);

/* The state as it is shown: a worker whose interface has gone is in ERROR, whatever it says
 * while it is being closed, unless nobody wants it to count. Both texts are valid until
 * the loop turns again. */
enum worker_state worker_shown_state(
    const struct worker *worker, const char **reason, const char **text);

/* For the timers of the same names. */
void worker_on_poll_timer(void *arg);
void worker_on_retry_timer(void *arg);

/* worker_command.c */

/* The interval ends with this label: as soon as it can. */
void worker_boundary(struct worker *worker, int64_t end_ms);

/* Ends the running interval for somebody who waits. */
void worker_rotate(struct worker *worker, struct rotate_wait *wait);
void rotate_wait_cancel(struct rotate_wait *wait);

/* Chooses and sends the next command, if there is one. */
void worker_command_step(struct worker *worker);

/* After a status: the command under way belongs to a file that is gone. */
void worker_command_drop_foreign(struct worker *worker);

/* Ends the waiting of those whose rotation was asked for (or of all). */
void worker_answer_waits(
    struct worker *worker, bool all, const struct rotate_result *result);
void worker_fail_waits(struct worker *worker, bool all, enum msg_error error,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
