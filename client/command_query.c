/* weirctl query: opens the store itself, with the rights of whoever asks, and shows sums.
 * The daemon is asked only where its store is, and only when nobody said so. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "common/log.h"
#include "common/text.h"
#include "proto/ask.h"
#include "proto/view.h"
#include "store/reader.h"

#define ASK_MS 1000

/* Columns of a row: the keys that were asked for, then these. */
static const struct column sum_columns[] = {
    {NULL, "PKTS IN", .unit = UNIT_COUNT, .drop = 1},
    {NULL, "BYTES IN", .unit = UNIT_BYTES, .drop = 6},
    {NULL, "PKTS OUT", .unit = UNIT_COUNT, .drop = 2},
    {NULL, "BYTES OUT", .unit = UNIT_BYTES, .drop = 5},
    {"received", NULL, .unit = UNIT_COUNTER},
    {"sent", NULL, .unit = UNIT_COUNTER},
    {"received_fwd", NULL, .unit = UNIT_COUNTER},
    {"received_rev", NULL, .unit = UNIT_COUNTER},
    {"sent_fwd", NULL, .unit = UNIT_COUNTER},
    {"sent_rev", NULL, .unit = UNIT_COUNTER},
    {"packets", NULL, .unit = UNIT_COUNT},
    {"bytes", NULL, .unit = UNIT_BYTES},
    {"flows", "FLOWS", .unit = UNIT_COUNT, .drop = 4},
    {"share", "SHARE", .unit = UNIT_SHARE},
};
#define SUM_COLUMNS (sizeof(sum_columns) / sizeof(sum_columns[0]))

#define KEY_COLUMNS_MAX 10

/* Both ends of the conversation: only then is there a direction to speak of. */
#define WITH_DIRECTION ((unsigned)QUERY_SRC | QUERY_DST)

/* Texts that values of one row point to. */
struct row_texts {
	char iface[IFACE_SHOWN_SIZE];
	char src[46];
	char dst[46];
	char proto[16];
};

static size_t
key_columns(unsigned fields, struct column *out)
{
	static const struct {
		unsigned fields; /* all of them asked for */
		struct column column;
	} keys[] = {
	    {QUERY_TIME, {"time", "TIME", UNIT_TIME_MS, .left = true}},
	    {QUERY_IFACE, {"iface", "IFACE", UNIT_NONE, .left = true}},
	    {QUERY_SRC, {"src", "SRC", UNIT_NONE, .left = true, .shrink = 15}},
	    {QUERY_DST, {"dst", "DST", UNIT_NONE, .left = true, .shrink = 15}},
	    {QUERY_DPORT, {"dport", "DPORT", .unit = UNIT_NONE}},
	    {QUERY_PROTO, {"proto", NULL, .unit = UNIT_NONE}},
	    {QUERY_PROTO, {"proto_name", "PROTO", UNIT_NONE, .left = true}},
	    /* Why, and how surely, the source is the source. */
	    {WITH_DIRECTION, {"orientation", NULL, UNIT_NONE, .left = true}},
	    {WITH_DIRECTION, {"confidence", "DIR", UNIT_NONE, .left = true, .drop = 3}},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if ((fields & keys[i].fields) == keys[i].fields)
			out[n++] = keys[i].column;
	}
	return n;
}

static size_t
key_values(unsigned fields, const struct query_row *row, struct row_texts *texts,
    struct value *out)
{
	size_t n = 0;

	if (fields & QUERY_TIME)
		out[n++] = VALUE_OF_I64(row->begin_ms);
	if (fields & QUERY_IFACE)
		out[n++] = VALUE_OF_TEXT(iface_shown(row->iface.s, texts->iface));
	if (fields & QUERY_SRC)
		out[n++] =
		    VALUE_OF_TEXT(flow_address(row->family, row->src, texts->src));
	if (fields & QUERY_DST)
		out[n++] =
		    VALUE_OF_TEXT(flow_address(row->family, row->dst, texts->dst));
	if (fields & QUERY_DPORT)
		out[n++] = VALUE_OF_U64(row->dport);
	if (fields & QUERY_PROTO) {
		out[n++] = VALUE_OF_U64(row->proto);
		out[n++] = VALUE_OF_TEXT(flow_proto(row->proto, texts->proto));
	}
	if ((fields & WITH_DIRECTION) == WITH_DIRECTION) {
		out[n++] = VALUE_OF_TEXT(orientation_name(row->orientation));
		out[n++] = VALUE_OF_TEXT(orientation_confidence(row->orientation));
	}
	return n;
}

static struct counter
observed_total(const struct counter count[2][2], enum observed observed)
{
	struct counter sum = count[observed][FWD];

	counter_add(&sum, &count[observed][REV]);
	return sum;
}

static void
sum_values(
    const struct counter count[2][2], uint64_t flows, double share, struct value *out)
{
	struct counter received = observed_total(count, RECEIVED);
	struct counter sent = observed_total(count, SENT);
	struct counter total = query_total(count);
	const struct value values[SUM_COLUMNS] = {
	    VALUE_OF_U64(received.packets),
	    VALUE_OF_U64(received.bytes),
	    VALUE_OF_U64(sent.packets),
	    VALUE_OF_U64(sent.bytes),
	    VALUE_OF_COUNTER(received),
	    VALUE_OF_COUNTER(sent),
	    VALUE_OF_COUNTER(count[RECEIVED][FWD]),
	    VALUE_OF_COUNTER(count[RECEIVED][REV]),
	    VALUE_OF_COUNTER(count[SENT][FWD]),
	    VALUE_OF_COUNTER(count[SENT][REV]),
	    VALUE_OF_U64(total.packets),
	    VALUE_OF_U64(total.bytes),
	    VALUE_OF_U64(flows),
	    VALUE_OF_REAL(share),
	};

	memcpy(out, values, sizeof(values));
}

/* Percent of everything, in what the rows are sorted by (bytes, when by time). */
static double
share_of(const struct client *client, const struct query_row *row,
    const struct query_result *result)
{
	struct counter part = query_total(row->count);
	struct counter whole = query_total(result->count);

	switch (client->query.sort) {
	case QUERY_BY_PACKETS:
		return whole.packets == 0
		    ? 0
		    : 100.0 * (double)part.packets / (double)whole.packets;
	case QUERY_BY_FLOWS:
		return result->flows == 0
		    ? 0
		    : 100.0 * (double)row->flows / (double)result->flows;
	default:
		return whole.bytes == 0
		    ? 0
		    : 100.0 * (double)part.bytes / (double)whole.bytes;
	}
}

static void
show_rows(
    const struct client *client, struct output *out, const struct query_result *result)
{
	struct column columns[KEY_COLUMNS_MAX + SUM_COLUMNS];
	struct value values[KEY_COLUMNS_MAX + SUM_COLUMNS];
	struct row_texts texts;
	size_t keys = key_columns(client->query.fields, columns);

	memcpy(columns + keys, sum_columns, sizeof(sum_columns));
	out->ops->rows_begin(out, "rows", columns, keys + SUM_COLUMNS);
	for (size_t i = 0; i < result->row_count; i++) {
		const struct query_row *row = &result->rows[i];
		(void)key_values(client->query.fields, row, &texts, values);
		sum_values(row->count, row->flows, share_of(client, row, result),
		    values + keys);
		out->ops->row(out, values);
	}
	bool labelled = false; /* in the first key that tables show */
	for (size_t i = 0; i < keys; i++) {
		values[i] = VALUE_OF_TEXT("");
		if (columns[i].title && !labelled) {
			values[i] = VALUE_OF_TEXT("total");
			labelled = true;
		}
	}
	sum_values(result->count, result->flows, 100, values + keys);
	if (result->group_count == 0)
		values[keys + SUM_COLUMNS - 1] =
		    VALUE_UNKNOWN; /* the share of nothing */
	out->ops->rows_end(out, values);
}

static void
show_summary(struct output *out, const struct query_result *result)
{
	static const struct column columns[] = {
	    {"received", NULL, .unit = UNIT_COUNTER},
	    {"sent", NULL, .unit = UNIT_COUNTER},
	    {"packets", NULL, .unit = UNIT_COUNT},
	    {"bytes", NULL, .unit = UNIT_BYTES},
	    {"flows", NULL, .unit = UNIT_COUNT},
	};
	static const struct column extent[] = {
	    {"rows_shown", NULL, .unit = UNIT_NONE},
	    {"rows_total", NULL, .unit = UNIT_NONE},
	    {"begin", NULL, .unit = UNIT_TIME_MS},
	    {"end", NULL, .unit = UNIT_TIME_MS},
	    {"intervals", NULL, .unit = UNIT_NONE},
	    {"intervals_skipped", NULL, .unit = UNIT_NONE},
	};
	struct counter total = query_total(result->count);
	const struct value values[] = {
	    VALUE_OF_COUNTER(observed_total(result->count, RECEIVED)),
	    VALUE_OF_COUNTER(observed_total(result->count, SENT)),
	    VALUE_OF_U64(total.packets),
	    VALUE_OF_U64(total.bytes),
	    VALUE_OF_U64(result->flows),
	};
	bool any = result->intervals > 0;
	const struct value extent_values[] = {
	    VALUE_OF_U64(result->row_count),
	    VALUE_OF_U64(result->group_count),
	    any ? VALUE_OF_I64(result->begin_ms) : VALUE_UNKNOWN,
	    any ? VALUE_OF_I64(result->end_ms) : VALUE_UNKNOWN,
	    VALUE_OF_U64(result->intervals),
	    VALUE_OF_U64(result->skipped),
	};
	char begin[32], end[32];

	out->ops->fields(
	    out, "total", columns, values, sizeof(columns) / sizeof(columns[0]));
	out->ops->fields(
	    out, NULL, extent, extent_values, sizeof(extent) / sizeof(extent[0]));
	if (!any) {
		output_note(out, "nothing is stored for this question");
		return;
	}
	output_note(out, "%zu of %zu rows%s; %zu intervals from %s to %s",
	    result->row_count, result->group_count,
	    result->row_count < result->group_count ? " (-n 0 shows all)" : "",
	    result->intervals, wall_text_ms(result->begin_ms, begin),
	    wall_text_ms(result->end_ms, end));
}

/* What the daemon at the socket says, if one answers; else the usual place. */
static void
find_store(const struct client *client, char *out, size_t size)
{
	const msgpack_object *supervisor;
	struct answer answer;
	struct pack request;
	int rc;

	snprintf(out, size, "%s", CLIENT_STORE);
	pack_init(&request);
	pack_request(&request, MSG_STATUS);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = ask(client->socket, &request,
		    client->timeout_ms > 0 ? client->timeout_ms : ASK_MS, &answer);
	pack_fini(&request);
	if (rc != 0)
		return;
	if (answer.msg.error == MSG_OK &&
	    view_map(answer.msg.body, "supervisor", &supervisor) == 0)
		(void)view_str(supervisor, "store", out, size);
	answer_fini(&answer);
}

static void
tell_skipped(void *arg, const struct store_interval *interval, const char *why)
{
	char name[IFACE_SHOWN_SIZE];
	char begin[32];

	(void)arg;
	log_warn("query", "%s, interval of %s: left out: %s",
	    iface_shown(interval->iface.s, name),
	    wall_text_ms(interval->interval.begin_ms, begin), why);
}

int
command_query(const struct client *client)
{
	struct query query = client->query;
	struct query_result result;
	struct store_reader *reader = NULL;
	struct output out;
	char directory[PATH_MAX];
	char why[STORE_WHY_SIZE];
	int code = EXIT_DONE;
	int rc;

	if (client->store)
		snprintf(directory, sizeof(directory), "%s", client->store);
	else
		find_store(client, directory, sizeof(directory));
	rc = store_reader_open(directory, &reader, why);
	if (rc != 0) {
		log_err("query", "%s", why);
		return EXIT_FAILED;
	}
	query.skipped = tell_skipped;
	rc = query_run(reader, &query, &result);
	if (rc != 0) {
		log_err("query", "%s", store_reader_why(reader));
		store_reader_close(reader);
		return EXIT_FAILED;
	}
	store_reader_close(reader);
	output_open(&out, client->output, stdout);
	show_rows(client, &out, &result);
	show_summary(&out, &result);
	if (result.skipped > 0)
		code = EXIT_INCOMPLETE;
	query_result_fini(&result);
	return client_finish(client, &out, code);
}
