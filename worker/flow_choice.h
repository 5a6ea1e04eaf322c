/* Which flows of the running interval are shown: a filter, an order, and the first ones
 * in that order. Knows nothing of records and threads; flow records are passed in one by
 * one and copied when they are among the best so far. One thread per choice. */
#ifndef WEIR_WORKER_FLOW_CHOICE_H
#define WEIR_WORKER_FLOW_CHOICE_H

#include "proto/flows_query.h"

/* Overflow flows have lost addresses and ports, so a filter with one of these never takes
 * them. */
bool flow_filter_matches(
    const struct flows_query *filter, const struct flow_record *flow);

struct flow_choice;

/* 0, -EINVAL for a limit or a prefix out of range, -ENOMEM. */
int flow_choice_new(struct flow_choice **out, const struct flows_query *query);
void flow_choice_free(struct flow_choice *choice);

/* Looks at one more. Among equals the one that came first is the better. */
void flow_choice_add(struct flow_choice *choice, const struct flow_record *flow);

uint64_t flow_choice_flows(const struct flow_choice *choice); /* added */
uint64_t flow_choice_matched(const struct flow_choice *choice);

/* Appends the chosen records to the pack (proto/flow_map.h), the best first. The end of
 * the choice: add nothing more. */
void flow_choice_pack(struct flow_choice *choice, struct pack *pack);

#endif
