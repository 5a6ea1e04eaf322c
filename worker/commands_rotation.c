/* The hand-over of an interval: `rotate` freezes a generation, `fetch` reads it, `release`
 * gives it back. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "proto/view.h"
#include "worker/commands_private.h"

static void
answer_rotate(struct command_job *job, const struct interval *interval)
{
	pack_answer(job->answer, MSG_ROTATE);
	pack_key_interval(job->answer, "interval", interval);
	pack_key_u64(job->answer, "file_id", meter_file_id(job->commands->meter));
}

static void
do_rotate(void *arg)
{
	struct command_job *job = arg;
	struct meter *meter = job->commands->meter;
	struct command_turn turn;
	struct interval interval;
	int64_t end_ms;
	int rc;

	if (view_i64(job->request->body, "end_ms", &end_ms) != 0 ||
	    !meter_label_valid(end_ms)) {
		commands_refuse_key(job, "end_ms");
		return;
	}
	turn = commands_take_turn(job);
	switch (turn.kind) {
	case TURN_REFUSED:
		return;
	case TURN_AGAIN:
		/* Still frozen: releasing it would have been another command. */
		if (meter_frozen(meter, &interval) == turn.seq)
			answer_rotate(job, &interval);
		else
			pack_error(job->answer, MSG_ROTATE, MSG_E_SEQUENCE,
			    "rotation %" PRIu64 " is not frozen any more", turn.seq);
		return;
	case TURN_NEW:
		break;
	}
	rc = meter_rotate(meter, turn.seq, end_ms, &interval);
	if (rc == 0 && !books_close(&interval.books))
		log_err("rotate", "the books do not close: this is a fault of weir");
	if (rc == 0)
		answer_rotate(job, &interval);
	else if (rc == -EBUSY)
		pack_error(job->answer, MSG_ROTATE, MSG_E_BUSY,
		    "rotation %" PRIu64 " is not released yet",
		    meter_frozen(meter, &interval));
	else
		pack_error(
		    job->answer, MSG_ROTATE, MSG_E_FAILED, "rotate: %s", strerror(-rc));
}

void
commands_handle_rotate(void *ctx, const struct msg *request, struct pack *answer)
{
	commands_run(ctx, request, answer, do_rotate);
}

void
commands_handle_fetch(void *ctx, const struct msg *request, struct pack *answer)
{
	struct commands *commands = ctx;
	struct command_job job = {commands, request, answer};
	uint64_t rotation;
	uint64_t cursor;
	uint64_t next = 0;
	uint64_t flows = 0;
	bool last = false;
	struct pack chunk;
	int rc;

	if (view_u64(request->body, "rotation", UINT64_MAX, &rotation) != 0) {
		commands_refuse_key(&job, "rotation");
		return;
	}
	if (view_u64(request->body, "cursor", UINT64_MAX, &cursor) != 0) {
		commands_refuse_key(&job, "cursor");
		return;
	}
	pack_init(&chunk);
	rc = meter_fetch(
	    commands->meter, rotation, cursor, &chunk, &next, &last, &flows);
	if (rc == 0 && chunk.failed)
		rc = -ENOMEM;
	if (rc == 0) {
		pack_answer(answer, MSG_FETCH);
		pack_key_u64(answer, "cursor", cursor);
		pack_key_u64(answer, "next", next);
		pack_key_bool(answer, "last", last);
		pack_key_u64(answer, "flows", flows);
		pack_key_bin(answer, "chunk", chunk.buffer.data, chunk.buffer.size);
	} else if (rc == -ESTALE) {
		pack_error(answer, MSG_FETCH, MSG_E_SEQUENCE,
		    "rotation %" PRIu64 " is not frozen", rotation);
	} else if (rc == -EINVAL) {
		pack_error(answer, MSG_FETCH, MSG_E_BAD_MESSAGE,
		    "cursor %" PRIu64 " is out of range", cursor);
	} else {
		pack_error(answer, MSG_FETCH, MSG_E_FAILED, "fetch: %s", strerror(-rc));
	}
	pack_fini(&chunk);
}

static void
do_release(void *arg)
{
	struct command_job *job = arg;
	struct command_turn turn;
	uint64_t rotation;

	if (view_u64(job->request->body, "rotation", UINT64_MAX, &rotation) != 0) {
		commands_refuse_key(job, "rotation");
		return;
	}
	turn = commands_take_turn(job);
	if (turn.kind == TURN_REFUSED)
		return;
	if (turn.kind == TURN_NEW) {
		if (meter_release(job->commands->meter, rotation) != 0) {
			pack_error(job->answer, MSG_RELEASE, MSG_E_SEQUENCE,
			    "rotation %" PRIu64 " is not frozen", rotation);
			return;
		}
		commands_carried_out(job, turn.seq, 0);
	}
	pack_answer(job->answer, MSG_RELEASE);
}

void
commands_handle_release(void *ctx, const struct msg *request, struct pack *answer)
{
	commands_run(ctx, request, answer, do_release);
}
