#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/expire.h"
#include "store/format.h"
#include "store/testing.h"

#define FLOWS 3000

struct fixture {
	sqlite3 *db;
	struct append *append;
	struct flow_record flows[FLOWS];
	char why[SCHEMA_WHY_SIZE];
};

static int64_t
begin_of(uint64_t rotation)
{
	return TESTING_BEGIN_MS + (int64_t)rotation * TESTING_ROTATION_MS;
}

static enum append_result
append(struct fixture *f, uint64_t rotation, size_t count)
{
	enum append_result result;

	testing_flows(
	    f->flows, count, rotation + 1, begin_of(rotation), TESTING_ROTATION_MS);
	struct interval interval = testing_interval(
	    f->flows, count, begin_of(rotation), begin_of(rotation + 1));
	assert_int_equal(testing_append(f->append, f->db, "eth0", 77, rotation,
			     &interval, f->flows, count, 1000, &result, f->why),
	    0);
	return result;
}

static struct fixture *
begin(uint64_t rotations, size_t count)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(schema_open(STORE_DB_NAME, &f->db, f->why), 0);
	f->append = append_new(10, APPEND_BYTES_MAX);
	for (uint64_t r = 0; r < rotations; r++)
		assert_int_equal(append(f, r, count), APPEND_DURABLE);
	return f;
}

static void
end(struct fixture *f)
{
	append_free(f->append);
	schema_close(f->db);
	free(f);
}

static int64_t
count(struct fixture *f, const char *table)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
	return schema_number(f->db, sql, -1);
}

static void
without_limits_everything_stays(void **state)
{
	struct fixture *f = begin(5, 10);
	struct retention retention = {0, 0};
	uint64_t expired = 0;

	(void)state;
	assert_int_equal(
	    expire_step(f->db, &retention, INT64_MAX, &expired, f->why), 0);
	assert_int_equal(expired, 0);
	assert_int_equal(count(f, "interval"), 5);
	end(f);
}

static void
old_intervals_leave_with_all_that_belongs_to_them(void **state)
{
	struct fixture *f = begin(10, 10);
	struct retention retention = {.keep_ms = 3 * TESTING_ROTATION_MS};
	uint64_t expired = 0;

	(void)state;
	/* Now is the end of the last: those that ended up to three intervals ago stay. */
	assert_int_equal(
	    expire_step(f->db, &retention, begin_of(10), &expired, f->why), 0);
	assert_int_equal(expired, 6);
	assert_int_equal(count(f, "interval"), 4);
	assert_int_equal(count(f, "refused"), 4);
	assert_int_equal(count(f, "map"), 4);
	assert_int_equal(count(f, "column_data"), 4 * 18);
	assert_int_equal(
	    schema_number(f->db, "SELECT min(begin_ms) FROM interval", 0), begin_of(6));
	assert_int_equal(schema_number(f->db,
			     "SELECT count(*) FROM column_data WHERE id/64 NOT IN "
			     "(SELECT id FROM interval)",
			     -1),
	    0);
	end(f);
}

static void
the_newest_interval_never_leaves(void **state)
{
	struct fixture *f = begin(3, 10);
	struct retention retention = {.keep_ms = 1, .keep_bytes = 1};
	uint64_t expired = 0;

	(void)state;
	assert_int_equal(
	    expire_step(f->db, &retention, INT64_MAX, &expired, f->why), 0);
	assert_int_equal(expired, 2);
	assert_int_equal(count(f, "interval"), 1);
	assert_int_equal(
	    schema_number(f->db, "SELECT begin_ms FROM interval", 0), begin_of(2));
	/* and it is still known, as is the last map of the file */
	assert_int_equal(append(f, 2, 10), APPEND_KNOWN);
	end(f);
}

static void
the_last_map_of_a_record_file_stays_known(void **state)
{
	struct fixture *f = begin(2, 10);
	struct retention retention = {.keep_ms = 1};
	uint64_t expired = 0;
	enum append_result result;

	(void)state;
	/* A later interval of another record file: of file 77 nothing is left. */
	testing_flows(f->flows, 10, 5, begin_of(5), TESTING_ROTATION_MS);
	struct interval interval =
	    testing_interval(f->flows, 10, begin_of(5), begin_of(6));
	assert_int_equal(testing_append(f->append, f->db, "eth0", 78, 1, &interval,
			     f->flows, 10, 10, &result, f->why),
	    0);
	assert_int_equal(
	    expire_step(f->db, &retention, INT64_MAX, &expired, f->why), 0);
	assert_int_equal(count(f, "interval"), 1);
	assert_int_equal(append(f, 1, 10), APPEND_KNOWN);
	end(f);
}

static void
size_is_kept_and_the_file_shrinks(void **state)
{
	struct fixture *f = begin(40, FLOWS);
	struct stat before, after;
	uint64_t expired = 0;
	int steps = 0, rc;

	(void)state;
	assert_int_equal(schema_checkpoint(f->db), 0);
	assert_int_equal(stat(STORE_DB_NAME, &before), 0);
	struct retention retention = {.keep_bytes = (uint64_t)before.st_size / 4};
	do {
		uint64_t step = 0;
		rc = expire_step(f->db, &retention, begin_of(40), &step, f->why);
		assert_true(rc >= 0);
		assert_true(step <= EXPIRE_INTERVALS_MAX);
		expired += step;
		steps++;
	} while (rc == 1);
	assert_true(steps > 1);
	assert_true(expired >= 28 && expired < 35);
	assert_int_equal(count(f, "interval"), 40 - (int64_t)expired);
	assert_true(expire_bytes(f->db) <= retention.keep_bytes);
	assert_int_equal(schema_number(f->db, "PRAGMA freelist_count", -1), 0);
	assert_int_equal(schema_checkpoint(f->db), 0);
	assert_int_equal(stat(STORE_DB_NAME, &after), 0);
	assert_true((uint64_t)after.st_size <= retention.keep_bytes);
	/* the oldest went */
	assert_int_equal(schema_number(f->db, "SELECT min(begin_ms) FROM interval", 0),
	    begin_of(expired));
	assert_int_equal(schema_number(f->db,
			     "SELECT count(*) FROM pragma_integrity_check "
			     "WHERE integrity_check='ok'",
			     0),
	    1);
	end(f);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(without_limits_everything_stays),
	    TEST(old_intervals_leave_with_all_that_belongs_to_them),
	    TEST(the_newest_interval_never_leaves),
	    TEST(the_last_map_of_a_record_file_stays_known),
	    TEST(size_is_kept_and_the_file_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
