#include "supervisor/iface/settle.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/iface/worker.h"
#include "supervisor/supervisor.h"

enum settle_verdict {
	SETTLE_PENDING,
	SETTLE_REACHED,
	SETTLE_FAILED
};

static enum settle_verdict
settle_fail(struct settle_result *result, const char *error, const char *text)
{
	snprintf(result->error, sizeof(result->error), "%s", error);
	snprintf(result->text, sizeof(result->text), "%s", text);
	return SETTLE_FAILED;
}

/* Nothing under way that could change what the worker has said. */
static bool
settle_is_quiet(const struct worker *worker)
{
	return worker->child && worker->synced && !worker->ending &&
	    !worker->command.active;
}

/* Who else wanted it, or what has happened to it. */
static const char *
settle_why_leaving(const struct worker *worker)
{
	if (worker->supervisor->stage != SUPERVISOR_RUNS)
		return "the daemon ends";
	if (!worker->named && worker->link.lost)
		return "its interface is gone";
	return "another request has removed it";
}

static enum settle_verdict
settle_enabled(const struct worker *worker, struct settle_result *result)
{
	enum link_presence presence = worker_link_presence(worker);

	if (worker->leaving)
		return settle_fail(result, "busy", settle_why_leaving(worker));
	if (!worker->enabled)
		return settle_fail(result, "busy", "another request has disabled it");
	if (worker->link.lost || worker_waits_for_link(worker)) {
		snprintf(result->text, sizeof(result->text), "%s",
		    presence == LINK_DOWN ? "waits for the interface: it is down"
					  : "waits for the interface: it is not there");
		/* Lost and there again: that is about to be opened. */
		return worker->link.lost && presence == LINK_UP ? SETTLE_PENDING
								: SETTLE_REACHED;
	}
	if (worker->records_locked_at.ns != 0 && worker->state == WORKER_ERROR)
		return settle_fail(result, worker->reason, worker->reason_text);
	/* What the last process has said does not count: the next may be the cure. */
	if (worker_is_backed_off(worker)) {
		if (worker->state == WORKER_ERROR)
			return settle_fail(result, worker->reason, worker->reason_text);
		return settle_fail(result, "no_child", worker->last_exit);
	}
	if (!settle_is_quiet(worker))
		return SETTLE_PENDING;
	if (worker->state == WORKER_ERROR)
		return settle_fail(result, worker->reason, worker->reason_text);
	if (worker->state == WORKER_ACTIVE &&
	    capture_config_compare(&worker->config, &worker->applied) == CAPTURE_SAME)
		return SETTLE_REACHED;
	return SETTLE_PENDING;
}

static enum settle_verdict
settle_disabled(const struct worker *worker, struct settle_result *result)
{
	if (worker->enabled && !worker->leaving)
		return settle_fail(result, "busy", "another request has enabled it");
	if (worker_is_backed_off(worker))
		return settle_fail(result, "no_child", worker->last_exit);
	if (settle_is_quiet(worker) && worker->state == WORKER_UNINITIALIZED)
		return SETTLE_REACHED;
	return SETTLE_PENDING;
}

static enum settle_verdict
settle_removed(const struct worker *worker, struct settle_result *result)
{
	if (!worker->leaving)
		return settle_fail(
		    result, "busy", "another request has listed it again");
	/* Drained is enough: a last rotation cannot begin before the store has taken the
	 * one before it. */
	if ((worker->last_rotation_done || worker->state == WORKER_UNINITIALIZED) &&
	    worker->handover.step == HANDOVER_WAITS) {
		snprintf(result->text, sizeof(result->text),
		    "removed, waiting for the store: %.400s", worker->handover.why);
		return SETTLE_REACHED;
	}
	if (worker_is_backed_off(worker))
		return settle_fail(result, "no_child", worker->last_exit);
	return SETTLE_PENDING;
}

static enum settle_verdict
settle_judge(
    const struct worker *worker, enum settle_goal goal, struct settle_result *result)
{
	switch (goal) {
	case SETTLE_ENABLED:
		return settle_enabled(worker, result);
	case SETTLE_DISABLED:
		return settle_disabled(worker, result);
	case SETTLE_REMOVED:
		return settle_removed(worker, result);
	}
	return SETTLE_PENDING;
}

void
settle_cancel(struct settle_wait *wait)
{
	if (!wait->worker)
		return;
	TAILQ_REMOVE(&wait->worker->settle_waits, wait, entry);
	wait->worker = NULL;
}

void
worker_settle_check(struct worker *worker)
{
	struct settle_wait *wait = TAILQ_FIRST(&worker->settle_waits);

	while (wait) {
		struct settle_wait *next = TAILQ_NEXT(wait, entry);
		struct settle_result result = {.reached = false};
		enum settle_verdict verdict = settle_judge(worker, wait->goal, &result);

		if (verdict != SETTLE_PENDING) {
			result.reached = verdict == SETTLE_REACHED;
			settle_cancel(wait);
			wait->done(wait->arg, &result);
		}
		wait = next;
	}
}

void
worker_settle(struct worker *worker, struct settle_wait *wait, enum settle_goal goal)
{
	wait->worker = worker;
	wait->goal = goal;
	TAILQ_INSERT_TAIL(&worker->settle_waits, wait, entry);
	worker_settle_check(worker);
}

void
worker_settle_gone(struct worker *worker)
{
	struct settle_wait *wait;

	while ((wait = TAILQ_FIRST(&worker->settle_waits)) != NULL) {
		struct settle_result result = {.reached = wait->goal == SETTLE_REMOVED};

		if (!result.reached)
			settle_fail(&result, "busy", settle_why_leaving(worker));
		settle_cancel(wait);
		wait->done(wait->arg, &result);
	}
}
