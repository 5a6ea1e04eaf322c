/* What is asked without changing anything: `status` and `errors`. */
#include <pcap/pcap.h>
#include <stdio.h>

#include "worker/commands_private.h"
#include "worker/refusals.h"

void
commands_pack_witness(struct pack *pack, const struct capture_witness *witness)
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
	const char *link_type;
	char number[16];

	/* Of a capture that is not open nothing is in force. */
	if (facts->handles == 0) {
		pack_key_nil(pack, "in_force");
		return;
	}
	link_type = pcap_datalink_val_to_name(facts->link_type);
	if (!link_type) {
		snprintf(number, sizeof(number), "%d", facts->link_type);
		link_type = number;
	}
	pack_key_map(pack, "in_force");
	pack_key_str(pack, "link_type", link_type);
	pack_key_u64(pack, "handles", facts->handles);
	pack_key_u64(pack, "buffer", facts->buffer);
	pack_key_u64(pack, "snaplen", facts->snaplen);
	pack_key_u64(pack, "timeout_ms", facts->timeout_ms);
	pack_key_u64(pack, "error_threshold", status->config.error_threshold);
	pack_key_bool(pack, "promiscuous", facts->promiscuous);
	pack_key_str(pack, "filter", status->config.filter);
	pack_end(pack);
}

void
commands_pack_state(struct pack *pack, const struct capture_status *status)
{
	pack_key_str(pack, "state", capture_state_name(status->state));
	pack_key_str(pack, "reason", source_reason_name(status->fault.reason));
	pack_key_str(pack, "reason_text", status->fault.text);
	pack_in_force(pack, status);
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
	struct command_job *job = arg;
	struct capture_status status;

	capture_status(job->commands->capture, &status);
	pack_answer(job->answer, MSG_STATUS);
	commands_pack_state(job->answer, &status);
	commands_pack_witness(job->answer, &status.witness);
	pack_meter(job->answer, job->commands);
}

void
commands_handle_status(void *ctx, const struct msg *request, struct pack *answer)
{
	commands_run(ctx, request, answer, do_status);
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
	struct command_job *job = arg;
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

void
commands_handle_errors(void *ctx, const struct msg *request, struct pack *answer)
{
	commands_run(ctx, request, answer, do_errors);
}
