#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_testing.h"
#include "store/confine.h"
#include "store/format.h"
#include "store/schema.h"

static char base[64];
static char directory[80];

static int
make_place(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/weir-test-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(directory, sizeof(directory), "%s/store", base);
	return mkdir(directory, 0700);
}

static int
remove_place(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

/* What the store does in its first steps: before it opens its database, and before it
 * serves. */
static void
start(void)
{
	const int fd = open(directory, O_RDONLY | O_DIRECTORY);

	if (fd < 0 || fchdir(fd) != 0)
		_exit(210);
	umask(027);
	if (confine_files(fd) != 0 || close(fd) != 0 || confine_starting() != 0)
		_exit(211);
}

static void
serve(void)
{
	start();
	if (confine_serving() != 0)
		_exit(212);
}

static int
insert(sqlite3 *db, int count)
{
	for (int i = 0; i < count; i++) {
		if (sqlite3_exec(db,
			"INSERT INTO column_data(data) VALUES(randomblob(20000))", NULL,
			NULL, NULL) != SQLITE_OK)
			return -1;
	}
	return 0;
}

/* A database from nothing to its end: made, written, shrunk, checked, moved away, made
 * again. */
static int
keep_after(void (*shut_in)(void))
{
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db = NULL;
	struct stat st;

	shut_in();
	if (schema_open(STORE_DB_NAME, &db, why) != 0)
		return 1;
	if (sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
	    insert(db, 200) != 0 ||
	    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		return 2;
	if (insert(db, 10) != 0 || schema_checkpoint(db) != 0)
		return 3;
	if (sqlite3_exec(db,
		"DELETE FROM column_data WHERE id > 20; PRAGMA incremental_vacuum;"
		"PRAGMA quick_check;",
		NULL, NULL, NULL) != SQLITE_OK)
		return 4;
	if (schema_number(db,
		"SELECT count(*) FROM column_data a, column_data b"
		" ORDER BY a.data, b.data",
		0) != 400)
		return 5;
	if (unlink(STORE_DB_NAME) != 0 || !schema_moved(db))
		return 6;
	schema_close(db);
	if (schema_open(STORE_DB_NAME, &db, why) != 0 || insert(db, 1) != 0)
		return 7;
	if (stat(STORE_DB_NAME "-wal", &st) != 0 || (st.st_mode & 07777) != 0640)
		return 8;
	schema_close(db);
	return 0;
}

static int
keep(void)
{
	return keep_after(serve);
}

static int
keep_while_starting(void)
{
	return keep_after(start);
}

/* An administrator has changed the mode of the database: its log would get the same. */
static int
keep_with_another_mode(void)
{
	char why[SCHEMA_WHY_SIZE];
	sqlite3 *db = NULL;
	int fd;

	fd = open(directory, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fchdir(fd) != 0 || schema_open(STORE_DB_NAME, &db, why) != 0)
		return 1;
	schema_close(db);
	if (chmod(STORE_DB_NAME, 0666) != 0 || unlink(STORE_DB_NAME "-wal") != 0)
		return 2;
	serve();
	if (schema_open(STORE_DB_NAME, &db, why) != 0 || insert(db, 1) != 0)
		return 3;
	schema_close(db);
	return 0;
}

static int
modes_that_give_nothing(void)
{
	struct stat st;
	int fd;

	serve();
	fd = open("made", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &st) != 0 || (st.st_mode & 07777) != 0640)
		return 1;
	if (open("run", O_RDWR | O_CREAT, 0755) >= 0 || errno != EPERM ||
	    open("run", O_RDWR | O_CREAT | O_EXCL, 02644) >= 0 || errno != EPERM ||
	    open("run", O_WRONLY | O_CREAT | O_TRUNC, 0610) >= 0 || errno != EPERM ||
	    access("run", F_OK) == 0)
		return 7;
	if (fchmod(fd, 0600) != 0 || fchmod(fd, 0640) != 0)
		return 2;
	for (mode_t bit = 04000; bit != 0; bit >>= 1) {
		if ((bit & 0640) == 0 &&
		    (fchmod(fd, 0640 | bit) == 0 || errno != EPERM))
			return 3;
	}
	if (fchown(fd, (uid_t)-1, 0) == 0 || errno != EPERM)
		return 4;
	fd = open(".", O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fchmod(fd, 02755) == 0 || errno != EPERM)
		return 5;
	return fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0700 ? 0 : 6;
}

static int
look_elsewhere(void)
{
	serve();
	if (open("/etc/passwd", O_RDONLY) >= 0)
		return 1;
	if (open("../else", O_WRONLY | O_CREAT, 0600) >= 0)
		return 2;
	if (open("/proc/self/mem", O_RDWR) >= 0)
		return 3;
	return unlink("/etc/passwd") == 0 ? 5 : 0;
}

static void
the_store_can_keep_a_database(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(did_all(keep));
}

static void
the_store_can_keep_a_database_while_it_starts(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(did_all(keep_while_starting));
}

static void
a_database_of_another_mode_is_kept_all_the_same(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(did_all(keep_with_another_mode));
}

static void
no_mode_is_given_that_others_or_the_group_could_use(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(did_all(modes_that_give_nothing));
}

static void
files_elsewhere_cannot_be_had(void **state)
{
	(void)state;
	need_enforcing();
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1) {
		print_message("skipped: this kernel has no Landlock\n");
		skip();
	}
	assert_true(did_all(look_elsewhere));
}

static void
any_socket_but_a_local_one(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void
load_a_library(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 0);
}

static void
write_where_it_opened_itself(void)
{
	const int fd = open("new", O_WRONLY | O_CREAT, 0600);

	(void)!write(fd, "x", 1);
}

static void
rename_a_file(void)
{
	syscall(SYS_renameat2, AT_FDCWD, STORE_DB_NAME, AT_FDCWD, "other", 0);
}

static void
make_a_link(void)
{
	syscall(SYS_symlinkat, "/etc/passwd", AT_FDCWD, "other");
}

static void
change_a_mode_by_name(void)
{
	syscall(SYS_fchmodat, AT_FDCWD, STORE_DB_NAME, 04777);
}

static void
make_a_file_without_a_name(void)
{
	(void)open(".", O_RDWR | O_TMPFILE, 0600);
}

static void
make_a_file_in_the_old_way(void)
{
	syscall(SYS_creat, "new", 0755);
}

static void
make_a_directory(void)
{
	syscall(SYS_mkdirat, AT_FDCWD, "new", 0700);
}

static void
change_an_owner_by_name(void)
{
	syscall(SYS_fchownat, AT_FDCWD, STORE_DB_NAME, -1, 0, 0);
}

static void
change_the_umask(void)
{
	syscall(SYS_umask, 0);
}

static void
new_namespaces(void)
{
	syscall(SYS_unshare, CLONE_NEWUSER);
}

static void
send_to_somebody(void)
{
	syscall(SYS_sendto, 20, "x", 1, 0, NULL, 0);
}

static void
live_on_without_the_supervisor(void)
{
	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static void
change_a_handler(void)
{
	(void)signal(SIGSYS, SIG_IGN);
}

static void
raise_a_limit(void)
{
	struct rlimit limit = {1, 1};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void (*attempt)(void);

static int
start_and_attempt(void)
{
	start();
	attempt();
	return NOT_REFUSED;
}

static int
serve_and_attempt(void)
{
	serve();
	attempt();
	return NOT_REFUSED;
}

static void
everything_else_is_refused_when(int (*run)(void), bool serving)
{
	static const struct {
		const char *call; /* that is named */
		void (*attempt)(void);
	} attempts[] = {
	    {"socket", any_socket_but_a_local_one},
	    {"execve", run_a_program},
	    {"clone", start_a_process},
	    {"ptrace", trace_somebody},
	    {"process_vm_readv", read_somebodys_memory},
	    {"kill", kill_somebody},
	    {"mmap", load_a_library},
	    {"write", write_where_it_opened_itself},
	    {"renameat2", rename_a_file},
	    {"symlinkat", make_a_link},
	    {"fchmodat", change_a_mode_by_name},
	    {"openat", make_a_file_without_a_name},
	    {"creat", make_a_file_in_the_old_way},
	    {"mkdirat", make_a_directory},
	    {"fchownat", change_an_owner_by_name},
	    {"umask", change_the_umask},
	    {"unshare", new_namespaces},
	    {"sendto", send_to_somebody},
	    {"prctl", live_on_without_the_supervisor},
	    {"rt_sigaction", change_a_handler},
	    {"prlimit64", raise_a_limit},
	};
	size_t failed = 0;

	need_enforcing();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		attempt = attempts[i].attempt;
		/* Until the last list it may lower its own, and write to what it opens. */
		if (!serving &&
		    (attempt == raise_a_limit ||
			attempt == write_where_it_opened_itself))
			continue;
		if (!was_refused(run, attempts[i].call))
			failed++;
	}
	assert_int_equal(failed, 0);
}

static void
everything_else_is_refused_while_it_starts(void **state)
{
	(void)state;
	everything_else_is_refused_when(start_and_attempt, false);
}

static void
everything_else_is_refused(void **state)
{
	(void)state;
	everything_else_is_refused_when(serve_and_attempt, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		the_store_can_keep_a_database, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(
		the_store_can_keep_a_database_while_it_starts, make_place,
		remove_place),
	    cmocka_unit_test_setup_teardown(
		a_database_of_another_mode_is_kept_all_the_same, make_place,
		remove_place),
	    cmocka_unit_test_setup_teardown(
		no_mode_is_given_that_others_or_the_group_could_use, make_place,
		remove_place),
	    cmocka_unit_test_setup_teardown(
		files_elsewhere_cannot_be_had, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(
		everything_else_is_refused_while_it_starts, make_place, remove_place),
	    cmocka_unit_test_setup_teardown(
		everything_else_is_refused, make_place, remove_place),
	};

	return cmocka_run_group_tests_name("the store's sandbox", tests, NULL, NULL);
}
