/* What a worker says of itself, asked every second, and what follows from it: the number
 * and the frozen generation that commands build on, and for an ERROR the question whether
 * a successor would fare better. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "proto/parts.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

#define WORKER_RESYNC_MS 100

static const char *const worker_state_names[] = {
    [WORKER_UNINITIALIZED] = "uninitialized",
    [WORKER_INITIALIZED] = "initialized",
    [WORKER_ACTIVE] = "active",
    [WORKER_ERROR] = "error",
};

const char *
worker_state_name(enum worker_state state)
{
	return worker_state_names[state];
}

static int
worker_state_from_name(const char *name, enum worker_state *out)
{
	for (int state = WORKER_UNINITIALIZED; state <= WORKER_ERROR; state++) {
		if (strcmp(worker_state_names[state], name) == 0) {
			*out = (enum worker_state)state;
			return 0;
		}
	}
	return -EPROTO;
}

void
worker_set_error(struct worker *worker, const char *reason, const char *text)
{
	const bool told = worker->state == WORKER_ERROR &&
	    strcmp(worker->reason, reason) == 0 &&
	    strcmp(worker->reason_text, text) == 0;

	if (!told) {
		worker->state = WORKER_ERROR;
		worker_link_pause(worker);
		snprintf(worker->reason, sizeof(worker->reason), "%s", reason);
		snprintf(worker->reason_text, sizeof(worker->reason_text), "%s", text);
	}
	/* Also what is not new: whoever waits may have begun to since. */
	worker_settle_check(worker);
	if (told || worker->link.lost)
		return; /* that it is gone has been said */
	log_iface_warn("worker", worker->iface.s, "not counting: %s%s%s", reason,
	    text[0] != '\0' ? ": " : "", text);
}

/*
 * Errors that may pass: look again, or try again.
 */

enum worker_cure {
	CURE_NONE, /* only another configuration */
	CURE_APPEARS, /* the interface must exist */
	CURE_UP, /* ... and be up */
	CURE_TIME,
};

static enum worker_cure
worker_cure(const struct worker *worker)
{
	static const struct {
		const char *reason;
		enum worker_cure cure;
	} cures[] = {{"filter", CURE_NONE}, {"link_type", CURE_NONE},
	    {"no_such_device", CURE_APPEARS}, {"gone", CURE_APPEARS},
	    {"down", CURE_UP}};

	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++) {
		if (strcmp(cures[i].reason, worker->reason) == 0)
			return cures[i].cure;
	}
	return CURE_TIME;
}

/* Whether another process might fare better now. */
static bool
worker_cure_is_there(const struct worker *worker)
{
	enum link_presence presence = worker_link_presence(worker);

	switch (worker_cure(worker)) {
	case CURE_NONE:
		return false;
	case CURE_APPEARS:
		return presence == LINK_UP || presence == LINK_DOWN;
	case CURE_UP:
		return presence == LINK_UP;
	case CURE_TIME:
		return true;
	}
	return false;
}

bool
worker_waits_for_link(const struct worker *worker)
{
	return worker->state == WORKER_ERROR && worker_cure(worker) != CURE_NONE &&
	    !worker_cure_is_there(worker);
}

static void
worker_plan_retry(struct worker *worker)
{
	int64_t well_ms;

	if (worker->retry_timer.armed || worker->ending ||
	    worker_cure(worker) == CURE_NONE)
		return;
	if (!worker_cure_is_there(worker))
		return; /* worker_link_changed() will tell */
	well_ms = worker->active_since.ns != 0
	    ? mono_ms_between(worker->active_since, mono_now())
	    : 0;
	loop_timer_set(worker->supervisor->loop, &worker->retry_timer,
	    backoff_next(&worker->retries, well_ms));
}

void
worker_retry_now(struct worker *worker)
{
	if (worker->state == WORKER_ERROR && worker->child && worker->synced &&
	    worker->enabled && !worker->leaving && !worker->link.lost &&
	    worker_cure_is_there(worker))
		worker_renew(worker);
}

void
worker_on_retry_timer(void *arg)
{
	worker_retry_now(arg);
}

enum worker_state
worker_shown_state(const struct worker *worker, const char **reason, const char **text)
{
	static const char gone[] = "gone";

	*reason = worker->reason;
	*text = worker->reason_text;
	if (!worker->link.lost ||
	    (!worker->enabled && !worker->leaving &&
		worker->state == WORKER_UNINITIALIZED))
		return worker->state;
	*reason = gone;
	*text = "the interface is not there any more";
	return WORKER_ERROR;
}

/*
 * Status: what the process says.
 */

static int
worker_read_frozen(struct worker *worker, const struct msg *answer, uint64_t file_id)
{
	const msgpack_object *frozen;
	struct interval interval;
	uint64_t rotation;
	bool known;
	int rc;

	if (view_map(answer->body, "frozen", &frozen) != 0) {
		if (worker->handover.rotation == 0)
			return 0;
		if (!worker->handover.durable) {
			log_iface_err("handover", worker->iface.s,
			    "rotation %" PRIu64 " is lost: its worker does not have it "
			    "any more",
			    worker->handover.rotation);
			worker_fail_waits(worker, false, MSG_E_FAILED,
			    "frozen, but the worker does not have it any more");
		}
		handover_end(worker);
		return 0;
	}
	rc = view_u64(frozen, "seq", UINT64_MAX, &rotation);
	if (rc != 0 || rotation == 0)
		return -EPROTO;
	known = view_interval(frozen, "interval", &interval) == 0;
	handover_begin(worker, rotation, file_id, known ? &interval : NULL);
	if (!worker->handover.has_interval && rotation != worker->seq)
		log_iface_err("handover", worker->iface.s,
		    "rotation %" PRIu64 " cannot be handed over: its worker does not "
		    "tell the interval",
		    rotation);
	return 0;
}

/* The part of a status that commands are built on. */
static int
worker_sync(struct worker *worker, const struct msg *answer)
{
	uint64_t file_id;
	uint64_t seq;
	int rc;

	rc = view_u64(answer->body, "file_id", UINT64_MAX, &file_id);
	if (rc == 0)
		rc = view_u64(answer->body, "seq", UINT64_MAX - 1, &seq);
	if (rc != 0)
		return rc;
	worker->file_id = file_id;
	worker->seq = seq;
	worker_command_drop_foreign(worker);
	return worker_read_frozen(worker, answer, file_id);
}

static int
worker_read_state(struct worker *worker, const struct msg *answer)
{
	char name[32];
	char reason[sizeof(worker->reason)] = "";
	char text[sizeof(worker->reason_text)];
	enum worker_state state;
	enum worker_state before = worker->state;
	int rc;

	rc = view_str(answer->body, "state", name, sizeof(name));
	if (rc == 0)
		rc = worker_state_from_name(name, &state);
	if (rc == 0)
		rc = view_str(answer->body, "reason", reason, sizeof(reason));
	if (rc != 0)
		return rc;
	if (state == WORKER_ERROR) {
		view_text(answer->body, "reason_text", text, sizeof(text));
		worker_set_error(worker, reason, text);
		return 0;
	}
	worker->state = state;
	worker->reason[0] = worker->reason_text[0] = '\0';
	if (state == WORKER_ACTIVE && before != WORKER_ACTIVE) {
		worker->active_since = mono_now();
		log_iface_info("worker", worker->iface.s, "counting, process %d",
		    (int)child_pid(worker->child));
	}
	return 0;
}

static void
worker_take_status(struct worker *worker, const struct msg *answer)
{
	/* While a command is under way its number may or may not be in this answer. */
	bool sync = !worker->synced && !worker->command.ask;
	int rc = worker_read_state(worker, answer);

	if (rc == 0 && sync)
		rc = worker_sync(worker, answer);
	if (rc != 0) {
		child_kill(worker->child, "its answer to status is malformed");
		return;
	}
	if (sync) {
		worker->synced = true;
		worker->dead_adopters = 0;
	}
	if (worker->state == WORKER_ERROR && worker->enabled && !worker->leaving)
		worker_plan_retry(worker);
	manager_health_changed(worker->supervisor);
	worker_step(worker);
}

static void
worker_on_status(void *arg, int rc, struct reply *reply)
{
	struct worker *worker = arg;

	worker->status_ask = NULL;
	if (rc == -ECONNRESET)
		return; /* its death is told by the lifeline */
	loop_timer_set(worker->supervisor->loop, &worker->poll_timer,
	    rc == 0 && reply->msg.error == MSG_OK ? WORKER_POLL_MS : WORKER_RESYNC_MS);
	if (rc == 0 && reply->msg.error == MSG_OK)
		worker_take_status(worker, &reply->msg);
	reply_free(reply);
}

void
worker_ask_status(struct worker *worker, int64_t allowance_ms)
{
	struct pack request;
	int rc;

	if (worker->status_ask || !worker->child || worker->ending)
		return;
	pack_init(&request);
	pack_request(&request, MSG_STATUS);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = child_ask(&worker->status_ask, worker->child, MSG_STATUS, &request,
		    allowance_ms, worker_on_status, worker);
	pack_fini(&request);
	if (rc != 0)
		loop_timer_set(
		    worker->supervisor->loop, &worker->poll_timer, WORKER_POLL_MS);
}

void
worker_on_poll_timer(void *arg)
{
	worker_ask_status(arg, WORKER_STATUS_MS);
}

void
worker_resync(struct worker *worker)
{
	worker->synced = false;
	if (worker->child)
		loop_timer_set(
		    worker->supervisor->loop, &worker->poll_timer, WORKER_RESYNC_MS);
}
