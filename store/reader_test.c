#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/block.h"
#include "store/expire.h"
#include "store/format.h"
#include "store/reader.h"
#include "store/testing.h"

#define OWNER 61001
#define GROUP 61002
#define MEMBER 61003
#define STRANGER 61004

static int
append_some(sqlite3 *db, uint64_t from, uint64_t count)
{
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	struct flow_record flows[50];
	char why[SCHEMA_WHY_SIZE];
	enum append_result result = APPEND_MORE;
	int rc = 0;

	for (uint64_t r = from; rc == 0 && r < from + count; r++) {
		int64_t begin = TESTING_BEGIN_MS + (int64_t)r * TESTING_ROTATION_MS;
		testing_flows(flows, 50, r + 1, begin, TESTING_ROTATION_MS);
		struct interval interval =
		    testing_interval(flows, 50, begin, begin + TESTING_ROTATION_MS);
		rc = testing_append(
		    append, db, "eth0", 1, r, &interval, flows, 50, 50, &result, why);
	}
	append_free(append);
	return rc < 0 || result != APPEND_DURABLE ? -1 : 0;
}

/* As `uid` with only `gid`: the number of intervals whose flows could be read, or 100 +
 * errno of the opening. */
static int
read_as(const char *directory, uid_t uid, gid_t gid)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct store_reader *reader;
		struct query query = {
		    .fields = QUERY_SRC, .first_ms = INT64_MIN, .last_ms = INT64_MAX};
		struct query_result result;
		char why[STORE_WHY_SIZE];
		if (setgroups(1, &gid) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
			_exit(99);
		int rc = store_reader_open(directory, &reader, why);
		if (rc < 0)
			_exit(100 - rc);
		if (query_run(reader, &query, &result) < 0) {
			fprintf(stderr, "%s\n", store_reader_why(reader));
			_exit(98);
		}
		_exit((int)(result.intervals + 50 * result.skipped));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A writer as the store's own user, which appends `count` intervals and then waits to be
 * killed, or closes cleanly and is gone when this returns 0. */
static pid_t
start_writer(const char *directory, uint64_t from, uint64_t count, bool clean)
{
	int ready[2], status;
	char byte = 0;

	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char why[SCHEMA_WHY_SIZE];
		sqlite3 *db;
		umask(027);
		if (chdir(directory) < 0 || setgroups(0, NULL) < 0 ||
		    setgid(GROUP) < 0 || setuid(OWNER) < 0 ||
		    schema_open(STORE_DB_NAME, &db, why) < 0 ||
		    append_some(db, from, count) < 0)
			_exit(1);
		if (clean) {
			schema_close(db);
			_exit(0);
		}
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (clean) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		pid = 0;
	} else {
		assert_int_equal(read(ready[0], &byte, 1), 1);
	}
	close(ready[0]);
	return pid;
}

static void
members_of_the_group_can_read_whatever_the_writer_does(void **state)
{
	char path[4096];

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to become other users\n");
		skip();
	}
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(mkdir("store", 0700), 0);
	assert_int_equal(chown("store", OWNER, GROUP), 0);
	assert_int_equal(chmod("store", 02750), 0);
	assert_non_null(getcwd(path, sizeof(path) - 32));
	strcat(path, "/store");

	assert_int_equal(read_as(path, MEMBER, GROUP), 100 + ENOENT);
	pid_t writer = start_writer("store", 0, 3, false);
	assert_int_equal(read_as(path, MEMBER, GROUP), 3);
	assert_int_equal(read_as(path, STRANGER, STRANGER), 100 + EACCES);

	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	assert_int_equal(read_as(path, MEMBER, GROUP), 3);

	assert_int_equal(start_writer("store", 3, 2, true), 0);
	assert_int_equal(read_as(path, MEMBER, GROUP), 5);
	/* a reader that is root must not leave files that the writer cannot use */
	assert_int_equal(read_as(path, 0, 0), 5);
	assert_int_equal(start_writer("store", 5, 1, true), 0);
	assert_int_equal(read_as(path, MEMBER, GROUP), 6);
	assert_int_equal(read_as(path, STRANGER, STRANGER), 100 + EACCES);
}

static int
open_error(const char *directory)
{
	struct store_reader *reader;
	char why[STORE_WHY_SIZE];

	int rc = store_reader_open(directory, &reader, why);
	if (rc == 0)
		store_reader_close(reader);
	else
		assert_true(strlen(why) > 10);
	return rc;
}

static void
what_cannot_be_opened_is_told_apart(void **state)
{
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db, *none = NULL;

	(void)state;
	assert_int_equal(open_error("nowhere"), -ENOENT);
	assert_int_equal(open_error("."), -ENOENT);

	int fd = open(STORE_DB_NAME, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(open_error("."), -ENOENT);
	char noise[4096];
	memset(noise, 'n', sizeof(noise));
	assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
	close(fd);
	assert_int_equal(open_error("."), -EBADMSG);
	assert_int_equal(schema_open(STORE_DB_NAME, &none, why), -EBADMSG);
	assert_int_equal(unlink(STORE_DB_NAME), 0);

	assert_int_equal(sqlite3_open(STORE_DB_NAME, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "CREATE TABLE other(x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(open_error("."), -EBADMSG);
	assert_int_equal(schema_open(STORE_DB_NAME, &none, why), -EBADMSG);
	assert_null(none);
}

static void
a_newer_version_is_refused_and_left_alone(void **state)
{
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db, *none = NULL;

	(void)state;
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	assert_int_equal(
	    schema_number(db, "PRAGMA user_version", 0), STORE_FORMAT_VERSION);
	assert_int_equal(open_error("."), 0);
	char sql[64];
	char says[64];
	snprintf(says, sizeof(says), "format version %d", STORE_FORMAT_VERSION + 1);
	snprintf(sql, sizeof(sql), "PRAGMA user_version=%d", STORE_FORMAT_VERSION + 1);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	schema_close(db);
	assert_int_equal(open_error("."), -EPROTONOSUPPORT);
	assert_int_equal(schema_open(STORE_DB_NAME, &none, why), -EPROTONOSUPPORT);
	assert_non_null(strstr(why, says));
	assert_null(none);
	assert_int_equal(sqlite3_open(STORE_DB_NAME, &db), SQLITE_OK);
	assert_int_equal(
	    schema_number(db, "PRAGMA user_version", 0), STORE_FORMAT_VERSION + 1);
	sqlite3_close(db);
}

static void
settings_that_cannot_be_changed_later_are_made(void **state)
{
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
		assert_int_equal(schema_number(db, "PRAGMA auto_vacuum", -1), 2);
		assert_int_equal(schema_number(db, "PRAGMA page_size", -1), 8192);
		assert_int_equal(schema_number(db, "PRAGMA synchronous", -1), 2);
		assert_int_equal(schema_number(db, "PRAGMA application_id", -1),
		    STORE_APPLICATION_ID);
		schema_close(db);
		/* PERSIST_WAL: readers need these after a clean close. */
		assert_int_equal(access(STORE_DB_NAME "-wal", R_OK), 0);
		assert_int_equal(access(STORE_DB_NAME "-shm", R_OK), 0);
	}
}

static void
an_interval_expired_meanwhile_is_skipped_in_silence(void **state)
{
	struct retention retention = {.keep_ms = 1};
	struct store_reader *reader;
	struct store_interval *list;
	char why[STORE_WHY_SIZE];
	struct block block;
	uint64_t expired = 0;
	sqlite3 *db;
	size_t count;

	(void)state;
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	assert_int_equal(append_some(db, 0, 3), 0);
	assert_int_equal(store_reader_open(".", &reader, why), 0);
	assert_int_equal(
	    store_reader_list(reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(
	    expire_step(db, &retention, TESTING_BEGIN_MS * 2, &expired, why), 0);
	assert_int_equal(expired, 2);
	assert_int_equal(
	    store_reader_block(reader, list[0].id, COLUMNS_ALL, &block, NULL), -ENOENT);
	assert_int_equal(
	    store_reader_block(reader, list[2].id, COLUMNS_ALL, &block, NULL), 0);
	block_fini(&block);
	free(list);
	store_reader_close(reader);
	schema_close(db);
}

/* A writer that appends and expires without a pause, and a reader beside it: every
 * answer is made of whole intervals, and none fails. */
static void
a_reader_beside_a_busy_writer_sees_whole_intervals(void **state)
{
	struct query query = {.fields = QUERY_SRC | QUERY_DPORT,
	    .first_ms = INT64_MIN,
	    .last_ms = INT64_MAX};
	struct store_reader *reader;
	char why[STORE_WHY_SIZE];
	int64_t newest = 0;
	size_t changes = 0;
	sqlite3 *db;

	(void)state;
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	assert_int_equal(append_some(db, 0, 1), 0);
	schema_close(db);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct retention retention = {.keep_ms = 10 * TESTING_ROTATION_MS};
		uint64_t expired = 0;
		if (schema_open(STORE_DB_NAME, &db, why) < 0)
			_exit(1);
		for (uint64_t r = 1;; r++) {
			int64_t now =
			    TESTING_BEGIN_MS + (int64_t)r * TESTING_ROTATION_MS;
			if (append_some(db, r, 1) < 0 ||
			    expire_step(db, &retention, now, &expired, why) < 0)
				_exit(1);
		}
	}
	assert_int_equal(store_reader_open(".", &reader, why), 0);
	for (int i = 0; i < 400 || (changes < 20 && i < 40000); i++) {
		struct query_result result;
		assert_int_equal(query_run(reader, &query, &result), 0);
		assert_int_equal(result.skipped, 0);
		assert_true(result.intervals >= 1 && result.intervals <= 14);
		assert_int_equal(result.flows, 50 * result.intervals);
		assert_true(result.end_ms >= newest);
		changes += result.end_ms > newest;
		newest = result.end_ms;
		query_result_fini(&result);
	}
	assert_true(changes >= 20);
	store_reader_close(reader);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(members_of_the_group_can_read_whatever_the_writer_does),
	    TEST(what_cannot_be_opened_is_told_apart),
	    TEST(a_newer_version_is_refused_and_left_alone),
	    TEST(settings_that_cannot_be_changed_later_are_made),
	    TEST(an_interval_expired_meanwhile_is_skipped_in_silence),
	    TEST(a_reader_beside_a_busy_writer_sees_whole_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
