#include "supervisor/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "proto/parts.h"
#include "supervisor/manager.h"
#include "supervisor/records.h"
#include "supervisor/supervisor.h"

#define WORKER_RECORDS_BUSY_MS 50
#define WORKER_RESYNC_MS 100
#define WORKER_RENEW_MS 500 /* least time between two starts that we ask for */

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

static struct loop *
worker_loop(const struct worker *worker)
{
	return worker->supervisor->loop;
}

static void
worker_set_error(struct worker *worker, const char *reason, const char *text)
{
	if (worker->state == WORKER_ERROR && strcmp(worker->reason, reason) == 0 &&
	    strcmp(worker->reason_text, text) == 0)
		return;
	worker->state = WORKER_ERROR;
	snprintf(worker->reason, sizeof(worker->reason), "%s", reason);
	snprintf(worker->reason_text, sizeof(worker->reason_text), "%s", text);
	log_warn("worker", "%s: not counting: %s%s%s", worker->iface.s, reason,
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

static bool
worker_iface_is_up(const struct worker *worker)
{
	struct ifreq request = {.ifr_flags = 0};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0)
		return false;
	memcpy(request.ifr_name, worker->iface.s, sizeof(request.ifr_name));
	up =
	    ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
	close(fd);
	return up;
}

static bool
worker_cure_is_there(const struct worker *worker)
{
	switch (worker_cure(worker)) {
	case CURE_NONE:
		return false;
	case CURE_APPEARS:
		return if_nametoindex(worker->iface.s) != 0;
	case CURE_UP:
		return worker_iface_is_up(worker);
	case CURE_TIME:
		return true;
	}
	return false;
}

static void
worker_plan_retry(struct worker *worker)
{
	int64_t well_ms;

	if (worker->retry_timer.armed || worker->ending ||
	    worker_cure(worker) == CURE_NONE)
		return;
	if (!worker_cure_is_there(worker)) {
		loop_timer_set(
		    worker_loop(worker), &worker->retry_timer, WORKER_LOOK_MS);
		return;
	}
	well_ms = worker->active_since.ns != 0
	    ? mono_ms_between(worker->active_since, mono_now())
	    : 0;
	loop_timer_set(worker_loop(worker), &worker->retry_timer,
	    backoff_next(&worker->retries, well_ms));
}

static void
worker_on_retry_timer(void *arg)
{
	struct worker *worker = arg;

	if (worker->state != WORKER_ERROR || !worker->child || !worker->synced ||
	    !worker->enabled || worker->leaving)
		return;
	if (worker_cure_is_there(worker))
		worker_renew(worker);
	else
		worker_plan_retry(worker);
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
		if (worker->handover.rotation != 0)
			handover_end(worker);
		return 0;
	}
	rc = view_u64(frozen, "seq", UINT64_MAX, &rotation);
	if (rc != 0 || rotation == 0)
		return -EPROTO;
	known = view_interval(frozen, "interval", &interval) == 0;
	handover_begin(worker, rotation, file_id, known ? &interval : NULL);
	if (!worker->handover.has_interval && rotation != worker->seq)
		log_err("handover",
		    "%s: rotation %" PRIu64
		    " cannot be handed over: its worker does not "
		    "tell the interval",
		    worker->iface.s, rotation);
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
		log_info("worker", "%s: counting, process %d", worker->iface.s,
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
	loop_timer_set(worker_loop(worker), &worker->poll_timer,
	    rc == 0 && reply->msg.error == MSG_OK ? WORKER_POLL_MS : WORKER_RESYNC_MS);
	if (rc == 0 && reply->msg.error == MSG_OK)
		worker_take_status(worker, &reply->msg);
	reply_free(reply);
}

static void
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
		    worker_loop(worker), &worker->poll_timer, WORKER_POLL_MS);
}

static void
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
		    worker_loop(worker), &worker->poll_timer, WORKER_RESYNC_MS);
}

/*
 * The process: start and end.
 */

static void
worker_start_later(struct worker *worker, int64_t ms)
{
	loop_timer_set(worker_loop(worker), &worker->start_timer, ms);
}

/* 0, or negative errno when there is none to work with now; tried again. */
static int
worker_open_records(struct worker *worker)
{
	int fd;

	if (worker->records_fd >= 0)
		return 0;
	fd = records_open(worker->supervisor->runtime.records_fd, &worker->iface);
	if (fd == -EWOULDBLOCK) {
		if (!worker->records_locked)
			log_info("records", "%s: waiting for an old worker to end",
			    worker->iface.s);
		worker->records_locked = true;
		worker_start_later(worker, WORKER_RECORDS_BUSY_MS);
		return fd;
	}
	if (fd < 0) {
		worker_set_error(worker, "records", strerror(-fd));
		worker_start_later(worker, backoff_next(&worker->deaths, 0));
		return fd;
	}
	worker->records_locked = false;
	worker->records_fd = fd;
	if (!records_empty(fd))
		log_info("records", "%s: a former worker's records are taken over",
		    worker->iface.s);
	return 0;
}

static int
worker_pack_first(struct worker *worker, struct pack *first)
{
	int rc = records_new_id(&worker->file_id);

	if (rc != 0)
		return rc;
	pack_request(first, MSG_UPDATE);
	pack_key_u64(first, "seq", 0);
	pack_key_str(first, "iface", worker->iface.s);
	pack_key_u64(first, "file_id", worker->file_id);
	pack_key_i64(first, "begin_ms", wall_now().ns / NS_PER_MS);
	pack_key_config(first, "config", &worker->config);
	return pack_finish(first);
}

static const struct child_events worker_events;

static void
worker_start(struct worker *worker)
{
	struct supervisor *supervisor = worker->supervisor;
	char user[32];
	const char *args[] = {"--user", user, worker->iface.s, NULL};
	struct child_options options = {.program = "weir-worker",
	    .label = worker->label,
	    .args = args,
	    .socket_dir = supervisor->runtime.worker,
	    .socket_gid = supervisor->settings.worker_gid,
	    .errors_fd = -1};
	struct pack first;
	int rc;

	if (worker->child || worker_open_records(worker) != 0)
		return;
	snprintf(user, sizeof(user), "%u:%u", (unsigned)supervisor->settings.worker_uid,
	    (unsigned)supervisor->settings.worker_gid);
	options.data_fd = worker->records_fd;
	pack_init(&first);
	rc = worker_pack_first(worker, &first);
	options.first = &first;
	if (rc == 0)
		rc = child_start(&worker->child, supervisor->children, &options,
		    &worker_events, worker);
	pack_fini(&first);
	if (rc != 0) {
		int64_t delay = backoff_next(&worker->deaths, 0);

		log_err("worker",
		    "%s: its worker cannot be started: %s; trying again in %" PRId64
		    " ms",
		    worker->iface.s, strerror(-rc), delay);
		worker_start_later(worker, delay);
		return;
	}
	worker->applied = worker->config;
	worker->synced = false;
	worker->ending = false;
	worker->await_reap = false;
	worker->last_rotation_done = false;
	worker->active_since = (struct mono){0};
	if (worker->state != WORKER_ERROR)
		worker->state = WORKER_UNINITIALIZED;
	worker_ask_status(worker, WORKER_START_MS);
}

static void
worker_on_start_timer(void *arg)
{
	worker_start(arg);
}

static void
worker_set_records_aside(struct worker *worker)
{
	int dir_fd = worker->supervisor->runtime.records_fd;
	char name[RECORDS_NAME_SIZE];
	int rc = records_set_aside(dir_fd, &worker->iface, name);

	if (rc != 0) {
		log_err("records", "%s: its damaged records cannot be set aside: %s",
		    worker->iface.s, strerror(-rc));
		return;
	}
	log_err("records",
	    "%s: its records are damaged; they are kept as %s/%s and counting begins anew",
	    worker->iface.s, worker->supervisor->runtime.records, name);
	close(worker->records_fd);
	worker->records_fd = -1;
	worker->dead_adopters = 0;
	handover_end(worker);
	worker_fail_waits(worker, false, MSG_E_FAILED,
	    "the records were damaged and have been set aside");
}

/* It died before it answered. Was it the records? An exit code says so; a crash twice in
 * a row, or having to be killed, is taken for it. A kill from outside is not. */
static void
worker_judge(struct worker *worker, const struct child *child, int status)
{
	bool crashed = WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL &&
	    WTERMSIG(status) != SIGTERM;

	if (records_empty(worker->records_fd))
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_RECORDS)
		worker_set_records_aside(worker);
	else if ((crashed || child_was_killed(child)) && ++worker->dead_adopters >= 2)
		worker_set_records_aside(worker);
}

static void
worker_on_died(void *arg, struct child *child)
{
	struct worker *worker = arg;
	int64_t delay;

	if (child != worker->child)
		return;
	worker->child = NULL;
	loop_timer_clear(worker_loop(worker), &worker->poll_timer);
	loop_timer_clear(worker_loop(worker), &worker->retry_timer);
	handover_worker_lost(worker);
	if (worker->finished) {
		manager_worker_gone(worker);
		return;
	}
	if (worker->ending) {
		int64_t lived = child_uptime_ms(child);

		worker->synced = false;
		worker_start_later(
		    worker, lived < WORKER_RENEW_MS ? WORKER_RENEW_MS - lived : 0);
		return;
	}
	worker->restarts++;
	delay = backoff_next(&worker->deaths, child_uptime_ms(child));
	log_warn("worker",
	    "%s: its worker (process %d) has died; starting another in %" PRId64 " ms",
	    worker->iface.s, (int)child_pid(child), delay);
	if (worker->synced) {
		worker_start_later(worker, delay);
	} else {
		worker->await_reap = true;
		worker->start_delay_ms = delay;
	}
	worker->synced = false;
	manager_health_changed(worker->supervisor);
}

static void
worker_on_reaped(void *arg, struct child *child, int status)
{
	struct worker *worker = arg;
	bool expected = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	child_exit_text(status, worker->last_exit);
	worker->last_exit_ms = wall_now().ns / NS_PER_MS;
	if (!expected)
		log_warn("worker", "%s: process %d ended with %s", worker->iface.s,
		    (int)child_pid(child), worker->last_exit);
	if (!worker->await_reap)
		return;
	worker->await_reap = false;
	worker_judge(worker, child, status);
	worker_start_later(worker, worker->start_delay_ms);
}

static const struct child_events worker_events = {
    .died = worker_on_died,
    .reaped = worker_on_reaped,
};

void
worker_renew(struct worker *worker)
{
	if (!worker->child || worker->ending)
		return;
	worker->ending = true;
	child_close(worker->child);
}

void
worker_step(struct worker *worker)
{
	if (!worker->child || !worker->synced || worker->ending)
		return;
	handover_step(worker);
	worker_command_step(worker);
}

/*
 * Wanted.
 */

void
worker_set_config(struct worker *worker, const struct capture_config *config)
{
	if (capture_config_compare(&worker->config, config) == CAPTURE_SAME)
		return;
	worker->config = *config;
	log_info("worker", "%s: new settings", worker->iface.s);
	if (worker->state == WORKER_ERROR)
		worker_renew(worker);
	worker_step(worker);
}

void
worker_set_enabled(struct worker *worker, bool enabled)
{
	worker->enabled = enabled;
	if (enabled && worker->state == WORKER_ERROR)
		worker_renew(worker);
	worker_step(worker);
}

void
worker_leave(struct worker *worker)
{
	worker->leaving = true;
	if (!worker->child && !worker->await_reap && worker->records_fd >= 0 &&
	    records_empty(worker->records_fd)) {
		worker->last_rotation_done = true; /* it has never counted */
		worker_abandon(worker);
		return;
	}
	/* A start that is put off would only put the end off. */
	if (!worker->child && worker->start_timer.armed)
		worker_start_later(worker, 0);
	worker_step(worker);
}

void
worker_stay(struct worker *worker)
{
	/* When its end is under way already, a start follows it. */
	worker->finished = false;
	worker->leaving = false;
	worker->last_rotation_done = false;
	worker_step(worker);
}

void
worker_abandon(struct worker *worker)
{
	loop_timer_clear(worker_loop(worker), &worker->start_timer);
	worker->finished = true;
	worker->ending = true;
	if (worker->child)
		child_close(worker->child);
	else
		manager_worker_gone(worker);
}

int
worker_new(struct worker **out, struct supervisor *supervisor,
    const struct iface_name *iface, const struct capture_config *config)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return -ENOMEM;
	worker->supervisor = supervisor;
	worker->iface = *iface;
	worker->config = *config;
	worker->applied = *config;
	worker->enabled = true;
	worker->state = WORKER_UNINITIALIZED;
	worker->records_fd = -1;
	snprintf(worker->label, sizeof(worker->label), "weir-worker %s", iface->s);
	TAILQ_INIT(&worker->waits);
	worker->start_timer =
	    (struct loop_timer){.fire = worker_on_start_timer, .arg = worker};
	worker->poll_timer =
	    (struct loop_timer){.fire = worker_on_poll_timer, .arg = worker};
	worker->retry_timer =
	    (struct loop_timer){.fire = worker_on_retry_timer, .arg = worker};
	backoff_init(&worker->deaths, 100, 30000, 60000, true);
	backoff_init(&worker->retries, 1000, 30000, 60000, true);
	handover_init(worker);
	TAILQ_INSERT_TAIL(&supervisor->workers, worker, entry);
	*out = worker;
	worker_start(worker);
	return 0;
}

void
worker_free(struct worker *worker)
{
	if (!worker)
		return;
	handover_fini(worker);
	loop_timer_clear(worker_loop(worker), &worker->start_timer);
	loop_timer_clear(worker_loop(worker), &worker->poll_timer);
	loop_timer_clear(worker_loop(worker), &worker->retry_timer);
	children_disown(worker->supervisor->children, worker);
	worker_fail_waits(
	    worker, true, MSG_E_NO_CHILD, "the interface is being removed");
	if (worker->records_fd >= 0)
		close(worker->records_fd);
	TAILQ_REMOVE(&worker->supervisor->workers, worker, entry);
	free(worker);
}
