/* The pid and the socket's pipe callback meet under a lock that is held over the fork:
 * the child may dial before fork() has returned here, and is then checked after its pid
 * is known. The callback refuses every other process, so that a stranger who finds the
 * path cannot answer in the child's place.
 *
 * Death is the end of the lifeline (0.2 ms); waitpid, which comes after the kernel has
 * closed the packet sockets (50 ms), only delivers the exit status. */
#include "supervisor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "proto/frame.h"
#include "supervisor/listen.h"
#include "supervisor/spawn.h"

#define CHILD_ARGS_MAX 16
#define CHILD_LABEL_SIZE 48

struct child_ask {
	struct child *child;
	struct ask *ask;
	enum msg_type type;
	int64_t allowance_ms;
	ask_done *done;
	void *arg;
	LIST_ENTRY(child_ask) entry;
};

struct child {
	struct children *children;
	LIST_ENTRY(child) entry;
	char label[CHILD_LABEL_SIZE];
	const struct child_events *events; /* NULL: disowned */
	void *arg;
	struct mono started;
	bool connected;
	bool closed; /* the socket is */
	bool dead;
	bool reaped;
	bool killed;
	nng_socket socket;
	char path[LISTEN_PATH_SIZE];
	int alive_fd; /* read end: its end is the child's */
	int parent_fd; /* write end: its end is ours */
	struct loop_watch *alive;
	struct loop_post connection;
	struct loop_timer close_timer;
	LIST_HEAD(, child_ask) asks;
	struct child_ask *ping;
	pthread_mutex_t lock; /* of pid, against the pipe callback */
	pid_t pid;
};

struct children {
	struct loop *loop;
	int program_dir;
	uint32_t next_socket;
	LIST_HEAD(, child) all;
};

int
children_new(struct children **out, struct loop *loop, int program_dir)
{
	struct children *children = calloc(1, sizeof(*children));

	if (!children)
		return -ENOMEM;
	children->loop = loop;
	children->program_dir = program_dir;
	LIST_INIT(&children->all);
	*out = children;
	return 0;
}

size_t
children_count(const struct children *children)
{
	const struct child *child;
	size_t count = 0;

	LIST_FOREACH(child, &children->all, entry)
	count++;
	return count;
}

char *
child_exit_text(int status, char buf[static CHILD_EXIT_TEXT])
{
	if (WIFSIGNALED(status))
		snprintf(buf, CHILD_EXIT_TEXT, "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(buf, CHILD_EXIT_TEXT, "exit code %d", WEXITSTATUS(status));
	return buf;
}

static void
child_free(struct child *child)
{
	loop_unwatch(child->children->loop, child->alive);
	loop_timer_clear(child->children->loop, &child->close_timer);
	loop_unpost(child->children->loop, &child->connection);
	if (child->alive_fd >= 0)
		close(child->alive_fd);
	if (child->parent_fd >= 0)
		close(child->parent_fd);
	pthread_mutex_destroy(&child->lock);
	free(child);
}

/* On a thread of nng, before the pipe is used for anything. */
static void
child_pipe_check(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct child *child = arg;
	uint64_t peer = 0;
	pid_t pid;

	(void)event;
	pthread_mutex_lock(&child->lock);
	pid = child->pid;
	pthread_mutex_unlock(&child->lock);
	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &peer) == 0 && pid > 0 &&
	    peer == (uint64_t)pid)
		return;
	log_warn("child", "%s: refused process %llu at its socket: not the one started",
	    child->label, (unsigned long long)peer);
	nng_pipe_close(pipe);
}

static void
child_pipe_added(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct child *child = arg;

	(void)pipe;
	(void)event;
	loop_post(child->children->loop, &child->connection);
}

static void
child_on_connection(void *arg)
{
	struct child *child = arg;

	if (child->connected || child->closed)
		return;
	child->connected = true;
	if (child->events && child->events->connected)
		child->events->connected(child->arg, child);
}

static int
child_listen(struct child *child, const struct child_options *options)
{
	int n = snprintf(child->path, sizeof(child->path), "%s/%u.sock",
	    options->socket_dir, (unsigned)++child->children->next_socket);
	int rc;

	if (n < 0 || (size_t)n >= sizeof(child->path))
		return -ENAMETOOLONG;
	rc = nng_req0_open(&child->socket);
	if (rc != 0)
		return -ENOMEM;
	/* Before the first context, which copies it: nothing is ever sent twice. */
	rc = nng_socket_set_ms(
	    child->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rc == 0)
		rc = nng_pipe_notify(
		    child->socket, NNG_PIPE_EV_ADD_PRE, child_pipe_check, child);
	if (rc == 0)
		rc = nng_pipe_notify(
		    child->socket, NNG_PIPE_EV_ADD_POST, child_pipe_added, child);
	rc = rc != 0 ? -EIO
		     : listen_ipc(child->socket, child->path, options->socket_gid);
	if (rc != 0) {
		log_err("child", "%s: its socket %s cannot be made: %s", child->label,
		    child->path, strerror(-rc));
		nng_close(child->socket);
		child->closed = true;
	}
	return rc;
}

/* The first message lies in a file in memory: it is there as a whole, whatever its size,
 * and nobody waits for anybody. */
static int
child_first_message(const struct pack *first)
{
	int fd = memfd_create("weir-start", MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = frame_write(fd, first);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int
child_spawn(struct child *child, const struct child_options *options, int start_fd,
    int alive_write, int parent_read)
{
	const char *argv[CHILD_ARGS_MAX + 4] = {
	    options->program, "--socket", child->path};
	size_t argc = 3;
	struct spawn spawn = {
	    .program_dir = child->children->program_dir, .program = options->program};
	pid_t pid;

	for (const char *const *arg = options->args; arg && *arg; arg++) {
		if (argc >= CHILD_ARGS_MAX + 3)
			return -E2BIG;
		argv[argc++] = *arg;
	}
	/* execve promises not to change what it is given. */
	spawn.argv = (char *const *)(uintptr_t)argv;
	spawn.fds[spawn.fd_count++] = (struct spawn_fd){alive_write, CHILD_FD_ALIVE};
	spawn.fds[spawn.fd_count++] = (struct spawn_fd){parent_read, CHILD_FD_PARENT};
	if (start_fd >= 0)
		spawn.fds[spawn.fd_count++] =
		    (struct spawn_fd){start_fd, CHILD_FD_START};
	if (options->data_fd >= 0)
		spawn.fds[spawn.fd_count++] =
		    (struct spawn_fd){options->data_fd, CHILD_FD_DATA};
	if (options->errors_fd >= 0)
		spawn.fds[spawn.fd_count++] =
		    (struct spawn_fd){options->errors_fd, CHILD_FD_ERRORS};
	pthread_mutex_lock(&child->lock);
	pid = spawn_process(&spawn);
	if (pid > 0)
		child->pid = pid;
	pthread_mutex_unlock(&child->lock);
	return pid > 0 ? 0 : (int)pid;
}

static void
child_end_asks(struct child *child)
{
	while (!LIST_EMPTY(&child->asks)) {
		struct child_ask *ask = LIST_FIRST(&child->asks);
		ask_done *done = ask->done;
		void *arg = ask->arg;

		child_ask_cancel(ask);
		if (done)
			done(arg, -ECONNRESET, NULL);
	}
}

static void
child_close_socket(struct child *child)
{
	if (child->closed)
		return;
	child->closed = true;
	child->connected = false;
	/* Before the socket, so that no answer is told twice. */
	child_end_asks(child);
	nng_close(child->socket);
	unlink(child->path);
}

static void
child_is_dead(struct child *child)
{
	if (child->dead)
		return;
	child->dead = true;
	loop_unwatch(child->children->loop, child->alive);
	child->alive = NULL;
	loop_timer_clear(child->children->loop, &child->close_timer);
	/* It may have closed its end and live: dying processes do not notice. */
	if (!child->reaped)
		kill(child->pid, SIGKILL);
	child_close_socket(child);
	if (child->events && child->events->died)
		child->events->died(child->arg, child);
}

static void
child_on_lifeline(void *arg)
{
	struct child *child = arg;
	char byte;
	ssize_t n = read(child->alive_fd, &byte, 1);

	/* Nobody writes into a lifeline; what comes nevertheless is no life sign. */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		child_is_dead(child);
}

static void
child_on_close_timer(void *arg)
{
	child_kill(arg, "it did not end when its pipe was closed");
}

int
child_start(struct child **out, struct children *children,
    const struct child_options *options, const struct child_events *events, void *arg)
{
	struct child *child = calloc(1, sizeof(*child));
	int alive[2] = {-1, -1};
	int parent[2] = {-1, -1};
	int start_fd = -1;
	int rc;

	if (!child)
		return -ENOMEM;
	child->children = children;
	child->events = events;
	child->arg = arg;
	child->alive_fd = -1;
	child->parent_fd = -1;
	child->closed = true;
	child->started = mono_now();
	child->connection =
	    (struct loop_post){.run = child_on_connection, .arg = child};
	child->close_timer =
	    (struct loop_timer){.fire = child_on_close_timer, .arg = child};
	LIST_INIT(&child->asks);
	pthread_mutex_init(&child->lock, NULL);
	snprintf(child->label, sizeof(child->label), "%s", options->label);

	if (pipe2(alive, O_CLOEXEC) < 0 || pipe2(parent, O_CLOEXEC) < 0) {
		rc = -errno;
		goto out;
	}
	child->alive_fd = alive[0];
	child->parent_fd = parent[1];
	if (fcntl(child->alive_fd, F_SETFL, O_NONBLOCK) < 0) {
		rc = -errno;
		goto out;
	}
	if (options->first) {
		start_fd = child_first_message(options->first);
		if (start_fd < 0) {
			rc = start_fd;
			goto out;
		}
	}
	rc = loop_watch_fd(
	    children->loop, child->alive_fd, child_on_lifeline, child, &child->alive);
	if (rc != 0)
		goto out;
	child->closed = false;
	rc = child_listen(child, options);
	if (rc != 0)
		goto out;
	rc = child_spawn(child, options, start_fd, alive[1], parent[0]);
	if (rc != 0) {
		child_close_socket(child);
		goto out;
	}
	LIST_INSERT_HEAD(&children->all, child, entry);
	log_debug("child", "%s: started as process %d", child->label, (int)child->pid);
	*out = child;
out:
	if (start_fd >= 0)
		close(start_fd);
	if (alive[1] >= 0)
		close(alive[1]);
	if (parent[0] >= 0)
		close(parent[0]);
	if (rc != 0) {
		if (child->alive_fd < 0 && alive[0] >= 0)
			close(alive[0]);
		child_free(child);
	}
	return rc;
}

static void
child_on_pong(void *arg, int rc, struct reply *reply)
{
	struct child *child = arg;

	child->ping = NULL;
	if (rc == -ETIMEDOUT)
		child_kill(child, "it missed a deadline and does not answer a ping");
	reply_free(reply);
}

static void
child_ping(struct child *child)
{
	struct pack request;

	if (child->ping || child->closed)
		return;
	pack_init(&request);
	pack_request(&request, MSG_PING);
	if (pack_finish(&request) == 0)
		child_ask(&child->ping, child, MSG_PING, &request, CHILD_PING_MS,
		    child_on_pong, child);
	pack_fini(&request);
}

static void
child_missed_deadline(struct child *child, const struct child_ask *missed)
{
	const struct child_ask *other;

	if (missed->type == MSG_PING)
		return;
	LIST_FOREACH(other, &child->asks, entry)
	{
		if (other->allowance_ms > missed->allowance_ms)
			return;
	}
	log_warn("child", "%s: no answer to %s within %lld ms", child->label,
	    msg_policy(missed->type)->name, (long long)missed->allowance_ms);
	child_ping(child);
}

static void
child_on_answer(void *arg, int rc, struct reply *reply)
{
	struct child_ask *ask = arg;
	struct child *child = ask->child;
	ask_done *done = ask->done;
	void *done_arg = ask->arg;

	LIST_REMOVE(ask, entry);
	if (rc == -ETIMEDOUT)
		child_missed_deadline(child, ask);
	else if (rc == -EPROTO)
		child_kill(child, "its answer breaks the protocol");
	free(ask);
	done(done_arg, rc, reply);
}

int
child_ask(struct child_ask **out, struct child *child, enum msg_type type,
    const struct pack *request, int64_t allowance_ms, ask_done *done, void *arg)
{
	struct child_ask *ask;
	int rc;

	if (child->closed)
		return -ECONNRESET;
	ask = calloc(1, sizeof(*ask));
	if (!ask)
		return -ENOMEM;
	*ask = (struct child_ask){.child = child,
	    .type = type,
	    .allowance_ms = allowance_ms,
	    .done = done,
	    .arg = arg};
	rc = ask_send(&ask->ask, child->children->loop, child->socket, type, request,
	    allowance_ms, child_on_answer, ask);
	if (rc != 0) {
		free(ask);
		return rc;
	}
	LIST_INSERT_HEAD(&child->asks, ask, entry);
	if (out)
		*out = ask;
	return 0;
}

void
child_ask_cancel(struct child_ask *ask)
{
	if (!ask)
		return;
	ask_cancel(ask->ask);
	LIST_REMOVE(ask, entry);
	free(ask);
}

void
child_close(struct child *child)
{
	if (child->closed)
		return;
	loop_timer_set(child->children->loop, &child->close_timer, CHILD_CLOSE_MS);
	child_close_socket(child);
}

void
child_kill(struct child *child, const char *why)
{
	if (child->reaped || child->dead)
		return;
	log_err("child", "%s: process %d is killed: %s", child->label, (int)child->pid,
	    why);
	child->killed = true;
	kill(child->pid, SIGKILL);
}

void
child_disown(struct child *child)
{
	if (!child)
		return;
	child->events = NULL;
	while (!LIST_EMPTY(&child->asks))
		child_ask_cancel(LIST_FIRST(&child->asks));
	child->ping = NULL;
	child_close(child);
}

void
children_disown(struct children *children, const void *arg)
{
	struct child *child;

	LIST_FOREACH(child, &children->all, entry)
	{
		if (child->events && child->arg == arg)
			child_disown(child);
	}
}

void
children_reap(struct children *children)
{
	struct child *child = LIST_FIRST(&children->all);

	while (child) {
		struct child *next;
		char text[CHILD_EXIT_TEXT];
		int status;

		if (waitpid(child->pid, &status, WNOHANG) != child->pid) {
			child = LIST_NEXT(child, entry);
			continue;
		}
		child->reaped = true;
		child_is_dead(child);
		log_debug("child", "%s: process %d has ended: %s", child->label,
		    (int)child->pid, child_exit_text(status, text));
		if (child->events && child->events->reaped)
			child->events->reaped(child->arg, child, status);
		/* Only now: a handler may have started another, at the list's head. */
		next = LIST_NEXT(child, entry);
		LIST_REMOVE(child, entry);
		child_free(child);
		child = next;
	}
}

void
children_free(struct children *children)
{
	if (!children)
		return;
	while (!LIST_EMPTY(&children->all)) {
		struct child *child = LIST_FIRST(&children->all);
		int status;

		child_disown(child);
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
			;
		child->reaped = true;
		LIST_REMOVE(child, entry);
		child_free(child);
	}
	free(children);
}

pid_t
child_pid(const struct child *child)
{
	return child->pid;
}

int64_t
child_uptime_ms(const struct child *child)
{
	return mono_ms_between(child->started, mono_now());
}

bool
child_connected(const struct child *child)
{
	return child->connected;
}

bool
child_was_killed(const struct child *child)
{
	return child->killed;
}
