/* A worker's answer is far smaller than a pipe, so it is read only after the worker has
 * ended (or was ended): then nothing that it does can keep us waiting. */
#include "client/check/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "proto/frame.h"
#include "proto/parts.h"

#define AT_ONCE 8 /* each has the rings of a whole capture while it runs */
#define DEADLINE_MS 12000 /* a worker takes 10 s at most */
#define FD_ASIDE 64 /* above the descriptors that a child finds */

static int
write_question(int fd, const struct check_probe *probe)
{
	struct pack pack;
	int rc;

	pack_init(&pack);
	pack_request(&pack, MSG_UPDATE);
	pack_key_u64(&pack, "seq", 0);
	pack_key_str(&pack, "iface", probe->iface);
	pack_key_config(&pack, "config", probe->config);
	rc = pack_finish(&pack);
	if (rc == 0)
		rc = frame_write(fd, &pack);
	pack_fini(&pack);
	return rc;
}

static int
spawn(struct check_probe *probe, const char *path, const char *user, int start,
    int output)
{
	char program[] = "weir-worker";
	char check[] = "--check";
	char user_option[] = "--user";
	char end_of_options[] = "--";
	char user_text[32] = "";
	struct iface_name iface;
	char *argv[7] = {program, check};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	size_t n = 2;
	int rc;

	if (iface_name_set(&iface, probe->iface) != 0)
		return -EINVAL;
	if (user) {
		snprintf(user_text, sizeof(user_text), "%s", user);
		argv[n++] = user_option;
		argv[n++] = user_text;
	}
	argv[n++] = end_of_options; /* a name may begin with a dash */
	argv[n++] = iface.s;
	argv[n] = NULL;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	rc = posix_spawn_file_actions_adddup2(&actions, start, CHILD_FD_START);
	if (rc == 0)
		rc =
		    posix_spawn_file_actions_adddup2(&actions, output, CHILD_FD_OUTPUT);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(&attributes, &defaults);
	if (rc == 0)
		rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawn(
		    &probe->pid, path, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -rc;
}

static void
close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void
probe_start(struct check_probe *probe, const char *path, const char *user)
{
	int start[2] = {-1, -1};
	int answer[2] = {-1, -1};
	int aside[2] = {-1, -1};
	int rc = 0;

	probe->pid = -1;
	probe->fd = -1;
	if (pipe2(start, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) {
		rc = -errno;
		goto out;
	}
	/* dup2 onto itself would leave close-on-exec set, so keep clear of 3 and 7 */
	aside[0] = fcntl(start[0], F_DUPFD_CLOEXEC, FD_ASIDE);
	aside[1] = fcntl(answer[1], F_DUPFD_CLOEXEC, FD_ASIDE);
	if (aside[0] < 0 || aside[1] < 0) {
		rc = -errno;
		goto out;
	}
	rc = write_question(start[1], probe);
	if (rc == 0)
		rc = spawn(probe, path, user, aside[0], aside[1]);
	if (rc != 0)
		goto out;
	probe->fd = answer[0];
	answer[0] = -1;
out:
	if (rc != 0)
		snprintf(probe->failure, sizeof(probe->failure),
		    "weir-worker cannot be started: %s", strerror(-rc));
	close_all(start, 2);
	close_all(answer, 2);
	close_all(aside, 2);
}

static int
read_answer(struct check_probe *probe)
{
	char state[16];
	struct msg msg;
	void *data;
	size_t len;
	int rc = frame_read(probe->fd, &data, &len);

	if (rc != 0)
		return rc;
	rc = msg_parse(&msg, data, len);
	if (rc == 0) {
		if (msg.type != MSG_CHECK || !msg.is_answer || msg.error != MSG_OK ||
		    view_str(msg.body, "state", state, sizeof(state)) != 0 ||
		    view_str(
			msg.body, "reason", probe->reason, sizeof(probe->reason)) != 0)
			rc = -EPROTO;
		/* neither open nor a reason why not */
		else if (probe->reason[0] == '\0' && strcmp(state, "active") != 0)
			rc = -EPROTO;
		else
			view_text(
			    msg.body, "reason_text", probe->text, sizeof(probe->text));
		msg_fini(&msg);
	}
	free(data);
	return rc;
}

static void
tell_failure(struct check_probe *probe, bool late, int status, int rc)
{
	if (late)
		snprintf(probe->failure, sizeof(probe->failure),
		    "weir-worker did not answer in %d s", DEADLINE_MS / 1000);
	else if (WIFSIGNALED(status))
		snprintf(probe->failure, sizeof(probe->failure),
		    "weir-worker ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(probe->failure, sizeof(probe->failure),
		    "weir-worker ended with exit code %d", WEXITSTATUS(status));
	else
		snprintf(probe->failure, sizeof(probe->failure),
		    "weir-worker's answer: %s", strerror(-rc));
	probe->no_rights =
	    !late && WIFEXITED(status) && WEXITSTATUS(status) == CHILD_EXIT_PRIVILEGE;
}

/* `late`: it is still running, and must not. */
static void
probe_end(struct check_probe *probe, bool late)
{
	int status = 0;
	int rc;

	if (late)
		kill(probe->pid, SIGKILL);
	while (waitpid(probe->pid, &status, 0) < 0 && errno == EINTR)
		;
	rc = late ? -ETIMEDOUT : read_answer(probe);
	close(probe->fd);
	probe->fd = -1;
	probe->answered = rc == 0;
	if (rc != 0) {
		probe->reason[0] = '\0';
		tell_failure(probe, late, status, rc);
	}
}

/* Waits until all of them have closed their pipe, or the time is up. */
static void
probes_wait(struct check_probe *probes, size_t count)
{
	const struct mono begin = mono_now();
	struct pollfd fds[AT_ONCE];
	bool closed[AT_ONCE] = {false};
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		/* no events: only the end is of interest, and poll always tells it */
		fds[i] = (struct pollfd){.fd = probes[i].fd};
		left += probes[i].fd >= 0;
	}
	while (left > 0) {
		int64_t rest = DEADLINE_MS - mono_ms_between(begin, mono_now());
		if (rest <= 0)
			break;
		if (poll(fds, count, (int)rest) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		for (size_t i = 0; i < count; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			closed[i] = true;
			fds[i].fd = -1;
			left--;
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (probes[i].fd >= 0)
			probe_end(&probes[i], !closed[i]);
	}
}

void
check_probe_all(
    const char *worker_path, const char *user, struct check_probe *probes, size_t count)
{
	for (size_t at = 0; at < count; at += AT_ONCE) {
		size_t n = count - at < AT_ONCE ? count - at : AT_ONCE;

		for (size_t i = 0; i < n; i++)
			probe_start(&probes[at + i], worker_path, user);
		probes_wait(&probes[at], n);
	}
}
