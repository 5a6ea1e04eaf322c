/* A child process from its start to its end. Death is the end of the lifeline (0.2 ms);
 * waitpid, which comes after the kernel has closed the packet sockets (50 ms), only delivers
 * the exit status. */
#include <errno.h>
#include <fcntl.h>
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
#include "supervisor/child/child_private.h"
#include "supervisor/child/orphans.h"
#include "supervisor/child/spawn.h"
#include "supervisor/log/log_pipe.h"

#define CHILD_ARGS_MAX 16
#define CHILD_END_MS 2000 /* for all of them, when they are killed */

int
children_new(struct children **out, struct loop *loop, int program_dir)
{
	struct children *children = calloc(1, sizeof(*children));

	if (!children)
		return -ENOMEM;
	children->loop = loop;
	children->program_dir = program_dir;
	LIST_INIT(&children->all);
	child_count_start(children);
	*out = children;
	return 0;
}

size_t
children_count(const struct children *children)
{
	const struct child *child;
	size_t count = 0;

	LIST_FOREACH(child, &children->all, entry) {
		count++;
	}
	return count;
}

char *
child_exit_text(int status, char buf[static CHILD_EXIT_TEXT])
{
	if (WIFSIGNALED(status))
		snprintf(buf, CHILD_EXIT_TEXT, "signal %d (%s)%s", WTERMSIG(status),
		    strsignal(WTERMSIG(status)),
		    WTERMSIG(status) == SIGSYS
			? ": its sandbox refused a system call; the log names it"
			: "");
	else
		snprintf(buf, CHILD_EXIT_TEXT, "exit code %d", WEXITSTATUS(status));
	return buf;
}

char *
child_end_text(const struct child *child, int status, char buf[static CHILD_EXIT_TEXT])
{
	size_t used;

	child_exit_text(status, buf);
	used = strlen(buf);
	if (child->killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		snprintf(buf + used, CHILD_EXIT_TEXT - used, ": %s", child->killed);
	return buf;
}

static void
child_free(struct child *child)
{
	loop_unwatch(child->children->loop, child->alive);
	loop_timer_clear(child->children->loop, &child->close_timer);
	log_pipe_free(child->log);
	if (child->alive_fd >= 0)
		close(child->alive_fd);
	if (child->parent_fd >= 0)
		close(child->parent_fd);
	child_socket_fini(child);
	free(child);
}

void
child_maybe_gone(struct child *child)
{
	struct children *children = child->children;

	if (!child->reaped || child->has_socket)
		return;
	LIST_REMOVE(child, entry);
	child_free(child);
	if (children->gone)
		children->gone(children->arg);
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
    int alive_write, int parent_read, int log_write)
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
	spawn.fds[spawn.fd_count++] = (struct spawn_fd){log_write, STDERR_FILENO};
	pthread_mutex_lock(&child->lock);
	pid = spawn_process(&spawn);
	if (pid > 0)
		child->pid = child->peer = pid;
	pthread_mutex_unlock(&child->lock);
	return pid > 0 ? 0 : (int)pid;
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
	log_pipe_finish(child->log);
	child_close_for_owner(child);
	child_settle(child);
	if (child->events && child->events->died)
		child->events->died(child->arg, child);
}

static void
child_on_lifeline(void *arg)
{
	struct child *child = arg;
	char byte;
	ssize_t n = read(child->alive_fd, &byte, 1);

	/* Nobody writes into a lifeline but a child that means harm: reading on would keep
	 * this loop busy for as long as it likes. Its death is told by the signal then. */
	if (n > 0) {
		loop_unwatch(child->children->loop, child->alive);
		child->alive = NULL;
		child_kill(child, "it wrote into its lifeline");
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		child_is_dead(child);
}

static void
child_on_close_timer(void *arg)
{
	const struct child *child = arg;

	child_kill(arg,
	    child->closed ? "it did not end when its pipe was closed"
			  : "it has closed its pipe and lives on");
}

/* "weir-worker eth0": no interface's name has a space. */
static void
child_name(struct child *child, const char *label)
{
	size_t len = strcspn(label, " ");

	snprintf(child->program, sizeof(child->program), "%.*s", (int)len, label);
	snprintf(child->iface, sizeof(child->iface), "%s",
	    label[len] == ' ' ? label + len + 1 : "");
}

int
child_start(struct child **out, struct children *children,
    const struct child_options *options, const struct child_events *events, void *arg)
{
	struct child *child = calloc(1, sizeof(*child));
	int alive[2] = {-1, -1};
	int parent[2] = {-1, -1};
	int start_fd = -1;
	int log_write = -1;
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
	child->close_timer =
	    (struct loop_timer){.fire = child_on_close_timer, .arg = child};
	LIST_INIT(&child->asks);
	child_socket_init(child);
	child_name(child, options->label);

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
	rc = log_pipe_new(&child->log, children->loop, child->program, child->iface,
	    options->log_flows, &log_write);
	if (rc != 0)
		goto out;
	child->closed = false;
	rc = child_listen(child, options);
	if (rc != 0)
		goto out;
	rc = child_spawn(child, options, start_fd, alive[1], parent[0], log_write);
	if (rc != 0) {
		child_drop_socket(child);
		goto out;
	}
	log_pipe_set_pid(child->log, (int)child->pid);
	LIST_INSERT_HEAD(&children->all, child, entry);
	log_iface_debug("child", child->iface, "%s: started as process %d",
	    child->program, (int)child->pid);
	*out = child;
out:
	if (start_fd >= 0)
		close(start_fd);
	if (alive[1] >= 0)
		close(alive[1]);
	if (parent[0] >= 0)
		close(parent[0]);
	if (log_write >= 0)
		close(log_write);
	if (rc != 0) {
		if (child->alive_fd < 0 && alive[0] >= 0)
			close(alive[0]);
		child_free(child);
	}
	return rc;
}

void
child_close(struct child *child)
{
	if (child->closed)
		return;
	loop_timer_set(child->children->loop, &child->close_timer, CHILD_CLOSE_MS);
	child_close_for_owner(child);
}

void
child_kill(struct child *child, const char *why)
{
	if (child->reaped || child->dead || child->killed)
		return;
	log_iface_err("child", child->iface, "%s: process %d is killed: %s",
	    child->program, (int)child->pid, why);
	child->killed = why;
	kill(child->pid, SIGKILL);
}

void
child_disown(struct child *child)
{
	struct child_ask *ask;

	if (!child)
		return;
	child->events = NULL;
	LIST_FOREACH(ask, &child->asks, entry) {
		child_ask_cancel(ask);
	}
	child->ping = NULL;
	child_close(child);
}

void
children_disown(struct children *children, const void *arg)
{
	struct child *child;

	LIST_FOREACH(child, &children->all, entry) {
		if (child->events && child->arg == arg)
			child_disown(child);
	}
}

/* From waitpid on its number may be another's, whose pipe must not be taken for its own. */
static bool
child_reap(struct child *child, int *status)
{
	bool ended;

	pthread_mutex_lock(&child->lock);
	ended = waitpid(child->pid, status, WNOHANG) == child->pid;
	if (ended)
		child->peer = 0;
	pthread_mutex_unlock(&child->lock);
	return ended;
}

void
children_reap(struct children *children)
{
	struct child *child = LIST_FIRST(&children->all);

	while (child) {
		struct child *next;
		char text[CHILD_EXIT_TEXT];
		int status;

		if (child->reaped || !child_reap(child, &status)) {
			child = LIST_NEXT(child, entry);
			continue;
		}
		child->reaped = true;
		child_is_dead(child);
		log_iface_debug("child", child->iface, "%s: process %d has ended: %s",
		    child->program, (int)child->pid, child_exit_text(status, text));
		if (child->events && child->events->reaped)
			child->events->reaped(child->arg, child, status);
		/* Only now: a handler may have started another, at the list's head. */
		next = LIST_NEXT(child, entry);
		child_maybe_gone(child);
		child = next;
	}
	orphans_end();
}

void
children_on_gone(struct children *children, void (*gone)(void *arg), void *arg)
{
	children->gone = gone;
	children->arg = arg;
}

int
children_free(struct children *children)
{
	struct mono end = mono_plus_ms(mono_now(), CHILD_END_MS);
	struct child *child;

	if (!children)
		return 0;
	child_count_stop(children);
	children->gone = NULL;
	LIST_FOREACH(child, &children->all, entry) {
		child_disown(child);
		if (!child->reaped)
			kill(child->pid, SIGKILL);
	}
	while (!LIST_EMPTY(&children->all)) {
		int rc;

		if (mono_ms_between(mono_now(), end) <= 0)
			return -ETIMEDOUT;
		rc = loop_turn(children->loop, 10);
		if (rc != 0)
			return rc;
		children_reap(children);
	}
	free(children);
	return 0;
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
	return child->killed != NULL;
}
