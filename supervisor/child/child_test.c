#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "supervisor/child/child.h"
#include "supervisor/loop/signals.h"

static struct loop *loop;
static struct children *children;
static struct signals signals;
static struct child *child;
static char dir[64];
static int program_dir;
static int data_fd;

static unsigned connected;
static unsigned died;
static unsigned reaped;
static int last_status;

static void
on_connected(void *arg, struct child *which)
{
	(void)arg;
	(void)which;
	connected++;
}

static void
on_died(void *arg, struct child *which)
{
	(void)arg;
	assert_int_equal(reaped, 0);
	assert_ptr_equal(which, child);
	died++;
}

static void
on_reaped(void *arg, struct child *which, int status)
{
	(void)arg;
	(void)which;
	assert_int_equal(died, 1);
	reaped++;
	last_status = status;
	child = NULL;
}

static const struct child_events events = {
    .connected = on_connected, .died = on_died, .reaped = on_reaped};

static void
on_signal(void *arg, int signal)
{
	(void)arg;
	if (signal == SIGCHLD)
		children_reap(children);
}

static void
start(const char *const *args)
{
	struct capture_config config;
	struct pack first;
	struct child_options options = {.program = "weir-worker",
	    .label = "weir-worker test0",
	    .args = args,
	    .socket_dir = dir,
	    .socket_uid = geteuid(),
	    .first = &first,
	    .data_fd = data_fd,
	    .errors_fd = -1};

	capture_config_default(&config);
	pack_init(&first);
	pack_request(&first, MSG_UPDATE);
	pack_key_u64(&first, "seq", 0);
	pack_key_str(&first, "iface", "test0");
	pack_key_u64(&first, "file_id", 77);
	pack_key_i64(&first, "begin_ms", 1000);
	pack_key_config(&first, "config", &config);
	assert_int_equal(pack_finish(&first), 0);
	assert_int_equal(child_start(&child, children, &options, &events, NULL), 0);
	pack_fini(&first);
}

static int
setup(void **state)
{
	(void)state;
	connected = died = reaped = 0;
	strcpy(dir, "/tmp/weir-child-XXXXXX");
	if (!mkdtemp(dir) || setenv("WEIR_FAKE_DIR", dir, 1) != 0)
		return -1;
	program_dir = open(WEIR_TEST_FAKES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	data_fd = memfd_create("records", MFD_CLOEXEC);
	if (program_dir < 0 || data_fd < 0 || loop_new(&loop) != 0 ||
	    children_new(&children, loop, program_dir) != 0)
		return -1;
	return signals_watch(&signals, loop, on_signal, NULL);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	if (children_free(children) != 0)
		return -1;
	signals_fini(&signals);
	loop_free(loop);
	close(program_dir);
	close(data_fd);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void
turn_until(const unsigned *count, unsigned want, int64_t most_ms)
{
	struct mono end = mono_plus_ms(mono_now(), most_ms);

	while (*count < want && mono_ms_between(mono_now(), end) > 0)
		assert_int_equal(loop_turn(loop, 20), 0);
	assert_int_equal(*count, want);
}

struct outcome {
	unsigned count;
	int rc;
	enum msg_error error;
	uint64_t file_id;
};

static void
on_answer(void *arg, int rc, struct reply *reply)
{
	struct outcome *outcome = arg;

	outcome->count++;
	outcome->rc = rc;
	if (reply) {
		outcome->error = reply->msg.error;
		view_u64(reply->msg.body, "file_id", UINT64_MAX, &outcome->file_id);
	}
	reply_free(reply);
}

static struct child_ask *
ask_child(enum msg_type type, int64_t ms, struct outcome *outcome)
{
	struct child_ask *ask = NULL;
	struct pack request;

	*outcome = (struct outcome){0};
	pack_init(&request);
	pack_request(&request, type);
	if (type == MSG_ROTATE) {
		pack_key_u64(&request, "seq", 1);
		pack_key_i64(&request, "end_ms", 2000);
	}
	assert_int_equal(pack_finish(&request), 0);
	assert_int_equal(
	    child_ask(&ask, child, type, &request, ms, on_answer, outcome), 0);
	pack_fini(&request);
	return ask;
}

static void
script(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void
a_child_answers_also_what_was_asked_before_it_dialled(void **state)
{
	struct outcome outcome[3];

	(void)state;
	start(NULL);
	for (int i = 0; i < 3; i++)
		ask_child(MSG_STATUS, 5000, &outcome[i]);
	turn_until(&outcome[2].count, 1, 5000);
	turn_until(&outcome[1].count, 1, 5000);
	turn_until(&outcome[0].count, 1, 5000);
	turn_until(&connected, 1, 1000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(outcome[i].rc, 0);
		assert_int_equal(outcome[i].error, MSG_OK);
		assert_int_equal(outcome[i].file_id, 77);
	}
	assert_true(child_connected(child));
}

static void
an_error_of_the_child_is_an_answer(void **state)
{
	struct outcome outcome;

	(void)state;
	start(NULL);
	ask_child(MSG_APPEND, 5000, &outcome);
	turn_until(&outcome.count, 1, 5000);
	assert_int_equal(outcome.rc, 0);
	assert_int_equal(outcome.error, MSG_E_UNKNOWN_TYPE);
}

static void
a_child_that_dies_with_a_request_ends_it_at_once(void **state)
{
	struct outcome outcome;
	struct mono begin;
	char text[CHILD_EXIT_TEXT];

	(void)state;
	start(NULL);
	turn_until(&connected, 1, 5000);
	script("worker.die-before-rotate");
	begin = mono_now();
	ask_child(MSG_ROTATE, 5000, &outcome);
	turn_until(&outcome.count, 1, 5000);
	assert_int_equal(outcome.rc, -ECONNRESET);
	turn_until(&reaped, 1, 5000);
	assert_true(mono_ms_between(begin, mono_now()) < 1000);
	assert_string_equal(child_exit_text(last_status, text), "signal 9 (Killed)");
}

static void
an_end_by_the_sandbox_says_that_the_log_names_the_call(void **state)
{
	char text[CHILD_EXIT_TEXT];

	(void)state;
	assert_string_equal(child_exit_text(SIGSYS, text),
	    "signal 31 (Bad system call): its sandbox refused a system call; the log "
	    "names it");
}

static void
the_death_of_an_idle_child_is_noticed(void **state)
{
	struct mono begin;

	(void)state;
	start(NULL);
	turn_until(&connected, 1, 5000);
	begin = mono_now();
	kill(child_pid(child), SIGKILL);
	turn_until(&died, 1, 5000);
	assert_true(mono_ms_between(begin, mono_now()) < 200);
	turn_until(&reaped, 1, 5000);
}

static void
a_missed_deadline_is_followed_by_a_ping_before_the_kill(void **state)
{
	struct outcome outcome;
	struct mono begin = mono_now();

	(void)state;
	start(NULL);
	turn_until(&connected, 1, 5000);
	kill(child_pid(child), SIGSTOP);
	ask_child(MSG_STATUS, 200, &outcome);
	turn_until(&outcome.count, 1, 2000);
	assert_int_equal(outcome.rc, -ETIMEDOUT);
	assert_int_equal(died, 0);
	/* Going on in time saves it: the ping is answered. */
	kill(child_pid(child), SIGCONT);
	for (int i = 0; i < 30; i++)
		loop_turn(loop, 20);
	assert_int_equal(died, 0);

	kill(child_pid(child), SIGSTOP);
	begin = mono_now();
	ask_child(MSG_STATUS, 200, &outcome);
	turn_until(&reaped, 1, 10000);
	assert_in_range(mono_ms_between(begin, mono_now()), 200 + CHILD_PING_MS,
	    1500 + CHILD_PING_MS);
	assert_true(WIFSIGNALED(last_status) && WTERMSIG(last_status) == SIGKILL);
}

static void
while_a_longer_request_is_under_way_its_deadline_counts(void **state)
{
	struct outcome longer;
	struct outcome shorter;

	(void)state;
	start(NULL);
	turn_until(&connected, 1, 5000);
	kill(child_pid(child), SIGSTOP);
	ask_child(MSG_STATUS, 20000, &longer);
	ask_child(MSG_STATUS, 100, &shorter);
	turn_until(&shorter.count, 1, 2000);
	for (int64_t ms = 0; ms < CHILD_PING_MS + 500; ms += 100)
		loop_turn(loop, 100);
	assert_int_equal(died, 0);
	kill(child_pid(child), SIGCONT);
	turn_until(&longer.count, 1, 5000);
	assert_int_equal(longer.rc, 0);
}

static void
a_request_given_up_is_not_answered(void **state)
{
	struct outcome outcome;
	struct outcome other;

	(void)state;
	start(NULL);
	turn_until(&connected, 1, 5000);
	for (int i = 0; i < 50; i++) {
		child_ask_cancel(ask_child(MSG_STATUS, 5000, &outcome));
		ask_child(MSG_STATUS, 5000, &other);
		turn_until(&other.count, 1, 5000);
		assert_int_equal(outcome.count, 0);
	}
}

/* At every moment of a request: waiting to be sent, sent, answered, delivered. */
static void
a_pipe_can_be_closed_whatever_is_under_way(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		struct outcome outcome[4];

		connected = died = reaped = 0;
		start(NULL);
		if (round % 4 != 0)
			turn_until(&connected, 1, 5000);
		for (int i = 0; i < 4; i++)
			ask_child(MSG_STATUS, 5000, &outcome[i]);
		if (round % 2 != 0)
			usleep((useconds_t)(round * 20));
		child_close(child);
		turn_until(&reaped, 1, 5000);
		for (int i = 0; i < 4; i++) {
			assert_int_equal(outcome[i].count, 1);
			assert_int_equal(outcome[i].rc, -ECONNRESET);
		}
	}
}

static void
a_foreign_process_at_the_socket_is_refused(void **state)
{
	struct outcome outcome;
	nng_socket foreign;
	nng_msg *message;
	char url[128];

	(void)state;
	start(NULL);
	kill(child_pid(child), SIGSTOP); /* so that the stranger may come first */
	assert_int_equal(nng_rep0_open(&foreign), 0);
	nng_socket_set_ms(foreign, NNG_OPT_RECVTIMEO, 400);
	snprintf(url, sizeof(url), "ipc://%s/1.sock", dir);
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
	start(NULL);
	turn_until(&connected, 1, 5000);
	snprintf(path, sizeof(path), "%s/1.sock", dir);
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

static void
proc_line(const char *file, const char *key, char *out, size_t size)
{
	char path[64];
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child_pid(child), file);
	stream = fopen(path, "r");
	assert_non_null(stream);
	out[0] = '\0';
	while (fgets(out, (int)size, stream) && strncmp(out, key, strlen(key)) != 0)
		out[0] = '\0';
	fclose(stream);
	assert_true(out[0] != '\0');
}

static void
a_child_inherits_its_descriptors_and_nothing_else(void **state)
{
	int leak = open("/etc/hostname", O_RDONLY);
	bool alive = false;
	bool parent = false;
	char path[64];
	struct dirent *entry;
	DIR *fds;

	(void)state;
	assert_true(leak >= 0 && fcntl(leak, F_GETFD) == 0);
	start(NULL);
	turn_until(&connected, 1, 5000);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)child_pid(child));
	fds = opendir(path);
	assert_non_null(fds);
	while ((entry = readdir(fds)) != NULL) {
		char target[256];
		ssize_t n =
		    readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		assert_string_not_equal(target, "/etc/hostname");
		assert_string_not_equal(target, WEIR_TEST_FAKES);
		alive = alive || atoi(entry->d_name) == CHILD_FD_ALIVE;
		parent = parent || atoi(entry->d_name) == CHILD_FD_PARENT;
		assert_true(atoi(entry->d_name) <= CHILD_FD_PARENT);
	}
	closedir(fds);
	close(leak);
	assert_true(alive && parent);
}

static void
a_child_ignores_the_signals_of_a_terminal_and_blocks_none(void **state)
{
	char line[256];
	unsigned long long mask;
	unsigned long long want =
	    1ULL << (SIGINT - 1) | 1ULL << (SIGTERM - 1) | 1ULL << (SIGHUP - 1);

	(void)state;
	start(NULL);
	turn_until(&connected, 1, 5000);
	proc_line("status", "SigIgn:", line, sizeof(line));
	mask = strtoull(line + 7, NULL, 16);
	assert_int_equal(mask & want, want);
	assert_int_equal(mask & 1ULL << (SIGCHLD - 1), 0);
	proc_line("status", "SigBlk:", line, sizeof(line));
	assert_int_equal(strtoull(line + 7, NULL, 16), 0);
	proc_line("limits", "Max core file size", line, sizeof(line));
	assert_non_null(strstr(line, " 0 "));
	proc_line("status", "Name:", line, sizeof(line));
	assert_string_equal(line, "Name:\tweir-worker\n");
}

struct report {
	pid_t pid;
	char dir[sizeof(dir)];
};

static void
a_child_whose_supervisor_dies_ends_too(void **state)
{
	int fds[2];
	pid_t supervisor;
	struct report report;
	char command[128];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/* A supervisor of its own: executed, since nng does not work after fork alone. */
	supervisor = fork();
	assert_true(supervisor >= 0);
	if (supervisor == 0) {
		char fd[16];

		snprintf(fd, sizeof(fd), "%d", fds[1]);
		fcntl(fds[1], F_SETFD, 0);
		execl("/proc/self/exe", "child_test", "--start-and-wait", fd, NULL);
		_exit(127);
	}
	close(fds[1]);
	assert_int_equal(
	    read(fds[0], &report, sizeof(report)), (ssize_t)sizeof(report));
	assert_int_equal(kill(report.pid, 0), 0);
	kill(supervisor, SIGKILL);
	assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
	for (int i = 0; i < 100; i++) {
		char path[64];
		char target[64];

		snprintf(path, sizeof(path), "/proc/%d/exe", (int)report.pid);
		if (readlink(path, target, sizeof(target)) < 0)
			break; /* gone, or a zombie that nobody reaps */
		assert_true(i < 99);
		usleep(20000);
	}
	close(fds[0]);
	snprintf(command, sizeof(command), "rm -r %s", report.dir);
	assert_int_equal(system(command), 0);
}

/* The second process of the test above. */
static int
start_and_wait(int fd)
{
	struct report report;
	void *state = NULL;

	if (setup(&state) != 0)
		return 1;
	start(NULL);
	turn_until(&connected, 1, 5000);
	report.pid = child_pid(child);
	memcpy(report.dir, dir, sizeof(dir));
	if (write(fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
		return 1;
	return loop_run(loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_child_answers_also_what_was_asked_before_it_dialled),
	    TEST(an_error_of_the_child_is_an_answer),
	    TEST(a_child_that_dies_with_a_request_ends_it_at_once),
	    cmocka_unit_test(an_end_by_the_sandbox_says_that_the_log_names_the_call),
	    TEST(the_death_of_an_idle_child_is_noticed),
	    TEST(a_missed_deadline_is_followed_by_a_ping_before_the_kill),
	    TEST(while_a_longer_request_is_under_way_its_deadline_counts),
	    TEST(a_request_given_up_is_not_answered),
	    TEST(a_pipe_can_be_closed_whatever_is_under_way),
	    TEST(a_foreign_process_at_the_socket_is_refused),
	    TEST(closing_the_pipe_ends_the_child_and_removes_its_socket),
	    TEST(a_child_inherits_its_descriptors_and_nothing_else),
	    TEST(a_child_ignores_the_signals_of_a_terminal_and_blocks_none),
	    TEST(a_child_whose_supervisor_dies_ends_too),
	};

	if (signals_block() != 0)
		return 1;
	if (argc == 3 && strcmp(argv[1], "--start-and-wait") == 0)
		return start_and_wait(atoi(argv[2]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
