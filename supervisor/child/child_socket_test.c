#include <dirent.h>
#include <errno.h>
#include <linux/sched.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/child/child_testing.h"
#include "supervisor/loop/signals.h"

/* Of the one child that there is. */
static void
socket_path(char out[static 128])
{
	const struct dirent *entry;
	DIR *files = opendir(dir);
	unsigned found = 0;

	assert_non_null(files);
	while ((entry = readdir(files)) != NULL) {
		if (strstr(entry->d_name, ".sock") == NULL)
			continue;
		found++;
		snprintf(out, 128, "%s/%.32s", dir, entry->d_name);
	}
	closedir(files);
	assert_int_equal(found, 1);
}

static void
only_the_user_of_a_child_may_connect_and_nobody_knows_the_name_before(void **state)
{
	char first[128];
	char second[128];
	struct stat st;

	(void)state;
	start_program("weir-worker", 4711);
	kill(child_pid(child), SIGSTOP);
	socket_path(first);
	assert_int_equal(lstat(first, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, 4711);
	kill(child_pid(child), SIGKILL);
	turn_until(&reaped, 1, 5000);
	for (int i = 0; i < 50 && children_count(children) > 0; i++)
		loop_turn(loop, 20);
	connected = died = reaped = 0;
	start();
	socket_path(second);
	assert_string_not_equal(first, second);
	assert_true(strlen(second + strlen(dir)) <= strlen("/NNNNNNNNNN.sock"));
}

/* The parts of a process made by clone3(), which shares no lock with anybody: greets, and
 * says by its exit code whether it was hung up on. */
static void
greet_and_exit(const struct sockaddr_un *address)
{
	static const char greeting[] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
	char answer[64];
	struct pollfd fd = {
	    .fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0), .events = POLLIN};

	if (syscall(SYS_connect, fd.fd, address, sizeof(*address)) < 0)
		syscall(SYS_exit_group, 2);
	if (syscall(SYS_write, fd.fd, greeting, sizeof(greeting)) < 0)
		syscall(SYS_exit_group, 0);
	while (syscall(SYS_poll, &fd, 1, 3000) > 0) {
		if (syscall(SYS_read, fd.fd, answer, sizeof(answer)) <= 0)
			syscall(SYS_exit_group, 0);
	}
	syscall(SYS_exit_group, 1);
}

static void
another_process_with_the_number_of_one_that_was_reaped_is_refused(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid_size = 1};
	char path[128];
	int status;
	pid_t pid;
	long cloned;

	(void)state;
	start();
	kill(child_pid(child), SIGSTOP); /* it has not dialled */
	pid = child_pid(child);
	args.set_tid = (uintptr_t)&pid;
	socket_path(path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", path);
	kill(pid, SIGKILL);
	turn_until(&reaped, 1, 5000);
	/* The loop stands still, so the socket still listens. */
	assert_int_equal(access(path, F_OK), 0);
	cloned = syscall(SYS_clone3, &args, sizeof(args));
	if (cloned == 0)
		greet_and_exit(&address);
	if (cloned < 0 && (errno == EPERM || errno == ENOSYS)) {
		print_message("skipped: nobody may choose the number of a process\n");
		skip();
	}
	assert_int_equal(cloned, pid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(connected, 0);
}

static void
a_foreign_process_at_the_socket_is_refused(void **state)
{
	struct outcome outcome;
	nng_socket foreign;
	nng_msg *message;
	char path[128];
	char url[140];

	(void)state;
	start();
	kill(child_pid(child), SIGSTOP); /* so that the stranger may come first */
	assert_int_equal(nng_rep0_open(&foreign), 0);
	nng_socket_set_ms(foreign, NNG_OPT_RECVTIMEO, 400);
	socket_path(path);
	snprintf(url, sizeof(url), "ipc://%s", path);
	nng_dial(foreign, url, NULL, 0);
	ask_child(MSG_STATUS, 5000, &outcome);
	assert_int_equal(nng_recvmsg(foreign, &message, 0), NNG_ETIMEDOUT);
	assert_int_equal(outcome.count, 0);
	kill(child_pid(child), SIGCONT);
	turn_until(&outcome.count, 1, 5000);
	assert_int_equal(outcome.rc, 0);
	assert_int_equal(outcome.file_id, 77);
	nng_close(foreign);
}

static void
closing_the_pipe_ends_the_child_and_removes_its_socket(void **state)
{
	struct outcome outcome;
	char path[128];

	(void)state;
	start();
	turn_until(&connected, 1, 5000);
	socket_path(path);
	assert_int_equal(access(path, F_OK), 0);
	ask_child(MSG_STATUS, 5000, &outcome);
	child_close(child);
	assert_int_equal(outcome.count, 1);
	assert_int_equal(outcome.rc, -ECONNRESET);
	turn_until(&reaped, 1, 5000);
	assert_true(WIFEXITED(last_status) && WEXITSTATUS(last_status) == 0);
	assert_int_equal(access(path, F_OK), -1);
	for (int i = 0; i < 50 && children_count(children) > 0; i++)
		loop_turn(loop, 20);
	assert_int_equal(children_count(children), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(only_the_user_of_a_child_may_connect_and_nobody_knows_the_name_before),
	    TEST(another_process_with_the_number_of_one_that_was_reaped_is_refused),
	    TEST(a_foreign_process_at_the_socket_is_refused),
	    TEST(closing_the_pipe_ends_the_child_and_removes_its_socket),
	};

	if (signals_block() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
