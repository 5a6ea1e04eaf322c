/* weirctl flows: the running interval's flows of several interfaces, merged. Each chunk
 * comes from a worker as it is (the daemon does not decode it), so it is decoded and checked
 * here; one that is malformed costs its own interface only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/daemon/whole.h"
#include "client/output/flow_rows.h"
#include "common/iface.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/flow_map.h"
#include "proto/view.h"

#define ASK_MS 10000
#define ERROR_SIZE 64
#define TEXT_SIZE 1024

/* One interface of the answer. */
struct flows_iface {
	char name[IFACE_SHOWN_SIZE];
	bool good;
	uint64_t flows; /* of the running interval */
	uint64_t matched; /* the filter */
	char error[ERROR_SIZE];
	char text[TEXT_SIZE];
};

struct merged_flow {
	struct flow_record flow;
	size_t iface; /* its number in the answer */
	size_t order; /* within the answer: equal flows keep it */
};

struct merge {
	struct flows_iface *ifaces;
	size_t iface_count;
	struct merged_flow *flows;
	size_t count;
	size_t capacity;
	size_t limit; /* of one interface, which the chunk must keep */
	size_t from; /* where the flows of the interface at hand begin */
	size_t iface; /* the interface at hand */
};

static void
merge_fini(struct merge *merge)
{
	free(merge->ifaces);
	free(merge->flows);
}

static int
merge_add(void *arg, const struct flow_record *flow)
{
	struct merge *merge = arg;

	if (merge->count - merge->from >= merge->limit)
		return -EPROTO;
	if (merge->count == merge->capacity) {
		size_t capacity = merge->capacity > 0 ? merge->capacity * 2 : 256;
		struct merged_flow *more =
		    reallocarray(merge->flows, capacity, sizeof(*more));
		if (!more)
			return -ENOMEM;
		merge->flows = more;
		merge->capacity = capacity;
	}
	merge->flows[merge->count] = (struct merged_flow){
	    .flow = *flow, .iface = merge->iface, .order = merge->count};
	merge->count++;
	return 0;
}

static void
iface_fail(struct flows_iface *iface, const char *error, const char *text)
{
	snprintf(iface->error, sizeof(iface->error), "%s", error);
	snprintf(iface->text, sizeof(iface->text), "%s", text);
}

/* 0, or negative errno when there is no use in going on. */
static int
take_iface(struct merge *merge, const msgpack_object_kv *kv)
{
	struct flows_iface *iface = &merge->ifaces[merge->iface];
	const void *chunk;
	size_t len;
	int rc;

	if (daemon_key(&kv->key, iface->name, sizeof(iface->name)) != 0)
		return -EPROTO;
	if (view_get(&kv->val, "error")) {
		view_text(&kv->val, "error", iface->error, sizeof(iface->error));
		view_text(&kv->val, "text", iface->text, sizeof(iface->text));
		return 0;
	}
	merge->from = merge->count;
	if (view_u64(&kv->val, "flows", UINT64_MAX, &iface->flows) != 0 ||
	    view_u64(&kv->val, "matched", UINT64_MAX, &iface->matched) != 0 ||
	    view_bin(&kv->val, "chunk", &chunk, &len) != 0)
		rc = -EPROTO;
	else
		rc = flow_map_each(chunk, len, merge_add, merge);
	if (rc == 0) {
		iface->good = true;
	} else {
		/* nothing of it can be trusted, not even what came before the fault */
		merge->count = merge->from;
		iface_fail(
		    iface, "bad_message", "the flows in its answer are malformed");
	}
	return rc == -EPROTO ? 0 : rc;
}

static int
take_answer(struct merge *merge, const msgpack_object *body)
{
	const msgpack_object *ifaces;
	int rc = 0;

	if (view_map(body, "ifaces", &ifaces) != 0)
		return -EPROTO;
	merge->iface_count = ifaces->via.map.size;
	merge->ifaces = calloc(merge->iface_count + 1, sizeof(*merge->ifaces));
	if (!merge->ifaces)
		return -ENOMEM;
	for (; rc == 0 && merge->iface < merge->iface_count; merge->iface++)
		rc = take_iface(merge, &ifaces->via.map.ptr[merge->iface]);
	return rc;
}

static int
compare_flows(const void *a, const void *b, void *arg)
{
	const struct merged_flow *x = a, *y = b;
	enum flows_sort sort = *(const enum flows_sort *)arg;
	uint64_t p = flows_sort_key(sort, &x->flow);
	uint64_t q = flows_sort_key(sort, &y->flow);

	if (p != q)
		return p > q ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static uint64_t
matched_total(const struct merge *merge)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < merge->iface_count; i++) {
		if (merge->ifaces[i].good &&
		    __builtin_add_overflow(sum, merge->ifaces[i].matched, &sum))
			return UINT64_MAX;
	}
	return sum;
}

static void
show_rows(const struct client *client, struct output *out, struct merge *merge)
{
	enum flows_sort sort = client->flows.sort;
	struct flow_rows rows = {.out = out, .lead = FLOW_ROWS_IFACE};
	size_t shown = merge->count;

	if (merge->count > 1)
		qsort_r(merge->flows, merge->count, sizeof(*merge->flows),
		    compare_flows, &sort);
	/* Programs get all that came, unless they asked for so many. */
	size_t limit = client->flows.limit > 0 ? client->flows.limit : merge->limit;
	if (shown > limit && (client->flows.limit > 0 || !client->output->exact))
		shown = limit;
	flow_rows_begin(&rows);
	for (size_t i = 0; i < shown; i++) {
		rows.from = merge->ifaces[merge->flows[i].iface].name;
		(void)flow_rows_add(&rows, &merge->flows[i].flow);
	}
	out->ops->rows_end(out, NULL);
	/* Not of what came: each interface has sent no more than was asked for. */
	uint64_t matched = matched_total(merge);
	if (shown < matched)
		output_note(out, "%zu of %llu flows are shown%s", shown,
		    (unsigned long long)matched,
		    limit < FLOWS_LIMIT_MAX ? " (-n shows more)" : "");
}

static void
show_iface(struct output *out, const struct flows_iface *iface)
{
	static const struct column good_columns[] = {
	    {"flows", NULL, .unit = UNIT_COUNT},
	    {"matched", NULL, .unit = UNIT_COUNT},
	};
	static const struct column error_columns[] = {
	    {"error", NULL, .unit = UNIT_NONE},
	    {"text", NULL, .unit = UNIT_NONE},
	};
	const struct value good[] = {
	    VALUE_OF_U64(iface->flows), VALUE_OF_U64(iface->matched)};
	const struct value error[] = {
	    VALUE_OF_TEXT(iface->error), VALUE_OF_TEXT(iface->text)};

	out->ops->fields(out, iface->name, iface->good ? good_columns : error_columns,
	    iface->good ? good : error, 2);
	if (iface->good)
		output_note(out, "%s: %llu of %llu flows match", iface->name,
		    (unsigned long long)iface->matched,
		    (unsigned long long)iface->flows);
}

static void
tell_iface(const struct client *client, const struct flows_iface *iface)
{
	log_err(client->command->name, "%s: %s%s%s", iface->name, iface->error,
	    iface->error[0] != '\0' && iface->text[0] != '\0' ? ": " : "", iface->text);
}

static int
show(const struct client *client, struct merge *merge)
{
	struct output out;
	int code = EXIT_DONE;

	output_open(&out, client->output, stdout);
	show_rows(client, &out, merge);
	if (client->output->exact)
		out.ops->group_begin(&out, "ifaces", NULL);
	for (size_t i = 0; i < merge->iface_count; i++)
		show_iface(&out, &merge->ifaces[i]);
	if (client->output->exact)
		out.ops->group_end(&out);
	for (size_t i = 0; i < merge->iface_count; i++) {
		if (merge->ifaces[i].good)
			continue;
		tell_iface(client, &merge->ifaces[i]);
		code = EXIT_INCOMPLETE;
	}
	return client_finish(client, &out, code);
}

static void
pack_query(struct pack *request, const void *arg)
{
	pack_flows_query(request, arg);
}

int
command_flows(const struct client *client)
{
	struct flows_query query = client->flows;
	const struct daemon_question question = {
	    .type = MSG_FLOWS, .default_ms = ASK_MS, .keys = pack_query, .arg = &query};
	struct merge merge = {.limit = 0};
	struct whole_answer answer;
	int code, rc;

	if (query.limit == 0)
		query.limit =
		    client->output->exact ? FLOWS_LIMIT_MAX : CLIENT_TABLE_ROWS;
	merge.limit = query.limit;
	code = daemon_ask_whole(client, &question, &answer);
	if (code != EXIT_DONE)
		return code;
	rc = take_answer(&merge, answer.body);
	if (rc == 0) {
		code = show(client, &merge);
	} else {
		log_err(client->command->name, "%s",
		    rc == -EPROTO ? "the daemon's answer is malformed" : strerror(-rc));
		code = EXIT_FAILED;
	}
	merge_fini(&merge);
	whole_answer_fini(&answer);
	return code;
}
