#include "supervisor/control/change_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/iface/worker.h"
#include "supervisor/supervisor.h"

#define CHANGE_PROBES_MAX 8 /* processes at the same time */
/* Each has the rings of a whole capture: together no more than this, and a larger one alone,
 * so that none fails for want of memory that another one holds. */
#define CHANGE_RINGS_MAX (UINT64_C(64) * 1024 * 1024)

static void
change_pack_part(
    struct pack *pack, struct supervisor *supervisor, const struct change_part *part)
{
	static const char *const results[] = {[CHANGE_PENDING] = "failed",
	    [CHANGE_DONE] = "done",
	    [CHANGE_UNCHANGED] = "unchanged",
	    [CHANGE_FAILED] = "failed",
	    [CHANGE_PLANNED] = "planned",
	    [CHANGE_WILL_FAIL] = "will_fail"};
	const struct worker *worker = manager_find(supervisor, part->iface.s);
	const char *reason;
	const char *text;

	pack_key_map(pack, part->iface.s);
	pack_key_str(pack, "action", part->action);
	pack_key_str(pack, "result", results[part->result]);
	pack_key_array(pack, "keys");
	for (size_t i = 0; i < part->key_count; i++)
		pack_str(pack, part->keys[i]);
	pack_end(pack);
	pack_key_str(pack, "state",
	    worker ? worker_state_name(worker_shown_state(worker, &reason, &text))
		   : "");
	pack_key_str(pack, "error", part->error);
	pack_key_str(pack, "text", part->text);
	pack_end(pack);
}

static void
change_free(struct change_job *job)
{
	struct supervisor *supervisor = job->request->ctx;

	job->request->held[HELD_CHANGES]--;
	loop_timer_clear(supervisor->loop, &job->timer);
	for (size_t i = 0; i < job->count; i++) {
		settle_cancel(&job->parts[i].wait);
		probe_cancel(job->parts[i].probe);
		free(job->parts[i].to_probe);
	}
	free(job);
}

void
change_job_drop(struct change_job *job)
{
	if (job)
		change_free(job);
}

static void
change_finish(struct change_job *job)
{
	struct request *request = job->request;
	struct pack *pack = &request->answer;

	pack_answer(pack, request->msg.type);
	pack_key_bool(pack, "dry_run", job->dry_run);
	pack_key_map(pack, "ifaces");
	for (size_t i = 0; i < job->count; i++)
		change_pack_part(pack, request->ctx, &job->parts[i]);
	pack_end(pack);
	if (request->msg.type == MSG_RELOAD) {
		pack_key_map(pack, "settings");
		for (size_t i = 0; i < job->setting_count; i++)
			pack_key_str(pack, job->settings[i].key,
			    job->settings[i].now ? "now" : "restart");
		pack_end(pack);
	}
	change_free(job);
	request_answer(request);
}

static void
change_part_end(struct change_part *part, enum change_result result, const char *error,
    const char *text)
{
	part->result = result;
	snprintf(part->error, sizeof(part->error), "%s", error);
	snprintf(part->text, sizeof(part->text), "%s", text);
}

static void
change_pending_less(struct change_job *job)
{
	if (--job->pending == 0)
		change_finish(job);
}

static void
change_on_timer(void *arg)
{
	struct change_job *job = arg;

	for (size_t i = 0; i < job->count; i++) {
		struct change_part *part = &job->parts[i];

		if (part->result == CHANGE_PENDING)
			change_part_end(part,
			    job->dry_run ? CHANGE_WILL_FAIL : CHANGE_FAILED,
			    msg_error_name(MSG_E_TIMEOUT),
			    job->dry_run ? "could not be tried within 20 s"
					 : "not within 20 s; it goes on, see status");
	}
	change_finish(job);
}

struct change_job *
change_job_new(struct request *request, size_t count)
{
	struct supervisor *supervisor = request->ctx;
	struct change_job *job = NULL;

	if (request->held[HELD_CHANGES] >= CHANGE_USER_MAX) {
		pack_error(&request->answer, request->msg.type, MSG_E_BUSY,
		    "%d requests of yours that change interfaces are under way; see "
		    "status",
		    CHANGE_USER_MAX);
		request_answer(request);
		return NULL;
	}
	job = calloc(1, sizeof(*job) + count * sizeof(job->parts[0]));
	if (!job) {
		pack_error(
		    &request->answer, request->msg.type, MSG_E_FAILED, "out of memory");
		request_answer(request);
		return NULL;
	}
	job->request = request;
	request->held[HELD_CHANGES]++;
	job->room = count;
	job->pending = 1; /* whoever begins it, until change_job_begun() */
	job->timer = (struct loop_timer){.fire = change_on_timer, .arg = job};
	loop_timer_set(supervisor->loop, &job->timer, CHANGE_MS);
	return job;
}

struct change_part *
change_job_add(
    struct change_job *job, const struct iface_name *iface, const char *action)
{
	struct change_part *part = &job->parts[job->count++];

	part->job = job;
	part->iface = *iface;
	part->action = action;
	return part;
}

void
change_part_keys(struct change_part *part, const char *const *keys, size_t count)
{
	part->key_count = count;
	for (size_t i = 0; i < count; i++)
		part->keys[i] = keys[i];
}

/*
 * Waiting for a worker.
 */

static void
change_on_settled(void *arg, const struct settle_result *result)
{
	struct change_part *part = arg;

	change_part_end(part, result->reached ? CHANGE_DONE : CHANGE_FAILED,
	    result->error, result->text);
	change_pending_less(part->job);
}

void
change_job_settle(struct change_part *part, enum settle_goal goal)
{
	struct supervisor *supervisor = part->job->request->ctx;
	struct worker *worker = manager_find(supervisor, part->iface.s);

	if (!worker) {
		if (goal == SETTLE_REMOVED)
			change_part_end(part, CHANGE_DONE, "", "");
		else
			change_part_end(part, CHANGE_FAILED,
			    msg_error_name(MSG_E_FAILED), "out of memory");
		return;
	}
	part->job->pending++;
	part->wait = (struct settle_wait){.done = change_on_settled, .arg = part};
	worker_settle(worker, &part->wait, goal);
}

/*
 * Trying.
 */

static void change_probe_next(struct change_job *job);

static void
change_on_probed(void *arg, const struct probe_result *result)
{
	struct change_part *part = arg;
	struct change_job *job = part->job;

	part->probe = NULL;
	job->probes--;
	job->rings -= part->rings;
	if (result->reason[0] == '\0')
		change_part_end(part, CHANGE_PLANNED, "", "");
	else if (strcmp(result->reason, "no_such_device") == 0)
		change_part_end(part, CHANGE_PLANNED, "",
		    "waits for the interface: it is not there");
	else if (strcmp(result->reason, "down") == 0)
		change_part_end(part, CHANGE_PLANNED, "",
		    part->in_place ? "" : "waits for the interface: it is down");
	else
		change_part_end(part, CHANGE_WILL_FAIL, result->reason, result->text);
	change_probe_next(job);
	change_pending_less(job);
}

static void
change_probe_next(struct change_job *job)
{
	struct supervisor *supervisor = job->request->ctx;

	for (size_t i = 0; i < job->count && job->probes < CHANGE_PROBES_MAX; i++) {
		struct change_part *part = &job->parts[i];
		int rc;

		if (!part->to_probe)
			continue;
		part->rings = part->to_probe->buffer;
		if (job->probes > 0 && job->rings + part->rings > CHANGE_RINGS_MAX)
			return;
		rc = probe_start(&part->probe, supervisor, &part->iface, part->to_probe,
		    change_on_probed, part);
		free(part->to_probe);
		part->to_probe = NULL;
		if (rc == 0) {
			job->probes++;
			job->rings += part->rings;
			continue;
		}
		change_part_end(part, CHANGE_WILL_FAIL, msg_error_name(MSG_E_FAILED),
		    "a process that tries it could not be started");
		/* Never the last one: whoever called this still counts. */
		job->pending--;
	}
}

void
change_job_probe(struct change_part *part, const struct capture_config *config)
{
	part->to_probe = malloc(sizeof(*config));
	if (!part->to_probe) {
		change_part_end(part, CHANGE_WILL_FAIL, msg_error_name(MSG_E_FAILED),
		    "out of memory");
		return;
	}
	*part->to_probe = *config;
	part->job->pending++;
}

void
change_job_begun(struct change_job *job)
{
	change_probe_next(job);
	change_pending_less(job);
}
