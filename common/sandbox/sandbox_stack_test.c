#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

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

/* The list before the last. */
static void
shut_in_first(void)
{
	const struct sandbox_group *const groups[] = {&sandbox_process,
	    &sandbox_serving, &sandbox_starting, &sandbox_attempts,
	    &sandbox_attempts_files};

	if (sandbox_filter(groups, 5, SANDBOX_ENFORCE, HEAD) != 0)
		_exit(98);
}

/* The last one. */
static void
shut_in(void)
{
	const struct sandbox_group *const groups[] = {&sandbox_process,
	    &sandbox_serving, &sandbox_attempts, &sandbox_attempts_files,
	    &sandbox_attempts_sockets};

	if (sandbox_filter(groups, 5, SANDBOX_ENFORCE, HEAD) != 0)
		_exit(98);
}

/* ---- outlets ---- */

static int
write_to_outlets(void)
{
	const int fd = open(path, O_WRONLY);
	const int event = eventfd(0, 0);
	int sockets[2], fds[2];
	uint64_t one = 1;

	if (fd < 0 || event < 0 || pipe(fds) != 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0 || dup2(fd, 2) < 0)
		return 1;
	shut_in();
	if (write(fds[1], "x", 1) != 1 || write(sockets[0], "x", 1) != 1 ||
	    write(event, &one, sizeof(one)) != sizeof(one))
		return 2;
	return write(2, "x", 1) == 1 ? 0 : 3; /* a file, when the log is one */
}

static int
write_to_a_file(void)
{
	const int fd = open(path, O_WRONLY);

	shut_in();
	(void)!write(fd, "x", 1);
	return NOT_REFUSED;
}

static int
write_to_standard_output(void)
{
	int fds[2];

	if (pipe(fds) != 0 || dup2(fds[1], 1) < 0)
		return 1;
	shut_in();
	(void)!write(1, "x", 1);
	return NOT_REFUSED;
}

static int
write_to_a_number_that_was_free(void)
{
	const int fd = open(path, O_WRONLY);

	close(fd);
	shut_in();
	(void)!write(fd, "x", 1);
	return NOT_REFUSED;
}

static int
write_to_the_wire(void)
{
	const int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0)
		return 1;
	shut_in();
	(void)!write(fd, "x", 1);
	return NOT_REFUSED;
}

static int
send_to_the_wire(void)
{
	const int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct msghdr message = {.msg_iov = NULL};

	if (fd < 0)
		return 1;
	shut_in();
	(void)sendmsg(fd, &message, 0);
	return NOT_REFUSED;
}

static int
read_from_the_wire(void)
{
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	char byte;

	if (fd < 0)
		return 1;
	shut_in();
	return read(fd, &byte, 1) < 0 && errno == EAGAIN ? 0 : 2;
}

static void
only_outlets_of_the_moment_can_be_written_to(void **state)
{
	(void)state;
	assert_true(did_all(write_to_outlets));
	assert_true(was_refused(write_to_a_file, "write"));
	assert_true(was_refused(write_to_standard_output, "write"));
	assert_true(was_refused(write_to_a_number_that_was_free, "write"));
}

static void
packet_sockets_can_be_read_and_not_written_to(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root for a packet socket\n");
		skip();
	}
	assert_true(did_all(read_from_the_wire));
	assert_true(was_refused(write_to_the_wire, "write"));
	assert_true(was_refused(send_to_the_wire, "sendmsg"));
}

/* ---- one list after the other ---- */

static void *
do_nothing(void *arg)
{
	return arg;
}

static int
start(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	uint64_t one = 1;
	pthread_t thread;
	int event, fd;

	shut_in_first();
	if (pthread_create(&thread, NULL, do_nothing, NULL) != 0 ||
	    pthread_join(thread, NULL) != 0)
		return 1;
	event = eventfd(0, 0);
	if (event < 0 || fcntl(event, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(event, F_SETFL, O_NONBLOCK) != 0 || epoll_create1(0) < 0)
		return 2;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
	    errno != ECONNREFUSED)
		return 3;
	if (write(event, &one, sizeof(one)) != sizeof(one))
		return 4;
	shut_in();
	if (write(event, &one, sizeof(one)) != sizeof(one))
		return 5;
	return socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EACCES ? 0 : 6;
}

static int
a_process_of_its_own(void)
{
	shut_in_first();
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
		_exit(0);
	return NOT_REFUSED;
}

static int
a_thread_in_other_namespaces(void)
{
	shut_in_first();
	syscall(SYS_unshare, CLONE_NEWUSER);
	return NOT_REFUSED;
}

static int
a_socket_of_the_network(void)
{
	shut_in_first();
	(void)socket(AF_INET, SOCK_STREAM, 0);
	return NOT_REFUSED;
}

static int
an_open_socket_elsewhere(void)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0)
		return 1;
	shut_in_first();
	syscall(SYS_connect, sockets[0], NULL, 0);
	return NOT_REFUSED;
}

static int
limits_of_another_process(void)
{
	shut_in_first();
	syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, NULL);
	return NOT_REFUSED;
}

static int
the_handler_of_refusals(void)
{
	shut_in_first();
	(void)signal(SIGSYS, SIG_IGN);
	return NOT_REFUSED;
}

static int
a_list_with_a_listener(void)
{
	shut_in_first();
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
	    NULL);
	return NOT_REFUSED;
}

static int
a_thread_after_the_second(void)
{
	shut_in_first();
	shut_in();
	syscall(SYS_clone3, NULL, 0);
	return NOT_REFUSED;
}

static int
the_first_again_after_the_second(void)
{
	shut_in_first();
	shut_in();
	shut_in_first();
	return NOT_REFUSED;
}

static void
a_start_has_threads_and_one_local_socket_until_the_next_list(void **state)
{
	(void)state;
	assert_true(did_all(start));
	assert_true(was_refused(a_thread_after_the_second, "clone3"));
}

static void
a_start_has_nothing_else(void **state)
{
	(void)state;
	assert_true(was_refused(a_process_of_its_own, "clone"));
	assert_true(was_refused(a_thread_in_other_namespaces, "unshare"));
	assert_true(was_refused(a_socket_of_the_network, "socket"));
	assert_true(was_refused(an_open_socket_elsewhere, "connect"));
	assert_true(was_refused(limits_of_another_process, "prlimit64"));
	assert_true(was_refused(the_handler_of_refusals, "rt_sigaction"));
	assert_true(was_refused(a_list_with_a_listener, "seccomp"));
}

static void
a_later_list_only_takes_away(void **state)
{
	struct ended ended;

	(void)state;
	end_of(the_first_again_after_the_second, &ended);
	assert_true(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGSYS);
}

/* ---- the line ---- */

static int
with_a_log_that_nobody_reads(void)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK) != 0)
		return 1;
	while (write(fds[1], HEAD, sizeof(HEAD)) > 0)
		;
	if (errno != EAGAIN || fcntl(fds[1], F_SETFL, 0) != 0 || dup2(fds[1], 2) < 0)
		return 2;
	(void)alarm(10); /* SIGALRM instead of SIGSYS, if it waits */
	shut_in();
	syscall(SYS_setsid);
	return NOT_REFUSED;
}

static void
a_full_log_does_not_hold_up_the_end(void **state)
{
	struct ended ended;

	(void)state;
	end_of(with_a_log_that_nobody_reads, &ended);
	assert_true(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGSYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_outlets_of_the_moment_can_be_written_to),
	    cmocka_unit_test(packet_sockets_can_be_read_and_not_written_to),
	    cmocka_unit_test(
		a_start_has_threads_and_one_local_socket_until_the_next_list),
	    cmocka_unit_test(a_start_has_nothing_else),
	    cmocka_unit_test(a_later_list_only_takes_away),
	    cmocka_unit_test(a_full_log_does_not_hold_up_the_end),
	};

#ifdef WEIR_SANITIZED
	/* They make calls, and take signals, of their own in every process. */
	print_message("skipped: a sanitizer does what is on no list\n");
	(void)tests;
	(void)make_file;
	(void)remove_file;
	return 77;
#else
	return cmocka_run_group_tests_name("lists of system calls, one after the other",
	    tests, make_file, remove_file);
#endif
}
