/* What a power cut leaves, tried at hundreds of moments: in front of every operation on a
 * file of the database a disk as it would be found afterwards is made up (testing_disk.h) in
 * a directory of its own, and opened. Everything that had been acknowledged by then is in it,
 * once, and its books agree with its flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/block.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"
#include "store/testing_disk.h"

#define MAPS 40
#define FLOWS 60
#define CUTS_WANTED 600

static struct {
	uint64_t random;
	uint64_t acknowledged; /* maps */
	uint64_t operations;
	uint64_t cuts;
	uint64_t lost; /* changes that were left out of cuts */
} told = {.random = 88172645463325252u};

static struct interval
map_of(uint64_t map, struct flow_record *flows)
{
	/* Every third one belongs to the interval before, and is merged into it. */
	int64_t begin =
	    TESTING_BEGIN_MS + (int64_t)(map - map % 3 / 2) * TESTING_ROTATION_MS;

	testing_flows(flows, FLOWS, map + 1, begin, TESTING_ROTATION_MS);
	return testing_interval(flows, FLOWS, begin, begin + TESTING_ROTATION_MS);
}

/* The sum of the books of the first maps. */
static struct books
books_of(uint64_t maps)
{
	static struct flow_record flows[FLOWS];
	static struct books sums[MAPS + 1];
	static uint64_t known;

	while (known < maps) {
		struct interval interval = map_of(known, flows);

		sums[known + 1] = sums[known];
		books_add(&sums[known + 1], &interval.books);
		known++;
	}
	return sums[maps];
}

static void
sum_interval(const struct store_reader *reader, const struct store_interval *interval,
    struct books *books)
{
	struct counter sum = {0, 0};
	struct block block;

	books_add(books, &interval->interval.books);
	assert_int_equal(store_reader_block((struct store_reader *)(uintptr_t)reader,
			     interval->id, COLUMNS_ALL, &block, NULL),
	    0);
	for (size_t row = 0; row < block.rows; row++) {
		struct flow_record flow;
		struct counter total;

		block_row(&block, row, &flow);
		total = flow_total(&flow);
		counter_add(&sum, &total);
	}
	block_fini(&block);
	assert_true(counter_equal(&sum, &interval->interval.books.in_flows));
}

static void
check_cut(const char *dir)
{
	struct books expected, books = {0};
	struct store_interval *list;
	struct store_reader *reader;
	char reader_why[STORE_WHY_SIZE];
	char why[SCHEMA_WHY_SIZE];
	char path[256];
	uint64_t maps;
	sqlite3 *db;
	size_t count;

	snprintf(path, sizeof(path), "%s/%s", dir, STORE_DB_NAME);
	if (schema_open(path, &db, why) != 0)
		fail_msg("cut %lu: %s", (unsigned long)told.cuts, why);
	assert_int_equal(schema_number(db,
			     "SELECT count(*) FROM pragma_quick_check "
			     "WHERE quick_check='ok'",
			     0),
	    1);
	/* What was on its way may have arrived, too. */
	maps = (uint64_t)schema_number(db, "SELECT count(*) FROM map", -1);
	assert_in_range(maps, told.acknowledged, told.acknowledged + 1);
	if (maps > 0)
		assert_int_equal(
		    schema_number(db, "SELECT max(rotation) FROM map", 0), maps);
	assert_int_equal(store_reader_open(dir, &reader, reader_why), 0);
	assert_int_equal(
	    store_reader_list(reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count), 0);
	for (size_t i = 0; i < count; i++)
		sum_interval(reader, &list[i], &books);
	expected = books_of(maps);
	assert_memory_equal(&books, &expected, sizeof(books));
	free(list);
	store_reader_close(reader);
	schema_close(db);
}

static void
remove_files(const char *dir)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char path[256];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s/" STORE_DB_NAME "%s", dir, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void
cut(enum testing_kept kept)
{
	static const char dir[] = "cut";

	told.cuts++;
	assert_int_equal(mkdir(dir, 0700), 0);
	told.lost += testing_disk_cut(dir, kept, &told.random);
	check_cut(dir);
	remove_files(dir);
}

static void
in_front_of_an_operation(void)
{
	uint64_t n = told.operations++;

	/* Before there is a database there is nothing to be lost. */
	if (told.acknowledged > 0)
		cut((enum testing_kept)(n % TESTING_KEPT_MAX));
}

static int
enter(void **state)
{
	return testing_disk_install(in_front_of_an_operation) == 0
	    ? testing_enter(state)
	    : -1;
}

static void
after_a_power_cut_what_was_acknowledged_is_there_exactly_once(void **state)
{
	static struct flow_record flows[FLOWS];
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db;

	(void)state;
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	for (uint64_t map = 0; map < MAPS; map++) {
		struct interval interval = map_of(map, flows);
		enum append_result result;

		if (testing_append(append, db, "eth0", 1 + map % 2, map + 1, &interval,
			flows, FLOWS, 50, &result, why) != 0)
			fail_msg("%s", why);
		assert_int_equal(result, APPEND_DURABLE);
		told.acknowledged++;
		/* From the log into the database: there the order counts. */
		if (map % 7 == 6)
			assert_int_equal(schema_checkpoint(db), 0);
		if (map == MAPS / 2) {
			schema_close(db);
			assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
		}
	}
	print_message("%lu cuts, %lu writes lost in them\n", (unsigned long)told.cuts,
	    (unsigned long)told.lost);
	assert_true(told.cuts >= CUTS_WANTED);
	assert_true(told.lost >= CUTS_WANTED);
	append_free(append);
	schema_close(db);
	testing_disk_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		after_a_power_cut_what_was_acknowledged_is_there_exactly_once, enter,
		testing_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
