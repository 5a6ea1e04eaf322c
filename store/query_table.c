/* The same shape as in aggregate.c: a dense array and an open-addressing index over it.
 * The first N are chosen with a heap of N whose top is the one to leave next, so that a
 * million groups are looked at once and only N are sorted. */
#include "store/query_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_FIRST 1024 /* a power of 2 */

struct query_slot {
	uint32_t group; /* number + 1; 0 is empty */
	uint32_t hash;
};

int
query_table_init(struct query_table *table)
{
	memset(table, 0, sizeof(*table));
	table->slot_count = SLOTS_FIRST;
	table->slots = calloc(table->slot_count, sizeof(*table->slots));
	if (!table->slots)
		return -ENOMEM;
	if (getrandom(&table->seed, sizeof(table->seed), 0) != sizeof(table->seed))
		return -EIO;
	return 0;
}

void
query_table_fini(struct query_table *table)
{
	free(table->groups);
	free(table->slots);
	free(table->ifaces);
	memset(table, 0, sizeof(*table));
}

int
query_table_iface(struct query_table *table, const char *name, uint32_t *out)
{
	struct iface_name *grown;

	for (uint32_t i = 0; i < table->iface_count; i++) {
		if (strcmp(table->ifaces[i].s, name) == 0) {
			*out = i;
			return 0;
		}
	}
	grown = reallocarray(table->ifaces, table->iface_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->ifaces = grown;
	memset(&grown[table->iface_count], 0, sizeof(*grown));
	strncpy(grown[table->iface_count].s, name, IFACE_NAME_SIZE - 1);
	*out = table->iface_count++;
	return 0;
}

static int
slots_grow(struct query_table *table)
{
	size_t count = table->slot_count * 2;
	struct query_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->slot_count; i++) {
		if (table->slots[i].group == 0)
			continue;
		size_t at = table->slots[i].hash & (count - 1);
		while (slots[at].group != 0)
			at = (at + 1) & (count - 1);
		slots[at] = table->slots[i];
	}
	free(table->slots);
	table->slots = slots;
	table->slot_count = count;
	return 0;
}

struct query_group *
query_table_group(struct query_table *table, const struct query_key *key)
{
	uint32_t hash = (uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), table->seed);
	size_t at = hash & (table->slot_count - 1);

	for (; table->slots[at].group != 0; at = (at + 1) & (table->slot_count - 1)) {
		struct query_group *group = &table->groups[table->slots[at].group - 1];
		if (table->slots[at].hash == hash &&
		    memcmp(&group->key, key, sizeof(*key)) == 0)
			return group;
	}
	if (table->group_count == UINT32_MAX - 1)
		return NULL;
	if (table->group_count == table->group_room) {
		size_t room =
		    table->group_room ? table->group_room + table->group_room / 2 : 512;
		struct query_group *groups =
		    reallocarray(table->groups, room, sizeof(*groups));
		if (!groups)
			return NULL;
		table->groups = groups;
		table->group_room = room;
	}
	struct query_group *group = &table->groups[table->group_count++];
	memset(group, 0, sizeof(*group));
	group->key = *key;
	group->orientation = UINT8_MAX;
	table->slots[at] = (struct query_slot){(uint32_t)table->group_count, hash};
	if (table->group_count * 8 > table->slot_count * 5 && slots_grow(table) < 0)
		return NULL;
	return group;
}

struct counter
query_total(const struct counter count[2][2])
{
	struct counter sum = {0, 0};

	for (int observed = RECEIVED; observed <= SENT; observed++) {
		counter_add(&sum, &count[observed][FWD]);
		counter_add(&sum, &count[observed][REV]);
	}
	return sum;
}

struct choice {
	const struct query_table *table;
	enum query_sort sort;
};

struct candidate {
	uint64_t value;
	uint32_t group;
};

static int
key_compare(const struct query_table *table, const struct query_key *a,
    const struct query_key *b)
{
	int rc;

	if (a->begin_ms != b->begin_ms)
		return a->begin_ms < b->begin_ms ? -1 : 1;
	if (a->iface != b->iface)
		return strcmp(table->ifaces[a->iface].s, table->ifaces[b->iface].s);
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	rc = memcmp(a->src, b->src, sizeof(a->src));
	if (rc != 0)
		return rc;
	rc = memcmp(a->dst, b->dst, sizeof(a->dst));
	if (rc != 0)
		return rc;
	if (a->dport != b->dport)
		return a->dport < b->dport ? -1 : 1;
	return (int)a->proto - (int)b->proto;
}

/* Negative when a comes before b. */
static int
candidate_compare(const void *left, const void *right, void *arg)
{
	const struct candidate *a = left, *b = right;
	const struct choice *choice = arg;

	if (a->value != b->value)
		return a->value > b->value ? -1 : 1;
	return key_compare(choice->table, &choice->table->groups[a->group].key,
	    &choice->table->groups[b->group].key);
}

static uint64_t
value_of(const struct query_group *group, enum query_sort sort)
{
	switch (sort) {
	case QUERY_BY_BYTES:
		return query_total(group->count).bytes;
	case QUERY_BY_PACKETS:
		return query_total(group->count).packets;
	case QUERY_BY_FLOWS:
		return group->flows;
	default:
		return 0;
	}
}

/* Moves the top down to its place: every parent comes after its children. */
static void
heap_sink(struct candidate *heap, size_t count, size_t at, struct choice *choice)
{
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= count)
			return;
		if (child + 1 < count &&
		    candidate_compare(&heap[child + 1], &heap[child], choice) > 0)
			child++;
		if (candidate_compare(&heap[at], &heap[child], choice) >= 0)
			return;
		struct candidate swap = heap[at];
		heap[at] = heap[child];
		heap[child] = swap;
		at = child;
	}
}

static void
row_of(struct query_row *row, const struct query_table *table,
    const struct query_group *group, bool with_orientation)
{
	memset(row, 0, sizeof(*row));
	row->begin_ms = group->key.begin_ms;
	if (table->iface_count > 0)
		row->iface = table->ifaces[group->key.iface];
	row->family = group->key.family;
	memcpy(row->src, group->key.src, sizeof(row->src));
	memcpy(row->dst, group->key.dst, sizeof(row->dst));
	row->dport = group->key.dport;
	row->proto = group->key.proto;
	if (with_orientation)
		row->orientation = group->orientation;
	row->flows = group->flows;
	memcpy(row->count, group->count, sizeof(row->count));
}

int
query_table_select(const struct query_table *table, enum query_sort sort, size_t limit,
    bool with_orientation, struct query_row **rows, size_t *count)
{
	struct choice choice = {table, sort};
	size_t n = table->group_count;

	if (limit == 0 || limit > n)
		limit = n;
	struct candidate *heap = calloc(limit + 1, sizeof(*heap));
	struct query_row *out = calloc(limit + 1, sizeof(*out));
	if (!heap || !out) {
		free(heap);
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct candidate next = {
		    value_of(&table->groups[i], sort), (uint32_t)i};
		if (i < limit) {
			heap[i] = next;
			if (i + 1 == limit && limit < n) {
				for (size_t at = limit / 2; at-- > 0;)
					heap_sink(heap, limit, at, &choice);
			}
		} else if (candidate_compare(&next, &heap[0], &choice) < 0) {
			heap[0] = next;
			heap_sink(heap, limit, 0, &choice);
		}
	}
	if (limit > 1)
		qsort_r(heap, limit, sizeof(*heap), candidate_compare, &choice);
	for (size_t i = 0; i < limit; i++)
		row_of(&out[i], table, &table->groups[heap[i].group], with_orientation);
	free(heap);
	*rows = out;
	*count = limit;
	return 0;
}
