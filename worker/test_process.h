/* A worker process for tests, with the supervisor's side of everything it has: socket,
 * record file, lifelines. WEIR_TEST_WORKER is the path of the program. */
#ifndef WEIR_WORKER_TEST_PROCESS_H
#define WEIR_WORKER_TEST_PROCESS_H

#include <fcntl.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/child.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "worker/test_net.h"

#define TEST_USER 54321
#define TEST_GROUP 54322

/* A worker and the supervisor's side of everything it has. */
struct worker {
	char directory[32];
	char path[64];
	nng_socket sock;
	pid_t pid;
	int records;
	int log; /* a file for its stderr; -1: that of the test */
	int alive; /* read end: its end tells that the worker is gone */
	int parent; /* write end: closing it ends the worker */
	struct pack request;
	struct msg parsed;
	nng_msg *answer;
};

static inline void
move_fd(int from, int to)
{
	/* dup2() onto itself would leave it close-on-exec. */
	if (from == to)
		(void)fcntl(to, F_SETFD, 0);
	else if (dup2(from, to) < 0)
		_exit(99);
}

/* What the supervisor does between fork and exec. */
static inline void
become_worker(
    const struct worker *worker, int start, int alive, int parent, const char *iface)
{
	char user[32];
	int records;

	if (worker->log >= 0 && dup2(worker->log, STDERR_FILENO) < 0)
		_exit(97);
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
	snprintf(user, sizeof(user), "%d:%d", TEST_USER, TEST_GROUP);
	execl(WEIR_TEST_WORKER, "weir-worker", "--socket", worker->path, "--user", user,
	    iface, (char *)NULL);
	_exit(98);
}

/* A new namespace (or the test skips), in which no process runs yet. */
static inline void
worker_prepare(struct worker *worker)
{
	net_require();
	memset(worker, 0, sizeof(*worker));
	worker->log = -1;
	worker->records = memfd_create("records", MFD_CLOEXEC);
	snprintf(worker->directory, sizeof(worker->directory), "/tmp/weir-test-XXXXXX");
	assert_non_null(mkdtemp(worker->directory));
	assert_int_equal(chmod(worker->directory, 0755), 0);
	pack_init(&worker->request);
}

/* Starts a process on the records, as the first or as a successor. */
static inline void
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

static inline void
forget_answer(struct worker *worker)
{
	if (!worker->answer)
		return;
	msg_fini(&worker->parsed);
	nng_msg_free(worker->answer);
	worker->answer = NULL;
}

/* The exit code, 256 + signal, or -1 when the worker was still there after 3 s. */
static inline int
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
static inline void
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
static inline void
worker_leave(struct worker *worker)
{
	nng_close(worker->sock);
	assert_int_equal(worker_exit_code(worker), 0);
	worker_close(worker);
}

static inline void
worker_forget(struct worker *worker)
{
	close(worker->records);
	if (worker->log >= 0)
		close(worker->log);
	pack_fini(&worker->request);
	rmdir(worker->directory);
}

static inline struct pack *
begin(struct worker *worker, enum msg_type type)
{
	pack_clear(&worker->request);
	pack_request(&worker->request, type);
	return &worker->request;
}

static inline enum msg_error
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

static inline const char *
string(const struct worker *worker, const char *key)
{
	static char text[256];

	assert_int_equal(view_str(worker->parsed.body, key, text, sizeof(text)), 0);
	return text;
}

/* What "status" says; the rest of the answer stays in worker->parsed. */
static inline const char *
ask_state(struct worker *worker)
{
	begin(worker, MSG_STATUS);
	assert_int_equal(ask(worker), MSG_OK);
	return string(worker, "state");
}

static inline void
disable(struct worker *worker, uint64_t seq)
{
	pack_key_u64(begin(worker, MSG_DISABLE), "seq", seq);
	assert_int_equal(ask(worker), MSG_OK);
}

static inline void
rotate(struct worker *worker, uint64_t seq, struct interval *interval)
{
	pack_key_u64(begin(worker, MSG_ROTATE), "seq", seq);
	pack_key_i64(&worker->request, "end_ms", 1000 + (int64_t)seq * 1000);
	assert_int_equal(ask(worker), MSG_OK);
	assert_int_equal(view_interval(worker->parsed.body, "interval", interval), 0);
}

#endif
