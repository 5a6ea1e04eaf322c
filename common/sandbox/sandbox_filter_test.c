#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_testing.h"

static char path[64];

static int
make_file(void **state)
{
	(void)state;
	return make_temporary(path, sizeof(path));
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* What follows is refused, or the process ends with a code of its own. */
static void
shut_in(const struct sandbox_group *more, enum sandbox_mode mode)
{
	const struct sandbox_group *groups[] = {&sandbox_process, &sandbox_serving,
	    &sandbox_attempts, &sandbox_attempts_files, &sandbox_attempts_sockets,
	    more};

	if (sandbox_filter(groups, more ? 6 : 5, mode, HEAD) != 0)
		_exit(98);
}

static int
remove_it(void)
{
	shut_in(NULL, SANDBOX_ENFORCE);
	syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	return NOT_REFUSED;
}

static void
a_call_on_no_list_is_not_made_and_names_itself(void **state)
{
	struct ended ended;
	char line[256];

	(void)state;
	assert_true(was_refused(remove_it, "unlinkat"));
	assert_int_equal(access(path, F_OK), 0);
	end_of(remove_it, &ended);
	snprintf(line, sizeof(line),
	    HEAD
	    "the system call unlinkat (number %d) is not allowed here, or not with "
	    "these arguments: it was not made, and the process ends\n",
	    SYS_unlinkat);
	assert_string_equal(ended.said, line);
}

static int
try_in_vain(void)
{
	struct stat st;

	shut_in(NULL, SANDBOX_ENFORCE);
	if (open(path, O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 1;
	if (stat(path, &st) == 0 || errno != EACCES)
		return 2;
	if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 || errno != EACCES)
		return 3;
	if (socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0) >= 0 || errno != EACCES)
		return 4;
	return 0;
}

static int
look_at_a_path(void)
{
	const int fd = open("/", O_RDONLY | O_DIRECTORY);
	char st[512];

	shut_in(NULL, SANDBOX_ENFORCE);
	if (syscall(SYS_newfstatat, fd, path, st, AT_EMPTY_PATH) == 0 ||
	    errno != EACCES)
		return 1;
	if (syscall(SYS_newfstatat, AT_FDCWD, path, st, AT_EMPTY_PATH) == 0 ||
	    errno != EACCES)
		return 2;
	if (syscall(SYS_statx, fd, path, AT_EMPTY_PATH, 0, st) == 0 || errno != EACCES)
		return 3;
	return 0;
}

static void
paths_cannot_be_asked_about_in_the_name_of_a_descriptor(void **state)
{
	(void)state;
	assert_true(did_all(look_at_a_path));
}

static void
what_libraries_try_is_answered_with_an_error(void **state)
{
	(void)state;
	assert_true(did_all(try_in_vain));
}

/* ---- arguments ---- */

static const struct sandbox_call argument_calls[] = {
    {"fchmod", "test", 0, {{1, SANDBOX_IS, 0600, 0}}},
    {"fchdir", "test", ENOSYS, {{0, SANDBOX_KIND, 0x10, 0xf0}}},
    {"no_such_call", "test", 0, {{0}}},
    {"ftruncate", "test", 0,
	{{0, SANDBOX_IS, 0, 0}, {1, SANDBOX_WITHOUT, ~UINT64_C(0xff), 0}}},
    {"fchmod", "test", EPERM, {{1, SANDBOX_WITH, 04001, 0}}},
    {"lseek", "test", 0,
	{{0, SANDBOX_IS, 0, 0}, {1, SANDBOX_BELOW, 8, 0},
	    {2, SANDBOX_IS, SEEK_SET, 0}}},
    {"fcntl", "test", 0, {{0, SANDBOX_LATER, 0, 0}, {1, SANDBOX_IS, F_GETFL, 0}}},
};
static const struct sandbox_group argument_group =
    SANDBOX_GROUP("tests of arguments", argument_calls);

static int
fitting_arguments(void)
{
	const int fd = open(path, O_RDWR);
	char *memory;

	if (fd < 0 || dup2(fd, 0) < 0)
		return 1;
	shut_in(&argument_group, SANDBOX_ENFORCE);
	if (syscall(SYS_fchmod, fd, 0600) != 0)
		return 2;
	if (syscall(SYS_fchmod, fd, 04600) == 0 || errno != EPERM ||
	    syscall(SYS_fchmod, fd, 0601) == 0 || errno != EPERM)
		return 8;
	if (lseek(0, 7, SEEK_SET) != 7)
		return 9;
	if (fcntl(SANDBOX_LATER_MAX - 1, F_GETFL) >= 0 || errno != EBADF)
		return 10;
	if (fchdir(0x1f) == 0 || errno != ENOSYS || fchdir(0xff10) == 0 ||
	    errno != ENOSYS)
		return 3;
	if (ftruncate(0, 0xff) != 0)
		return 4;
	if (syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), 0) != 0)
		return 5;
	memory = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_READ) != 0 ||
	    munmap(memory, 4096) != 0)
		return 6;
	return prctl(PR_SET_NAME, "other") == 0 ? 0 : 7;
}

static int
another_value(void)
{
	const int fd = open(path, O_RDWR);

	shut_in(&argument_group, SANDBOX_ENFORCE);
	syscall(SYS_fchmod, fd, 0660);
	return NOT_REFUSED;
}

static int
another_kind(void)
{
	shut_in(&argument_group, SANDBOX_ENFORCE);
	syscall(SYS_fchdir, 0x20);
	return NOT_REFUSED;
}

static int
one_bit_too_many(void)
{
	shut_in(&argument_group, SANDBOX_ENFORCE);
	syscall(SYS_ftruncate, 0, 0x1ff);
	return NOT_REFUSED;
}

static int
the_second_fits_and_the_first_does_not(void)
{
	shut_in(&argument_group, SANDBOX_ENFORCE);
	syscall(SYS_ftruncate, 1, 0xff);
	return NOT_REFUSED;
}

static int
not_below(void)
{
	shut_in(&argument_group, SANDBOX_ENFORCE);
	(void)lseek(0, 8, SEEK_SET);
	return NOT_REFUSED;
}

static int
the_third_does_not_fit(void)
{
	shut_in(&argument_group, SANDBOX_ENFORCE);
	(void)lseek(0, 7, SEEK_END);
	return NOT_REFUSED;
}

static int
open_before(void)
{
	shut_in(&argument_group, SANDBOX_ENFORCE);
	(void)fcntl(0, F_GETFL);
	return NOT_REFUSED;
}

static int
another_socket_option(void)
{
	socklen_t size = sizeof(int);
	int value;

	shut_in(NULL, SANDBOX_ENFORCE);
	(void)getsockopt(0, SOL_SOCKET, 77, &value, &size); /* SO_PEERPIDFD */
	return NOT_REFUSED;
}

static int
another_process(void)
{
	shut_in(NULL, SANDBOX_ENFORCE);
	syscall(SYS_tgkill, 1, 1, 0);
	return NOT_REFUSED;
}

static int
code_in_new_memory(void)
{
	shut_in(NULL, SANDBOX_ENFORCE);
	(void)mmap(
	    NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return NOT_REFUSED;
}

static char page[8192];

static int
code_in_old_memory(void)
{
	char *aligned =
	    page + 4096 - (uintptr_t)page % 4096; /* as large as a page for sure */

	shut_in(NULL, SANDBOX_ENFORCE);
	(void)mprotect(aligned, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	return NOT_REFUSED;
}

static int
opening_to_write(void)
{
	shut_in(NULL, SANDBOX_ENFORCE);
	(void)open(path, O_WRONLY);
	return NOT_REFUSED;
}

static void
arguments_decide(void **state)
{
	(void)state;
	assert_true(did_all(fitting_arguments));
	assert_true(was_refused(another_value, "fchmod"));
	assert_true(was_refused(another_kind, "fchdir"));
	assert_true(was_refused(one_bit_too_many, "ftruncate"));
	assert_true(was_refused(the_second_fits_and_the_first_does_not, "ftruncate"));
	assert_true(was_refused(not_below, "lseek"));
	assert_true(was_refused(the_third_does_not_fit, "lseek"));
	assert_true(was_refused(open_before, "fcntl"));
	assert_true(was_refused(another_socket_option, "getsockopt"));
	assert_true(was_refused(another_process, "tgkill"));
	assert_true(was_refused(code_in_new_memory, "mmap"));
	assert_true(was_refused(code_in_old_memory, "mprotect"));
	assert_true(was_refused(opening_to_write, "openat"));
}

/* ---- the whole process, and for good ---- */

static pthread_barrier_t barrier;

static void *
older_thread(void *arg)
{
	sigset_t blocked;

	(void)arg;
	/* As nng does. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	syscall(SYS_setsid);
	_exit(NOT_REFUSED);
}

static int
in_an_older_thread(void)
{
	pthread_t thread;

	if (pthread_barrier_init(&barrier, NULL, 2) != 0 ||
	    pthread_create(&thread, NULL, older_thread, NULL) != 0)
		return 1;
	pthread_barrier_wait(&barrier);
	shut_in(NULL, SANDBOX_ENFORCE);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return NOT_REFUSED;
}

static void
threads_that_exist_are_filtered_too(void **state)
{
	(void)state;
	assert_true(was_refused(in_an_older_thread, "setsid"));
}

static int
a_handler_of_its_own(void)
{
	shut_in(NULL, SANDBOX_ENFORCE);
	(void)signal(SIGSYS, SIG_IGN);
	return NOT_REFUSED;
}

static int
with_the_signal_blocked(void)
{
	sigset_t set;

	shut_in(NULL, SANDBOX_ENFORCE);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	syscall(SYS_setsid);
	return NOT_REFUSED;
}

static int
a_list_of_its_own(void)
{
	shut_in(NULL, SANDBOX_ENFORCE);
	shut_in(NULL, SANDBOX_ENFORCE);
	return NOT_REFUSED;
}

static void
nothing_takes_it_back(void **state)
{
	struct ended ended;

	(void)state;
	assert_true(was_refused(a_handler_of_its_own, "rt_sigaction"));
	end_of(with_the_signal_blocked, &ended);
	assert_true(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGSYS);
	end_of(a_list_of_its_own, &ended);
	assert_true(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGSYS);
}

#ifdef __x86_64__
static int
as_32_bit_program(void)
{
	long result = 20; /* getpid there, writev here */

	shut_in(NULL, SANDBOX_ENFORCE);
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
	return NOT_REFUSED;
}

static void
numbers_of_another_architecture_are_refused(void **state)
{
	(void)state;
	assert_true(was_refused(as_32_bit_program, "of another architecture"));
}
#endif

/* ---- modes ---- */

static int
with_a_debugger(void)
{
	shut_in(NULL, SANDBOX_TRAP);
	syscall(SYS_setsid);
	return NOT_REFUSED;
}

static int
switched_off(void)
{
	shut_in(NULL, SANDBOX_OFF);
	return getppid() > 0 && prctl(PR_GET_SECCOMP) == 0 ? 0 : 1;
}

static void
the_mode_for_debuggers_stops_there_first(void **state)
{
	struct ended ended;

	(void)state;
	end_of(with_a_debugger, &ended);
	assert_non_null(strstr(ended.said, "the system call setsid"));
	assert_true(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGTRAP);
}

static void
switched_off_installs_nothing(void **state)
{
	(void)state;
	assert_true(did_all(switched_off));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_on_no_list_is_not_made_and_names_itself),
	    cmocka_unit_test(what_libraries_try_is_answered_with_an_error),
	    cmocka_unit_test(paths_cannot_be_asked_about_in_the_name_of_a_descriptor),
	    cmocka_unit_test(arguments_decide),
	    cmocka_unit_test(threads_that_exist_are_filtered_too),
	    cmocka_unit_test(nothing_takes_it_back),
#ifdef __x86_64__
	    cmocka_unit_test(numbers_of_another_architecture_are_refused),
#endif
	    cmocka_unit_test(the_mode_for_debuggers_stops_there_first),
	    cmocka_unit_test(switched_off_installs_nothing),
	};

#ifdef WEIR_SANITIZED
	/* They make calls, and take signals, of their own in every process. */
	print_message("skipped: a sanitizer does what is on no list\n");
	(void)tests;
	(void)make_file;
	(void)remove_file;
	return 77;
#else
	return cmocka_run_group_tests_name(
	    "lists of system calls", tests, make_file, remove_file);
#endif
}
