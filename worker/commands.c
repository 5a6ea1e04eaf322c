/* Everything but fetch runs on the capture thread, between two batches: a handler posts
 * its work with capture_run() and waits, and the work reads the request and writes the
 * answer while the serving thread stands still. fetch reads the frozen generation, which
 * nobody writes; it stays on the serving thread, and so does not hold up packets. Since
 * there is one serving thread, no rotation comes between.
 *
 * Requests that change something are numbered. One that was carried out takes its
 * number, one that was refused does not. The number is kept in the record file with the
 * type and a byte that says what was answered, so that a repeat is answered alike, also
 * by the process that took the file over. */
#include "worker/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "worker/refusals.h"

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

/* One request on its way to the capture thread. */
struct job {
	struct commands *commands;
	const struct msg *request;
	struct pack *answer;
};

static void
run_on_capture_thread(
    void *ctx, const struct msg *request, struct pack *answer, void (*run)(void *arg))
{
	struct commands *commands = ctx;
	struct job job = {commands, request, answer};

	capture_run(commands->capture, run, &job);
}

static void
refuse_key(struct job *job, const char *key)
{
	pack_error(job->answer, job->request->type, MSG_E_BAD_MESSAGE,
	    "%s: missing, or not what it has to be", key);
}

/* ---- sequence numbers ---- */

enum turn_kind {
	TURN_NEW, /* carry it out */
	TURN_AGAIN, /* answer as before */
	TURN_REFUSED /* the answer is made */
};

struct turn {
	enum turn_kind kind;
	uint64_t seq;
	uint32_t result; /* TURN_AGAIN: what was kept with the answer */
};

static struct turn
take_turn(struct job *job)
{
	const struct meter_command last = meter_last_command(job->commands->meter);
	struct turn turn = {TURN_REFUSED, 0, last.result};

	if (view_u64(job->request->body, "seq", UINT64_MAX, &turn.seq) != 0)
		refuse_key(job, "seq");
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

static void
carried_out(struct job *job, uint64_t seq, uint32_t result)
{
	meter_set_command(job->commands->meter,
	    (struct meter_command){seq, (uint32_t)job->request->type, result});
}

/* ---- status ---- */

static void
pack_witness(struct pack *pack, const struct capture_witness *witness)
{
	if (!witness->known) {
		pack_key_nil(pack, "witness");
		return;
	}
	pack_key_map(pack, "witness");
	pack_key_u64(pack, "kernel", witness->kernel);
	pack_key_u64(pack, "handed_over", witness->handed_over);
	pack_key_u64(pack, "early", witness->early);
	pack_key_bool(pack, "agrees", witness->agrees);
	pack_key_u64(pack, "drain_ms", (uint64_t)witness->drain_ms);
	pack_end(pack);
}

static void
pack_in_force(struct pack *pack, const struct capture_status *status)
{
	const struct source_facts *facts = &status->facts;
	const char *link_type = NULL;
	char number[16];

	if (facts->handles > 0)
		link_type = pcap_datalink_val_to_name(facts->link_type);
	if (!link_type) {
		snprintf(number, sizeof(number), "%d", facts->link_type);
		link_type = facts->handles > 0 ? number : "";
	}
	pack_key_map(pack, "in_force");
	pack_key_str(pack, "link_type", link_type);
	pack_key_u64(pack, "handles", facts->handles);
	pack_key_u64(pack, "buffer", facts->buffer);
	pack_key_u64(pack, "snaplen", facts->snaplen);
	pack_key_u64(pack, "timeout_ms", facts->timeout_ms);
	pack_key_bool(pack, "promiscuous", facts->promiscuous);
	pack_key_str(pack, "filter", status->config.filter);
	pack_end(pack);
}

static void
pack_meter(struct pack *pack, const struct commands *commands)
{
	const struct meter *meter = commands->meter;
	const struct meter_pause pause = meter_pause(meter);
	const struct counter total = meter_total(meter);
	struct interval frozen;
	struct interval running;
	uint64_t frozen_seq;

	pack_key_u64(pack, "file_id", meter_file_id(meter));
	pack_key_u64(pack, "seq", meter_last_command(meter).seq);
	frozen_seq = meter_frozen(meter, &frozen);
	if (frozen_seq != 0) {
		pack_key_map(pack, "frozen");
		pack_key_u64(pack, "seq", frozen_seq);
		pack_key_u64(pack, "flows", frozen.flows);
		/* For a supervisor that was not there when it was frozen. */
		pack_key_interval(pack, "interval", &frozen);
		pack_end(pack);
	} else {
		pack_key_nil(pack, "frozen");
	}
	meter_interval(meter, &running);
	pack_key_interval(pack, "interval", &running);
	pack_key_u64(pack, "flows", running.flows);
	pack_key_u64(pack, "flow_limit", meter_flow_limit(meter));
	pack_key_counter(pack, "total", &total);
	pack_key_map(pack, "rotation");
	pack_key_u64(pack, "count", pause.count);
	pack_key_u64(pack, "last_ns", (uint64_t)pause.last_ns);
	pack_key_u64(pack, "worst_ns", (uint64_t)pause.worst_ns);
	pack_end(pack);
	if (commands->adoption.adopted) {
		pack_key_map(pack, "adoption");
		pack_key_u64(pack, "flows", commands->adoption.flows);
		pack_key_bool(pack, "repaired", commands->adoption.repaired);
		pack_key_u64(pack, "ms", (uint64_t)commands->adoption_ms);
		pack_end(pack);
	} else {
		pack_key_nil(pack, "adoption");
	}
}

static void
do_status(void *arg)
{
	struct job *job = arg;
	struct capture_status status;

	capture_status(job->commands->capture, &status);
	pack_answer(job->answer, MSG_STATUS);
	pack_key_str(job->answer, "state", capture_state_name(status.state));
	pack_key_str(job->answer, "reason", source_reason_name(status.fault.reason));
	pack_key_str(job->answer, "reason_text", status.fault.text);
	pack_in_force(job->answer, &status);
	pack_witness(job->answer, &status.witness);
	pack_meter(job->answer, job->commands);
}

static void
handle_status(void *ctx, const struct msg *request, struct pack *answer)
{
	run_on_capture_thread(ctx, request, answer, do_status);
}

/* ---- errors ---- */

/* In hex digits: only text and numbers are passed on to clients. */
static void
pack_sample(struct pack *pack, const struct refusal_note *note)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * REFUSALS_SAMPLE_MAX + 1];

	for (uint32_t i = 0; i < note->sample_len; i++) {
		text[2 * i] = digits[note->sample[i] >> 4];
		text[2 * i + 1] = digits[note->sample[i] & 15];
	}
	text[2 * note->sample_len] = '\0';
	pack_key_str(pack, "sample", text);
}

static void
do_errors(void *arg)
{
	struct job *job = arg;
	struct meter *meter = job->commands->meter;
	const struct refusals *refusals = meter_refusals(meter);
	struct interval running;
	int64_t over_ns;

	meter_interval(meter, &running);
	pack_answer(job->answer, MSG_ERRORS);
	pack_key_map(job->answer, "classes");
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		const struct refusal_note *note = &refusals->note[class];

		if (note->total.packets == 0)
			continue;
		pack_key_map(job->answer, refusal_name((enum refusal) class));
		pack_key_counter(
		    job->answer, "interval", &running.books.refused[class]);
		pack_key_counter(job->answer, "total", &note->total);
		pack_key_i64(job->answer, "first_ns", note->first_ns);
		pack_key_i64(job->answer, "last_ns", note->last_ns);
		pack_sample(job->answer, note);
		pack_key_u64(job->answer, "sample_length", note->sample_wire_len);
		pack_end(job->answer);
	}
	pack_end(job->answer);
	pack_key_u64(job->answer, "undecodable", meter_undecodable(meter, &over_ns));
}

static void
handle_errors(void *ctx, const struct msg *request, struct pack *answer)
{
	run_on_capture_thread(ctx, request, answer, do_errors);
}

/* ---- update ---- */

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
answer_update(struct job *job, uint32_t bits, const char *reason_text, const char *text)
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
	struct job *job = arg;
	struct capture *capture = job->commands->capture;
	enum update_result result = UPDATE_SUCCESSOR;
	struct source_fault fault = {SOURCE_OK, ""};
	struct capture_config config;
	struct capture_status status;
	struct turn turn;
	uint32_t bits;

	if (view_config(job->request->body, "config", &config) != 0) {
		refuse_key(job, "config");
		return;
	}
	capture_status(capture, &status);
	turn = take_turn(job);
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
	carried_out(job, turn.seq, bits);
	answer_update(job, bits, status.fault.text,
	    fault.reason == SOURCE_OK ? NULL : fault.text);
}

static void
handle_update(void *ctx, const struct msg *request, struct pack *answer)
{
	run_on_capture_thread(ctx, request, answer, do_update);
}

/* ---- disable ---- */

static void
do_disable(void *arg)
{
	struct job *job = arg;
	const struct turn turn = take_turn(job);
	struct capture_status status;

	if (turn.kind == TURN_REFUSED)
		return;
	/* The number first: should this process die in between, the successor is asked
	 * again. And again, too: a successor may have opened what had been closed. */
	if (turn.kind == TURN_NEW)
		carried_out(job, turn.seq, 0);
	capture_disable(job->commands->capture);
	capture_status(job->commands->capture, &status);
	pack_answer(job->answer, MSG_DISABLE);
	pack_key_str(job->answer, "state", capture_state_name(status.state));
	pack_witness(job->answer, &status.witness);
}

static void
handle_disable(void *ctx, const struct msg *request, struct pack *answer)
{
	run_on_capture_thread(ctx, request, answer, do_disable);
}

/* ---- rotate, fetch, release ---- */

static void
answer_rotate(struct job *job, const struct interval *interval)
{
	pack_answer(job->answer, MSG_ROTATE);
	pack_key_interval(job->answer, "interval", interval);
	pack_key_u64(job->answer, "file_id", meter_file_id(job->commands->meter));
}

static void
do_rotate(void *arg)
{
	struct job *job = arg;
	struct meter *meter = job->commands->meter;
	struct turn turn;
	struct interval interval;
	int64_t end_ms;
	int rc;

	if (view_i64(job->request->body, "end_ms", &end_ms) != 0 ||
	    !meter_label_valid(end_ms)) {
		refuse_key(job, "end_ms");
		return;
	}
	turn = take_turn(job);
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

static void
handle_rotate(void *ctx, const struct msg *request, struct pack *answer)
{
	run_on_capture_thread(ctx, request, answer, do_rotate);
}

static void
handle_fetch(void *ctx, const struct msg *request, struct pack *answer)
{
	struct commands *commands = ctx;
	struct job job = {commands, request, answer};
	uint64_t rotation;
	uint64_t cursor;
	uint64_t next = 0;
	uint64_t flows = 0;
	bool last = false;
	struct pack chunk;
	int rc;

	if (view_u64(request->body, "rotation", UINT64_MAX, &rotation) != 0) {
		refuse_key(&job, "rotation");
		return;
	}
	if (view_u64(request->body, "cursor", UINT64_MAX, &cursor) != 0) {
		refuse_key(&job, "cursor");
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
	struct job *job = arg;
	struct turn turn;
	uint64_t rotation;

	if (view_u64(job->request->body, "rotation", UINT64_MAX, &rotation) != 0) {
		refuse_key(job, "rotation");
		return;
	}
	turn = take_turn(job);
	if (turn.kind == TURN_REFUSED)
		return;
	if (turn.kind == TURN_NEW) {
		if (meter_release(job->commands->meter, rotation) != 0) {
			pack_error(job->answer, MSG_RELEASE, MSG_E_SEQUENCE,
			    "rotation %" PRIu64 " is not frozen", rotation);
			return;
		}
		carried_out(job, turn.seq, 0);
	}
	pack_answer(job->answer, MSG_RELEASE);
}

static void
handle_release(void *ctx, const struct msg *request, struct pack *answer)
{
	run_on_capture_thread(ctx, request, answer, do_release);
}

serve_handler *const commands_table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = handle_status,
    [MSG_ERRORS] = handle_errors,
    [MSG_UPDATE] = handle_update,
    [MSG_DISABLE] = handle_disable,
    [MSG_ROTATE] = handle_rotate,
    [MSG_FETCH] = handle_fetch,
    [MSG_RELEASE] = handle_release,
};
