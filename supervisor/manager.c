#include "supervisor/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/log.h"
#include "supervisor/iface/records.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

#define MANAGER_HEALTH_MS 200

struct worker *
manager_find(struct supervisor *supervisor, const char *name)
{
	struct worker *worker;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		if (strcmp(worker->iface.s, name) == 0)
			return worker;
	}
	return NULL;
}

static bool
manager_is_listed(
    const struct worker *worker, const struct config_iface *ifaces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(worker->iface.s, ifaces[i].name.s) == 0)
			return true;
	}
	return false;
}

int
manager_update(
    struct supervisor *supervisor, const struct config_iface *ifaces, size_t count)
{
	struct worker *worker = TAILQ_FIRST(&supervisor->workers);
	int rc = 0;

	while (worker) {
		struct worker *next = TAILQ_NEXT(worker, entry);

		if (!worker->leaving && !manager_is_listed(worker, ifaces, count)) {
			log_info("worker", "%s: is removed", worker->iface.s);
			worker_leave(worker);
		}
		worker = next;
	}
	for (size_t i = 0; i < count; i++) {
		worker = manager_find(supervisor, ifaces[i].name.s);
		if (!worker) {
			int failed = worker_new(
			    &worker, supervisor, &ifaces[i].name, &ifaces[i].capture);

			if (failed != 0)
				rc = failed;
			continue;
		}
		worker_set_config(worker, &ifaces[i].capture);
		if (worker->leaving)
			worker_stay(worker);
		worker_set_enabled(worker, true);
	}
	return rc;
}

void
manager_rotate_all(struct supervisor *supervisor, int64_t end_ms)
{
	struct worker *worker;

	if (supervisor->stage != SUPERVISOR_RUNS)
		return;
	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		worker_boundary(worker, end_ms);
	}
}

static void
manager_fault(void *arg, const char *line)
{
	(void)arg;
	log_err("config", "%s", line);
}

static void
manager_notify_reloading(void)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	sd_notify(0, text);
}

/* Directories and users are what the process was built on; the rest can change. */
static bool
manager_needs_restart(const struct config *a, const struct config *b)
{
	return strcmp(a->runtime, b->runtime) != 0 ||
	    strcmp(a->records, b->records) != 0 || strcmp(a->store, b->store) != 0 ||
	    strcmp(a->worker_user, b->worker_user) != 0 ||
	    strcmp(a->store_user, b->store_user) != 0 ||
	    strcmp(a->client_group, b->client_group) != 0 || a->keep_ms != b->keep_ms ||
	    a->keep_bytes != b->keep_bytes;
}

void
manager_reload(struct supervisor *supervisor)
{
	struct config config;
	int rc;

	if (supervisor->stage != SUPERVISOR_RUNS)
		return;
	manager_notify_reloading();
	rc = config_load(supervisor->config_path, &config, manager_fault, NULL);
	if (rc != 0) {
		log_err("config", "%s has faults; everything stays as it is",
		    supervisor->config_path);
		sd_notify(0, "READY=1");
		return;
	}
	if (manager_needs_restart(&supervisor->config, &config))
		log_warn("config",
		    "directories, users, groups and retention change only with a restart");
	if (config.rotation_ms != supervisor->config.rotation_ms) {
		rc = rotation_set_period(
		    &supervisor->rotation, (int64_t)config.rotation_ms);
		if (rc != 0)
			log_err("rotation", "the new period: %s", strerror(-rc));
		else
			supervisor->config.rotation_ms = config.rotation_ms;
	}
	rc = manager_update(supervisor, config.ifaces, config.iface_count);
	if (rc != 0)
		log_err(
		    "config", "not all interfaces could be started: %s", strerror(-rc));
	log_info("config", "%s is in force: %zu interfaces", supervisor->config_path,
	    config.iface_count);
	config_fini(&config);
	sd_notify(0, "READY=1");
}

/*
 * The end, in stages; each has a time at which the next begins anyway.
 */

static void manager_next_stage(struct supervisor *supervisor);

static void
manager_enter(
    struct supervisor *supervisor, enum supervisor_stage stage, int64_t most_ms)
{
	supervisor->stage = stage;
	loop_timer_set(supervisor->loop, &supervisor->stage_timer, most_ms);
}

static void
manager_on_stage_timer(void *arg)
{
	struct supervisor *supervisor = arg;

	if (supervisor->stage == SUPERVISOR_ENDS) {
		log_warn("supervisor", "%zu processes did not end and are killed",
		    children_count(supervisor->children));
		loop_stop(supervisor->loop);
		return;
	}
	manager_next_stage(supervisor);
}

static void
manager_abandon_workers(struct supervisor *supervisor)
{
	struct worker *worker = TAILQ_FIRST(&supervisor->workers);

	while (worker) {
		struct worker *next = TAILQ_NEXT(worker, entry);

		log_warn("handover",
		    "%s: the last rotation is not in the store%s%s; the next start hands it "
		    "over from %s",
		    worker->iface.s, worker->handover.why[0] ? ": " : "",
		    worker->handover.why, worker->supervisor->runtime.records);
		worker_abandon(worker);
		worker = next;
	}
}

static void
manager_next_stage(struct supervisor *supervisor)
{
	switch (supervisor->stage) {
	case SUPERVISOR_RUNS:
		break;
	case SUPERVISOR_DRAINS:
		manager_enter(supervisor, SUPERVISOR_FLUSHES, MANAGER_FLUSH_MS);
		manager_abandon_workers(supervisor);
		store_link_finish(&supervisor->store);
		break;
	case SUPERVISOR_FLUSHES:
		manager_enter(supervisor, SUPERVISOR_ENDS, MANAGER_END_MS);
		manager_child_gone(supervisor);
		break;
	case SUPERVISOR_ENDS:
		break;
	}
}

void
manager_stop(struct supervisor *supervisor)
{
	struct worker *worker = TAILQ_FIRST(&supervisor->workers);

	if (supervisor->stage != SUPERVISOR_RUNS) {
		log_warn("supervisor",
		    "ending at once; what is not in the store stays in %s",
		    supervisor->runtime.records);
		loop_stop(supervisor->loop);
		return;
	}
	log_info("supervisor", "ending: drain, last rotation, flush");
	sd_notify(0, "STOPPING=1\nSTATUS=draining, last rotation");
	manager_enter(supervisor, SUPERVISOR_DRAINS, MANAGER_DRAIN_MS);
	store_link_hurry(&supervisor->store);
	while (worker) {
		struct worker *next = TAILQ_NEXT(worker, entry);

		worker_leave(worker);
		worker = next;
	}
	/* What waits for its next try does not wait now. */
	manager_store_ready(supervisor);
	if (TAILQ_EMPTY(&supervisor->workers))
		manager_next_stage(supervisor);
}

void
manager_worker_gone(struct worker *worker)
{
	struct supervisor *supervisor = worker->supervisor;
	bool all_stored = worker->last_rotation_done && worker->handover.rotation == 0;
	int rc;

	if (all_stored) {
		rc = records_remove(supervisor->runtime.records_fd, &worker->iface);
		if (rc != 0)
			log_warn("records",
			    "%s: its empty records cannot be removed: %s",
			    worker->iface.s, strerror(-rc));
		log_info("worker", "%s: everything counted is in the store",
		    worker->iface.s);
	}
	worker_free(worker);
	manager_health_changed(supervisor);
	if (supervisor->stage == SUPERVISOR_DRAINS && TAILQ_EMPTY(&supervisor->workers))
		manager_next_stage(supervisor);
}

void
manager_store_gone(struct supervisor *supervisor)
{
	if (supervisor->stage == SUPERVISOR_FLUSHES)
		manager_next_stage(supervisor);
}

void
manager_child_gone(struct supervisor *supervisor)
{
	if (supervisor->stage == SUPERVISOR_ENDS &&
	    children_count(supervisor->children) == 0)
		loop_stop(supervisor->loop);
}

void
manager_store_ready(struct supervisor *supervisor)
{
	struct worker *worker;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		handover_store_ready(worker);
	}
}

void
manager_handover_slot_free(struct supervisor *supervisor)
{
	struct worker *worker;

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		handover_step(worker);
	}
}

static void
manager_on_health(void *arg)
{
	struct supervisor *supervisor = arg;
	const struct worker *worker;
	unsigned counting = 0;
	unsigned others = 0;
	char text[96];

	if (supervisor->stage != SUPERVISOR_RUNS)
		return;
	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		if (worker->child && worker->state == WORKER_ACTIVE)
			counting++;
		else
			others++;
	}
	snprintf(text, sizeof(text), "STATUS=%u interfaces counting, %u not", counting,
	    others);
	sd_notify(0, text);
}

void
manager_health_changed(struct supervisor *supervisor)
{
	if (!supervisor->health_timer.armed)
		loop_timer_set(
		    supervisor->loop, &supervisor->health_timer, MANAGER_HEALTH_MS);
}

static void
manager_report_leftover(void *arg, const char *file_name)
{
	struct supervisor *supervisor = arg;
	const struct worker *worker;
	char name[RECORDS_NAME_SIZE];

	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		records_name(&worker->iface, name);
		if (strcmp(name, file_name) == 0)
			return;
	}
	log_warn("records",
	    "%s/%s belongs to no interface of the configuration and is kept; list the "
	    "interface again to hand its flows over",
	    supervisor->runtime.records, file_name);
}

void
manager_init(struct supervisor *supervisor)
{
	TAILQ_INIT(&supervisor->workers);
	supervisor->stage_timer =
	    (struct loop_timer){.fire = manager_on_stage_timer, .arg = supervisor};
	supervisor->health_timer =
	    (struct loop_timer){.fire = manager_on_health, .arg = supervisor};
}

void
manager_fini(struct supervisor *supervisor)
{
	while (!TAILQ_EMPTY(&supervisor->workers))
		worker_free(TAILQ_FIRST(&supervisor->workers));
	loop_timer_clear(supervisor->loop, &supervisor->stage_timer);
	loop_timer_clear(supervisor->loop, &supervisor->health_timer);
}

void
manager_report_leftovers(struct supervisor *supervisor)
{
	records_each(
	    supervisor->runtime.records_fd, manager_report_leftover, supervisor);
}
