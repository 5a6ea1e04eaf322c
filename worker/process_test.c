#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/child.h"
#include "proto/flow_map.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "worker/test_net.h"

/* "At once"; the thread sanitizer alone waits a second at the end of a process. */
#ifdef WEIR_SANITIZED
#define SOON_MS 2500
#else
#define SOON_MS 1000
#endif
#define USER 54321
#define GROUP 54322

/* A worker and the supervisor's side of everything it has. */
struct worker {
	char directory[32];
	char path[64];
	nng_socket sock;
	pid_t pid;
	int records;
	int alive; /* read end: its end tells that the worker is gone */
	int parent; /* write end: closing it ends the worker */
	struct pack request;
	struct msg parsed;
	nng_msg *answer;
};

static void
move_fd(int from, int to)
{
	/* dup2() onto itself would leave it close-on-exec. */
	if (from == to)
		(void)fcntl(to, F_SETFD, 0);
	else if (dup2(from, to) < 0)
		_exit(99);
}

/* What the supervisor does between fork and exec. */
static void
become_worker(
    const struct worker *worker, int start, int alive, int parent, const char *iface)
{
	char user[32];
	int records;

	/* Out of the way of the numbers that are to be used. */
	start = fcntl(start, F_DUPFD, 300);
	records = fcntl(worker->records, F_DUPFD, 300);
	alive = fcntl(alive, F_DUPFD, 300);
	parent = fcntl(parent, F_DUPFD, 300);
	move_fd(start, CHILD_FD_START);
	move_fd(records, CHILD_FD_DATA);
	move_fd(alive, CHILD_FD_ALIVE);
	move_fd(parent, CHILD_FD_PARENT);
	for (int fd = CHILD_FD_DATA + 1; fd < 400; fd++) {
		if (fd != CHILD_FD_ALIVE && fd != CHILD_FD_PARENT)
			close(fd);
	}
	snprintf(user, sizeof(user), "%d:%d", USER, GROUP);
	execl(WEIR_TEST_WORKER, "weir-worker", "--socket", worker->path, "--user", user,
	    iface, (char *)NULL);
	_exit(98);
}

/* A new namespace (or the test skips), in which no process runs yet. */
static void
worker_prepare(struct worker *worker)
{
	net_require();
	memset(worker, 0, sizeof(*worker));
	worker->records = memfd_create("records", MFD_CLOEXEC);
	snprintf(worker->directory, sizeof(worker->directory), "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(worker->directory));
	assert_int_equal(chmod(worker->directory, 0755), 0);
	pack_init(&worker->request);
}

/* Starts a process on the records, as the first or as a successor. */
static void
worker_start(struct worker *worker, const char *iface, const char *told_iface)
{
	struct capture_config config;
	struct pack first;
	char url[80];
	int start[2], alive[2], parent[2];

	snprintf(worker->path, sizeof(worker->path), "%s/s", worker->directory);
	snprintf(url, sizeof(url), "ipc://%s", worker->path);
	assert_int_equal(nng_req0_open(&worker->sock), 0);
	assert_int_equal(nng_socket_set_ms(worker->sock, NNG_OPT_RECVTIMEO, 5000), 0);
	assert_int_equal(
	    nng_socket_set_ms(worker->sock, NNG_OPT_REQ_RESENDTIME, -1), 0);
	assert_int_equal(nng_listen(worker->sock, url, NULL, 0), 0);
	assert_int_equal(chmod(worker->path, 0777), 0);
	assert_int_equal(pipe2(start, O_CLOEXEC), 0);
	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	assert_int_equal(pipe2(parent, O_CLOEXEC), 0);

	capture_config_default(&config);
	pack_init(&first);
	pack_request(&first, MSG_UPDATE);
	pack_key_u64(&first, "seq", 0);
	pack_key_str(&first, "iface", told_iface);
	pack_key_u64(&first, "file_id", 4242);
	pack_key_bool(&first, "enabled", true);
	pack_key_i64(&first, "begin_ms", 1000);
	pack_key_config(&first, "config", &config);
	assert_int_equal(pack_finish(&first), 0);
	assert_int_equal(frame_write(start[1], &first), 0);
	pack_fini(&first);
	close(start[1]);

	worker->pid = fork();
	if (worker->pid == 0)
		become_worker(worker, start[0], alive[1], parent[0], iface);
	close(start[0]);
	close(alive[1]);
	close(parent[0]);
	worker->alive = alive[0];
	worker->parent = parent[1];
}

static void
forget_answer(struct worker *worker)
{
	if (!worker->answer)
		return;
	msg_fini(&worker->parsed);
	nng_msg_free(worker->answer);
	worker->answer = NULL;
}

/* The exit code, 256 + signal, or -1 when the worker was still there after 3 s. */
static int
worker_exit_code(struct worker *worker)
{
	int status = 0;
	pid_t gone = 0;

	for (int i = 0; i < 300 && gone == 0; i++) {
		gone = waitpid(worker->pid, &status, WNOHANG);
		if (gone == 0)
			net_wait_ms(10);
	}
	if (gone == 0) {
		kill(worker->pid, SIGKILL);
		waitpid(worker->pid, &status, 0);
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* Closes the supervisor's side. */
static void
worker_close(struct worker *worker)
{
	forget_answer(worker);
	nng_close(worker->sock);
	if (worker->parent >= 0)
		close(worker->parent);
	close(worker->alive);
	unlink(worker->path);
}

/* What the supervisor does with a worker that it does not need any more. */
static void
worker_leave(struct worker *worker)
{
	nng_close(worker->sock);
	assert_int_equal(worker_exit_code(worker), 0);
	worker_close(worker);
}

static void
worker_forget(struct worker *worker)
{
	close(worker->records);
	pack_fini(&worker->request);
	rmdir(worker->directory);
}

static struct pack *
begin(struct worker *worker, enum msg_type type)
{
	pack_clear(&worker->request);
	pack_request(&worker->request, type);
	return &worker->request;
}

static enum msg_error
ask(struct worker *worker)
{
	struct pack *request = &worker->request;
	nng_msg *message;

	assert_int_equal(pack_finish(request), 0);
	assert_int_equal(nng_msg_alloc(&message, 0), 0);
	assert_int_equal(
	    nng_msg_append(message, request->buffer.data, request->buffer.size), 0);
	assert_int_equal(nng_sendmsg(worker->sock, message, 0), 0);
	forget_answer(worker);
	assert_int_equal(nng_recvmsg(worker->sock, &worker->answer, 0), 0);
	assert_int_equal(msg_parse(&worker->parsed, nng_msg_body(worker->answer),
			     nng_msg_len(worker->answer)),
	    0);
	return worker->parsed.error;
}

static const char *
string(const struct worker *worker, const char *key)
{
	static char text[256];

	assert_int_equal(view_str(worker->parsed.body, key, text, sizeof(text)), 0);
	return text;
}

/* What "status" says; the rest of the answer stays in worker->parsed. */
static const char *
ask_state(struct worker *worker)
{
	begin(worker, MSG_STATUS);
	assert_int_equal(ask(worker), MSG_OK);
	return string(worker, "state");
}

static bool
status_line_is(pid_t pid, const char *name, const char *wanted)
{
	char path[64], line[256], value[64];
	bool is = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0 &&
		    line[strlen(name)] == ':' &&
		    sscanf(line + strlen(name) + 1, "%63s", value) == 1)
			is = strcmp(value, wanted) == 0;
	}
	fclose(file);
	return is;
}

static void
disable(struct worker *worker, uint64_t seq)
{
	pack_key_u64(begin(worker, MSG_DISABLE), "seq", seq);
	assert_int_equal(ask(worker), MSG_OK);
}

static void
rotate(struct worker *worker, uint64_t seq, struct interval *interval)
{
	pack_key_u64(begin(worker, MSG_ROTATE), "seq", seq);
	pack_key_i64(&worker->request, "end_ms", 1000 + (int64_t)seq * 1000);
	assert_int_equal(ask(worker), MSG_OK);
	assert_int_equal(view_interval(worker->parsed.body, "interval", interval), 0);
}

static void
a_worker_counts_without_any_right_and_ends_when_it_is_left(void **state)
{
	static const char *const sets[] = {
	    "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	struct interval interval;
	struct worker worker;
	struct mono begin_at;
	struct mono dropped;

	(void)state;
	worker_prepare(&worker);
	begin_at = mono_now();
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	print_message("from fork to the first answer: %d ms\n",
	    (int)mono_ms_between(begin_at, mono_now()));
	for (size_t i = 0; i < 5; i++)
		assert_true(status_line_is(worker.pid, sets[i], "0000000000000000"));
	assert_true(status_line_is(worker.pid, "NoNewPrivs", "1"));
	assert_true(status_line_is(worker.pid, "Uid", "54321"));
	assert_true(status_line_is(worker.pid, "Gid", "54322"));

	/* A Ctrl-C reaches it too, and means nothing to it. */
	kill(worker.pid, SIGINT);
	kill(worker.pid, SIGTERM);
	kill(worker.pid, SIGHUP);
	assert_true(net_send_udp("v1", 5000, 123));
	disable(&worker, 1);
	rotate(&worker, 2, &interval);
	assert_int_equal(interval.books.received.packets, 123);
	assert_int_equal(interval.kernel.received, 123);

	nng_close(worker.sock);
	dropped = mono_now();
	assert_int_equal(worker_exit_code(&worker), 0);
	assert_true(mono_ms_between(dropped, mono_now()) < SOON_MS);
	worker_close(&worker);
	worker_forget(&worker);
}

static void
a_successor_of_a_killed_worker_has_its_flows(void **state)
{
	const struct msgpack_object *adoption;
	struct pollfd alive;
	struct interval interval;
	struct worker worker;
	struct mono killed;
	uint64_t ms = 0;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	assert_true(net_send_udp("v1", 5000, 50));
	net_wait_ms(250); /* over the timeout: counted */
	killed = mono_now();
	kill(worker.pid, SIGKILL);
	alive = (struct pollfd){worker.alive, POLLIN, 0};
	assert_int_equal(poll(&alive, 1, 1000), 1);
	assert_true(alive.revents & POLLHUP);
	print_message("from kill to the lifeline's end: %d us\n",
	    (int)((mono_now().ns - killed.ns) / 1000));
	assert_int_equal(worker_exit_code(&worker), 256 + SIGKILL);
	worker_close(&worker);

	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	assert_int_equal(view_map(worker.parsed.body, "adoption", &adoption), 0);
	assert_int_equal(view_u64(adoption, "ms", 60000, &ms), 0);
	print_message("from exec to counting: %d ms\n", (int)ms);
	assert_true(net_send_udp("v1", 5000, 30));
	disable(&worker, 1);
	rotate(&worker, 2, &interval);
	assert_int_equal(interval.books.received.packets, 80);
	assert_int_equal(interval.cuts, 1);
	worker_leave(&worker);
	worker_forget(&worker);
}

static void
a_worker_that_is_left_keeps_what_its_rings_hold(void **state)
{
	struct interval interval;
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	assert_true(net_send_udp("v1", 5000, 40));
	worker_leave(&worker);
	worker_start(&worker, "v0", "v0");
	rotate(&worker, 1, &interval);
	assert_int_equal(interval.books.received.packets, 40);
	assert_int_equal(interval.kernel.received, 40);
	worker_leave(&worker);
	worker_forget(&worker);
}

static void
a_worker_ends_when_its_supervisor_is_gone(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	close(worker.parent);
	worker.parent = -1;
	assert_int_equal(worker_exit_code(&worker), CHILD_EXIT_FAILED);
	worker_close(&worker);
	worker_forget(&worker);
}

static void
a_worker_without_interface_serves_as_error(void **state)
{
	struct interval interval;
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "nosuch0", "nosuch0");
	assert_string_equal(ask_state(&worker), "error");
	assert_string_equal(string(&worker, "reason"), "no_such_device");
	rotate(&worker, 1, &interval);
	assert_int_equal(interval.flows, 0);
	worker_leave(&worker);
	worker_forget(&worker);
}

static void
records_of_another_interface_are_refused(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	assert_int_equal(write(worker.records, "no records of ours at all", 25), 25);
	worker_start(&worker, "v0", "v0");
	assert_int_equal(worker_exit_code(&worker), CHILD_EXIT_RECORDS);
	worker_close(&worker);
	worker_forget(&worker);
}

static void
a_first_message_for_another_interface_is_refused(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v1");
	assert_int_equal(worker_exit_code(&worker), CHILD_EXIT_FAILED);
	worker_close(&worker);
	worker_forget(&worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_worker_counts_without_any_right_and_ends_when_it_is_left),
	    cmocka_unit_test(a_successor_of_a_killed_worker_has_its_flows),
	    cmocka_unit_test(a_worker_that_is_left_keeps_what_its_rings_hold),
	    cmocka_unit_test(a_worker_ends_when_its_supervisor_is_gone),
	    cmocka_unit_test(a_worker_without_interface_serves_as_error),
	    cmocka_unit_test(records_of_another_interface_are_refused),
	    cmocka_unit_test(a_first_message_for_another_interface_is_refused),
	};

	return cmocka_run_group_tests_name("a worker process", tests, NULL, NULL);
}
