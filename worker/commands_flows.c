/* `flows`: the running generation, which the capture thread writes. It is looked at in
 * slices: the capture thread copies at most SLICE records between two batches, and the
 * serving thread filters and chooses while packets go on. So each record is whole and the
 * set is not of one instant, and however many flows there are, packets wait for no more
 * than one slice.
 *
 * Between two slices the generation may grow: records are appended and never move, the
 * walk ends where the end was when it began, and the index, which does move when it
 * grows, is not used. A rotation cannot come between: it is a command, and the one
 * serving thread is here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/commands_private.h"
#include "worker/flow_choice.h"

#define SLICE 1000

struct walk {
	struct commands *commands;
	uint64_t cursor;
	uint64_t end; /* 0 until the first slice */
	size_t count; /* records of this slice */
	struct commands_walk facts;
	struct flow_record slice[SLICE];
};

static void
do_slice(void *arg)
{
	struct walk *walk = arg;
	const struct meter *meter = walk->commands->meter;
	const struct mono begin = mono_now();
	int64_t ns;

	if (walk->end == 0)
		walk->end = meter_look_end(meter);
	walk->count = meter_look(meter, &walk->cursor, walk->end, walk->slice, SLICE);
	ns = mono_now().ns - begin.ns;
	walk->facts.slices++;
	if (ns > walk->facts.worst_ns)
		walk->facts.worst_ns = ns;
}

/* Walks, chooses, answers. */
static int
answer_flows(struct commands *commands, struct flow_choice *choice, struct pack *answer)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	struct pack chunk;
	int rc = 0;

	if (!walk)
		return -ENOMEM;
	walk->commands = commands;
	do {
		capture_run_briefly(commands->capture, do_slice, walk);
		for (size_t i = 0; i < walk->count; i++)
			flow_choice_add(choice, &walk->slice[i]);
	} while (walk->cursor < walk->end);
	commands->walk = walk->facts;
	log_debug("flows", "%llu slices, the longest held packets up for %lld us",
	    (unsigned long long)walk->facts.slices,
	    (long long)(walk->facts.worst_ns / 1000));
	free(walk);

	pack_init(&chunk);
	flow_choice_pack(choice, &chunk);
	if (!chunk.failed) {
		pack_answer(answer, MSG_FLOWS);
		pack_key_u64(answer, "flows", flow_choice_flows(choice));
		pack_key_u64(answer, "matched", flow_choice_matched(choice));
		pack_key_bin(answer, "chunk", chunk.buffer.data, chunk.buffer.size);
	} else {
		rc = -ENOMEM;
	}
	pack_fini(&chunk);
	return rc;
}

void
commands_handle_flows(void *ctx, const struct msg *request, struct pack *answer)
{
	struct commands *commands = ctx;
	struct flow_choice *choice = NULL;
	struct flows_query query;
	const char *wrong = view_flows_query(request->body, &query);
	int rc;

	if (wrong) {
		pack_error(answer, MSG_FLOWS, MSG_E_BAD_MESSAGE, "%s", wrong);
		return;
	}
	rc = flow_choice_new(&choice, &query);
	if (rc == 0)
		rc = answer_flows(commands, choice, answer);
	if (rc != 0)
		pack_error(answer, MSG_FLOWS, MSG_E_FAILED, "flows: %s", strerror(-rc));
	flow_choice_free(choice);
}
