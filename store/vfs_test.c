#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/format.h"
#include "store/reader.h"
#include "store/schema.h"
#include "store/testing.h"

#define NOBODY 65534

/* In the child: 0, or the number of the step that went wrong. */
static int
write_as_nobody(const char *absolute)
{
	struct flow_record flow = testing_flow(1, 2, 3);
	struct interval interval = testing_interval(
	    &flow, 1, TESTING_BEGIN_MS, TESTING_BEGIN_MS + TESTING_ROTATION_MS);
	enum append_result result;
	char why[SCHEMA_WHY_SIZE];
	struct stat st;
	sqlite3 *db;

	if (chdir("private/store") < 0)
		return 1;
	umask(027);
	if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 2;
	if (stat(absolute, &st) == 0 || errno != EACCES)
		return 3;
	/* The default layer looks at the absolute name, which is why there is another.
	 * Should SQLite learn to do without, this one can go. */
	if (sqlite3_open_v2(STORE_DB_NAME, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK)
		return 4;
	sqlite3_close(db);

	if (schema_open(STORE_DB_NAME, &db, why) < 0) {
		fprintf(stderr, "%s\n", why);
		return 5;
	}
	struct append *append = append_new(10, APPEND_BYTES_MAX);
	if (testing_append(
		append, db, "eth0", 1, 1, &interval, &flow, 1, 1, &result, why) < 0 ||
	    result != APPEND_DURABLE)
		return 6;
	append_free(append);
	if (schema_checkpoint(db) < 0)
		return 7;
	schema_close(db);
	/* and once more, now that it exists */
	if (schema_open(STORE_DB_NAME, &db, why) < 0)
		return 8;
	if (schema_moved(db))
		return 9;
	schema_close(db);
	return 0;
}

static void
writes_below_a_directory_it_cannot_pass(void **state)
{
	char path[4096], why[STORE_WHY_SIZE];
	struct store_reader *reader;
	struct store_interval *list;
	struct stat st;
	size_t count;
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to become another user\n");
		skip();
	}
	assert_int_equal(mkdir("private", 0700), 0);
	assert_int_equal(mkdir("private/store", 0750), 0);
	assert_int_equal(chown("private/store", NOBODY, NOBODY), 0);
	assert_non_null(getcwd(path, sizeof(path) - 32));
	strcat(path, "/private/store");
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(write_as_nobody(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);

	assert_int_equal(stat("private/store/" STORE_DB_NAME, &st), 0);
	assert_int_equal(st.st_uid, NOBODY);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(store_reader_open("private/store", &reader, why), 0);
	assert_int_equal(
	    store_reader_list(reader, NULL, 0, INT64_MIN, INT64_MAX, &list, &count), 0);
	assert_int_equal(count, 1);
	free(list);
	store_reader_close(reader);
}

static void
notices_when_the_file_is_moved_away(void **state)
{
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db;

	(void)state;
	assert_int_equal(schema_open(STORE_DB_NAME, &db, why), 0);
	assert_false(schema_moved(db));
	assert_int_equal(rename(STORE_DB_NAME, "elsewhere"), 0);
	assert_true(schema_moved(db));
	sqlite3_close(db);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, testing_enter, testing_leave)
	const struct CMUnitTest tests[] = {
	    TEST(writes_below_a_directory_it_cannot_pass),
	    TEST(notices_when_the_file_is_moved_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
