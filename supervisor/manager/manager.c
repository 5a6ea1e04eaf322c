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

static void
manager_apply_removed(struct supervisor *supervisor, const struct plan_part *part)
{
	struct worker *worker = manager_find(supervisor, part->iface.s);

	if (!worker || worker->leaving)
		return;
	log_iface_info("worker", worker->iface.s, "is removed");
	worker_leave(worker);
}

static void
manager_apply_listed(struct supervisor *supervisor, struct plan_part *part)
{
	struct worker *worker = manager_find(supervisor, part->iface.s);

	if (!worker) {
		if (part->error == 0)
			part->error = worker_new(
			    &worker, supervisor, &part->iface, part->entry, true);
		return;
	}
	if (part->error != 0)
		return;
	worker_set_entry(worker, part->entry);
	if (worker->leaving)
		worker_stay(worker);
	if (part->action != PLAN_KEPT)
		worker_set_enabled(worker, true);
}

int
manager_apply(struct supervisor *supervisor, struct plan *plan)
{
	int rc = 0;

	/* These first: each makes room for another. */
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->parts[i].action == PLAN_REMOVED)
			manager_apply_removed(supervisor, &plan->parts[i]);
	}
	supervisor->more_due = false;
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_part *part = &plan->parts[i];

		if (part->action == PLAN_REMOVED)
			continue;
		manager_apply_listed(supervisor, part);
		if (part->error == -E2BIG)
			supervisor->more_due = true;
		else if (part->error != 0)
			rc = part->error;
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
	manager_forget_disabled(supervisor);
	return 0;
}

void
manager_forget_disabled(struct supervisor *supervisor)
{
	struct worker *worker;

	disabled_forget(&supervisor->disabled);
	/* To those that leave it makes a difference only if they are there again in time. */
	TAILQ_FOREACH(worker, &supervisor->workers, entry) {
		if (worker->leaving)
			worker->enabled = true;
	}
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
	if (!worker->named && !worker->enabled)
		disabled_remember(&supervisor->disabled, &name);
	worker_free(worker);
	manager_health_changed(supervisor);
	manager_follow_more(supervisor);
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
