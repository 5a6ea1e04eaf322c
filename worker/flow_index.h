/* From the hash of a flow key to the number of its record: an open-addressing table of
 * 8-byte slots in private memory, one per generation. A slot carries the number of the
 * turn it was written in, so a generation is emptied by counting the turn up. */
#ifndef WEIR_WORKER_FLOW_INDEX_H
#define WEIR_WORKER_FLOW_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/records.h"

#define FLOW_INDEX_NONE UINT32_MAX

/* record number : 32 | turn : 16 | top bits of the hash : 16 */
struct flow_index {
	uint64_t *slot;
	uint64_t mask; /* number of slots - 1 */
	uint64_t used;
	uint16_t turn; /* never 0: an untouched slot is 0 */
};

int flow_index_init(struct flow_index *index);
void flow_index_fini(struct flow_index *index);

/* Empties it, and gives it the size of `like` where that is larger, since the next
 * interval will hardly have fewer flows: better now than step by step under traffic.
 * Constant time but for that, and for every 65,535th call. */
void flow_index_clear(struct flow_index *index, const struct flow_index *like);

/* Room for one more: 0, or -ENOMEM (then it works on, but takes no more). Growing reads
 * the hashes of the first `count` records. */
int flow_index_reserve(
    struct flow_index *index, const struct record *records, uint64_t count);

/* Enters a record that is not in it. Only after flow_index_reserve() said 0. */
void flow_index_insert(struct flow_index *index, uint32_t hash, uint32_t number);

static inline uint64_t
flow_index_slot(uint32_t number, uint16_t turn, uint32_t hash)
{
	return (uint64_t)number << 32 | (uint64_t)turn << 16 | hash >> 16;
}

static inline void
flow_index_prefetch(const struct flow_index *index, uint32_t hash)
{
	__builtin_prefetch(&index->slot[hash & index->mask]);
}

/* The record number in the first slot that may be the one, to prefetch the record. */
static inline uint32_t
flow_index_guess(const struct flow_index *index, uint32_t hash)
{
	uint64_t tag = flow_index_slot(0, index->turn, hash);

	for (uint64_t at = hash & index->mask;; at = (at + 1) & index->mask) {
		uint64_t slot = index->slot[at];
		if ((uint16_t)(slot >> 16) != index->turn)
			return FLOW_INDEX_NONE;
		if ((uint32_t)slot == (uint32_t)tag)
			return (uint32_t)(slot >> 32);
	}
}

static inline uint32_t
flow_index_find(const struct flow_index *index, const struct record *records,
    uint64_t count, const struct flow_key *key, uint32_t hash)
{
	uint32_t tag = (uint32_t)flow_index_slot(0, index->turn, hash);

	for (uint64_t at = hash & index->mask;; at = (at + 1) & index->mask) {
		uint64_t slot = index->slot[at];
		uint32_t number = (uint32_t)(slot >> 32);
		if ((uint16_t)(slot >> 16) != index->turn)
			return FLOW_INDEX_NONE;
		if ((uint32_t)slot == tag && number < count &&
		    flow_key_equal(&records[number].key, key))
			return number;
	}
}

#endif
