#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "supervisor/child/child_testing.h"
#include "supervisor/loop/signals.h"

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
	start();
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
	start();
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
	start();
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
	start();
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
	start();
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
	start();
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
	start();
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
		start();
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
	start();
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
		if (atoi(entry->d_name) < STDERR_FILENO)
			assert_string_equal(target, "/dev/null");
		if (atoi(entry->d_name) == STDERR_FILENO)
			assert_non_null(strstr(target, "pipe:["));
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
	unsigned long long want = 1ULL << (SIGINT - 1) | 1ULL << (SIGTERM - 1) |
	    1ULL << (SIGHUP - 1) | 1ULL << (SIGPIPE - 1);

	(void)state;
	start();
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

static char told[256]; /* the last line of the log */

static void
keep_line(void *arg, const struct log_record *record)
{
	(void)arg;
	snprintf(told, sizeof(told), "<%d>%s[%s]: %s: %s", record->level,
	    record->program, record->iface, record->topic, record->text);
}

static void
last_words_are_lines_of_the_log_before_its_death_is_told(void **state)
{
	(void)state;
	log_set_sink(keep_line, NULL);
	start_program("weir-nothing", geteuid());
	turn_until(&died, 1, 5000);
	log_set_sink(NULL, NULL);
	turn_until(&reaped, 1, 5000);
	assert_true(WIFEXITED(last_status) && WEXITSTATUS(last_status) == 127);
	assert_string_equal(
	    told, "<3>weir-worker[test0]: start: weir-nothing: could not be executed");
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
	start();
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
	    TEST(last_words_are_lines_of_the_log_before_its_death_is_told),
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
