/* The daemon as a whole, from outside: start, status, faults of its children and its
 * clients, reload, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/testing/testing.h"

/* Runs the supervisor with these arguments and the daemon's configuration; its exit code,
 * and what it has written. */
static int
run(struct daemon *daemon, const char *arguments, char *output, size_t size)
{
	char command[512];
	size_t used;
	FILE *pipe;

	snprintf(command, sizeof(command),
	    "WEIR_LIBEXECDIR=%s WEIR_FAKE_DIR=%s %s -c %s %s 2>&1", WEIR_TEST_FAKES,
	    daemon->fake, WEIR_TEST_SUPERVISOR, daemon->config, arguments);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	used = fread(output, 1, size - 1, pipe);
	output[used] = '\0';
	return WEXITSTATUS(pclose(pipe));
}

static void
a_faulty_configuration_ends_with_2_before_anything_starts(void **state)
{
	struct daemon *daemon = *state;
	char output[4096];

	daemon_configure(daemon, "  - name: lo\n    snaplen: much\n", "7s");
	assert_int_equal(run(daemon, "", output, sizeof(output)), 2);
	assert_non_null(strstr(output, "weir.yaml:3:"));
	assert_non_null(strstr(output, "snaplen"));
	assert_non_null(strstr(output, "rotation"));
	assert_int_equal(access(daemon->runtime, F_OK), -1);
}

static void
check_only_checks(void **state)
{
	struct daemon *daemon = *state;
	char output[4096];

	assert_int_equal(run(daemon, "--check", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "no faults; 2 interfaces"));
	assert_int_equal(access(daemon->runtime, F_OK), -1);
	assert_int_equal(run(daemon, "--version", output, sizeof(output)), 0);
	assert_string_equal(output, "weir-supervisor " WEIR_VERSION "\n");
	assert_int_equal(run(daemon, "--help", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "rotation"));
	assert_int_equal(run(daemon, "more", output, sizeof(output)), 2);
}

static void
a_missing_user_is_told_with_the_command_that_creates_it(void **state)
{
	struct daemon *daemon = *state;
	char output[4096];
	FILE *file = fopen(daemon->config, "w");

	assert_non_null(file);
	fprintf(file,
	    "interfaces:\n  - name: lo\nruntime: %s\nworker_user: no-such-user\n",
	    daemon->runtime);
	fclose(file);
	assert_int_equal(run(daemon, "--check", output, sizeof(output)), 2);
	assert_non_null(strstr(output, "worker_user: there is no user 'no-such-user'"));
	assert_non_null(strstr(output, "useradd --system"));
}

static void
a_runtime_directory_that_workers_cannot_reach_is_refused(void **state)
{
	struct daemon *daemon = *state;
	char output[4096];

	assert_int_equal(chmod(daemon->base, 0700), 0);
	assert_int_equal(run(daemon, "", output, sizeof(output)), 2);
	assert_non_null(strstr(output, "cannot enter"));
	memset(daemon->runtime + 10, 'x', 80);
	daemon->runtime[90] = '\0';
	daemon_configure(daemon, "  - name: lo\n", "1h");
	assert_int_equal(run(daemon, "", output, sizeof(output)), 2);
	assert_non_null(strstr(output, "too long"));
}

static void
status_shows_every_process_and_changes_nothing(void **state)
{
	struct daemon *daemon = *state;
	const msgpack_object *part;
	struct answer answer;
	uint64_t counted;
	uint64_t pid;
	bool running;

	daemon_start(daemon, true);
	counted = daemon_counted(daemon, "lo");
	for (int i = 0; i < 200; i++) {
		daemon_ask(daemon, MSG_STATUS, &answer);
		assert_int_equal(view_map(answer.msg.body, "supervisor", &part), 0);
		assert_int_equal(view_u64(part, "pid", UINT64_MAX, &pid), 0);
		assert_int_equal(pid, daemon->pid);
		assert_int_equal(view_map(answer.msg.body, "store", &part), 0);
		assert_int_equal(view_bool(part, "running", &running), 0);
		assert_true(running);
		assert_int_equal(view_map(part, "report", &part), 0);
		answer_fini(&answer);
	}
	assert_int_equal(daemon_counted(daemon, "lo"), counted);
	assert_int_equal(daemon_number(daemon, "lo", "restarts"), 0);
	assert_int_equal(daemon_number(daemon, "lo", "rotations"), 0);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(daemon_stored(daemon, "lo").maps, 1);
}

static nng_socket
dial(struct daemon *daemon)
{
	nng_socket socket;
	char url[160];

	assert_int_equal(nng_req0_open(&socket), 0);
	nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 5000);
	nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	snprintf(url, sizeof(url), "ipc://%s", daemon->control);
	assert_int_equal(nng_dial(socket, url, NULL, 0), 0);
	return socket;
}

/* Sends these bytes; the error of the answer. */
static enum msg_error
send_raw(nng_socket socket, const void *data, size_t len)
{
	enum msg_error error;
	nng_msg *message;
	struct msg msg;

	assert_int_equal(nng_msg_alloc(&message, 0), 0);
	assert_int_equal(nng_msg_append(message, data, len), 0);
	assert_int_equal(nng_sendmsg(socket, message, 0), 0);
	assert_int_equal(nng_recvmsg(socket, &message, 0), 0);
	assert_int_equal(
	    msg_parse(&msg, nng_msg_body(message), nng_msg_len(message)), 0);
	error = msg.error;
	msg_fini(&msg);
	nng_msg_free(message);
	return error;
}

static enum msg_error
send_pack(nng_socket socket, struct pack *pack)
{
	enum msg_error error;

	assert_int_equal(pack_finish(pack), 0);
	error = send_raw(socket, pack->buffer.data, pack->buffer.size);
	pack_clear(pack);
	return error;
}

static void
bad_requests_get_an_error_and_harm_nobody(void **state)
{
	struct daemon *daemon = *state;
	char nest[41];
	size_t size = MSG_REQUEST_SIZE_MAX + 1;
	char *large = calloc(1, size);
	nng_socket socket;
	struct pack pack;

	daemon_start(daemon, true);
	socket = dial(daemon);
	memset(nest, 0x91, sizeof(nest)); /* an array with one member, 40 times */
	nest[40] = 0x00;
	assert_int_equal(send_raw(socket, "", 0), MSG_E_BAD_MESSAGE);
	assert_int_equal(
	    send_raw(socket, "\xdd\xff\x00\x00\x00", 5), MSG_E_BAD_MESSAGE);
	assert_int_equal(send_raw(socket, nest, sizeof(nest)), MSG_E_BAD_MESSAGE);
	assert_int_equal(send_raw(socket, "\x80", 1), MSG_E_BAD_MESSAGE);

	pack_init(&pack);
	pack_request(&pack, MSG_STATUS);
	pack_key_bin(&pack, "more", large, size);
	assert_int_equal(send_pack(socket, &pack), MSG_E_BAD_MESSAGE);
	pack_map(&pack);
	pack_key_u64(&pack, "weir", PROTO_VERSION + 1);
	pack_key_str(&pack, "type", "status");
	assert_int_equal(send_pack(socket, &pack), MSG_E_VERSION);
	pack_map(&pack);
	pack_key_u64(&pack, "weir", PROTO_VERSION);
	pack_key_str(&pack, "type", "become_root");
	assert_int_equal(send_pack(socket, &pack), MSG_E_UNKNOWN_TYPE);
	pack_request(&pack, MSG_RELEASE); /* exists, but not here */
	assert_int_equal(send_pack(socket, &pack), MSG_E_UNKNOWN_TYPE);
	pack_answer(&pack, MSG_STATUS);
	assert_int_equal(send_pack(socket, &pack), MSG_E_BAD_MESSAGE);
	pack_request(&pack, MSG_STATUS);
	pack_key_str(&pack, "ifaces", "lo");
	assert_int_equal(send_pack(socket, &pack), MSG_E_BAD_MESSAGE);
	pack_request(&pack, MSG_ROTATE);
	pack_key_array(&pack, "ifaces");
	pack_str(&pack, "eth\n9");
	pack_end(&pack);
	assert_int_equal(send_pack(socket, &pack), MSG_E_UNKNOWN_IFACE);
	pack_request(&pack, MSG_PING);
	assert_int_equal(send_pack(socket, &pack), MSG_OK);
	pack_fini(&pack);
	nng_close(socket);
	free(large);
	daemon_wait(daemon, "lo", daemon_is_quiet);
}

static void
a_second_supervisor_refuses_and_leaves_the_first_alone(void **state)
{
	struct daemon *daemon = *state;
	char output[4096];
	char want[64];

	daemon_start(daemon, true);
	assert_int_equal(run(daemon, "", output, sizeof(output)), 1);
	snprintf(want, sizeof(want), "process %d", (int)daemon->pid);
	assert_non_null(strstr(output, want));
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_int_equal(daemon_number(daemon, "lo", "restarts"), 0);
}

/* connect() by a process of this user and group: 0 or errno. */
static int
connect_as(struct daemon *daemon, uid_t uid, gid_t gid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int status;
	pid_t pid;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->control);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (setregid(gid, gid) != 0 || setreuid(uid, uid) != 0)
			_exit(255);
		_exit(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0
			? 0
			: errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
the_control_socket_is_for_its_group_whatever_the_umask(void **state)
{
	static const mode_t masks[] = {077, 000};
	struct daemon *daemon = *state;

	for (int i = 0; i < 2; i++) {
		mode_t before = umask(masks[i]);
		struct stat st;

		daemon_start(daemon, true);
		umask(before);
		assert_int_equal(lstat(daemon->control, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, 0660);
		assert_int_equal(st.st_uid, 0);
		assert_int_equal(st.st_gid, TESTING_CLIENT_ID);
		assert_int_equal(connect_as(daemon, 64510, TESTING_CLIENT_ID), 0);
		assert_int_equal(connect_as(daemon, 64510, 64510), EACCES);
		assert_int_equal(
		    connect_as(daemon, TESTING_WORKER_ID, TESTING_WORKER_ID), EACCES);
		assert_int_equal(stat(daemon->runtime, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0751);
		assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
		assert_int_equal(access(daemon->control, F_OK), -1);
	}
}

static void
the_supervisor_keeps_two_capabilities(void **state)
{
	struct daemon *daemon = *state;
	const unsigned long long own = 1ULL << 0 | 1ULL << 5; /* CHOWN, KILL */
	const unsigned long long bound =
	    own | 1ULL << 6 | 1ULL << 7 | 1ULL << 8 | 1ULL << 13;
	unsigned found = 0;
	char path[64];
	char line[256];
	FILE *file;

	daemon_start(daemon, true);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon->pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long long value = strtoull(line + 8, NULL, 16);

		if (strncmp(line, "CapInh:", 7) == 0)
			assert_int_equal(value, 0);
		else if (strncmp(line, "CapPrm:", 7) == 0 ||
		    strncmp(line, "CapEff:", 7) == 0)
			assert_int_equal(value, own);
		else if (strncmp(line, "CapBnd:", 7) == 0)
			assert_int_equal(value & ~bound, 0);
		else
			continue;
		found++;
	}
	fclose(file);
	assert_int_equal(found, 4);
}

static void
a_hung_worker_delays_nobody_and_is_replaced(void **state)
{
	struct daemon *daemon = *state;
	const msgpack_object *ifaces;
	const msgpack_object *part;
	struct answer answer;
	struct mono begin;
	char text[64];
	uint64_t pid;

	daemon_start(daemon, true);
	pid = daemon_number(daemon, "lo", "pid");
	kill((pid_t)pid, SIGSTOP);
	begin = mono_now();
	daemon_ask(daemon, MSG_STATUS, &answer);
	assert_true(mono_ms_between(begin, mono_now()) < 3000);
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	assert_int_equal(view_map(ifaces, "fake0", &part), 0);
	assert_true(daemon_is_active(part));
	assert_int_equal(view_map(ifaces, "lo", &part), 0);
	assert_int_equal(view_str(part, "worker_error", text, sizeof(text)), 0);
	answer_fini(&answer);
	while (daemon_number(daemon, "lo", "restarts") == 0)
		assert_true(mono_ms_between(begin, mono_now()) < 8000);
	daemon_wait(daemon, "lo", daemon_is_active);
	assert_true(daemon_number(daemon, "lo", "pid") != pid);
	assert_int_equal(daemon_number(daemon, "fake0", "restarts"), 0);
}

static bool
is_gone(const msgpack_object *iface)
{
	char state[16];
	char reason[16];
	char text[64];

	if (view_str(iface, "state", state, sizeof(state)) != 0 ||
	    strcmp(state, "error") != 0)
		return false;
	assert_int_equal(view_str(iface, "reason", reason, sizeof(reason)), 0);
	assert_string_equal(reason, "gone");
	assert_int_equal(view_str(iface, "reason_text", text, sizeof(text)), 0);
	assert_string_equal(text, "The interface\\x0adisappeared");
	return true;
}

static void
an_interface_that_comes_back_is_counted_by_a_successor(void **state)
{
	struct daemon *daemon = *state;
	uint64_t pid;

	daemon_start(daemon, true);
	pid = daemon_number(daemon, "lo", "pid");
	daemon_script(daemon, "worker.gone");
	daemon_wait(daemon, "lo", is_gone);
	daemon_wait(daemon, "fake0", is_gone);
	daemon_unscript(daemon, "worker.gone"); /* "lo" has been there all the time */
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_true(daemon_number(daemon, "lo", "pid") != pid);
	assert_int_equal(daemon_number(daemon, "lo", "restarts"), 0);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(
	    daemon_stored(daemon, "lo").packets, daemon_counted(daemon, "lo"));
}

static uint64_t
iface_count(struct daemon *daemon)
{
	const msgpack_object *ifaces;
	struct answer answer;
	uint64_t count;

	daemon_ask(daemon, MSG_STATUS, &answer);
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	count = ifaces->via.map.size;
	answer_fini(&answer);
	return count;
}

static void
reload_changes_the_set_of_interfaces_and_a_bad_file_nothing(void **state)
{
	struct daemon *daemon = *state;
	uint64_t pid;

	daemon_start(daemon, true);
	pid = daemon_number(daemon, "lo", "pid");
	daemon_configure(daemon, "  - name: lo\n    snaplen: much\n", "1h");
	kill(daemon->pid, SIGHUP);
	usleep(300000);
	assert_int_equal(iface_count(daemon), 2);

	daemon_configure(daemon, "  - name: lo\n  - name: fake1\n", "1h");
	kill(daemon->pid, SIGHUP);
	for (int i = 0; i < 200 && daemon_stored(daemon, "fake0").maps == 0; i++)
		usleep(20000);
	for (int i = 0; i < 200 && iface_count(daemon) != 2; i++)
		usleep(20000);
	daemon_wait(daemon, "fake1", daemon_is_quiet);
	assert_int_equal(iface_count(daemon), 2);
	assert_int_equal(
	    daemon_stored(daemon, "fake0").packets, daemon_counted(daemon, "fake0"));
	assert_int_equal(daemon_record_files(daemon, "fake0.flows"), 0);
	assert_int_equal(daemon_number(daemon, "lo", "pid"), pid);

	/* A filter is applied in place, another snaplen by a successor. */
	daemon_configure(daemon, "  - name: lo\n    filter: udp\n", "1h");
	kill(daemon->pid, SIGHUP);
	while (iface_count(daemon) != 1)
		usleep(20000);
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_int_equal(daemon_number(daemon, "lo", "pid"), pid);
	daemon_configure(
	    daemon, "  - name: lo\n    filter: udp\n    snaplen: 200\n", "1h");
	kill(daemon->pid, SIGHUP);
	while (daemon_number(daemon, "lo", "pid") == pid)
		usleep(20000);
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_int_equal(daemon_number(daemon, "lo", "restarts"), 0);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(
	    daemon_stored(daemon, "lo").packets, daemon_counted(daemon, "lo"));
}

static void
sigterm_flushes_the_store_and_removes_the_sockets(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, true);
	assert_int_equal(daemon_end(daemon, SIGTERM, 5000), 0);
	assert_true(daemon_has_script(daemon, "flushed"));
	assert_int_equal(daemon_record_files(daemon, ".flows"), 0);
	assert_int_equal(
	    daemon_stored(daemon, "lo").packets, daemon_counted(daemon, "lo"));
	assert_int_equal(access(daemon->control, F_OK), -1);
}

static void
sigterm_with_a_store_that_fails_ends_in_time_and_keeps_the_records(void **state)
{
	struct daemon *daemon = *state;
	struct mono begin;

	daemon_start(daemon, true);
	daemon_script(daemon, "store.fail");
	begin = mono_now();
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_true(mono_ms_between(begin, mono_now()) < 30000);
	assert_int_equal(daemon_record_files(daemon, ".flows"), 2);
	daemon_unscript(daemon, "store.fail");
	daemon_start(daemon, true);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(
	    daemon_stored(daemon, "lo").packets, daemon_counted(daemon, "lo"));
}

static void
a_second_signal_ends_at_once(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, true);
	daemon_script(daemon, "store.fail");
	kill(daemon->pid, SIGINT);
	usleep(300000);
	assert_int_equal(daemon_end(daemon, SIGINT, 4000), 1);
	assert_int_equal(daemon_record_files(daemon, ".flows"), 2);
}

static void
hundreds_of_signals_in_a_row_are_survived(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, true);
	for (int i = 0; i < 300; i++)
		kill(daemon->pid, i % 3 == 0 ? SIGHUP : SIGCHLD);
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(daemon_stored(daemon, "lo").maps, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_faulty_configuration_ends_with_2_before_anything_starts),
	    TEST(check_only_checks),
	    TEST(a_missing_user_is_told_with_the_command_that_creates_it),
	    TEST(a_runtime_directory_that_workers_cannot_reach_is_refused),
	    TEST(status_shows_every_process_and_changes_nothing),
	    TEST(bad_requests_get_an_error_and_harm_nobody),
	    TEST(a_second_supervisor_refuses_and_leaves_the_first_alone),
	    TEST(the_control_socket_is_for_its_group_whatever_the_umask),
	    TEST(the_supervisor_keeps_two_capabilities),
	    TEST(a_hung_worker_delays_nobody_and_is_replaced),
	    TEST(an_interface_that_comes_back_is_counted_by_a_successor),
	    TEST(reload_changes_the_set_of_interfaces_and_a_bad_file_nothing),
	    TEST(sigterm_flushes_the_store_and_removes_the_sockets),
	    TEST(sigterm_with_a_store_that_fails_ends_in_time_and_keeps_the_records),
	    TEST(a_second_signal_ends_at_once),
	    TEST(hundreds_of_signals_in_a_row_are_survived),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: the supervisor must be started as root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
