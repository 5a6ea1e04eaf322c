#include "supervisor/manager/manager.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

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

int
manager_apply(struct supervisor *supervisor, const struct plan *plan)
{
	int rc = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_part *part = &plan->parts[i];
		struct worker *worker = manager_find(supervisor, part->iface.s);
		int failed = 0;

		if (part->action == PLAN_REMOVED) {
			if (worker && !worker->leaving) {
				log_iface_info("worker", worker->iface.s, "is removed");
				worker_leave(worker);
			}
			continue;
		}
		if (!worker) {
			failed =
			    worker_new(&worker, supervisor, &part->iface, part->entry);
			if (failed == -ENOMEM)
				rc = failed;
			continue;
		}
		worker_set_entry(worker, part->entry);
		if (worker->leaving)
			worker_stay(worker);
		if (part->action != PLAN_KEPT)
			worker_set_enabled(worker, true);
	}
	manager_health_changed(supervisor);
	return rc;
}

int
manager_set_entries(
    struct supervisor *supervisor, const struct config_iface *entries, size_t count)
{
	struct config_iface *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, entries, count * sizeof(*copy));
	free(supervisor->config.ifaces);
	supervisor->config.ifaces = copy;
	supervisor->config.iface_count = count;
	return 0;
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

void
manager_worker_gone(struct worker *worker)
{
	struct supervisor *supervisor = worker->supervisor;
	struct iface_name name = worker->iface;
	bool all_stored = worker->last_rotation_done && worker->handover.rotation == 0;
	int rc;

	if (all_stored) {
		rc = records_remove(supervisor->runtime.records_fd, &worker->iface);
		if (rc != 0)
			log_iface_warn("records", worker->iface.s,
			    "its empty records cannot be removed: %s", strerror(-rc));
		log_iface_info(
		    "worker", worker->iface.s, "everything counted is in the store");
	}
	worker_free(worker);
	manager_health_changed(supervisor);
	if (TAILQ_EMPTY(&supervisor->workers))
		manager_drained(supervisor);
	manager_follow(supervisor, &name);
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
		if (worker->child && worker->state == WORKER_ACTIVE &&
		    !worker->link.lost)
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
