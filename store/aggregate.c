/* Rows lie in one growing array; an open-addressing table of row numbers finds them by
 * an XXH3 of the key, seeded at random so that nobody can choose keys that collide. Each
 * slot also keeps the hash's upper half, which spares most looks at rows that do not
 * match. Sorting at the end moves small (prefix, row number) pairs, not rows: by radix
 * over the prefix, then by comparison within the runs of equal prefixes, which are short
 * for IPv4; the rows are put in order by one gather. */
#include "store/aggregate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS_FIRST 1024 /* a power of 2 */
#define ROWS_FIRST 512
#define BATCH 16

struct slot {
	uint32_t row; /* number + 1; 0 is empty */
	uint32_t hash;
};

struct key {
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t dport;
	uint8_t proto;
	uint8_t family;
};
_Static_assert(sizeof(struct key) == 36, "hashed as bytes: no padding");

struct order {
	uint64_t prefix; /* of the key, big endian: decides nearly always */
	uint32_t row;
};

struct aggregate {
	struct flow_record *rows;
	struct slot *slots;
	size_t row_count;
	size_t row_room;
	size_t rows_max;
	size_t slot_count;
	uint64_t seed;
	uint64_t conversations;
	struct counter sum;
	struct counter overflow;
};

struct aggregate *
aggregate_new(size_t rows_max)
{
	struct aggregate *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->rows_max = rows_max < UINT32_MAX ? rows_max : UINT32_MAX - 1;
	a->slot_count = SLOTS_FIRST;
	a->slots = calloc(a->slot_count, sizeof(*a->slots));
	if (!a->slots || getrandom(&a->seed, sizeof(a->seed), 0) != sizeof(a->seed)) {
		aggregate_free(a);
		return NULL;
	}
	return a;
}

void
aggregate_free(struct aggregate *aggregate)
{
	if (!aggregate)
		return;
	free(aggregate->rows);
	free(aggregate->slots);
	free(aggregate);
}

static void
key_of(struct key *key, const struct flow_record *flow)
{
	memcpy(key->src, flow->src, sizeof(key->src));
	memcpy(key->dst, flow->dst, sizeof(key->dst));
	key->dport = flow->dport;
	key->proto = flow->proto;
	key->family = flow->family;
}

static bool
key_equal(const struct flow_record *row, const struct key *key)
{
	return memcmp(row->src, key->src, sizeof(key->src)) == 0 &&
	    memcmp(row->dst, key->dst, sizeof(key->dst)) == 0 &&
	    row->dport == key->dport && row->proto == key->proto &&
	    row->family == key->family;
}

static int
slots_grow(struct aggregate *a)
{
	size_t count = a->slot_count * 2;
	struct slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < a->slot_count; i++) {
		if (a->slots[i].row == 0)
			continue;
		size_t at = a->slots[i].hash & (count - 1);
		while (slots[at].row != 0)
			at = (at + 1) & (count - 1);
		slots[at] = a->slots[i];
	}
	free(a->slots);
	a->slots = slots;
	a->slot_count = count;
	return 0;
}

/* The row with that key, a new and empty one if need be. */
static int
row_find(
    struct aggregate *a, const struct key *key, uint32_t hash, struct flow_record **out)
{
	size_t at = hash & (a->slot_count - 1);

	for (; a->slots[at].row != 0; at = (at + 1) & (a->slot_count - 1)) {
		struct flow_record *row = &a->rows[a->slots[at].row - 1];
		if (a->slots[at].hash == hash && key_equal(row, key)) {
			*out = row;
			return 0;
		}
	}
	if (a->row_count >= a->rows_max)
		return -ENOSPC;
	if (a->row_count == a->row_room) {
		size_t room = a->row_room ? a->row_room + a->row_room / 2 : ROWS_FIRST;
		struct flow_record *rows = reallocarray(a->rows, room, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		a->rows = rows;
		a->row_room = room;
	}
	struct flow_record *row = &a->rows[a->row_count];
	memset(row, 0, sizeof(*row));
	memcpy(row->src, key->src, sizeof(row->src));
	memcpy(row->dst, key->dst, sizeof(row->dst));
	row->dport = key->dport;
	row->proto = key->proto;
	row->family = key->family;
	a->row_count++;
	a->slots[at] = (struct slot){(uint32_t)a->row_count, hash};
	*out = row;
	/* At most 5/8 full: the hash's 32 bits then still spread over the slots. */
	return a->row_count * 8 > a->slot_count * 5 ? slots_grow(a) : 0;
}

static bool
sum_fits(uint64_t *sum, uint64_t more)
{
	return !__builtin_add_overflow(*sum, more, sum) && *sum <= INT64_MAX;
}

static int
add_one(struct aggregate *aggregate, const struct flow_record *flow,
    const struct key *key, uint32_t hash)
{
	struct flow_record *row;
	int64_t first = flow->first_ns < flow->last_ns ? flow->first_ns : flow->last_ns;
	int64_t last = flow->first_ns < flow->last_ns ? flow->last_ns : flow->first_ns;

	int rc = row_find(aggregate, key, hash, &row);
	if (rc < 0)
		return rc;
	if (row->conversations == 0) {
		row->orientation = flow->orientation;
		row->first_ns = first;
		row->last_ns = last;
	} else {
		if (flow->orientation < row->orientation)
			row->orientation = flow->orientation;
		if (first < row->first_ns)
			row->first_ns = first;
		if (last > row->last_ns)
			row->last_ns = last;
	}
	row->tcp_flags[FWD] |= flow->tcp_flags[FWD];
	row->tcp_flags[REV] |= flow->tcp_flags[REV];
	row->conversations += flow->conversations;

	/* A row's sums are at most these totals, so checking the totals is enough. */
	if (!sum_fits(&aggregate->conversations, flow->conversations))
		return -EOVERFLOW;
	for (int observed = RECEIVED; observed <= SENT; observed++) {
		for (int dir = FWD; dir <= REV; dir++) {
			const struct counter *more = &flow->count[observed][dir];
			counter_add(&row->count[observed][dir], more);
			if (!sum_fits(&aggregate->sum.packets, more->packets) ||
			    !sum_fits(&aggregate->sum.bytes, more->bytes))
				return -EOVERFLOW;
			if (flow->family == FAMILY_NONE)
				counter_add(&aggregate->overflow, more);
		}
	}
	return 0;
}

int
aggregate_add(
    struct aggregate *aggregate, const struct flow_record *flows, size_t count)
{
	struct key keys[BATCH];
	uint32_t hashes[BATCH];

	/* Each look at the table and at a row misses the cache when there are many: the
	 * misses of a batch are waited for together. */
	for (size_t first = 0; first < count; first += BATCH) {
		const struct flow_record *batch = flows + first;
		size_t n = count - first < BATCH ? count - first : BATCH;
		for (size_t i = 0; i < n; i++) {
			key_of(&keys[i], &batch[i]);
			hashes[i] = (uint32_t)XXH3_64bits_withSeed(
			    &keys[i], sizeof(keys[i]), aggregate->seed);
			__builtin_prefetch(
			    &aggregate->slots[hashes[i] & (aggregate->slot_count - 1)],
			    1);
		}
		for (size_t i = 0; i < n; i++) {
			uint32_t row =
			    aggregate->slots[hashes[i] & (aggregate->slot_count - 1)]
				.row;
			if (row == 0)
				continue;
			const char *at = (const char *)&aggregate->rows[row - 1];
			__builtin_prefetch(at, 1);
			__builtin_prefetch(at + 64, 1);
			__builtin_prefetch(at + sizeof(struct flow_record) - 1, 1);
		}
		for (size_t i = 0; i < n; i++) {
			int rc = add_one(aggregate, &batch[i], &keys[i], hashes[i]);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static uint64_t
read_be64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static uint64_t
prefix_of(const struct flow_record *row)
{
	/* The family decides first. The top bit tells 4 from 6, at the price of the
	 * address' last bit of the prefix, which the full comparison makes up for. */
	switch (row->family) {
	case FAMILY_NONE:
		return 0;
	case FAMILY_IPV4:
		return (read_be64(row->src) | read_be64(row->dst) >> 32) >> 1;
	default:
		return UINT64_C(1) << 63 | read_be64(row->src) >> 1;
	}
}

static int
rows_compare(const struct flow_record *a, const struct flow_record *b)
{
	int rc;

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

static int
order_compare(const void *a, const void *b, void *rows)
{
	const struct order *x = a, *y = b;
	const struct flow_record *row = rows;

	return rows_compare(&row[x->row], &row[y->row]);
}

/* By prefix, stable, least significant byte first. `spare` is as large as `order`.
 * Returns the one of the two that holds the result. */
static struct order *
radix_sort(struct order *order, struct order *spare, size_t n)
{
	uint32_t counts[8][256] = {{0}};

	for (size_t i = 0; i < n; i++) {
		for (int byte = 0; byte < 8; byte++)
			counts[byte][order[i].prefix >> (8 * byte) & 0xff]++;
	}
	for (int byte = 0; byte < 8; byte++) {
		uint32_t *count = counts[byte], at = 0;
		/* A byte that is the same everywhere does not move anything. */
		if (count[order[0].prefix >> (8 * byte) & 0xff] == n)
			continue;
		for (int value = 0; value < 256; value++) {
			uint32_t here = count[value];
			count[value] = at;
			at += here;
		}
		for (size_t i = 0; i < n; i++)
			spare[count[order[i].prefix >> (8 * byte) & 0xff]++] = order[i];
		struct order *swap = order;
		order = spare;
		spare = swap;
	}
	return order;
}

static void
sort_runs(struct order *order, size_t n, struct flow_record *rows)
{
	for (size_t first = 0, end; first < n; first = end) {
		end = first + 1;
		while (end < n && order[end].prefix == order[first].prefix)
			end++;
		if (end - first > 1)
			qsort_r(order + first, end - first, sizeof(*order),
			    order_compare, rows);
	}
}

int
aggregate_finish(
    struct aggregate *aggregate, const struct flow_record **rows, size_t *count)
{
	size_t n = aggregate->row_count;

	/* No look-up comes any more: the table's memory is better used for sorting. */
	free(aggregate->slots);
	aggregate->slots = NULL;
	aggregate->slot_count = 0;

	struct order *orders = malloc((2 * n + 1) * sizeof(*orders));
	struct flow_record *sorted = malloc((n + 1) * sizeof(*sorted));
	if (!orders || !sorted) {
		free(orders);
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		orders[i] = (struct order){prefix_of(&aggregate->rows[i]), (uint32_t)i};
	struct order *order = n > 0 ? radix_sort(orders, orders + n, n) : orders;
	sort_runs(order, n, aggregate->rows);
	for (size_t i = 0; i < n; i++)
		sorted[i] = aggregate->rows[order[i].row];
	free(orders);
	free(aggregate->rows);
	aggregate->rows = sorted;
	aggregate->row_room = n + 1;
	*rows = sorted;
	*count = n;
	return 0;
}

int
aggregate_copy(
    const struct aggregate *aggregate, struct flow_record **rows, size_t *count)
{
	struct flow_record *copy = calloc(aggregate->row_count + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (aggregate->row_count > 0)
		memcpy(copy, aggregate->rows, aggregate->row_count * sizeof(*copy));
	*rows = copy;
	*count = aggregate->row_count;
	return 0;
}

size_t
aggregate_rows(const struct aggregate *aggregate)
{
	return aggregate->row_count;
}

size_t
aggregate_bytes(const struct aggregate *aggregate)
{
	return sizeof(*aggregate) + aggregate->row_room * sizeof(*aggregate->rows) +
	    aggregate->slot_count * sizeof(*aggregate->slots);
}

uint64_t
aggregate_conversations(const struct aggregate *aggregate)
{
	return aggregate->conversations;
}

struct counter
aggregate_sum(const struct aggregate *aggregate)
{
	return aggregate->sum;
}

struct counter
aggregate_overflow(const struct aggregate *aggregate)
{
	return aggregate->overflow;
}
