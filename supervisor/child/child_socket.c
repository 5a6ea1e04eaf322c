/* The pid and the socket's pipe callback meet under a lock that is held over the fork:
 * the child may dial before fork() has returned, and is then checked after its pid is
 * known. The callback refuses every other process, so that another one of the same user, who
 * alone can connect, cannot answer in the child's place.
 *
 * nng 1.5.2 stands still for ever when a pipe is closed in the moment in which a message
 * arrives or is half sent on it (its issues 1543, 1813). So a socket is closed only when
 * nothing can be on the way: each request that was sent has ended, answered or not,
 * whether or not anybody still waits for it; and a dead child's pipe has been taken down
 * by nng itself. The call is made on a thread of its own, and if it does not return the
 * supervisor ends: the records keep everything, and its next start is clean. */
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/child/child_private.h"

#define CHILD_NO_PIPE_MS 100 /* a pipe that is being made when its child dies */
#define CHILD_STUCK_MS 10000

static uint64_t
child_pipe_pid(nng_pipe pipe)
{
	uint64_t peer = 0;

	return nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &peer) == 0 ? peer : 0;
}

/* NULL, or why not. One pipe per process, for its whole life: of several, one could be
 * closed and the rest still carry messages when the socket is closed. */
static const char *
child_take_pipe(struct child *child, nng_pipe pipe)
{
	const char *why_not = NULL;

	pthread_mutex_lock(&child->lock);
	if (child->peer <= 0 || child_pipe_pid(pipe) != (uint64_t)child->peer)
		why_not = "not the one started";
	else if (child->pipe != 0)
		why_not = "it has a pipe, or had one";
	else
		child->pipe = nng_pipe_id(pipe);
	pthread_mutex_unlock(&child->lock);
	return why_not;
}

/* On a thread of nng, before the pipe is used for anything. */
static void
child_pipe_check(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct child *child = arg;
	const char *why_not = child_take_pipe(child, pipe);

	(void)event;
	if (!why_not)
		return;
	log_iface_warn("child", child->iface,
	    "%s: refused process %llu at its socket: %s", child->program,
	    (unsigned long long)child_pipe_pid(pipe), why_not);
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
child_pipe_removed(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct child *child = arg;
	bool its_own;

	(void)event;
	pthread_mutex_lock(&child->lock);
	its_own = child->pipe == nng_pipe_id(pipe);
	pthread_mutex_unlock(&child->lock);
	/* Also told of pipes that were refused. */
	if (its_own)
		loop_post(child->children->loop, &child->disconnection);
}

static void
child_on_connection(void *arg)
{
	struct child *child = arg;

	child->had_pipe = true;
	if (child->connected || child->closed)
		return;
	child->connected = true;
	if (child->events && child->events->connected)
		child->events->connected(child->arg, child);
}

static void
child_on_closed_socket(void *arg)
{
	struct child *child = arg;

	loop_timer_clear(child->children->loop, &child->socket_timer);
	child->has_socket = false;
	unlink(child->path);
	child_maybe_gone(child);
}

static void *
child_closer(void *arg)
{
	struct child *child = arg;

	nng_close(child->socket);
	loop_post(child->children->loop, &child->closed_socket);
	return NULL;
}

void
child_settle(struct child *child)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (!child->closed || !child->has_socket || child->closing_socket)
		return;
	if (child->dead && !child->pipe_gone) {
		/* Without a pipe there is nothing to wait for but one that is just
		 * being made. */
		if (!child->socket_timer.armed)
			loop_timer_set(child->children->loop, &child->socket_timer,
			    child->had_pipe ? CHILD_STUCK_MS : CHILD_NO_PIPE_MS);
		return;
	}
	/* What was never sent: there is no pipe any more that it could move on. */
	if (child->dead)
		child_drop_asks(child);
	if (!LIST_EMPTY(&child->asks))
		return;
	child->closing_socket = true;
	loop_timer_set(child->children->loop, &child->socket_timer, CHILD_STUCK_MS);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attr, child_closer, child);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		log_iface_warn("child", child->iface,
		    "%s: no thread to close its socket: %s", child->program,
		    strerror(rc));
		child->closing_socket = false;
	}
}

static void
child_on_disconnection(void *arg)
{
	struct child *child = arg;

	child->pipe_gone = true;
	/* A process that dies loses its pipe before its lifeline ends. */
	if (!child->closed && !child->dead)
		loop_timer_set(
		    child->children->loop, &child->close_timer, CHILD_HANG_UP_MS);
	child_settle(child);
}

static void
child_on_socket_timer(void *arg)
{
	struct child *child = arg;

	if (!child->closing_socket) {
		child->pipe_gone = true;
		child_settle(child);
		return;
	}
	log_iface_err("child", child->iface,
	    "%s: the library does not close its socket; ending, so that the next start "
	    "begins anew. Records are kept",
	    child->program);
	_exit(EXIT_FAILURE);
}

void
child_drop_socket(struct child *child)
{
	child->closed = true;
	if (!child->has_socket)
		return;
	child->has_socket = false;
	nng_close(child->socket);
	unlink(child->path);
}

/* A name that was never used and cannot be known before, so that nothing can be made ready
 * for it. Ten characters: common/config.h has counted them. */
static int
child_socket_path(struct child *child, const char *dir)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char random[10];
	char name[sizeof(random) + 1];
	int n;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		name[i] = letters[random[i] % (sizeof(letters) - 1)];
	name[sizeof(random)] = '\0';
	n = snprintf(child->path, sizeof(child->path), "%s/%s.sock", dir, name);
	return n < 0 || (size_t)n >= sizeof(child->path) ? -ENAMETOOLONG : 0;
}

int
child_listen(struct child *child, const struct child_options *options)
{
	int rc = child_socket_path(child, options->socket_dir);

	if (rc != 0)
		return rc;
	rc = nng_req0_open(&child->socket);
	if (rc != 0)
		return -ENOMEM;
	child->has_socket = true;
	/* Before the first context, which copies it: nothing is ever sent twice. */
	rc = nng_socket_set_ms(
	    child->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rc == 0)
		rc = nng_pipe_notify(
		    child->socket, NNG_PIPE_EV_ADD_PRE, child_pipe_check, child);
	if (rc == 0)
		rc = nng_pipe_notify(
		    child->socket, NNG_PIPE_EV_ADD_POST, child_pipe_added, child);
	if (rc == 0)
		rc = nng_pipe_notify(
		    child->socket, NNG_PIPE_EV_REM_POST, child_pipe_removed, child);
	rc = rc != 0 ? -EIO
		     : listen_ipc(child->socket, child->path, options->socket_uid);
	if (rc != 0) {
		log_iface_err("child", child->iface,
		    "%s: its socket %s cannot be made: %s", child->program, child->path,
		    strerror(-rc));
		child_drop_socket(child);
	}
	return rc;
}

void
child_socket_init(struct child *child)
{
	child->connection =
	    (struct loop_post){.run = child_on_connection, .arg = child};
	child->disconnection =
	    (struct loop_post){.run = child_on_disconnection, .arg = child};
	child->closed_socket =
	    (struct loop_post){.run = child_on_closed_socket, .arg = child};
	child->socket_timer =
	    (struct loop_timer){.fire = child_on_socket_timer, .arg = child};
	pthread_mutex_init(&child->lock, NULL);
}

void
child_socket_fini(struct child *child)
{
	struct loop *loop = child->children->loop;

	loop_timer_clear(loop, &child->socket_timer);
	loop_unpost(loop, &child->connection);
	loop_unpost(loop, &child->disconnection);
	loop_unpost(loop, &child->closed_socket);
	pthread_mutex_destroy(&child->lock);
}
