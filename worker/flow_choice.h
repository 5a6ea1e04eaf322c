/* Which flows of the running interval are shown: a filter, an order, and the first ones
 * in that order. Knows nothing of records and threads; flow records are passed in one by
 * one and copied when they are among the best so far. One thread per choice. */
#ifndef WEIR_WORKER_FLOW_CHOICE_H
#define WEIR_WORKER_FLOW_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/flow.h"
#include "proto/pack.h"

#define FLOW_CHOICE_LIMIT_MAX 1000
#define FLOW_CHOICE_LIMIT_DEFAULT 50

enum flow_sort {
	FLOW_SORT_BYTES = 0, /* the largest first, of all four counters together */
	FLOW_SORT_PACKETS,
	FLOW_SORT_LAST, /* the one with the latest packet first */
};

/* "bytes", "packets", "last": 0, or -EINVAL with *out untouched. */
int flow_sort_from_name(const char *name, enum flow_sort *out);

/* What must hold of a flow, all of it. All zero takes everything. */
struct flow_filter {
	uint8_t family; /* FAMILY_NONE: any address; else one end lies in the prefix */
	uint8_t prefix; /* bits; at most 32 or 128 */
	uint8_t address[16]; /* network order; bits after the prefix mean nothing */
	bool has_port;
	uint16_t port; /* of one end, host order */
	bool has_proto;
	uint8_t proto;
};

/* Overflow flows have lost addresses and ports, so a filter with one of these never takes
 * them. */
bool flow_filter_matches(
    const struct flow_filter *filter, const struct flow_record *flow);

struct flow_choice;

/* `limit` is 1 to FLOW_CHOICE_LIMIT_MAX. 0, -EINVAL, -ENOMEM. */
int flow_choice_new(struct flow_choice **out, const struct flow_filter *filter,
    enum flow_sort sort, size_t limit);
void flow_choice_free(struct flow_choice *choice);

/* Looks at one more. Among equals the one that came first is the better. */
void flow_choice_add(struct flow_choice *choice, const struct flow_record *flow);

uint64_t flow_choice_flows(const struct flow_choice *choice); /* added */
uint64_t flow_choice_matched(const struct flow_choice *choice);

/* Appends the chosen records to the pack (proto/flow_map.h), the best first. The end of
 * the choice: add nothing more. */
void flow_choice_pack(struct flow_choice *choice, struct pack *pack);

#endif
