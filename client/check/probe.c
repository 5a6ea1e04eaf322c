/* A worker's answer is far smaller than a pipe, so it is read only after the worker has
 * ended (or was ended): then nothing that it does can keep us waiting. */
#include "client/check/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/program.h"
#include "common/child.h"
#include "common/clock.h"
#include "proto/check.h"

#define AT_ONCE 8
/* Each has the rings of a whole capture while it runs: together no more than this, and a
 * larger one alone, so that no check fails for want of memory that another one holds. */
#define RINGS_AT_ONCE (UINT64_C(64) * 1024 * 1024)
#define DEADLINE_MS 12000 /* a worker takes 10 s at most */

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
	const struct program_fd fds[] = {
	    {start, CHILD_FD_START}, {output, CHILD_FD_OUTPUT}};
	size_t n = 2;

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
	return program_start(&probe->pid, path, argv, fds, 2);
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
	int rc = 0;

	probe->pid = -1;
	probe->fd = -1;
	if (pipe2(start, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0) {
		rc = -errno;
		goto out;
	}
	rc = check_ask(start[1], probe->iface, probe->config);
	if (rc == 0)
		rc = spawn(probe, path, user, start[0], answer[1]);
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
	rc = late ? -ETIMEDOUT
		  : check_read_answer(probe->fd, probe->reason, probe->text);
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

/* How many of the next ones may run together; one at least. */
static size_t
probes_at_once(const struct check_probe *probes, size_t count)
{
	uint64_t rings = 0;
	size_t n = 0;

	while (n < count && n < AT_ONCE) {
		rings += probes[n].config->buffer;
		if (n > 0 && rings > RINGS_AT_ONCE)
			break;
		n++;
	}
	return n;
}

void
check_probe_all(
    const char *worker_path, const char *user, struct check_probe *probes, size_t count)
{
	size_t n;

	for (size_t at = 0; at < count; at += n) {
		n = probes_at_once(&probes[at], count - at);
		for (size_t i = 0; i < n; i++)
			probe_start(&probes[at + i], worker_path, user);
		probes_wait(&probes[at], n);
	}
}
