/* The ordered end, in stages: drain and hand over, flush, wait for the processes. Each has a
 * time at which the next begins anyway, so that the end comes whoever does not answer. */
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

static void manager_next_stage(struct supervisor *supervisor);

static void
manager_enter(
    struct supervisor *supervisor, enum supervisor_stage stage, int64_t most_ms)
{
	supervisor->stage = stage;
	loop_timer_set(supervisor->loop, &supervisor->stage_timer, most_ms);
}

void
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

		log_iface_warn("handover", worker->iface.s,
		    "the last rotation is not in the store%s%s; the next start hands it "
		    "over from %s",
		    worker->handover.why[0] ? ": " : "", worker->handover.why,
		    worker->supervisor->runtime.records);
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
	/* The last one may have gone above, and taken the stage with it. */
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
manager_drained(struct supervisor *supervisor)
{
	if (supervisor->stage == SUPERVISOR_DRAINS)
		manager_next_stage(supervisor);
}
