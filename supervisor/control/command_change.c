/* `enable`, `disable`, `update`, `reload`: what operators want of interfaces. What is to be
 * done is begun for all at once; the answer goes out when each interface has got there, or
 * cannot, or the time is up (it goes on then without anybody waiting). A dry run asks for
 * each interface that would be opened whether it can be, and changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/entries.h"
#include "supervisor/control/change_job.h"
#include "supervisor/control/commands.h"
#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

/*
 * enable, disable
 */

static bool
change_is_enabled(const struct worker *worker)
{
	return worker->enabled && !worker->leaving && !worker->link.lost &&
	    worker->child && worker->state == WORKER_ACTIVE &&
	    capture_config_compare(&worker->config, &worker->applied) == CAPTURE_SAME;
}

static bool
change_is_disabled(const struct worker *worker)
{
	return !worker->enabled && worker->child && worker->synced &&
	    worker->state == WORKER_UNINITIALIZED;
}

static void
change_wanted(struct request *request, bool enable)
{
	struct supervisor *supervisor = request->ctx;
	struct change_job *job;
	struct iface_name *names;
	size_t count;

	if (!commands_ifaces(request, &names, &count))
		return;
	if (enable && !view_get(request->msg.body, "ifaces"))
		manager_forget_disabled(supervisor);
	job = change_job_new(request, count);
	for (size_t i = 0; job && i < count; i++) {
		struct worker *worker = manager_find(supervisor, names[i].s);
		struct change_part *part =
		    change_job_add(job, &names[i], enable ? "enable" : "disable");

		if (enable ? change_is_enabled(worker) : change_is_disabled(worker)) {
			part->result = CHANGE_UNCHANGED;
			continue;
		}
		log_iface_info("worker", names[i].s, "%s by command",
		    enable ? "enabled" : "disabled");
		worker_set_enabled(worker, enable);
		change_job_settle(part, enable ? SETTLE_ENABLED : SETTLE_DISABLED);
	}
	free(names);
	if (job)
		change_job_begun(job);
}

void
command_enable(struct request *request)
{
	change_wanted(request, true);
}

void
command_disable(struct request *request)
{
	change_wanted(request, false);
}

/*
 * update, reload
 */

static void
change_no_room(struct change_part *part)
{
	part->result = part->job->dry_run ? CHANGE_WILL_FAIL : CHANGE_FAILED;
	snprintf(part->error, sizeof(part->error), "%s", msg_error_name(MSG_E_BUSY));
	snprintf(part->text, sizeof(part->text),
	    "no more than %d interfaces can be counted; it is taken when there is room",
	    WORKERS_MAX);
}

/* Whether a worker that counts goes on with another filter, which is attached to the capture
 * that it has. */
static bool
change_is_in_place(struct change_part *part, const struct plan_part *planned)
{
	const struct worker *worker =
	    manager_find(part->job->request->ctx, planned->iface.s);

	return worker && worker->child && worker->enabled && !worker->link.lost &&
	    worker->state == WORKER_ACTIVE &&
	    capture_config_compare(&worker->applied, &planned->entry->capture) !=
	    CAPTURE_REOPEN;
}

static void
change_begin(struct change_part *part, const struct plan_part *planned)
{
	bool removed = planned->action == PLAN_REMOVED;

	if (!removed)
		part->in_place = change_is_in_place(part, planned);
	if (planned->error == -E2BIG)
		change_no_room(part);
	else if (planned->action == PLAN_KEPT)
		part->result = CHANGE_UNCHANGED;
	else if (!part->job->dry_run)
		change_job_settle(part, removed ? SETTLE_REMOVED : SETTLE_ENABLED);
	else if (removed)
		part->result = CHANGE_PLANNED;
	else
		change_job_probe(part, &planned->entry->capture);
}

static void
change_plan(struct change_job *job, struct plan *plan)
{
	/* What cannot be allocated is told by its part, which finds no worker. */
	int rc = job->dry_run ? 0 : manager_apply(job->request->ctx, plan);

	if (rc != 0)
		log_err("config", "not everything could be done: %s", strerror(-rc));
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_part *planned = &plan->parts[i];
		struct change_part *part = change_job_add(
		    job, &planned->iface, plan_action_name(planned->action));

		change_part_keys(part, planned->keys, planned->key_count);
		change_begin(part, planned);
	}
}

/* 0, or answered with an error. */
static int
change_set(struct request *request, struct change_job **out,
    const struct config_iface *entries, size_t count, bool dry_run)
{
	struct supervisor *supervisor = request->ctx;
	struct change_job *job = NULL;
	struct plan plan;
	int rc;

	rc = plan_make(&plan, supervisor, entries, count);
	if (rc == 0) {
		job = change_job_new(request, plan.count);
		if (!job) {
			plan_fini(&plan);
			return -ENOMEM; /* answered */
		}
		job->dry_run = dry_run;
		if (!dry_run)
			rc = manager_set_entries(supervisor, entries, count);
	}
	if (rc != 0) {
		plan_fini(&plan);
		change_job_drop(job);
		pack_error(
		    &request->answer, request->msg.type, MSG_E_FAILED, "out of memory");
		request_answer(request);
		return rc;
	}
	change_plan(job, &plan);
	plan_fini(&plan);
	*out = job;
	return 0;
}

static bool
change_refused_at_end(struct request *request)
{
	const struct supervisor *supervisor = request->ctx;

	if (supervisor->stage == SUPERVISOR_RUNS)
		return false;
	pack_error(
	    &request->answer, request->msg.type, MSG_E_BUSY, "the daemon is ending");
	request_answer(request);
	return true;
}

static bool
change_dry_run(struct request *request, bool *out)
{
	*out = false;
	if (view_get(request->msg.body, "dry_run") &&
	    view_bool(request->msg.body, "dry_run", out) != 0) {
		pack_error(&request->answer, request->msg.type, MSG_E_BAD_MESSAGE,
		    "dry_run: true or false is expected");
		request_answer(request);
		return false;
	}
	return true;
}

void
command_update(struct request *request)
{
	char why[ENTRIES_WHY_SIZE] = "out of memory";
	struct config_iface *entries;
	struct change_job *job;
	size_t count;
	bool dry_run;
	int rc;

	if (change_refused_at_end(request) || !change_dry_run(request, &dry_run))
		return;
	rc = view_entries(request->msg.body, "entries", &entries, &count, why);
	if (rc != 0) {
		pack_error(&request->answer, MSG_UPDATE,
		    rc == -ENOMEM ? MSG_E_FAILED : MSG_E_BAD_MESSAGE, "%s", why);
		request_answer(request);
		return;
	}
	if (!dry_run)
		log_info("config", "update by command: %zu entries", count);
	rc = change_set(request, &job, entries, count, dry_run);
	if (rc == 0)
		change_job_begun(job); /* before the entries go: probes have copies */
	free(entries);
}

/* Faults of the file, as many as fit. */
#define CHANGE_FAULTS_MAX 50

struct change_faults {
	struct request *request;
	size_t count;
};

static void
change_fault(void *arg, const char *line)
{
	struct change_faults *faults = arg;
	struct pack *pack = &faults->request->answer;

	if (faults->count == 0) {
		pack_error(pack, MSG_RELOAD, MSG_E_FAILED,
		    "the configuration file has faults; everything stays as it is");
		pack_key_array(pack, "faults");
	}
	if (faults->count++ < CHANGE_FAULTS_MAX)
		pack_str(pack, line);
	log_err("config", "%s", line);
}

void
command_reload(struct request *request)
{
	struct supervisor *supervisor = request->ctx;
	struct change_faults faults = {.request = request};
	struct change_job *job;
	struct config config;
	bool dry_run;

	if (change_refused_at_end(request) || !change_dry_run(request, &dry_run))
		return;
	if (config_load(supervisor->config_path, &config, change_fault, &faults) != 0) {
		if (faults.count > 0)
			pack_end(&request->answer);
		request_answer(request);
		return;
	}
	if (change_set(request, &job, config.ifaces, config.iface_count, dry_run) ==
	    0) {
		job->setting_count =
		    manager_settings(supervisor, &config, job->settings);
		if (!dry_run) {
			manager_take_settings(supervisor, &config);
			log_info("config", "%s is in force, by command",
			    supervisor->config_path);
		}
		change_job_begun(job);
	}
	config_fini(&config);
}
