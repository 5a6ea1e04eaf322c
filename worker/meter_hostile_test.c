/* What somebody who chooses the packets can do to a meter: rotate it to death, fill it, and
 * find keys that meet in its index. Counts, not times, tell how it went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "proto/flow_map.h"
#include "worker/meter.h"
#include "worker/meter_private.h"
#include "worker/test_frame.h"
#include "worker/test_meter.h"

#define COLLIDING 200000
#define COLLIDING_BITS 9 /* of the hash, that all of them share */

static int fd;

static int
setup(void **state)
{
	(void)state;
	fd = memfd_create("records", MFD_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	return close(fd);
}

/* Resident bytes of this process, without the pages of files. Always 0 where a sanitizer
 * keeps what is freed. */
static long
resident(void)
{
#ifdef WEIR_SANITIZED
	return 0;
#else
	long size = 0;
	long pages = 0;
	long shared = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld %ld", &size, &pages, &shared), 3);
	fclose(file);
	return (pages - shared) * sysconf(_SC_PAGESIZE);
#endif
}

/* A packet of the flow with this number, from a client to port 53. */
static struct packet
flow_packet(struct frame *f, uint32_t number)
{
	struct packet p;

	memset(f, 0, sizeof(*f));
	p = frame_udp4(f, "0.0.0.0", 1024 + number % 60000, "9.9.9.9", 53, number);
	/* Where the source address is in an Ethernet frame. */
	f->data[26] = 10;
	f->data[27] = (uint8_t)(number >> 16);
	f->data[28] = (uint8_t)(number >> 8);
	f->data[29] = (uint8_t)number;
	return p;
}

static int
count_flow(void *arg, const struct flow_record *flow)
{
	uint64_t *count = arg;

	(void)flow;
	(*count)++;
	return 0;
}

static uint64_t
fetch_flows(struct meter *meter, uint64_t rotation)
{
	uint64_t cursor = 0;
	uint64_t said = 0;
	uint64_t count = 0;
	bool last = false;
	struct pack pack;

	pack_init(&pack);
	while (!last) {
		uint64_t flows;

		pack_clear(&pack);
		assert_int_equal(
		    meter_fetch(meter, rotation, cursor, &pack, &cursor, &last, &flows),
		    0);
		assert_true(pack.buffer.size <= MSG_CHUNK_MAX);
		assert_int_equal(flow_map_each(pack.buffer.data, pack.buffer.size,
				     count_flow, &count),
		    0);
		said += flows;
	}
	pack_fini(&pack);
	assert_int_equal(said, count);
	return count;
}

/* CHECKS 9.3 */
static void
every_one_of_10000_rotations_has_its_flows(void **state)
{
	enum {
		ROTATIONS = 10000,
		FLOWS = 20
	};
	struct meter *meter = open_meter(fd, 1000);
	struct interval iv;
	struct frame f;
	long before = 0;

	(void)state;
	for (uint32_t seq = 1; seq <= ROTATIONS; seq++) {
		for (uint32_t i = 0; i < FLOWS; i++) {
			struct packet p = flow_packet(&f, seq * FLOWS + i);

			meter_packet(meter, &p);
		}
		meter_flush(meter);
		assert_int_equal(meter_rotate(meter, seq, seq * 1000, &iv), 0);
		assert_int_equal(iv.flows, FLOWS);
		assert_int_equal(iv.books.received.packets, FLOWS);
		assert_true(books_close(&iv.books));
		assert_int_equal(fetch_flows(meter, seq), FLOWS);
		assert_int_equal(meter_release(meter, seq), 0);
		if (seq == 100)
			before = resident();
	}
	assert_true(resident() - before < 1024 * 1024);
	meter_free(meter);
}

/* The number of a turn in the index has 16 bits. */
static void
an_old_turn_is_not_taken_for_a_new_one(void **state)
{
	enum {
		ROTATIONS = 2 * 65536 + 10
	};
	struct meter *meter = open_meter(fd, 16);
	struct interval iv;
	struct frame f;

	(void)state;
	for (uint32_t seq = 1; seq <= ROTATIONS; seq++) {
		/* always the same flow: one of an old turn would be found at its place */
		struct packet p = flow_packet(&f, 7);

		meter_packet(meter, &p);
		meter_flush(meter);
		assert_int_equal(meter_rotate(meter, seq, 1000 + seq, &iv), 0);
		assert_int_equal(iv.flows, 1);
		assert_int_equal(iv.books.in_flows.packets, 1);
		assert_int_equal(meter_release(meter, seq), 0);
	}
	meter_free(meter);
}

/* CHECKS 9.1, at the limit of the table */
static void
a_million_flows_at_a_limit_of_10000_take_the_memory_of_10000(void **state)
{
	enum {
		LIMIT = 10000,
		PACKETS = 1000000
	};
	struct meter *meter = open_meter(fd, LIMIT);
	struct interval iv;
	struct frame f;
	uint64_t bytes = 0;
	blkcnt_t blocks = 0;
	long before = 0;
	struct stat st;

	(void)state;
	for (uint32_t i = 0; i < PACKETS; i++) {
		struct packet p = flow_packet(&f, i);

		bytes += p.wire_len;
		meter_packet(meter, &p);
		if (i == 2 * LIMIT) {
			before = resident();
			assert_int_equal(fstat(fd, &st), 0);
			blocks = st.st_blocks;
		}
	}
	meter_flush(meter);
	assert_true(resident() - before < 256 * 1024);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks, blocks); /* the records */
	assert_int_equal(meter_rotate(meter, 1, 5000, &iv), 0);
	assert_int_equal(iv.books.received.packets, PACKETS);
	assert_int_equal(iv.books.received.bytes, bytes);
	assert_true(books_close(&iv.books));
	assert_int_equal(iv.books.overflow.packets, PACKETS - LIMIT);
	assert_int_equal(iv.flows, LIMIT + 1); /* one overflow flow, of UDP */
	assert_int_equal(fetch_flows(meter, 1), LIMIT + 1);
	meter_free(meter);
}

/*
 * CHECKS 9.6: keys that collide.
 */

struct probes {
	uint64_t longest;
	double mean;
};

/* How many slots are looked at to find each of the records. */
static struct probes
measure_probes(const struct flow_index *index, const uint32_t *hashes, uint32_t first,
    size_t count)
{
	struct probes probes = {0, 0};
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t at = hashes[i] & index->mask;
		uint64_t looked_at = 1;

		while (index->slot[at] !=
		    flow_index_slot(first + (uint32_t)i, index->turn, hashes[i])) {
			assert_int_equal(
			    (uint16_t)(index->slot[at] >> 16), index->turn);
			at = (at + 1) & index->mask;
			looked_at++;
		}
		sum += looked_at;
		if (looked_at > probes.longest)
			probes.longest = looked_at;
	}
	probes.mean = (double)sum / (double)count;
	return probes;
}

/* Counts one packet of each of the flows; the nanoseconds per packet that it took. */
static double
count_flows(struct meter *meter, const uint32_t *numbers, size_t count)
{
	struct mono begin = mono_now();
	struct frame f;

	for (size_t i = 0; i < count; i++) {
		struct packet p = flow_packet(&f, numbers[i]);

		meter_packet(meter, &p);
	}
	meter_flush(meter);
	return (double)(mono_now().ns - begin.ns) / (double)count;
}

static struct probes
meter_probes(const struct meter *meter, size_t count)
{
	const struct record *records = meter->records.record[meter_current(meter)];
	uint32_t *hashes = calloc(count, sizeof(*hashes));
	struct probes probes;

	assert_non_null(hashes);
	assert_int_equal(records_flows(&meter->records, meter_current(meter)), count);
	for (size_t i = 0; i < count; i++)
		hashes[i] = records[RECORDS_OVERFLOW + i].state.hash;
	probes = measure_probes(
	    &meter->index[meter_current(meter)], hashes, RECORDS_OVERFLOW, count);
	free(hashes);
	return probes;
}

/* The key that a meter makes of the flow with this number. */
static struct flow_key
key_of_flow(uint32_t number)
{
	struct flow_key key = {.port = {53, (uint16_t)(1024 + number % 60000)},
	    .proto = 17,
	    .family = FAMILY_IPV4,
	    .address = {{9, 9, 9, 9},
		{10, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
		    (uint8_t)number}}};

	return key;
}

/* Flows whose hashes end in the same bits when the seed is 0. Their addresses have 24 bits,
 * so the port goes round as well. */
static uint32_t *
find_colliding(uint32_t *hashes)
{
	static const struct meter unseeded;
	uint32_t *numbers = calloc(COLLIDING, sizeof(*numbers));
	size_t found = 0;

	assert_non_null(numbers);
	for (uint32_t number = 0; found < COLLIDING; number++) {
		struct flow_key key = key_of_flow(number);
		uint32_t hash = meter_hash(&unseeded, &key);

		if ((hash & ((1U << COLLIDING_BITS) - 1)) != 0)
			continue;
		hashes[found] = hash;
		numbers[found++] = number;
	}
	return numbers;
}

static void
keys_that_would_meet_without_a_seed_do_not_meet(void **state)
{
	uint32_t *hashes = calloc(COLLIDING, sizeof(*hashes));
	uint32_t *numbers;
	struct flow_index unseeded;
	struct probes attacked, defended, other;
	struct meter *meter;
	struct flow_key key;
	double colliding_ns, other_ns;

	(void)state;
	assert_non_null(hashes);
	numbers = find_colliding(hashes);

	/* The attack works: in an index of the same size they wait in long rows. */
	meter = open_meter(fd, 2 * COLLIDING);
	colliding_ns = count_flows(meter, numbers, COLLIDING);
	key = key_of_flow(numbers[5]);
	assert_memory_equal(
	    &meter->records.record[meter_current(meter)][RECORDS_OVERFLOW + 5].key,
	    &key, sizeof(key));
	assert_int_equal(flow_index_init(&unseeded), 0);
	flow_index_clear(&unseeded, &meter->index[meter_current(meter)]);
	for (uint32_t i = 0; i < COLLIDING; i++)
		flow_index_insert(&unseeded, hashes[i], i);
	attacked = measure_probes(&unseeded, hashes, 0, COLLIDING);
	flow_index_fini(&unseeded);
	defended = meter_probes(meter, COLLIDING);
	meter_free(meter);

	/* The same number of flows that nobody has chosen. */
	for (size_t i = 0; i < COLLIDING; i++)
		numbers[i] = (uint32_t)(i * 77);
	close(fd);
	assert_int_equal(setup(NULL), 0);
	meter = open_meter(fd, 2 * COLLIDING);
	other_ns = count_flows(meter, numbers, COLLIDING);
	other = meter_probes(meter, COLLIDING);
	meter_free(meter);

	print_message(
	    "slots per look-up: chosen keys %.2f (%llu at most) without a seed, "
	    "%.2f (%llu) with one; other keys %.2f (%llu). %.0f and %.0f ns per "
	    "packet\n",
	    attacked.mean, (unsigned long long)attacked.longest, defended.mean,
	    (unsigned long long)defended.longest, other.mean,
	    (unsigned long long)other.longest, colliding_ns, other_ns);
	assert_true(attacked.mean > 50);
	assert_true(defended.mean < 1.1 * other.mean);
	assert_true(defended.longest < 100);
	free(hashes);
	free(numbers);
}

/* Not even for the same file: what was learned of one process is no use with the next. */
static void
every_process_has_a_seed_of_its_own(void **state)
{
	uint64_t seeds[16];

	(void)state;
	for (size_t i = 0; i < 16; i++) {
		struct meter *meter = open_meter(fd, 100);

		seeds[i] = meter->seed;
		for (size_t j = 0; j < i; j++)
			assert_true(seeds[i] != seeds[j]);
		meter_free(meter);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_one_of_10000_rotations_has_its_flows),
	    TEST(an_old_turn_is_not_taken_for_a_new_one),
	    TEST(a_million_flows_at_a_limit_of_10000_take_the_memory_of_10000),
	    TEST(keys_that_would_meet_without_a_seed_do_not_meet),
	    TEST(every_process_has_a_seed_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
