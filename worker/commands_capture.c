/* What changes the capture: `update` and `disable`. Neither opens anything, since this
 * process has no right to any more; what would need that is answered `successor`. */
#include <string.h>

#include "proto/view.h"
#include "worker/commands_private.h"

enum update_result {
	UPDATE_UNCHANGED = 0,
	UPDATE_APPLIED = 1,
	UPDATE_SUCCESSOR = 2
};

static const char *const update_result_names[] = {
    [UPDATE_UNCHANGED] = "unchanged",
    [UPDATE_APPLIED] = "applied",
    [UPDATE_SUCCESSOR] = "successor",
};

/* What is kept: record files hold 8 bits of a result. From the lowest: 2 of the result,
 * 2 of the state, 4 of the reason. */
_Static_assert(UPDATE_SUCCESSOR < 4 && CAPTURE_ERROR <= 4 && SOURCE_REASON_MAX <= 16,
    "result, state and reason fit into 8 bits");

static uint32_t
update_bits(enum update_result result, const struct capture_status *status)
{
	return (uint32_t)result | ((uint32_t)status->state - 1) << 2 |
	    (uint32_t)status->fault.reason << 4;
}

static void
answer_update(
    struct command_job *job, uint32_t bits, const char *reason_text, const char *text)
{
	const unsigned result = bits & 3;

	if (result > UPDATE_SUCCESSOR) {
		pack_error(job->answer, MSG_UPDATE, MSG_E_SEQUENCE,
		    "the kept answer is not one of this version");
		return;
	}
	pack_answer(job->answer, MSG_UPDATE);
	pack_key_str(job->answer, "result", update_result_names[result]);
	pack_key_str(job->answer, "state",
	    capture_state_name((enum capture_state)((bits >> 2 & 3) + 1)));
	pack_key_str(job->answer, "reason",
	    source_reason_name((enum source_reason)(bits >> 4 & 15)));
	pack_key_str(job->answer, "reason_text", reason_text);
	if (text)
		pack_key_str(job->answer, "text", text);
}

static void
do_update(void *arg)
{
	struct command_job *job = arg;
	struct capture *capture = job->commands->capture;
	enum update_result result = UPDATE_SUCCESSOR;
	struct source_fault fault = {SOURCE_OK, ""};
	struct capture_config config;
	struct capture_status status;
	struct command_turn turn;
	uint32_t bits;

	if (view_config(job->request->body, "config", &config) != 0) {
		commands_refuse_key(job, "config");
		return;
	}
	capture_status(capture, &status);
	turn = commands_take_turn(job);
	switch (turn.kind) {
	case TURN_REFUSED:
		return;
	case TURN_AGAIN:
		/* What needed a successor is in force when this is the successor. */
		bits = turn.result;
		if (status.state == CAPTURE_ACTIVE &&
		    capture_config_compare(&status.config, &config) == CAPTURE_SAME)
			bits = update_bits(UPDATE_UNCHANGED, &status);
		answer_update(job, bits, status.fault.text, NULL);
		return;
	case TURN_NEW:
		break;
	}
	if (status.state == CAPTURE_ACTIVE) {
		switch (capture_config_compare(&status.config, &config)) {
		case CAPTURE_SAME:
			result = UPDATE_UNCHANGED;
			break;
		case CAPTURE_FILTER_CHANGED:
			/* One that does not compile ends in ERROR, as it would at the
			 * start; that is the successor's to find and to tell. */
			if (capture_set_filter(capture, config.filter, &fault) == 0)
				result = UPDATE_APPLIED;
			break;
		case CAPTURE_REOPEN:
			break;
		}
	}
	bits = update_bits(result, &status);
	commands_carried_out(job, turn.seq, bits);
	answer_update(job, bits, status.fault.text,
	    fault.reason == SOURCE_OK ? NULL : fault.text);
}

void
commands_handle_update(void *ctx, const struct msg *request, struct pack *answer)
{
	commands_run(ctx, request, answer, do_update);
}

static void
do_disable(void *arg)
{
	struct command_job *job = arg;
	const struct command_turn turn = commands_take_turn(job);
	struct capture_status status;

	if (turn.kind == TURN_REFUSED)
		return;
	/* The number first: should this process die in between, the successor is asked
	 * again. And again, too: a successor may have opened what had been closed. */
	if (turn.kind == TURN_NEW)
		commands_carried_out(job, turn.seq, 0);
	capture_disable(job->commands->capture);
	capture_status(job->commands->capture, &status);
	pack_answer(job->answer, MSG_DISABLE);
	pack_key_str(job->answer, "state", capture_state_name(status.state));
	commands_pack_witness(job->answer, &status.witness);
}

void
commands_handle_disable(void *ctx, const struct msg *request, struct pack *answer)
{
	commands_run(ctx, request, answer, do_disable);
}
