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
#include "proto/view.h"
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

/* NULL, or the key that is wrong. What is missing keeps its default. */
static const char *
read_filter(const msgpack_object *body, struct flow_filter *filter)
{
	const void *address;
	size_t len;
	uint32_t number;
	int rc;

	*filter = (struct flow_filter){.family = FAMILY_NONE};
	rc = view_bin(body, "address", &address, &len);
	if (rc == 0) {
		if (len != 4 && len != 16)
			return "address";
		filter->family = len == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
		memcpy(filter->address, address, len);
		if (view_u32(body, "prefix", (uint32_t)len * 8, &number) != 0)
			return "prefix";
		filter->prefix = (uint8_t)number;
	} else if (rc != -ENOENT) {
		return "address";
	} else if (view_get(body, "prefix")) {
		return "address"; /* a prefix of what? */
	}
	rc = view_u32(body, "port", UINT16_MAX, &number);
	if (rc != 0 && rc != -ENOENT)
		return "port";
	filter->has_port = rc == 0;
	filter->port = rc == 0 ? (uint16_t)number : 0;
	rc = view_u32(body, "proto", UINT8_MAX, &number);
	if (rc != 0 && rc != -ENOENT)
		return "proto";
	filter->has_proto = rc == 0;
	filter->proto = rc == 0 ? (uint8_t)number : 0;
	return NULL;
}

static const char *
read_order(const msgpack_object *body, enum flow_sort *sort, uint32_t *limit)
{
	char name[16];
	int rc;

	*limit = FLOW_CHOICE_LIMIT_DEFAULT;
	rc = view_u32(body, "limit", FLOW_CHOICE_LIMIT_MAX, limit);
	if ((rc != 0 && rc != -ENOENT) || *limit == 0)
		return "limit";
	*sort = FLOW_SORT_BYTES;
	rc = view_str(body, "sort", name, sizeof(name));
	if ((rc != 0 && rc != -ENOENT) ||
	    (rc == 0 && flow_sort_from_name(name, sort) != 0))
		return "sort";
	return NULL;
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
	struct command_job job = {commands, request, answer};
	struct flow_choice *choice = NULL;
	struct flow_filter filter;
	enum flow_sort sort;
	const char *wrong;
	uint32_t limit;
	int rc;

	wrong = read_filter(request->body, &filter);
	if (!wrong)
		wrong = read_order(request->body, &sort, &limit);
	if (wrong) {
		commands_refuse_key(&job, wrong);
		return;
	}
	rc = flow_choice_new(&choice, &filter, sort, limit);
	if (rc == 0)
		rc = answer_flows(commands, choice, answer);
	if (rc != 0)
		pack_error(answer, MSG_FLOWS, MSG_E_FAILED, "flows: %s", strerror(-rc));
	flow_choice_free(choice);
}
