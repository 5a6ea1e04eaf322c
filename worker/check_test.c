#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "common/child.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "worker/test_net.h"

#define TEST_USER 54321
#define TEST_USER_TEXT "54321:54321"
#define DEADLINE_S 10

/* How a check is started, and what came of it. */
struct check {
	const char *iface;
	const char *told_iface; /* in the message; NULL: the same */
	const char *user; /* for --user; NULL: none */
	bool ordinary; /* started by an ordinary user */
	bool silent; /* no message comes */
	struct capture_config config;

	pid_t pid;
	int start; /* write end, when silent */
	int output;
	int status; /* of waitpid() */
	char *log; /* what it wrote to stderr */
	void *data; /* the frame, if there was one */
	struct msg msg;
};

static void
become_check(const struct check *check, int start, int output, int log)
{
	char name[16];
	char *const plain[] = {"weir-worker", "--check", name, NULL};
	char *const with_user[] = {"weir-worker", "--check", "--user",
	    (char *)(uintptr_t)check->user, name, NULL};
	int program;

	snprintf(name, sizeof(name), "%s", check->iface);
	start = fcntl(start, F_DUPFD, 300);
	output = fcntl(output, F_DUPFD, 300);
	if (dup2(log, STDERR_FILENO) < 0 || dup2(start, CHILD_FD_START) < 0 ||
	    dup2(output, CHILD_FD_OUTPUT) < 0)
		_exit(97);
	for (int fd = CHILD_FD_START + 1; fd < 400; fd++) {
		if (fd != CHILD_FD_OUTPUT)
			close(fd);
	}
	/* While the directories above it can be passed: the tree may be in a closed one. */
	program = open(WEIR_TEST_WORKER, O_PATH | O_CLOEXEC);
	if (check->ordinary &&
	    (setgroups(0, NULL) != 0 ||
		setresgid(TEST_USER, TEST_USER, TEST_USER) != 0 ||
		setresuid(TEST_USER, TEST_USER, TEST_USER) != 0))
		_exit(96);
	fexecve(program, check->user ? with_user : plain, environ);
	_exit(98);
}

static void
check_start(struct check *check, int log)
{
	struct pack update;
	int start[2], output[2];

	assert_int_equal(pipe2(start, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	check->pid = fork();
	if (check->pid == 0)
		become_check(check, start[0], output[1], log);
	close(start[0]);
	close(output[1]);
	check->output = output[0];
	if (check->silent) {
		check->start = start[1];
		return;
	}
	pack_init(&update);
	pack_request(&update, MSG_UPDATE);
	pack_key_str(
	    &update, "iface", check->told_iface ? check->told_iface : check->iface);
	pack_key_config(&update, "config", &check->config);
	assert_int_equal(pack_finish(&update), 0);
	assert_int_equal(frame_write(start[1], &update), 0);
	pack_fini(&update);
	close(start[1]);
}

static struct check
check_of(const char *iface, const char *filter)
{
	struct check check = {.iface = iface};

	capture_config_default(&check.config);
	snprintf(check.config.filter, sizeof(check.config.filter), "%s", filter);
	return check;
}

/* Runs it to its end. */
static void
check_run(struct check *check)
{
	static char log[4096];
	int file = memfd_create("log", MFD_CLOEXEC);
	size_t len;
	ssize_t logged;

	(void)signal(SIGPIPE, SIG_IGN); /* it may end before it reads */
	check_start(check, file);
	if (frame_read(check->output, &check->data, &len) == 0) {
		assert_int_equal(msg_parse(&check->msg, check->data, len), 0);
		assert_int_equal(check->msg.type, MSG_CHECK);
		assert_true(check->msg.is_answer);
		assert_int_equal(check->msg.error, MSG_OK);
	}
	close(check->output);
	while (waitpid(check->pid, &check->status, 0) < 0 && errno == EINTR)
		;
	logged = pread(file, log, sizeof(log) - 1, 0);
	log[logged > 0 ? logged : 0] = '\0';
	check->log = log;
	close(file);
}

static void
check_end(struct check *check)
{
	if (check->data)
		msg_fini(&check->msg);
	free(check->data);
}

static const char *
answer(const struct check *check, const char *key)
{
	static char text[4][256];
	static unsigned turn;
	char *to = text[turn++ % 4];

	assert_non_null(check->data);
	assert_int_equal(view_str(check->msg.body, key, to, 256), 0);
	return to;
}

/* Runs one whose answer is ERROR for this reason, with words for people. */
static void
assert_reason(struct check check, const char *reason)
{
	check_run(&check);
	assert_int_equal(check.status, 0);
	assert_string_equal(answer(&check, "reason"), reason);
	assert_string_equal(answer(&check, "state"), "error");
	assert_true(answer(&check, "reason_text")[0] != '\0');
	assert_non_null(view_get(check.msg.body, "in_force"));
	assert_string_equal(check.log, "");
	check_end(&check);
}

static void
assert_well(struct check check)
{
	const msgpack_object *in_force;
	uint64_t number;
	char text[64];
	bool on = true;

	check_run(&check);
	assert_int_equal(check.status, 0);
	assert_string_equal(answer(&check, "state"), "active");
	assert_string_equal(answer(&check, "reason"), "");
	assert_string_equal(answer(&check, "reason_text"), "");
	assert_int_equal(view_map(check.msg.body, "in_force", &in_force), 0);
	assert_int_equal(view_str(in_force, "link_type", text, sizeof(text)), 0);
	assert_string_equal(text, "EN10MB");
	assert_int_equal(view_u64(in_force, "handles", 2, &number), 0);
	assert_int_equal(number, 2);
	assert_int_equal(view_u64(in_force, "buffer", UINT64_MAX, &number), 0);
	assert_int_equal(number, CAPTURE_BUFFER_DEFAULT);
	assert_int_equal(view_str(in_force, "filter", text, sizeof(text)), 0);
	assert_string_equal(text, check.config.filter);
	assert_int_equal(view_bool(in_force, "promiscuous", &on), 0);
	assert_false(on);
	assert_string_equal(check.log, "");
	check_end(&check);
}

static void
what_could_be_counted_is_well_with_or_without_a_user(void **state)
{
	struct check check = check_of("v0", "udp port 53");

	(void)state;
	net_require();
	assert_well(check);
	check.user = TEST_USER_TEXT;
	assert_well(check);
}

static void
each_reason_is_the_one_a_worker_would_have(void **state)
{
	int tun;

	(void)state;
	net_require();
	assert_true(net_run("ip link add d0 type veth peer name d1"));
	assert_reason(check_of("nosuch0", ""), "no_such_device");
	assert_reason(check_of("d0", ""), "down");
	assert_reason(check_of("v0", "no such word"), "filter");
	assert_reason(check_of("any", ""), "open_failed");
	tun = net_tun("t0", ARPHRD_FRAD);
	if (tun < 0) {
		print_message("left out: this kernel has no tun device\n");
		return;
	}
	assert_reason(check_of("t0", ""), "link_type");
	close(tun);
}

static void
a_filter_that_fits_no_link_is_a_fault_before_there_is_one(void **state)
{
	struct check check = check_of("nosuch0", "udp port");

	(void)state;
	net_require();
	assert_reason(check, "filter");
	check_run(&check);
	assert_non_null(strstr(answer(&check, "reason_text"), "syntax error"));
	check_end(&check);
	assert_true(net_run("ip link add e0 type veth peer name e1"));
	assert_reason(check_of("e0", "no such word"), "filter");
	/* What is right for some kind of link waits for the link. */
	assert_reason(check_of("nosuch0", "udp port 53"), "no_such_device");
	assert_reason(
	    check_of("nosuch0", "vlan 7 and ether host 2:0:0:0:0:1"), "no_such_device");
	assert_reason(check_of("e0", "inbound and tcp"), "down");
	/* This one is for a kind that is not decoded. */
	assert_reason(check_of("nosuch0", "vpi 5"), "filter");
}

static void
without_rights_an_interface_is_forbidden_and_a_missing_one_is_missing(void **state)
{
	struct check there = check_of("v0", ""), missing = check_of("nosuch0", "");

	(void)state;
	net_require();
	there.ordinary = missing.ordinary = true;
	assert_reason(there, "permission");
	assert_reason(missing, "no_such_device");
}

/* Everything that the kernel tells of links in this namespace, from now on. */
static pid_t
start_monitor(FILE **out)
{
	int lines[2];
	pid_t pid;

	assert_int_equal(pipe2(lines, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		net_end_with_test();
		(void)dup2(lines[1], STDOUT_FILENO);
		execlp("ip", "ip", "-d", "monitor", "link", (char *)NULL);
		_exit(1);
	}
	close(lines[1]);
	*out = fdopen(lines[0], "r");
	assert_non_null(*out);
	net_wait_ms(300); /* until it listens */
	return pid;
}

/* Reads up to the line that tells of `last`: whether one told of promiscuous mode. */
static bool
monitor_saw_promiscuous_mode(FILE *lines, const char *last)
{
	char line[1024];
	bool saw = false;

	while (fgets(line, sizeof(line), lines)) {
		if (strstr(line, last))
			return saw;
		if (strstr(line, "PROMISC") || strstr(line, "promiscuity 1 "))
			saw = true;
	}
	fail_msg("the monitor ended before it told of %s", last);
	return saw;
}

static void
promiscuous_mode_is_never_asked_for(void **state)
{
	struct check check = check_of("v0", "");
	FILE *lines;
	pid_t monitor;

	(void)state;
	net_require();
	assert_true(check.config.promiscuous);
	monitor = start_monitor(&lines);
	/* That it would be seen. */
	assert_true(net_run("ip link set v0 promisc on && ip link set v0 promisc off"));
	assert_true(net_run("ip link add first0 type veth peer name first1"));
	assert_true(monitor_saw_promiscuous_mode(lines, "first0"));
	assert_well(check);
	assert_true(net_run("ip link add last0 type veth peer name last1"));
	assert_false(monitor_saw_promiscuous_mode(lines, "last0"));
	assert_true(net_run("ip -d link show v0 | grep -q 'promiscuity 0 '"));
	kill(monitor, SIGKILL);
	while (waitpid(monitor, NULL, 0) < 0 && errno == EINTR)
		;
	fclose(lines);
}

static void
what_cannot_be_answered_is_told_by_the_exit_code(void **state)
{
	struct check check = check_of("v0", "");

	(void)state;
	net_require();
	/* Another interface than in the arguments. */
	check.told_iface = "v1";
	check_run(&check);
	assert_null(check.data);
	assert_int_equal(WEXITSTATUS(check.status), CHILD_EXIT_FAILED);
	assert_non_null(strstr(check.log, "the first message"));

	/* An ordinary user can become nobody else. */
	check = check_of("v0", "");
	check.ordinary = true;
	check.user = "54399:54399";
	check_run(&check);
	assert_null(check.data);
	assert_int_equal(WEXITSTATUS(check.status), CHILD_EXIT_PRIVILEGE);
	assert_non_null(strstr(check.log, "cannot become 54399:54399"));
}

/* The one that waits for ever begins with the group and is looked at after the others. */
static struct check endless;
static struct mono endless_since;

static int
start_endless(void **state)
{
	(void)state;
	endless = check_of("lo", "");
	endless.silent = true;
	endless_since = mono_now();
	check_start(&endless, STDERR_FILENO);
	return 0;
}

static void
one_that_takes_too_long_ends_by_itself(void **state)
{
	int64_t passed;

	(void)state;
	while (waitpid(endless.pid, &endless.status, 0) < 0 && errno == EINTR)
		;
	passed = mono_ms_between(endless_since, mono_now());
	close(endless.start);
	close(endless.output);
	assert_true(WIFSIGNALED(endless.status));
	assert_int_equal(WTERMSIG(endless.status), SIGALRM);
	assert_true(passed >= DEADLINE_S * 1000 - 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_could_be_counted_is_well_with_or_without_a_user),
	    cmocka_unit_test(each_reason_is_the_one_a_worker_would_have),
	    cmocka_unit_test(a_filter_that_fits_no_link_is_a_fault_before_there_is_one),
	    cmocka_unit_test(
		without_rights_an_interface_is_forbidden_and_a_missing_one_is_missing),
	    cmocka_unit_test(promiscuous_mode_is_never_asked_for),
	    cmocka_unit_test(what_cannot_be_answered_is_told_by_the_exit_code),
	    cmocka_unit_test(one_that_takes_too_long_ends_by_itself),
	};

	return cmocka_run_group_tests_name(
	    "a worker that only checks", tests, start_endless, NULL);
}
