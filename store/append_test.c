#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "proto/flow_map.h"
#include "store/append.h"
#include "store/block.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"

#define BEGIN TESTING_BEGIN_MS
#define END (TESTING_BEGIN_MS + TESTING_ROTATION_MS)

struct fixture {
	sqlite3 *db;
	struct append *append;
	struct store_reader *reader;
	struct flow_record flows[1000];
	char why[SCHEMA_WHY_SIZE];
};

static void
begin(struct fixture *f)
{
	char why[STORE_WHY_SIZE];

	memset(f, 0, sizeof(*f));
	assert_int_equal(schema_open(STORE_DB_NAME, &f->db, f->why), 0);
	f->append = append_new(APPEND_MAPS_MAX, APPEND_BYTES_MAX);
	assert_non_null(f->append);
	assert_int_equal(store_reader_open(".", &f->reader, why), 0);
	testing_flows(f->flows, 1000, 42, BEGIN, TESTING_ROTATION_MS);
}

static void
end(struct fixture *f)
{
	store_reader_close(f->reader);
	append_free(f->append);
	schema_close(f->db);
}

static int
append(struct fixture *f, uint64_t file_id, uint64_t rotation,
    const struct interval *interval, size_t first, size_t count,
    enum append_result *result)
{
	return testing_append(f->append, f->db, "eth0", file_id, rotation, interval,
	    f->flows + first, count, 100, result, f->why);
}

/* The intervals in the store, and of all of them the sum that the columns give. */
static size_t
stored(struct fixture *f, struct store_interval *last, struct counter *sum)
{
	struct store_interval *list;
	size_t count;

	*sum = (struct counter){0, 0};
	assert_int_equal(
	    store_reader_list(f->reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count),
	    0);
	for (size_t i = 0; i < count; i++) {
		struct block block;
		assert_int_equal(store_reader_block(
				     f->reader, list[i].id, COLUMNS_ALL, &block, NULL),
		    0);
		for (size_t row = 0; row < block.rows; row++) {
			struct flow_record flow;
			block_row(&block, row, &flow);
			struct counter total = flow_total(&flow);
			counter_add(sum, &total);
		}
		block_fini(&block);
		*last = list[i];
	}
	free(list);
	return count;
}

static void
a_map_in_parts_is_stored_with_its_books(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval interval = testing_interval(f.flows, 1000, BEGIN, END);
	interval.cuts = 2;
	interval.busy = 1;
	interval.clock_step_ms = -1500;
	assert_int_equal(append(&f, UINT64_MAX - 1, 8, &interval, 0, 1000, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(append_maps(f.append), 0);

	assert_int_equal(stored(&f, &got, &sum), 1);
	assert_string_equal(got.iface.s, "eth0");
	assert_memory_equal(&got.interval.books, &interval.books, sizeof(struct books));
	assert_true(books_close(&got.interval.books));
	assert_int_equal(got.interval.begin_ms, BEGIN);
	assert_int_equal(got.interval.end_ms, END);
	assert_int_equal(got.interval.length_ns, interval.length_ns);
	assert_int_equal(got.interval.clock_step_ms, -1500);
	assert_int_equal(got.interval.cuts, 2);
	assert_int_equal(got.interval.busy, 1);
	assert_int_equal(got.interval.flows, 1000);
	assert_int_equal(got.conversations, 1000);
	assert_true(got.rows > 0 && got.rows < 1000);
	assert_true(got.interval.kernel.known);
	assert_int_equal(got.interval.kernel.dropped, 5);
	assert_true(counter_equal(&sum, &interval.books.in_flows));
	end(&f);
}

static void
an_idle_interval_and_unknown_kernel_counts_are_stored(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval interval = testing_interval(f.flows, 0, BEGIN, END);
	interval.kernel = (struct kernel_counts){false, 0, 0};
	assert_int_equal(append(&f, 1, 1, &interval, 0, 0, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(stored(&f, &got, &sum), 1);
	assert_int_equal(got.rows, 0);
	assert_false(got.interval.kernel.known);
	assert_int_equal(got.interval.books.refused[REFUSED_NOT_IP].packets, 7);
	end(&f);
}

static void
a_repeated_map_is_known_and_not_counted_twice(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval interval = testing_interval(f.flows, 1000, BEGIN, END);
	assert_int_equal(append(&f, 9, 1, &interval, 0, 1000, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(append(&f, 9, 1, &interval, 0, 1000, &result), 0);
		assert_int_equal(result, APPEND_KNOWN);
	}
	/* and after the process was started anew */
	append_free(f.append);
	schema_close(f.db);
	assert_int_equal(schema_open(STORE_DB_NAME, &f.db, f.why), 0);
	f.append = append_new(10, APPEND_BYTES_MAX);
	assert_int_equal(append(&f, 9, 1, &interval, 0, 1000, &result), 0);
	assert_int_equal(result, APPEND_KNOWN);
	assert_int_equal(stored(&f, &got, &sum), 1);
	assert_true(counter_equal(&sum, &interval.books.in_flows));
	assert_memory_equal(&got.interval.books, &interval.books, sizeof(struct books));
	end(&f);
}

static void
two_rotations_within_one_interval_are_both_kept(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval a = testing_interval(f.flows, 400, BEGIN, BEGIN + 143000);
	struct interval b = testing_interval(f.flows + 400, 600, BEGIN + 143000, END);
	assert_int_equal(append(&f, 9, 1, &a, 0, 400, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(append(&f, 9, 3, &b, 400, 600, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(stored(&f, &got, &sum), 2);
	assert_int_equal(sum.bytes, a.books.in_flows.bytes + b.books.in_flows.bytes);
	end(&f);
}

static void
maps_of_the_same_interval_are_merged(void **state)
{
	struct fixture f;
	struct store_interval got, whole;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval a = testing_interval(f.flows, 400, BEGIN, END);
	struct interval b = testing_interval(f.flows + 400, 600, BEGIN, END);
	b.cuts = 1;
	b.length_ns = 5;
	assert_int_equal(append(&f, 9, 1, &a, 0, 400, &result), 0);
	assert_int_equal(append(&f, 10, 1, &b, 400, 600, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(stored(&f, &got, &sum), 1);
	struct counter want = a.books.in_flows;
	counter_add(&want, &b.books.in_flows);
	assert_true(counter_equal(&sum, &want));
	assert_true(counter_equal(&got.interval.books.in_flows, &want));
	assert_true(books_close(&got.interval.books));
	assert_int_equal(got.interval.books.refused[REFUSED_NOT_IP].packets, 14);
	assert_int_equal(got.interval.flows, 1000);
	assert_int_equal(got.conversations, 1000);
	assert_int_equal(got.interval.cuts, 1);
	assert_int_equal(got.interval.length_ns, a.length_ns);
	assert_true(got.interval.kernel.known);
	assert_int_equal(got.interval.kernel.dropped, 10);
	/* each of the two is known */
	assert_int_equal(append(&f, 9, 1, &a, 0, 400, &result), 0);
	assert_int_equal(result, APPEND_KNOWN);
	assert_int_equal(append(&f, 10, 1, &b, 400, 600, &result), 0);
	assert_int_equal(result, APPEND_KNOWN);

	/* as many rows as if it had been one map */
	struct interval both = testing_interval(f.flows, 1000, END, END + 1);
	assert_int_equal(append(&f, 11, 1, &both, 0, 1000, &result), 0);
	assert_int_equal(stored(&f, &whole, &sum), 2);
	assert_int_equal(whole.rows, got.rows);
	end(&f);
}

static void
a_damaged_interval_does_not_stop_a_merge(void **state)
{
	struct fixture f;
	struct store_interval *list;
	enum append_result result;
	size_t count;

	(void)state;
	begin(&f);
	struct interval a = testing_interval(f.flows, 400, BEGIN, END);
	struct interval b = testing_interval(f.flows + 400, 600, BEGIN, END);
	assert_int_equal(append(&f, 9, 1, &a, 0, 400, &result), 0);
	assert_int_equal(sqlite3_exec(f.db,
			     "UPDATE column_data SET data=zeroblob(50) WHERE id%64=11",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(append(&f, 10, 1, &b, 400, 600, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(
	    store_reader_list(f.reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count),
	    0);
	assert_int_equal(count, 2);
	assert_true(counter_equal(&list[1].interval.books.in_flows, &b.books.in_flows));
	free(list);
	end(&f);
}

static void
books_that_lie_are_refused(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	const struct interval honest = testing_interval(f.flows, 1000, BEGIN, END);
	struct interval lie;

	lie = honest; /* one packet more in the flows than counted */
	lie.books.in_flows.packets--;
	lie.books.received.packets--;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -EBADMSG);
	assert_non_null(strstr(f.why, "add up"));
	lie = honest;
	lie.books.in_flows.bytes++;
	lie.books.received.bytes++;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -EBADMSG);
	lie = honest; /* does not close */
	lie.books.refused[REFUSED_NOT_IP].packets++;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -EBADMSG);
	assert_non_null(strstr(f.why, "close"));
	lie = honest; /* fewer and more records than said */
	lie.flows = 1001;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -EBADMSG);
	assert_non_null(strstr(f.why, "1001"));
	lie.flows = 999;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -EBADMSG);
	lie = honest; /* overflow without overflow flows */
	lie.books.overflow.packets = 1;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -EBADMSG);
	lie = honest;
	lie.flows = UINT64_MAX;
	assert_int_equal(append(&f, 9, 1, &lie, 0, 1000, &result), -E2BIG);

	/* Nothing of it is there, no map is left over, and the honest one is welcome. */
	assert_int_equal(append_maps(f.append), 0);
	assert_int_equal(stored(&f, &got, &sum), 0);
	assert_int_equal(append(&f, 9, 1, &honest, 0, 1000, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	end(&f);
}

static void
sums_that_wrap_around_to_the_books_are_refused(void **state)
{
	struct fixture f;
	enum append_result result;

	(void)state;
	begin(&f);
	f.flows[0] = testing_flow(1, 1, 1);
	f.flows[1] = testing_flow(2, 1, 1);
	f.flows[0].count[RECEIVED][FWD].bytes = UINT64_MAX - 2300 - 2000 + 1;
	f.flows[1].count[RECEIVED][FWD].bytes = 300 + 2000;
	struct interval interval = testing_interval(f.flows, 2, BEGIN, END);
	assert_int_equal(interval.books.in_flows.bytes, 2000);
	assert_int_equal(append(&f, 9, 1, &interval, 0, 2, &result), -EOVERFLOW);
	end(&f);
}

static int
part(struct fixture *f, uint64_t rotation, uint64_t number, bool last,
    const struct interval *interval, size_t first, size_t count,
    enum append_result *result)
{
	struct append_part p = {.file_id = 5,
	    .rotation = rotation,
	    .part = number,
	    .last = last,
	    .interval = interval};
	struct pack pack;

	iface_name_set(&p.iface, "eth0");
	pack_init(&pack);
	for (size_t i = 0; i < count; i++)
		flow_map_pack(&pack, &f->flows[first + i]);
	p.chunk = pack.buffer.data;
	p.len = pack.buffer.size;
	int rc = append_part(f->append, f->db, &p, result, f->why);
	pack_fini(&pack);
	return rc;
}

static void
parts_out_of_order_are_refused_and_maps_may_be_interleaved(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval a = testing_interval(f.flows, 200, BEGIN, END);
	struct interval b = testing_interval(f.flows + 200, 200, END, END + 1);
	assert_int_equal(part(&f, 1, 1, false, NULL, 0, 100, &result), -ESTALE);
	assert_int_equal(part(&f, 1, 0, false, NULL, 0, 100, &result), -EINVAL);
	assert_int_equal(part(&f, 1, 0, false, &a, 0, 100, &result), 0);
	assert_int_equal(result, APPEND_MORE);
	assert_int_equal(part(&f, 1, 2, true, NULL, 100, 100, &result), -ESTALE);
	/* After that the map is forgotten: the right part comes too late. */
	assert_int_equal(part(&f, 1, 1, true, NULL, 100, 100, &result), -ESTALE);

	assert_int_equal(part(&f, 1, 0, false, &a, 0, 100, &result), 0);
	assert_int_equal(part(&f, 3, 0, false, &b, 200, 50, &result), 0);
	assert_int_equal(append_maps(f.append), 2);
	/* part 0 again starts anew */
	assert_int_equal(part(&f, 3, 0, false, &b, 200, 100, &result), 0);
	assert_int_equal(part(&f, 1, 1, true, NULL, 100, 100, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(part(&f, 3, 1, true, NULL, 300, 100, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(stored(&f, &got, &sum), 2);
	assert_int_equal(
	    sum.packets, a.books.in_flows.packets + b.books.in_flows.packets);
	end(&f);
}

static void
a_chunk_that_is_no_flow_map_is_refused(void **state)
{
	struct fixture f;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval a = testing_interval(f.flows, 1, BEGIN, END);
	struct append_part p = {.file_id = 5,
	    .rotation = 1,
	    .last = true,
	    .interval = &a,
	    .chunk = "\xdc\x00\x13garbage",
	    .len = 10};
	iface_name_set(&p.iface, "eth0");
	assert_int_equal(append_part(f.append, f.db, &p, &result, f.why), -EPROTO);
	assert_int_equal(append_maps(f.append), 0);
	end(&f);
}

static void
the_number_of_maps_in_work_and_their_memory_are_bounded(void **state)
{
	struct fixture f;
	enum append_result result;

	(void)state;
	begin(&f);
	append_free(f.append);
	f.append = append_new(2, 250000);
	struct interval a = testing_interval(f.flows, 1000, BEGIN, END);
	assert_int_equal(part(&f, 1, 0, false, &a, 0, 100, &result), 0);
	assert_int_equal(part(&f, 3, 0, false, &a, 0, 100, &result), 0);
	assert_int_equal(part(&f, 5, 0, false, &a, 0, 100, &result), -EBUSY);
	/* The second grows beyond the memory there is; the first, begun before, may. */
	assert_int_equal(part(&f, 3, 1, false, NULL, 100, 900, &result), -EBUSY);
	assert_int_equal(append_maps(f.append), 1);
	assert_int_equal(part(&f, 1, 1, true, NULL, 100, 900, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	end(&f);
}

static void
a_full_disk_loses_nothing_that_was_stored_and_heals(void **state)
{
	struct fixture f;
	struct store_interval got;
	struct counter sum;
	enum append_result result;

	(void)state;
	begin(&f);
	struct interval a = testing_interval(f.flows, 100, BEGIN, END);
	struct interval b = testing_interval(f.flows, 1000, END, END + 300000);
	assert_int_equal(append(&f, 9, 1, &a, 0, 100, &result), 0);
	int64_t pages = schema_number(f.db, "PRAGMA page_count", 0);
	char sql[64];
	snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld", (long long)pages);
	assert_int_equal(sqlite3_exec(f.db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(append(&f, 9, 3, &b, 0, 1000, &result), -ENOSPC);
	assert_non_null(strstr(f.why, "full"));
	assert_int_equal(stored(&f, &got, &sum), 1);
	assert_int_equal(
	    sqlite3_exec(f.db, "PRAGMA max_page_count=1000000", NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(append(&f, 9, 3, &b, 0, 1000, &result), 0);
	assert_int_equal(result, APPEND_DURABLE);
	assert_int_equal(stored(&f, &got, &sum), 2);
	end(&f);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(a_map_in_parts_is_stored_with_its_books),
	    TEST(an_idle_interval_and_unknown_kernel_counts_are_stored),
	    TEST(a_repeated_map_is_known_and_not_counted_twice),
	    TEST(two_rotations_within_one_interval_are_both_kept),
	    TEST(maps_of_the_same_interval_are_merged),
	    TEST(a_damaged_interval_does_not_stop_a_merge),
	    TEST(books_that_lie_are_refused),
	    TEST(sums_that_wrap_around_to_the_books_are_refused),
	    TEST(parts_out_of_order_are_refused_and_maps_may_be_interleaved),
	    TEST(a_chunk_that_is_no_flow_map_is_refused),
	    TEST(the_number_of_maps_in_work_and_their_memory_are_bounded),
	    TEST(a_full_disk_loses_nothing_that_was_stored_and_heals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
