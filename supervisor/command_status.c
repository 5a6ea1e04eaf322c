/* `status`: all workers and the store are asked at the same time; the answer goes out when
 * each has answered or missed its deadline. Nothing is changed anywhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/iface.h"
#include "supervisor/commands.h"
#include "supervisor/manager.h"
#include "supervisor/relay.h"
#include "supervisor/supervisor.h"
#include "supervisor/worker.h"

#define STATUS_MS 2000

struct status_part {
	struct status_job *job;
	struct iface_name iface; /* "" for the store */
	int rc;
	struct reply *reply;
};

struct status_job {
	struct request *request;
	size_t pending;
	size_t count;
	struct status_part store;
	struct status_part parts[];
};

static void
status_pack_supervisor(struct pack *pack, const struct supervisor *supervisor)
{
	pack_key_map(pack, "supervisor");
	pack_key_u64(pack, "pid", (uint64_t)getpid());
	pack_key_str(pack, "version", WEIR_VERSION);
	pack_key_u64(pack, "uptime_ms",
	    (uint64_t)mono_ms_between(supervisor->started, mono_now()));
	pack_key_u64(pack, "rotation_ms", supervisor->config.rotation_ms);
	pack_key_str(pack, "store", supervisor->config.store);
	pack_end(pack);
}

static void
status_pack_report(struct pack *pack, const char *key, const struct status_part *part)
{
	if (part->reply && part->reply->msg.error == MSG_OK) {
		pack_key(pack, key);
		relay_map(pack, part->reply->msg.body);
	} else {
		pack_key_nil(pack, key);
	}
}

static void
status_pack_store(
    struct pack *pack, const struct store_link *store, const struct status_part *part)
{
	pack_key_map(pack, "store");
	pack_key_u64(pack, "pid", store->child ? (uint64_t)child_pid(store->child) : 0);
	pack_key_bool(pack, "running", store_link_ready(store));
	pack_key_u64(pack, "uptime_ms",
	    store->child ? (uint64_t)child_uptime_ms(store->child) : 0);
	pack_key_u64(pack, "restarts", store->restarts);
	pack_key_str(pack, "last_exit", store->last_exit);
	pack_key_u64(pack, "last_exit_ms", (uint64_t)store->last_exit_ms);
	status_pack_report(pack, "report", part);
	pack_end(pack);
}

static void
status_pack_waiting(struct pack *pack, const struct handover *handover)
{
	if (handover->rotation == 0 || handover->durable) {
		pack_key_nil(pack, "waiting");
		return;
	}
	pack_key_map(pack, "waiting");
	pack_key_u64(pack, "seq", handover->rotation);
	pack_key_u64(pack, "since_ms", (uint64_t)handover->since_ms);
	pack_key_str(pack, "why", handover->why[0] ? handover->why : "on its way");
	pack_end(pack);
}

static const char *
status_worker_error(const struct worker *worker, const struct status_part *part)
{
	if (!worker->child)
		return "the worker is not running";
	if (part->rc == -ETIMEDOUT)
		return "the worker did not answer in time";
	if (part->rc == -EPROTO)
		return "the worker's answer was malformed";
	if (part->rc != 0)
		return "the worker has just ended";
	return msg_error_name(part->reply->msg.error);
}

static void
status_pack_worker(
    struct pack *pack, const struct worker *worker, const struct status_part *part)
{
	const struct child *child = worker->child;
	bool wanted = worker->enabled && !worker->leaving;

	pack_key_map(pack, worker->iface.s);
	pack_key_str(pack, "wanted", wanted ? "enabled" : "disabled");
	if (worker->leaving)
		pack_key_bool(pack, "leaving", true);
	pack_key_str(pack, "state", worker_state_name(worker->state));
	pack_key_str(pack, "reason", worker->reason);
	pack_key_str(pack, "reason_text", worker->reason_text);
	pack_key_u64(pack, "pid", child ? (uint64_t)child_pid(child) : 0);
	pack_key_u64(pack, "uptime_ms", child ? (uint64_t)child_uptime_ms(child) : 0);
	pack_key_u64(pack, "restarts", worker->restarts);
	pack_key_str(pack, "last_exit", worker->last_exit);
	pack_key_u64(pack, "last_exit_ms", (uint64_t)worker->last_exit_ms);
	status_pack_waiting(pack, &worker->handover);
	pack_key_u64(pack, "rotations", worker->handover.count);
	status_pack_report(pack, "worker", part);
	if (!part->reply || part->reply->msg.error != MSG_OK)
		pack_key_str(pack, "worker_error", status_worker_error(worker, part));
	pack_end(pack);
}

static void
status_finish(struct status_job *job)
{
	struct request *request = job->request;
	struct supervisor *supervisor = request->ctx;
	struct pack *pack = &request->answer;

	pack_answer(pack, MSG_STATUS);
	status_pack_supervisor(pack, supervisor);
	status_pack_store(pack, &supervisor->store, &job->store);
	pack_key_map(pack, "ifaces");
	for (size_t i = 0; i < job->count; i++) {
		/* It may have been removed while the others were asked. */
		const struct worker *worker =
		    manager_find(supervisor, job->parts[i].iface.s);

		if (worker)
			status_pack_worker(pack, worker, &job->parts[i]);
		reply_free(job->parts[i].reply);
	}
	pack_end(pack);
	reply_free(job->store.reply);
	free(job);
	request_answer(request);
}

static void
status_on_answer(void *arg, int rc, struct reply *reply)
{
	struct status_part *part = arg;

	part->rc = rc;
	part->reply = reply;
	if (--part->job->pending == 0)
		status_finish(part->job);
}

static void
status_ask(struct status_part *part, struct child *child, const struct pack *question)
{
	int rc = -ECONNRESET;

	if (child)
		rc = child_ask(NULL, child, MSG_STATUS, question, STATUS_MS,
		    status_on_answer, part);
	if (rc == 0)
		part->job->pending++;
	else
		part->rc = rc;
}

void
command_status(struct request *request)
{
	struct supervisor *supervisor = request->ctx;
	struct iface_name *names;
	struct status_job *job = NULL;
	struct pack question;
	size_t count;

	if (!commands_ifaces(request, &names, &count))
		return;
	pack_init(&question);
	pack_request(&question, MSG_STATUS);
	if (pack_finish(&question) == 0)
		job = calloc(1, sizeof(*job) + count * sizeof(job->parts[0]));
	if (!job) {
		pack_error(&request->answer, MSG_STATUS, MSG_E_FAILED, "out of memory");
		request_answer(request);
		goto out;
	}
	job->request = request;
	job->count = count;
	job->store.job = job;
	job->pending = 1; /* this function, so that no answer ends the job before */
	if (store_link_ready(&supervisor->store))
		status_ask(&job->store, supervisor->store.child, &question);
	for (size_t i = 0; i < count; i++) {
		const struct worker *worker = manager_find(supervisor, names[i].s);

		job->parts[i].job = job;
		job->parts[i].iface = names[i];
		status_ask(&job->parts[i], worker ? worker->child : NULL, &question);
	}
	if (--job->pending == 0)
		status_finish(job);
out:
	pack_fini(&question);
	free(names);
}
