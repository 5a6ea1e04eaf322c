/* The groups of a query: a hash table of sums, and the choice of the first few. Private
 * to query.c. One thread. */
#ifndef WEIR_STORE_QUERY_TABLE_H
#define WEIR_STORE_QUERY_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "store/query.h"

/* Hashed and compared as bytes, so there is no padding in it. */
struct query_key {
	int64_t begin_ms;
	uint32_t iface; /* index into the table's names */
	uint16_t dport;
	uint8_t proto;
	uint8_t family;
	uint8_t src[16];
	uint8_t dst[16];
};
_Static_assert(sizeof(struct query_key) == 48, "hashed as bytes: no padding");

struct query_group {
	struct query_key key;
	struct counter count[2][2];
	uint64_t flows;
	uint8_t orientation;
};

struct query_table {
	struct query_group *groups;
	size_t group_count;
	size_t group_room;
	struct query_slot *slots;
	size_t slot_count;
	uint64_t seed;
	struct iface_name *ifaces;
	uint32_t iface_count;
};

int query_table_init(struct query_table *table);
void query_table_fini(struct query_table *table);

/* Index of a name, entered if need be. 0 or -ENOMEM. */
int query_table_iface(struct query_table *table, const char *name, uint32_t *out);

/* The group with that key, a new one (all 0, orientation 255) if need be. The pointer
 * holds until the next call. NULL without memory. */
struct query_group *query_table_group(
    struct query_table *table, const struct query_key *key);

/* The first `limit` groups (0: all) in the order asked for, as rows (malloc'ed). */
int query_table_select(const struct query_table *table, enum query_sort sort,
    size_t limit, bool with_orientation, struct query_row **rows, size_t *count);

#endif
