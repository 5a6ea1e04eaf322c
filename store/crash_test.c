#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/block.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"

#define KILLS 20
#define FLOWS 2000

/* Two maps of different record files share the labels of each interval, so half of the
 * appends are merges. */
static uint64_t
file_of(uint64_t map)
{
	return 1 + map % 2;
}

static int64_t
begin_of(uint64_t map)
{
	return TESTING_BEGIN_MS + (int64_t)(map / 2) * TESTING_ROTATION_MS;
}

static void
flows_of(uint64_t map, struct flow_record *flows, struct interval *interval)
{
	testing_flows(flows, FLOWS, map + 1, begin_of(map), TESTING_ROTATION_MS);
	*interval = testing_interval(
	    flows, FLOWS, begin_of(map), begin_of(map) + TESTING_ROTATION_MS);
}

/* Appends maps from `from` on and tells after each that it is durable. */
static void
writer(uint64_t from, int told)
{
	struct flow_record *flows = calloc(FLOWS, sizeof(*flows));
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	char why[SCHEMA_WHY_SIZE];
	enum append_result result;
	struct interval interval;
	sqlite3 *db;

	if (schema_open(STORE_DB_NAME, &db, why) < 0)
		_exit(1);
	for (uint64_t map = from;; map++) {
		flows_of(map, flows, &interval);
		if (testing_append(append, db, "eth0", file_of(map), map, &interval,
			flows, FLOWS, 500, &result, why) < 0)
			_exit(2);
		if (result == APPEND_MORE || write(told, &map, sizeof(map)) < 0)
			_exit(3);
	}
}

/* With `warm` the time counts from the first map on, else from the start, so that some
 * die while they open and recover the database. */
static uint64_t
run_and_kill(uint64_t from, unsigned after_us, bool warm)
{
	uint64_t map, next = from;
	int told[2], status;

	assert_int_equal(pipe(told), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		writer(from, told[1]);
	close(told[1]);
	if (warm) {
		assert_int_equal(read(told[0], &map, sizeof(map)), sizeof(map));
		assert_int_equal(map, next);
		next++;
	}
	nanosleep(&(struct timespec){0, (long)after_us * 1000}, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(told[0], &map, sizeof(map)) == sizeof(map)) {
		assert_int_equal(map, next);
		next++;
	}
	close(told[0]);
	return next;
}

static void
what_was_acknowledged_is_there_exactly_once(void **state)
{
	struct flow_record *flows = calloc(FLOWS, sizeof(*flows));
	uint64_t next = 0, random = 88172645463325252u, maps = 0;
	struct store_reader *reader;
	struct store_interval *list;
	char why[STORE_WHY_SIZE];
	struct interval interval;
	sqlite3 *db;
	size_t count;

	(void)state;
	for (int kills = 0; kills < KILLS; kills++) {
		unsigned after_us = (unsigned)(testing_random(&random) % 40000);
		next = run_and_kill(next, after_us, kills % 4 != 3);
	}
	assert_true(next >= KILLS / 4 * 3);

	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	assert_int_equal(schema_number(db,
			     "SELECT count(*) FROM pragma_integrity_check "
			     "WHERE integrity_check='ok'",
			     0),
	    1);
	/* The last one may have been stored without the word having come through. */
	maps = (uint64_t)schema_number(db, "SELECT count(*) FROM map", 0);
	assert_true(maps == next || maps == next + 1);
	assert_int_equal(
	    schema_number(db, "SELECT max(rotation) FROM map", 0), maps - 1);

	assert_int_equal(store_reader_open(".", &reader, why), 0);
	assert_int_equal(
	    store_reader_list(reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count), 0);
	assert_int_equal(count, (maps + 1) / 2);
	for (size_t i = 0; i < count; i++) {
		struct books books = {0};
		struct counter sum = {0, 0};
		struct block block;
		for (uint64_t map = 2 * i; map < 2 * i + 2 && map < maps; map++) {
			flows_of(map, flows, &interval);
			books_add(&books, &interval.books);
		}
		assert_memory_equal(
		    &list[i].interval.books, &books, sizeof(struct books));
		assert_int_equal(
		    store_reader_block(reader, list[i].id, COLUMNS_ALL, &block, NULL),
		    0);
		for (size_t row = 0; row < block.rows; row++) {
			struct flow_record flow;
			block_row(&block, row, &flow);
			struct counter total = flow_total(&flow);
			counter_add(&sum, &total);
		}
		block_fini(&block);
		assert_true(counter_equal(&sum, &books.in_flows));
	}
	free(list);
	free(flows);
	store_reader_close(reader);
	schema_close(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_acknowledged_is_there_exactly_once,
		testing_enter, testing_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
