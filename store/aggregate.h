/* Flow records in, aggregated flow rows out: one row per source, destination,
 * destination port and protocol. The client's port is dropped (sport is 0), counters
 * and conversations are summed, the first time is the earliest, the last the latest, TCP
 * flags are or'ed per direction, the orientation is the weakest of all.
 *
 * A row is a struct flow_record, so what comes out can go in again: that is how two maps
 * of one interval are merged. One thread at a time. */
#ifndef WEIR_STORE_AGGREGATE_H
#define WEIR_STORE_AGGREGATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/flow.h"

struct aggregate;

/* NULL when there is no memory. `rows_max` bounds the rows. */
struct aggregate *aggregate_new(size_t rows_max);
void aggregate_free(struct aggregate *aggregate);

/* Takes records in; many at a time is faster than one by one. 0; -ENOMEM; -ENOSPC more
 * rows than rows_max; -EOVERFLOW a sum would pass INT64_MAX (SQLite's largest integer).
 * After a failure throw it away. */
int aggregate_add(
    struct aggregate *aggregate, const struct flow_record *flows, size_t count);

/* The rows in the order in which FORMAT.md keeps them. They belong to the aggregate;
 * after this nothing may be added any more. 0 or -ENOMEM. */
int aggregate_finish(
    struct aggregate *aggregate, const struct flow_record **rows, size_t *count);

/* A copy of the rows so far, in no order, which the caller frees. 0 or -ENOMEM. */
int aggregate_copy(
    const struct aggregate *aggregate, struct flow_record **rows, size_t *count);

size_t aggregate_rows(const struct aggregate *aggregate);
size_t aggregate_bytes(const struct aggregate *aggregate); /* memory it takes */
uint64_t aggregate_conversations(const struct aggregate *aggregate);
struct counter aggregate_sum(const struct aggregate *aggregate); /* of all counters */
/* The part of that sum in rows without addresses. */
struct counter aggregate_overflow(const struct aggregate *aggregate);

#endif
