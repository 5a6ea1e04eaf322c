#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/host/directory.h"
#include "supervisor/iface/records.h"

static char dir[64];
static int dir_fd;

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-records-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static void
remove_one(void *arg, const char *name)
{
	(void)arg;
	unlinkat(dir_fd, name, 0);
}

static int
teardown(void **state)
{
	(void)state;
	records_each(dir_fd, remove_one, NULL);
	close(dir_fd);
	return rmdir(dir);
}

static struct iface_name
iface(const char *name)
{
	struct iface_name out;

	assert_int_equal(iface_name_set(&out, name), 0);
	return out;
}

static void
a_file_is_named_after_its_interface_with_odd_bytes_escaped(void **state)
{
	char name[RECORDS_NAME_SIZE];
	struct iface_name odd = iface("a@b\"c;$(");

	(void)state;
	records_name(&odd, name);
	assert_string_equal(name, "a%40b%22c%3B%24%28.flows");
	odd = iface("eth0.100");
	records_name(&odd, name);
	assert_string_equal(name, "eth0.100.flows");
}

static void
the_interface_is_known_from_the_name_of_its_file(void **state)
{
	static const char *const good[] = {"eth0", "vb", "a+b%2B", "%", ".x", "e.th",
	    "tr\xc3\xa4ge", "x.flows", "0123456789abcde", "%%%%%%%%%%%%%%%"};
	static const char *const bad[] = {"eth0", ".flows",
	    "eth0.flows.damaged-20260131T235959.123Z", "eth0.flows~", "e%2.flows",
	    "e%zz.flows", "e%41.flows", "e%2f.flows", "e%2F.flows", "e%20f.flows",
	    "e%00.flows", "0123456789abcdef.flows", "a b.flows", "%", "", "%+f.flows",
	    "% f.flows", "..flows"};
	char name[RECORDS_NAME_SIZE];
	struct iface_name found;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct iface_name known;

		assert_int_equal(iface_name_set(&known, good[i]), 0);
		records_name(&known, name);
		assert_int_equal(records_iface(name, &found), 0);
		assert_string_equal(found.s, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(records_iface(bad[i], &found), -EINVAL);
}

static void
a_new_file_is_empty_and_only_roots(void **state)
{
	struct iface_name eth0 = iface("eth0");
	struct stat st;
	int fd;

	(void)state;
	umask(0);
	fd = records_open(dir_fd, &eth0);
	assert_true(fd >= 0);
	assert_true(records_empty(fd));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void
a_file_that_somebody_has_cannot_be_opened_twice(void **state)
{
	struct iface_name eth0 = iface("eth0");
	int first = records_open(dir_fd, &eth0);
	int inherited = dup(first);
	int second;

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(records_open(dir_fd, &eth0), -EWOULDBLOCK);
	/* As when the supervisor has died and its worker still runs. */
	close(first);
	assert_int_equal(records_open(dir_fd, &eth0), -EWOULDBLOCK);
	close(inherited);
	second = records_open(dir_fd, &eth0);
	assert_true(second >= 0);
	close(second);
}

static void
a_link_in_the_place_of_a_file_is_refused(void **state)
{
	struct iface_name eth0 = iface("eth0");

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", dir_fd, "eth0.flows"), 0);
	assert_int_equal(records_open(dir_fd, &eth0), -ELOOP);
}

static void
a_damaged_file_is_kept_under_another_name(void **state)
{
	struct iface_name eth0 = iface("eth0");
	char name[RECORDS_NAME_SIZE];
	struct stat before;
	struct stat after;
	int fd = records_open(dir_fd, &eth0);
	int fresh;

	(void)state;
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(records_set_aside(dir_fd, &eth0, name), 0);
	assert_int_equal(strncmp(name, "eth0.flows.damaged-20", 21), 0);
	assert_int_equal(fstatat(dir_fd, name, &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	fresh = records_open(dir_fd, &eth0); /* though the old one is still locked */
	assert_true(fresh >= 0);
	assert_true(records_empty(fresh));
	close(fresh);
	close(fd);
}

static void
numbers_of_files_differ_and_are_never_zero(void **state)
{
	uint64_t a = 0;
	uint64_t b = 0;

	(void)state;
	assert_int_equal(records_new_id(&a), 0);
	assert_int_equal(records_new_id(&b), 0);
	assert_true(a != 0 && b != 0 && a != b);
}

static void
a_directory_with_something_else_in_it_is_left_alone(void **state)
{
	struct directory want = {.key = "runtime",
	    .path = dir,
	    .uid = geteuid(),
	    .gid = getegid(),
	    .mode = 0751,
	    .mark = "weir.lock"};
	struct stat st;
	int fd;

	(void)state;
	fd = openat(dir_fd, "other.flows", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(directory_open(AT_FDCWD, dir, &want), -EEXIST);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(unlinkat(dir_fd, "other.flows", 0), 0);
	fd = directory_open(AT_FDCWD, dir, &want);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
}

static void
a_link_is_no_directory(void **state)
{
	struct directory want = {
	    .key = "store", .path = "link.flows", .uid = geteuid(), .mode = 0700};

	(void)state;
	assert_int_equal(symlinkat("/tmp", dir_fd, "link.flows"), 0);
	assert_true(directory_open(dir_fd, "link.flows", &want) < 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_file_is_named_after_its_interface_with_odd_bytes_escaped),
	    TEST(the_interface_is_known_from_the_name_of_its_file),
	    TEST(a_new_file_is_empty_and_only_roots),
	    TEST(a_file_that_somebody_has_cannot_be_opened_twice),
	    TEST(a_link_in_the_place_of_a_file_is_refused),
	    TEST(a_damaged_file_is_kept_under_another_name),
	    TEST(numbers_of_files_differ_and_are_never_zero),
	    TEST(a_directory_with_something_else_in_it_is_left_alone),
	    TEST(a_link_is_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
