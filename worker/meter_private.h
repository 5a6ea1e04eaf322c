/* What meter.c, meter_count.c and meter_export.c share. */
#ifndef WEIR_WORKER_METER_PRIVATE_H
#define WEIR_WORKER_METER_PRIVATE_H

#include "worker/flow_index.h"
#include "worker/fragments.h"
#include "worker/meter.h"
#include "worker/records.h"
#include "worker/refusals.h"

/* Packets decoded before their flows are looked up: long enough for the prefetched
 * cache lines to arrive, short enough to stay in the first-level cache. */
#define METER_BATCH 64

struct pending {
	struct decoded packet;
	int64_t ts_ns;
	uint32_t wire_len;
	uint32_t hash;
};

struct meter {
	struct records records;
	struct flow_index index[2]; /* of generation 0 and 1 */
	struct fragments *fragments;
	uint64_t seed;
	uint64_t flow_limit;
	bool no_room; /* the file or the index could not grow in this interval */
	struct counter total;
	struct meter_adoption adoption;
	struct meter_pause pause;
	struct refusals refusals;
	uint64_t undecodable; /* in a row, up to now */
	int64_t undecodable_since_ns; /* packet time of the first of them */
	int64_t undecodable_last_ns;
	unsigned pending_count;
	struct counter pending_sum; /* of all packets since the last flush */
	struct pending pending[METER_BATCH];
};

static inline unsigned
meter_current(const struct meter *meter)
{
	return meter->records.header->current;
}

/* meter_count.c */
uint32_t meter_hash(const struct meter *meter, const struct flow_key *key);

#endif
