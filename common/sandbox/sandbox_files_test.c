#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_testing.h"

#define USER 54321
#define NO_LANDLOCK 77 /* exit code */

/* A directory with a file, and beside it a socket and a file. */
static char base[64];
static char inside[80];
static char inside_file[96];
static char outside_file[96];
static char socket_path[96];
static int listener;

static int
touch(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

static struct sockaddr_un
named(const char *name, bool abstract, socklen_t *size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path + abstract, sizeof(address.sun_path) - 1, "%s", name);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
	    strlen(name) + !abstract);
	return address;
}

static int
make_place(void **state)
{
	struct sockaddr_un address;
	socklen_t size;

	(void)state;
	snprintf(base, sizeof(base), "/tmp/weir-test-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(inside, sizeof(inside), "%s/in", base);
	snprintf(inside_file, sizeof(inside_file), "%s/file", inside);
	snprintf(outside_file, sizeof(outside_file), "%s/file", base);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", base);
	if (mkdir(inside, 0777) != 0 || touch(inside_file) != 0 ||
	    touch(outside_file) != 0)
		return -1;
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address = named(socket_path, false, &size);
	return bind(listener, (struct sockaddr *)&address, size) != 0 ||
		listen(listener, 8) != 0
	    ? -1
	    : 0;
}

static int
remove_place(void **state)
{
	(void)state;
	close(listener);
	unlink(socket_path);
	unlink(inside_file);
	unlink(outside_file);
	rmdir(inside);
	return rmdir(base);
}

static void
expect_all(int (*run)(void))
{
	struct ended ended;

	end_of(run, &ended);
	if (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == NO_LANDLOCK) {
		print_message(
		    "skipped: this kernel has no Landlock, or an older one\n");
		skip();
	}
	if (ended.status != 0)
		fail_msg("it ended with %x, and said: %s", (unsigned)ended.status,
		    ended.said);
}

/* ---- Landlock ---- */

static void
shut_in(int directory, int abi_needed)
{
	int abi = -1;

	if (sandbox_files(directory, &abi) != 0)
		_exit(201);
	if (abi < abi_needed)
		_exit(NO_LANDLOCK);
}

static int
without_any_directory(void)
{
	const int open_before = open(inside_file, O_RDWR);
	char byte;

	shut_in(-1, 1);
	if (open(inside_file, O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	if (open("/proc/self/status", O_RDONLY) >= 0 || errno != EACCES)
		return 2;
	if (open("/proc/self/mem", O_RDWR) >= 0 || errno != EACCES)
		return 3;
	if (open("/", O_RDONLY | O_DIRECTORY) >= 0 || errno != EACCES)
		return 4;
	if (unlink(outside_file) == 0 || mkdir("/tmp/weir-test-none", 0700) == 0)
		return 5;
	/* What is open stays open. */
	return write(open_before, "x", 1) == 1 && pread(open_before, &byte, 1, 0) == 1
	    ? 0
	    : 6;
}

static void
no_directory_is_no_file_at_all(void **state)
{
	(void)state;
	expect_all(without_any_directory);
	assert_int_equal(access(outside_file, F_OK), 0);
}

static int
with_a_directory(void)
{
	const int directory = open(inside, O_RDONLY | O_DIRECTORY);
	int fd;

	if (fchdir(directory) != 0)
		return 1;
	shut_in(directory, 1);
	fd = open("file", O_RDWR);
	if (fd < 0 || write(fd, "abc", 3) != 3 || ftruncate(fd, 1) != 0)
		return 2;
	if (open(".", O_RDONLY | O_DIRECTORY) < 0)
		return 3;
	fd = openat(directory, "new", O_RDWR | O_CREAT | O_TRUNC, 0640);
	if (fd < 0 || write(fd, "x", 1) != 1 || unlink("new") != 0)
		return 4;
	if (open("../file", O_RDONLY) >= 0 || errno != EACCES)
		return 5;
	if (open(outside_file, O_RDONLY) >= 0 || errno != EACCES)
		return 6;
	if (link("file", "../other") == 0 || rename("file", "../other") == 0)
		return 7;
	if (mkdir("directory", 0700) == 0 || symlink("/etc/passwd", "file2") == 0)
		return 8;
	return 0;
}

static void
one_directory_is_what_is_below_it_and_plain_files_there(void **state)
{
	(void)state;
	expect_all(with_a_directory);
}

static int
sockets(void)
{
	socklen_t size;
	struct sockaddr_un address = named(socket_path, false, &size);
	int fd;

	shut_in(-1, 1);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return fd >= 0 && connect(fd, (struct sockaddr *)&address, size) == 0 ? 0 : 1;
}

static void
sockets_with_a_path_can_still_be_connected_to(void **state)
{
	(void)state;
	expect_all(sockets);
}

static int
others(void)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET,
	    .sin_port = htons(9),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const pid_t parent = getppid();
	struct sockaddr_un address;
	char name[32];
	socklen_t size;
	int fd;

	/* Listens before; so only the sandbox can keep somebody away. */
	snprintf(name, sizeof(name), "weir-test-%d", (int)getpid());
	address = named(name, true, &size);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1) != 0)
		return 1;
	shut_in(-1, 6);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, size) == 0 || errno != EPERM)
		return 2;
	if (kill(parent, 0) == 0 || errno != EPERM)
		return 3;
	if (kill(getpid(), 0) != 0)
		return 4;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0 ||
	    errno != EACCES)
		return 5;
	return 0;
}

static void
abstract_sockets_signals_and_tcp_end_at_the_process(void **state)
{
	(void)state;
	expect_all(others);
}

/* ---- limits ---- */

static int
grow_a_file(void)
{
	const struct sandbox_limits limits = {
	    .file_size = 4096, .descriptors = 64, .threads = SANDBOX_NO_LIMIT};
	const int fd = open(inside_file, O_RDWR | O_TRUNC);

	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0 || sandbox_limit(&limits) != 0)
		return 1;
	if (posix_fallocate(fd, 0, 4096) != 0)
		return 2;
	return posix_fallocate(fd, 0, 4097) == EFBIG ? 0 : 3;
}

static int
open_more(void)
{
	struct sandbox_limits limits = {.file_size = SANDBOX_NO_LIMIT,
	    .descriptors = sandbox_no_more_descriptors(),
	    .threads = SANDBOX_NO_LIMIT};
	int fd = -1;

	/* From the lowest free number or 8 on. */
	while (fd < 7)
		fd = dup(0);
	limits.descriptors = sandbox_no_more_descriptors();
	if (limits.descriptors != (uint64_t)fd + 1 || sandbox_limit(&limits) != 0)
		return 1;
	return dup(0) < 0 && errno == EMFILE ? 0 : 2;
}

static int
start_more(void)
{
	const struct sandbox_limits limits = {
	    .file_size = SANDBOX_NO_LIMIT, .descriptors = 64, .threads = 0};

	if (geteuid() == 0 && setresuid(USER, USER, USER) != 0)
		return 1;
	if (sandbox_limit(&limits) != 0)
		return 2;
	return fork() < 0 && errno == EAGAIN ? 0 : 3;
}

static int
no_way_back(void)
{
	const struct sandbox_limits limits = {
	    .file_size = 4096, .descriptors = 64, .threads = SANDBOX_NO_LIMIT};
	struct rlimit limit = {1 << 20, 1 << 20};

	if (geteuid() == 0 && setresuid(USER, USER, USER) != 0)
		return 1;
	if (sandbox_limit(&limits) != 0)
		return 2;
	if (setrlimit(RLIMIT_FSIZE, &limit) == 0 || errno != EPERM)
		return 3;
	if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0)
		return 4;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_max != 0)
		return 5;
	return getrlimit(RLIMIT_MSGQUEUE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 6;
}

static void
files_do_not_grow_beyond_the_limit(void **state)
{
	(void)state;
	expect_all(grow_a_file);
}

static void
no_descriptor_can_be_had_beyond_the_limit(void **state)
{
	(void)state;
	expect_all(open_more);
}

static void
no_process_can_be_started_beyond_the_limit(void **state)
{
	(void)state;
	expect_all(start_more);
}

static void
limits_cannot_be_raised_again(void **state)
{
	(void)state;
	expect_all(no_way_back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_directory_is_no_file_at_all),
	    cmocka_unit_test(one_directory_is_what_is_below_it_and_plain_files_there),
	    cmocka_unit_test(sockets_with_a_path_can_still_be_connected_to),
	    cmocka_unit_test(abstract_sockets_signals_and_tcp_end_at_the_process),
	    cmocka_unit_test(files_do_not_grow_beyond_the_limit),
	    cmocka_unit_test(no_descriptor_can_be_had_beyond_the_limit),
	    cmocka_unit_test(no_process_can_be_started_beyond_the_limit),
	    cmocka_unit_test(limits_cannot_be_raised_again),
	};

	return cmocka_run_group_tests_name(
	    "files and limits", tests, make_place, remove_place);
}
