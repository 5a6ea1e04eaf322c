/* Nearly everything runs on the capture thread, between two batches: a handler posts its
 * work with capture_run() and waits, and the work reads the request and writes the answer
 * while the serving thread stands still. What takes long stays on the serving thread, and
 * so does not hold up packets: `fetch` reads the frozen generation, which nobody writes,
 * and `flows` has the running one copied in slices. Since there is one serving thread, no
 * rotation comes between.
 *
 * Requests that change something are numbered. One that was carried out takes its
 * number, one that was refused does not. The number is kept in the record file with the
 * type and a byte that says what was answered, so that a repeat is answered alike, also
 * by the process that took the file over. */
#include "worker/commands.h"

#include <inttypes.h>

#include "proto/view.h"
#include "worker/commands_private.h"

void
commands_run(
    void *ctx, const struct msg *request, struct pack *answer, void (*run)(void *arg))
{
	struct commands *commands = ctx;
	struct command_job job = {commands, request, answer};

	capture_run(commands->capture, run, &job);
}

void
commands_refuse_key(struct command_job *job, const char *key)
{
	pack_error(job->answer, job->request->type, MSG_E_BAD_MESSAGE,
	    "%s: missing, or not what it has to be", key);
}

struct command_turn
commands_take_turn(struct command_job *job)
{
	const struct meter_command last = meter_last_command(job->commands->meter);
	struct command_turn turn = {TURN_REFUSED, 0, last.result};

	if (view_u64(job->request->body, "seq", UINT64_MAX, &turn.seq) != 0)
		commands_refuse_key(job, "seq");
	else if (turn.seq == last.seq + 1)
		turn.kind = TURN_NEW;
	else if (turn.seq == last.seq && last.seq != 0 &&
	    last.type == (uint32_t)job->request->type)
		turn.kind = TURN_AGAIN;
	else
		pack_error(job->answer, job->request->type, MSG_E_SEQUENCE,
		    "number %" PRIu64 " does not follow %" PRIu64, turn.seq, last.seq);
	return turn;
}

void
commands_carried_out(struct command_job *job, uint64_t seq, uint32_t result)
{
	meter_set_command(job->commands->meter,
	    (struct meter_command){seq, (uint32_t)job->request->type, result});
}

serve_handler *const commands_table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = commands_handle_status,
    [MSG_ERRORS] = commands_handle_errors,
    [MSG_UPDATE] = commands_handle_update,
    [MSG_DISABLE] = commands_handle_disable,
    [MSG_ROTATE] = commands_handle_rotate,
    [MSG_FETCH] = commands_handle_fetch,
    [MSG_RELEASE] = commands_handle_release,
    [MSG_FLOWS] = commands_handle_flows,
};
