/* `rotate`: ends the running interval of the interfaces asked for and answers when the
 * flows of all are durable, cannot be yet, or the time is up (they then get durable
 * without anybody waiting for it). */
#include <stdlib.h>

#include "common/iface.h"
#include "proto/parts.h"
#include "supervisor/control/commands.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

#define ROTATE_MS 20000

/* Requests of one user that wait at the same time. */
#define ROTATE_USER_MAX (CONTROL_REQUESTS / 4)

struct rotate_part {
	struct rotate_job *job;
	struct iface_name iface;
	struct rotate_wait wait;
	bool answered;
	struct rotate_result result;
};

struct rotate_job {
	struct request *request;
	struct loop_timer timer;
	size_t pending;
	size_t count;
	struct rotate_part parts[];
};

static void
rotate_pack_part(struct pack *pack, const struct rotate_part *part)
{
	const struct rotate_result *result = &part->result;

	pack_key_map(pack, part->iface.s);
	pack_key_bool(pack, "done", result->error == MSG_OK);
	if (result->error == MSG_OK) {
		pack_key_u64(pack, "flows", result->interval.flows);
		pack_key_i64(pack, "begin_ms", result->interval.begin_ms);
		pack_key_i64(pack, "end_ms", result->interval.end_ms);
		pack_key_books(pack, "books", &result->interval.books);
	} else {
		pack_key_str(pack, "error", msg_error_name(result->error));
		pack_key_str(pack, "text", result->text);
	}
	pack_end(pack);
}

static void
rotate_finish(struct rotate_job *job)
{
	struct request *request = job->request;
	struct supervisor *supervisor = request->ctx;

	request->held[HELD_ROTATES]--;
	loop_timer_clear(supervisor->loop, &job->timer);
	pack_answer(&request->answer, MSG_ROTATE);
	pack_key_map(&request->answer, "ifaces");
	for (size_t i = 0; i < job->count; i++)
		rotate_pack_part(&request->answer, &job->parts[i]);
	pack_end(&request->answer);
	free(job);
	request_answer(request);
}

static void
rotate_on_done(void *arg, const struct rotate_result *result)
{
	struct rotate_part *part = arg;

	part->answered = true;
	part->result = *result;
	if (--part->job->pending == 0)
		rotate_finish(part->job);
}

static void
rotate_on_timer(void *arg)
{
	static const struct rotate_result late = {.error = MSG_E_TIMEOUT,
	    .text = "not durable within 20 s; it goes on, see status"};
	struct rotate_job *job = arg;

	for (size_t i = 0; i < job->count; i++) {
		if (job->parts[i].answered)
			continue;
		rotate_wait_cancel(&job->parts[i].wait);
		job->parts[i].result = late;
	}
	rotate_finish(job);
}

void
command_rotate(struct request *request)
{
	struct supervisor *supervisor = request->ctx;
	struct iface_name *names;
	struct rotate_job *job;
	size_t count;

	if (request->held[HELD_ROTATES] >= ROTATE_USER_MAX) {
		pack_error(&request->answer, MSG_ROTATE, MSG_E_BUSY,
		    "%d requests of yours wait for rotations already; see status",
		    ROTATE_USER_MAX);
		request_answer(request);
		return;
	}
	if (!commands_ifaces(request, &names, &count))
		return;
	job = calloc(1, sizeof(*job) + count * sizeof(job->parts[0]));
	if (!job) {
		pack_error(&request->answer, MSG_ROTATE, MSG_E_FAILED, "out of memory");
		request_answer(request);
		free(names);
		return;
	}
	job->request = request;
	request->held[HELD_ROTATES]++;
	job->count = count;
	job->timer = (struct loop_timer){.fire = rotate_on_timer, .arg = job};
	loop_timer_set(supervisor->loop, &job->timer, ROTATE_MS);
	job->pending = count + 1; /* this function, as in command_status */
	for (size_t i = 0; i < count; i++) {
		struct rotate_part *part = &job->parts[i];

		part->job = job;
		part->iface = names[i];
		part->wait = (struct rotate_wait){.done = rotate_on_done, .arg = part};
	}
	/* All are set up before the first can answer. */
	for (size_t i = 0; i < count; i++)
		worker_rotate(
		    manager_find(supervisor, names[i].s), &job->parts[i].wait);
	free(names);
	if (--job->pending == 0)
		rotate_finish(job);
}
