/* weirctl flows: the running interval's flows of several interfaces, merged. Each chunk
 * comes from a worker as it is (the daemon does not decode it), so it is decoded and checked
 * here; one that is malformed costs its own interface only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/daemon/daemon.h"
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
	char name[IFACE_NAME_SIZE];
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

/* What the flows are sorted by, comparable as they are. */
static int
compare_key(
    enum flows_sort sort, const struct flow_record *a, const struct flow_record *b)
{
	struct counter x = flow_total(a), y = flow_total(b);

	switch (sort) {
	case FLOWS_BY_PACKETS:
		return (x.packets > y.packets) - (x.packets < y.packets);
	case FLOWS_BY_LAST:
		return (a->last_ns > b->last_ns) - (a->last_ns < b->last_ns);
	default:
		return (x.bytes > y.bytes) - (x.bytes < y.bytes);
	}
}

static int
compare_flows(const void *a, const void *b, void *arg)
{
	const struct merged_flow *x = a, *y = b;
	int by_key = compare_key(*(const enum flows_sort *)arg, &x->flow, &y->flow);

	return by_key != 0 ? -by_key : (x->order > y->order) - (x->order < y->order);
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
	if (shown < merge->count)
		output_note(out, "%zu of %zu flows are shown (-n shows more)", shown,
		    merge->count);
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
	char name[IFACE_NAME_SIZE * 4];

	text_escape(name, sizeof(name), iface->name, strlen(iface->name));
	log_err(client->command->name, "%s: %s%s%s", name, iface->error,
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
pack_question(const struct client *client, size_t limit, struct pack *request)
{
	static const char *const sorts[] = {
	    [FLOWS_BY_BYTES] = "bytes",
	    [FLOWS_BY_PACKETS] = "packets",
	    [FLOWS_BY_LAST] = "last",
	};
	const struct flows_query *flows = &client->flows;

	pack_request(request, MSG_FLOWS);
	daemon_pack_ifaces(request, client);
	pack_key_u64(request, "limit", limit);
	pack_key_str(request, "sort", sorts[flows->sort]);
	if (flows->family != FAMILY_NONE) {
		pack_key_bin(request, "address", flows->address,
		    flows->family == FAMILY_IPV4 ? 4 : 16);
		pack_key_u64(request, "prefix", flows->prefix);
	}
	if (flows->port_given)
		pack_key_u64(request, "port", flows->port);
	if (flows->proto_given)
		pack_key_u64(request, "proto", flows->proto);
}

int
command_flows(const struct client *client)
{
	struct merge merge = {.limit = client->flows.limit};
	struct answer answer;
	struct pack request;
	int code, rc;

	if (merge.limit == 0)
		merge.limit =
		    client->output->exact ? CLIENT_FLOWS_MAX : CLIENT_TABLE_ROWS;
	pack_init(&request);
	pack_question(client, merge.limit, &request);
	code = daemon_send(client, &request, MSG_FLOWS, ASK_MS, false, &answer);
	pack_fini(&request);
	if (code != EXIT_DONE)
		return code;
	rc = take_answer(&merge, answer.msg.body);
	if (rc == 0) {
		code = show(client, &merge);
	} else {
		log_err(client->command->name, "%s",
		    rc == -EPROTO ? "the daemon's answer is malformed" : strerror(-rc));
		code = EXIT_FAILED;
	}
	merge_fini(&merge);
	answer_fini(&answer);
	return code;
}
