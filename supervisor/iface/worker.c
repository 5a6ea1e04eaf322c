#include "supervisor/iface/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "proto/parts.h"
#include "supervisor/iface/error_file.h"
#include "supervisor/manager/manager.h"
#include "supervisor/iface/records.h"
#include "supervisor/supervisor.h"

#define WORKER_RECORDS_BUSY_MS 50
#define WORKER_RECORDS_PATIENCE_MS 3000
/* A worker that has lived so long is started again at once when it dies. Short on purpose:
 * every moment without a worker is traffic that nobody counts, so a packet that kills a
 * worker must not buy its sender more than that moment. One that dies at its start is
 * backed off from. */
#define WORKER_HEALTHY_MS 1000
#define WORKER_RENEW_MS 500 /* least time between two starts that we ask for */
#define WORKER_FAR_MS 1000 /* nobody waits for a start that is further away */

static struct loop *
worker_loop(const struct worker *worker)
{
	return worker->supervisor->loop;
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
		if (worker->records_locked_at.ns == 0) {
			log_iface_info("records", worker->iface.s,
			    "waiting for an old worker to end");
			worker->records_locked_at = mono_now();
		}
		/* One that is stopped, or stands in the kernel, does not end by itself. */
		if (mono_ms_between(worker->records_locked_at, mono_now()) >
		    WORKER_RECORDS_PATIENCE_MS)
			worker_set_error(worker, "records",
			    "a weir-worker of a daemon that is gone has not ended and "
			    "holds the records of this interface; end it (kill -9)");
		worker_start_later(worker, WORKER_RECORDS_BUSY_MS);
		return fd;
	}
	if (fd < 0) {
		worker_start_later(worker, backoff_next(&worker->deaths, 0));
		worker_set_error(worker, "records", strerror(-fd));
		return fd;
	}
	worker->records_locked_at.ns = 0;
	worker->records_fd = fd;
	if (!records_empty(fd))
		log_iface_info("records", worker->iface.s,
		    "a former worker's records are taken over");
	return 0;
}

static int
worker_pack_first(struct worker *worker, struct pack *first, bool held)
{
	int rc = records_new_id(&worker->file_id);

	if (rc != 0)
		return rc;
	pack_request(first, MSG_UPDATE);
	pack_key_u64(first, "seq", 0);
	pack_key_str(first, "iface", worker->iface.s);
	pack_key_u64(first, "file_id", worker->file_id);
	pack_key_bool(first, "enabled", worker->enabled && !worker->leaving && !held);
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
	const char *args[] = {"--user", user, "--", worker->iface.s, NULL};
	struct child_options options = {.program = "weir-worker",
	    .label = worker->label,
	    .args = args,
	    .socket_dir = supervisor->runtime.worker,
	    .socket_uid = supervisor->settings.worker_uid,
	    .errors_fd = -1};
	struct pack first;
	bool fresh;
	bool held;
	int rc;

	if (worker->child || worker_open_records(worker) != 0)
		return;
	fresh = records_empty(worker->records_fd);
	if (worker->leaving && fresh) {
		/* What there was has been set aside, or there was nothing. */
		records_remove(supervisor->runtime.records_fd, &worker->iface);
		worker_abandon(worker); /* frees it */
		return;
	}
	/* What is in the records was counted on an interface that is gone: that interval
	 * ends before anything is added to it. */
	held = worker->link.cut_due && !fresh;
	snprintf(user, sizeof(user), "%u:%u", (unsigned)supervisor->settings.worker_uid,
	    (unsigned)supervisor->settings.worker_gid);
	options.data_fd = worker->records_fd;
	if (supervisor->runtime.errors_fd >= 0)
		options.errors_fd = error_file_open(supervisor->runtime.errors_fd,
		    &worker->iface, supervisor->settings.client_gid);
	pack_init(&first);
	rc = worker_pack_first(worker, &first, held);
	options.first = &first;
	if (rc == 0)
		rc = child_start(&worker->child, supervisor->children, &options,
		    &worker_events, worker);
	pack_fini(&first);
	if (options.errors_fd >= 0)
		close(options.errors_fd);
	if (rc != 0) {
		int64_t delay = backoff_next(&worker->deaths, 0);

		log_iface_err("worker", worker->iface.s,
		    "its worker cannot be started: %s; trying again in %" PRId64 " ms",
		    strerror(-rc), delay);
		worker_start_later(worker, delay);
		worker_set_error(worker, "start", strerror(-rc));
		return;
	}
	worker->applied = worker->config;
	worker_link_start(worker, held, fresh);
	worker->synced = false;
	worker->ending = false;
	worker->await_reap = false;
	worker->last_rotation_done = false;
	worker->command.last = false; /* it may have been started to count */
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
		log_iface_err("records", worker->iface.s,
		    "its damaged records cannot be set aside: %s", strerror(-rc));
		return;
	}
	log_iface_err("records", worker->iface.s,
	    "its records are damaged; they are kept as %s/%s and counting begins anew",
	    worker->supervisor->runtime.records, name);
	memcpy(worker->set_aside, name, sizeof(worker->set_aside));
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

	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_NO_ROOM)
		worker_set_error(worker, "records",
		    "no room for flow records: enlarge or clear the tmpfs they are on");
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
	worker->died = child_pid(child);
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
	worker->exit_unknown = true;
	delay = backoff_next(&worker->deaths, child_uptime_ms(child));
	log_iface_warn("worker", worker->iface.s,
	    "its worker (process %d) has died; starting another in %" PRId64 " ms",
	    (int)child_pid(child), delay);
	if (worker->synced) {
		worker_start_later(worker, delay);
	} else {
		worker->await_reap = true;
		worker->start_delay_ms = delay;
	}
	worker->synced = false;
	manager_health_changed(worker->supervisor);
}

/* It has no process, and none has ever counted anything that is not stored. */
static bool
worker_has_nothing(const struct worker *worker)
{
	return !worker->child && !worker->await_reap && worker->records_fd >= 0 &&
	    records_empty(worker->records_fd);
}

static void
worker_on_reaped(void *arg, struct child *child, int status)
{
	struct worker *worker = arg;
	bool expected = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char text[CHILD_EXIT_TEXT];

	child_end_text(child, status, text);
	if (!expected)
		log_iface_warn("worker", worker->iface.s, "process %d ended with %s",
		    (int)child_pid(child), text);
	/* Its captures take a moment to close; a successor may have died meanwhile, whose
	 * end is the one that counts. */
	if (child_pid(child) != worker->died)
		return;
	memcpy(worker->last_exit, text, sizeof(worker->last_exit));
	worker->last_exit_ms = wall_now().ns / NS_PER_MS;
	worker->exit_unknown = false;
	if (worker->await_reap) {
		worker->await_reap = false;
		worker_judge(worker, child, status);
		worker_start_later(worker, worker->start_delay_ms);
	}
	if (worker->leaving && worker_has_nothing(worker)) {
		worker_leave(worker); /* frees it */
		return;
	}
	worker_settle_check(worker);
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

bool
worker_is_backed_off(const struct worker *worker)
{
	return !worker->child && !worker->await_reap && !worker->exit_unknown &&
	    loop_timer_left_ms(&worker->start_timer) > WORKER_FAR_MS;
}

void
worker_step(struct worker *worker)
{
	if (worker->child && worker->synced && !worker->ending) {
		handover_step(worker);
		worker_command_step(worker);
	}
	worker_settle_check(worker);
}

/*
 * Wanted.
 */

static void
worker_take_entry(struct worker *worker, const struct config_iface *entry)
{
	worker->named = entry->kind == CONFIG_IFACE_NAMED;
	snprintf(worker->configured_by, sizeof(worker->configured_by), "%s",
	    config_iface_text(entry));
	worker->config = entry->capture;
}

void
worker_set_entry(struct worker *worker, const struct config_iface *entry)
{
	bool same =
	    capture_config_compare(&worker->config, &entry->capture) == CAPTURE_SAME;

	worker_take_entry(worker, entry);
	if (same)
		return;
	worker_link_pause(worker);
	log_iface_info("worker", worker->iface.s, "new settings");
	if (worker->state == WORKER_ERROR)
		worker_renew(worker);
	worker_step(worker);
}

void
worker_set_enabled(struct worker *worker, bool enabled)
{
	worker->enabled = enabled;
	manager_overlap_changed(worker->supervisor);
	if (enabled && worker->state == WORKER_ERROR)
		worker_renew(worker);
	worker_step(worker);
}

void
worker_leave(struct worker *worker)
{
	worker->leaving = true;
	manager_overlap_changed(worker->supervisor);
	if (worker_has_nothing(worker)) {
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
	worker->command.last = false;
	manager_overlap_changed(worker->supervisor);
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

/* Those that leave do not take the place of others, but there is an end to that too. */
static bool
worker_has_room(const struct supervisor *supervisor, const struct iface_name *iface)
{
	const struct worker *worker;
	size_t staying = 0;
	size_t leaving = 0;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		if (worker->leaving)
			leaving++;
		else
			staying++;
	}
	if (staying >= WORKERS_MAX)
		log_iface_err("worker", iface->s,
		    "is not counted: %d interfaces are, which is the most; take fewer "
		    "with the configuration's patterns",
		    WORKERS_MAX);
	else if (leaving >= WORKERS_MAX)
		log_iface_warn("worker", iface->s,
		    "is counted when some of the %zu interfaces that are being removed "
		    "are gone",
		    leaving);
	return staying < WORKERS_MAX && leaving < WORKERS_MAX;
}

int
worker_new(struct worker **out, struct supervisor *supervisor,
    const struct iface_name *iface, const struct config_iface *entry, bool enabled)
{
	struct worker *worker;

	if (!worker_has_room(supervisor, iface))
		return -E2BIG;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	worker->supervisor = supervisor;
	worker->iface = *iface;
	worker_take_entry(worker, entry);
	worker->applied = worker->config;
	worker->enabled = enabled;
	worker->state = WORKER_UNINITIALIZED;
	worker->records_fd = -1;
	snprintf(worker->label, sizeof(worker->label), "weir-worker %s", iface->s);
	TAILQ_INIT(&worker->waits);
	TAILQ_INIT(&worker->settle_waits);
	worker->start_timer =
	    (struct loop_timer){.fire = worker_on_start_timer, .arg = worker};
	worker->poll_timer =
	    (struct loop_timer){.fire = worker_on_poll_timer, .arg = worker};
	worker->retry_timer =
	    (struct loop_timer){.fire = worker_on_retry_timer, .arg = worker};
	backoff_init(&worker->deaths, 100, 30000, WORKER_HEALTHY_MS, true);
	backoff_init(&worker->retries, 1000, 30000, 60000, true);
	handover_init(worker);
	worker_link_init(worker);
	TAILQ_INSERT_TAIL(&supervisor->workers, worker, entry);
	*out = worker;
	manager_overlap_changed(supervisor);
	worker_start(worker);
	return 0;
}

void
worker_free(struct worker *worker)
{
	if (!worker)
		return;
	handover_fini(worker);
	worker_link_fini(worker);
	loop_timer_clear(worker_loop(worker), &worker->start_timer);
	loop_timer_clear(worker_loop(worker), &worker->poll_timer);
	loop_timer_clear(worker_loop(worker), &worker->retry_timer);
	children_disown(worker->supervisor->children, worker);
	worker_fail_waits(
	    worker, true, MSG_E_NO_CHILD, "the interface is being removed");
	worker_settle_gone(worker);
	if (worker->records_fd >= 0)
		close(worker->records_fd);
	error_file_tidy(worker->supervisor->runtime.errors_fd, &worker->iface);
	TAILQ_REMOVE(&worker->supervisor->workers, worker, entry);
	manager_overlap_changed(worker->supervisor);
	free(worker);
}
