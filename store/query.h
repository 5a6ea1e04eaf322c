/* Questions to the store: sums over any subset of the key, with first and last bound. */
#ifndef WEIR_STORE_QUERY_H
#define WEIR_STORE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/flow.h"
#include "common/iface.h"

struct store_reader;
struct store_interval;

/* What rows are grouped by: a set. The empty set gives one row. */
enum query_field {
	QUERY_TIME = 1 << 0, /* begin of the interval */
	QUERY_IFACE = 1 << 1,
	QUERY_SRC = 1 << 2,
	QUERY_DST = 1 << 3,
	QUERY_DPORT = 1 << 4,
	QUERY_PROTO = 1 << 5,
	QUERY_ALL = (1 << 6) - 1,
};

/* What comes first: the largest sum, or (QUERY_BY_KEY) the smallest key. Rows that are
 * equal in it stand in the order of their keys, so the same data gives the same answer. */
enum query_sort {
	QUERY_BY_BYTES,
	QUERY_BY_PACKETS,
	QUERY_BY_FLOWS,
	QUERY_BY_KEY
};

struct query {
	unsigned fields;
	/* [first, last): an interval counts as a whole when its begin lies inside. */
	int64_t first_ms;
	int64_t last_ms;
	const char *const *ifaces; /* exact names; none: all */
	size_t iface_count;
	enum query_sort sort;
	size_t limit; /* most rows; 0: all */

	/* Called for each interval that cannot be read; the query goes on without it.
	 * `why` is a sentence without a full stop. May be NULL. */
	void (*skipped)(
	    void *arg, const struct store_interval *interval, const char *why);
	void *arg;
};

/* Members of the key that were not asked for are 0 or empty. */
struct query_row {
	int64_t begin_ms;
	struct iface_name iface;
	uint8_t
	    family; /* of src and dst; FAMILY_NONE: flows counted without addresses */
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t dport;
	uint8_t proto;
	uint8_t
	    orientation; /* the weakest evidence in it; set when src and dst are asked */
	uint64_t flows; /* conversations */
	struct counter count[2][2]; /* [enum observed][enum flow_dir] */
};

struct query_result {
	struct query_row *rows; /* sorted, at most query.limit */
	size_t row_count;
	size_t group_count; /* rows there would have been without a limit */

	/* Over everything that was asked, not over what is shown: shares refer to it. */
	struct counter count[2][2];
	uint64_t flows;

	int64_t begin_ms; /* earliest begin and latest end of what went in, or 0 */
	int64_t end_ms;
	size_t intervals; /* that went in */
	size_t skipped; /* that could not be read: the answer is incomplete */
	uint64_t scanned; /* rows read */
};

/* Sum of the four counters. */
struct counter query_total(const struct counter count[2][2]);

/* 0 or negative errno (see store_reader_why()); intervals that cannot be read are
 * counted in `skipped` and are no failure. Free with query_result_fini(). */
int query_run(struct store_reader *reader, const struct query *query,
    struct query_result *result);
void query_result_fini(struct query_result *result);

#endif
