#include "worker/flow_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLOTS_MIN UINT64_C(16384)

/* mmap rather than malloc: zeroed without being touched, and given back as a whole. */
static uint64_t *
slots_new(uint64_t count)
{
	void *p = mmap(NULL, count * sizeof(uint64_t), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Random accesses over megabytes: fewer TLB misses with huge pages. */
	if (count * sizeof(uint64_t) >= (UINT64_C(2) << 20))
		(void)madvise(p, count * sizeof(uint64_t), MADV_HUGEPAGE);
	return p;
}

int
flow_index_init(struct flow_index *index)
{
	index->slot = slots_new(SLOTS_MIN);
	if (!index->slot)
		return -ENOMEM;
	index->mask = SLOTS_MIN - 1;
	index->used = 0;
	index->turn = 1;
	return 0;
}

void
flow_index_fini(struct flow_index *index)
{
	if (index->slot)
		munmap(index->slot, (index->mask + 1) * sizeof(uint64_t));
	index->slot = NULL;
}

void
flow_index_clear(struct flow_index *index, const struct flow_index *like)
{
	uint64_t *larger;

	index->used = 0;
	if (index->mask < like->mask && (larger = slots_new(like->mask + 1)) != NULL) {
		flow_index_fini(index);
		index->slot = larger;
		index->mask = like->mask;
		index->turn = 1;
		return;
	}
	if (++index->turn == 0) {
		memset(index->slot, 0, (index->mask + 1) * sizeof(uint64_t));
		index->turn = 1;
	}
}

void
flow_index_insert(struct flow_index *index, uint32_t hash, uint32_t number)
{
	uint64_t at = hash & index->mask;

	while ((uint16_t)(index->slot[at] >> 16) == index->turn)
		at = (at + 1) & index->mask;
	index->slot[at] = flow_index_slot(number, index->turn, hash);
	index->used++;
}

int
flow_index_reserve(
    struct flow_index *index, const struct record *records, uint64_t count)
{
	struct flow_index next;

	/* At most half full: short probes, 16 bytes a flow at the worst. */
	if (index->used < (index->mask + 1) / 2)
		return 0;
	next.mask = (index->mask + 1) * 2 - 1;
	next.slot = slots_new(next.mask + 1);
	if (!next.slot)
		return -ENOMEM;
	next.used = 0;
	next.turn = 1;
	for (uint64_t i = RECORDS_OVERFLOW; i < count; i++)
		flow_index_insert(&next, records[i].state.hash, (uint32_t)i);
	flow_index_fini(index);
	*index = next;
	return 0;
}
