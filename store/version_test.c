/* A database of the version before: readers read it as it is, the writer makes one of this
 * version out of it, and nothing in it changes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/block.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"

#define FLOWS 50

/* One interval, with what the interface counted itself. */
static void
append_one(sqlite3 *db, uint64_t rotation)
{
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	int64_t begin = TESTING_BEGIN_MS + (int64_t)rotation * TESTING_ROTATION_MS;
	struct flow_record flows[FLOWS];
	char why[STORE_WHY_SIZE];
	enum append_result result = APPEND_MORE;

	testing_flows(flows, FLOWS, rotation + 1, begin, TESTING_ROTATION_MS);
	struct interval interval =
	    testing_interval(flows, FLOWS, begin, begin + TESTING_ROTATION_MS);
	interval.link = (struct link_counts){
	    .known = true, .packets = 900 + rotation, .dropped = 3, .missed = 2};
	assert_int_equal(testing_append(append, db, "eth0", 1, rotation, &interval,
			     flows, FLOWS, FLOWS, &result, why),
	    0);
	assert_int_equal(result, APPEND_DURABLE);
	append_free(append);
}

static void
run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

/* `count` intervals as a writer of version 1 left them: it had no counts of links. */
static void
make_version_1(uint64_t count)
{
	char why[STORE_WHY_SIZE];
	sqlite3 *db;

	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	for (uint64_t rotation = 0; rotation < count; rotation++)
		append_one(db, rotation);
	run(db,
	    "ALTER TABLE interval DROP COLUMN link_packets;"
	    "ALTER TABLE interval DROP COLUMN link_dropped;"
	    "ALTER TABLE interval DROP COLUMN link_missed;"
	    "PRAGMA user_version=1");
	schema_close(db);
}

static int64_t
version(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(STORE_DB_NAME, &db), SQLITE_OK);
	int64_t number = schema_number(db, "PRAGMA user_version", -1);
	sqlite3_close(db);
	return number;
}

/* All intervals, each with its whole flows; `known` of them have counts of the link. */
static void
read_all(struct store_reader *reader, size_t want, size_t known)
{
	struct store_interval *list;
	size_t count;

	assert_int_equal(
	    store_reader_list(reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count), 0);
	assert_int_equal(count, want);
	for (size_t i = 0; i < count; i++) {
		struct block block;

		assert_int_equal(
		    store_reader_block(reader, list[i].id, COLUMNS_ALL, &block, NULL),
		    0);
		assert_int_equal(block.rows, FLOWS);
		block_fini(&block);
		assert_int_equal(list[i].interval.begin_ms,
		    TESTING_BEGIN_MS + (int64_t)i * TESTING_ROTATION_MS);
		if (i < count - known) {
			assert_false(list[i].interval.link.known);
			continue;
		}
		assert_true(list[i].interval.link.known);
		assert_int_equal(list[i].interval.link.packets, 900 + i);
		assert_int_equal(list[i].interval.link.dropped, 3);
		assert_int_equal(list[i].interval.link.missed, 2);
	}
	free(list);
}

static void
the_version_before_is_read_as_it_is_and_upgraded_by_the_writer(void **state)
{
	struct store_reader *before, *after;
	char why[STORE_WHY_SIZE];
	sqlite3 *db;

	(void)state;
	make_version_1(3);
	assert_int_equal(store_reader_open(".", &before, why), 0);
	read_all(before, 3, 0);
	assert_int_equal(version(), 1);

	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	assert_int_equal(version(), STORE_FORMAT_VERSION);
	append_one(db, 3);
	assert_int_equal(store_reader_open(".", &after, why), 0);
	read_all(after, 4, 1);
	/* One that was opened before sees it too. */
	read_all(before, 4, 1);
	store_reader_close(before);
	store_reader_close(after);
	schema_close(db);

	/* And a second time there is nothing to upgrade. */
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	schema_close(db);
}

static void
an_upgrade_that_fails_leaves_the_version_before(void **state)
{
	struct store_reader *reader;
	char why[STORE_WHY_SIZE];
	sqlite3 *db, *none = NULL;

	(void)state;
	make_version_1(2);
	/* The second of its steps cannot be done. */
	assert_int_equal(sqlite3_open(STORE_DB_NAME, &db), SQLITE_OK);
	run(db, "ALTER TABLE interval ADD COLUMN link_dropped INTEGER");
	sqlite3_close(db);
	assert_true(schema_open(STORE_DB_NAME, &none, why) < 0);
	assert_null(none);
	assert_non_null(strstr(why, "cannot be set up"));
	assert_int_equal(version(), 1);
	assert_int_equal(store_reader_open(".", &reader, why), 0);
	read_all(reader, 2, 0);
	store_reader_close(reader);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(the_version_before_is_read_as_it_is_and_upgraded_by_the_writer),
	    TEST(an_upgrade_that_fails_leaves_the_version_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
