#include "client/output/flow_rows.h"

#include <string.h>

/* clang-format off */
#define FLOW_COLUMNS \
    {NULL, "FIRST", UNIT_TIME_NS, .left = true, .drop = 1}, \
    {"src", "SRC", UNIT_NONE, .left = true, .shrink = 15}, \
    {"dst", "DST", UNIT_NONE, .left = true, .shrink = 15}, \
    {"sport", "SPORT", .unit = UNIT_NONE}, \
    {"dport", "DPORT", .unit = UNIT_NONE}, \
    {"proto", NULL, .unit = UNIT_NONE}, \
    {"proto_name", "PROTO", UNIT_NONE, .left = true}, \
    {"family", NULL, .unit = UNIT_NONE}, \
    {"orientation", "BY", UNIT_NONE, .left = true, .drop = 2}, \
    {"confidence", "DIR", UNIT_NONE, .left = true, .drop = 3}, \
    {"tcp_flags_fwd", NULL, .unit = UNIT_NONE}, \
    {"tcp_flags_rev", NULL, .unit = UNIT_NONE}, \
    {"first_ns", NULL, .unit = UNIT_TIME_NS}, \
    {"last_ns", NULL, .unit = UNIT_TIME_NS}, \
    {"received_fwd", NULL, .unit = UNIT_COUNTER}, \
    {"received_rev", NULL, .unit = UNIT_COUNTER}, \
    {"sent_fwd", NULL, .unit = UNIT_COUNTER}, \
    {"sent_rev", NULL, .unit = UNIT_COUNTER}, \
    {"packets", NULL, .unit = UNIT_COUNT}, \
    {"bytes", NULL, .unit = UNIT_BYTES}, \
    {NULL, "PKTS", .unit = UNIT_COUNT}, \
    {NULL, "BYTES", .unit = UNIT_BYTES}, \
    {NULL, "PKTS BACK", UNIT_COUNT, .drop = 5}, \
    {NULL, "BYTES BACK", UNIT_BYTES, .drop = 4}
/* clang-format on */

/* Two columns may lead; a table without them begins behind them. */
#define LEADS 2

static const struct column by_file[] = {
    {NULL, NULL, .unit = UNIT_NONE},
    {"file", "FILE", UNIT_NONE, .left = true, .shrink = 12},
    FLOW_COLUMNS,
};

static const struct column by_iface[] = {
    {"iface", "IFACE", UNIT_NONE, .left = true, .shrink = 8},
    {NULL, "LAST", UNIT_TIME_NS, .left = true, .drop = 2},
    FLOW_COLUMNS,
};

#define COLUMNS_MAX (sizeof(by_file) / sizeof(by_file[0]))
_Static_assert(sizeof(by_iface) == sizeof(by_file), "the same values fit both");

/* How many of the leading columns are left out. */
static size_t
leads_skipped(enum flow_rows_lead lead)
{
	switch (lead) {
	case FLOW_ROWS_IFACE:
		return 0;
	case FLOW_ROWS_FILE:
		return 1;
	default:
		return LEADS;
	}
}

void
flow_rows_begin(const struct flow_rows *rows)
{
	size_t skip = leads_skipped(rows->lead);
	const struct column *all = rows->lead == FLOW_ROWS_IFACE ? by_iface : by_file;

	rows->out->ops->rows_begin(rows->out, "flows", all + skip, COLUMNS_MAX - skip);
}

static struct counter
direction_total(const struct flow_record *flow, enum flow_dir dir)
{
	struct counter sum = flow->count[RECEIVED][dir];

	counter_add(&sum, &flow->count[SENT][dir]);
	return sum;
}

int
flow_rows_add(void *arg, const struct flow_record *flow)
{
	struct flow_rows *rows = arg;
	struct counter total = flow_total(flow);
	struct counter forward = direction_total(flow, FWD);
	struct counter reverse = direction_total(flow, REV);
	char src[46], dst[46], proto[16];
	const char *from = rows->from ? rows->from : "";
	const struct value values[COLUMNS_MAX] = {
	    VALUE_OF_TEXT(from),
	    rows->lead == FLOW_ROWS_IFACE ? VALUE_OF_I64(flow->last_ns)
					  : VALUE_OF_TEXT(from),
	    VALUE_OF_I64(flow->first_ns),
	    VALUE_OF_TEXT(flow_address(flow->family, flow->src, src)),
	    VALUE_OF_TEXT(flow_address(flow->family, flow->dst, dst)),
	    VALUE_OF_U64(flow->sport),
	    VALUE_OF_U64(flow->dport),
	    VALUE_OF_U64(flow->proto),
	    VALUE_OF_TEXT(flow_proto(flow->proto, proto)),
	    VALUE_OF_U64(flow->family),
	    VALUE_OF_TEXT(orientation_name(flow->orientation)),
	    VALUE_OF_TEXT(orientation_confidence(flow->orientation)),
	    VALUE_OF_U64(flow->tcp_flags[FWD]),
	    VALUE_OF_U64(flow->tcp_flags[REV]),
	    VALUE_OF_I64(flow->first_ns),
	    VALUE_OF_I64(flow->last_ns),
	    VALUE_OF_COUNTER(flow->count[RECEIVED][FWD]),
	    VALUE_OF_COUNTER(flow->count[RECEIVED][REV]),
	    VALUE_OF_COUNTER(flow->count[SENT][FWD]),
	    VALUE_OF_COUNTER(flow->count[SENT][REV]),
	    VALUE_OF_U64(total.packets),
	    VALUE_OF_U64(total.bytes),
	    VALUE_OF_U64(forward.packets),
	    VALUE_OF_U64(forward.bytes),
	    VALUE_OF_U64(reverse.packets),
	    VALUE_OF_U64(reverse.bytes),
	};

	rows->out->ops->row(rows->out, values + leads_skipped(rows->lead));
	return 0;
}

/* Refusals follow in the order of their enum. */
static const struct column books_columns[] = {
    {"file", "FILE", UNIT_NONE, .left = true, .shrink = 16},
    {"link_type", "LINK TYPE", UNIT_NONE, .left = true, .drop = 2},
    {"packets", "PACKETS", .unit = UNIT_COUNT},
    {"bytes", "BYTES", .unit = UNIT_BYTES},
    {"in_flows", NULL, .unit = UNIT_COUNTER},
    {NULL, "IN FLOWS", .unit = UNIT_COUNT},
    {"overflow", NULL, .unit = UNIT_COUNTER},
    {NULL, "REFUSED", .unit = UNIT_COUNT},
    {"refused_not_ip", NULL, .unit = UNIT_COUNTER},
    {"refused_truncated", NULL, .unit = UNIT_COUNTER},
    {"refused_bad_header", NULL, .unit = UNIT_COUNTER},
    {"refused_link_type", NULL, .unit = UNIT_COUNTER},
};
#define BOOKS_COLUMNS (sizeof(books_columns) / sizeof(books_columns[0]))
_Static_assert(REFUSED_MAX == 5, "a new class of refusal needs a column");

bool
books_rows_wanted(const struct client *client, const struct output *out, bool several)
{
	return client->books_only && (out->ops->flat || (several && !out->ops->exact));
}

void
books_rows_begin(struct output *out)
{
	out->ops->rows_begin(out, "books", books_columns, BOOKS_COLUMNS);
}

void
books_row(struct output *out, const char *file, const struct books *books,
    const char *link_type)
{
	const struct value values[BOOKS_COLUMNS] = {
	    VALUE_OF_TEXT(file),
	    VALUE_OF_TEXT(link_type),
	    VALUE_OF_U64(books->received.packets),
	    VALUE_OF_U64(books->received.bytes),
	    VALUE_OF_COUNTER(books->in_flows),
	    VALUE_OF_U64(books->in_flows.packets),
	    VALUE_OF_COUNTER(books->overflow),
	    VALUE_OF_U64(books_refused(books).packets),
	    VALUE_OF_COUNTER(books->refused[REFUSED_NOT_IP]),
	    VALUE_OF_COUNTER(books->refused[REFUSED_TRUNCATED]),
	    VALUE_OF_COUNTER(books->refused[REFUSED_BAD_HEADER]),
	    VALUE_OF_COUNTER(books->refused[REFUSED_LINK_TYPE]),
	};

	out->ops->row(out, values);
}
