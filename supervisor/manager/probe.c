/* The request fits into a pipe and so does the answer, so neither side waits for the
 * other: the request is written before the process exists, the answer is read when it has
 * ended (which its pidfd tells). */
#include "supervisor/manager/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "supervisor/child/spawn.h"
#include "supervisor/log/log_pipe.h"
#include "supervisor/supervisor.h"

#define PROBE_MS 12000 /* it ends itself after 10 s */

struct probe {
	struct loop *loop;
	struct loop_watch *watch;
	struct loop_timer timer;
	pid_t pid;
	int pid_fd;
	int answer_fd;
	struct log_pipe *log;
	void (*done)(void *arg, const struct probe_result *result);
	void *arg;
};

static void
probe_free(struct probe *probe)
{
	if (!probe)
		return;
	loop_unwatch(probe->loop, probe->watch);
	loop_timer_clear(probe->loop, &probe->timer);
	log_pipe_free(probe->log);
	if (probe->pid_fd >= 0)
		close(probe->pid_fd);
	if (probe->answer_fd >= 0)
		close(probe->answer_fd);
	free(probe);
}

static void
probe_on_end(void *arg)
{
	struct probe *probe = arg;
	struct probe_result result = {.reason = ""};
	char how[CHILD_EXIT_TEXT];
	int status = 0;
	int rc;

	if (waitpid(probe->pid, &status, WNOHANG) != probe->pid)
		return;
	log_pipe_finish(probe->log);
	rc = check_read_answer(probe->answer_fd, result.reason, result.text);
	if (rc != 0) {
		snprintf(result.reason, sizeof(result.reason), "failed");
		snprintf(result.text, sizeof(result.text),
		    "the check did not come to an end: %s",
		    child_exit_text(status, how));
	}
	if (probe->done)
		probe->done(probe->arg, &result);
	probe_free(probe);
}

static void
probe_on_timer(void *arg)
{
	struct probe *probe = arg;

	kill(probe->pid, SIGKILL);
}

static pid_t
probe_spawn(const struct supervisor *supervisor, const struct iface_name *iface,
    int request_fd, int answer_fd, int log_fd)
{
	char program[] = "weir-worker";
	char check[] = "--check";
	char user_option[] = "--user";
	char user[32];
	char end_of_options[] = "--"; /* a name may begin with a dash */
	struct iface_name name = *iface;
	char *argv[] = {
	    program, check, user_option, user, end_of_options, name.s, NULL};
	struct spawn spawn = {.program_dir = supervisor->program_dir,
	    .program = program,
	    .argv = argv,
	    .fds = {{request_fd, CHILD_FD_START}, {answer_fd, CHILD_FD_OUTPUT},
		{log_fd, STDERR_FILENO}},
	    .fd_count = 3};

	snprintf(user, sizeof(user), "%u:%u", (unsigned)supervisor->settings.worker_uid,
	    (unsigned)supervisor->settings.worker_gid);
	return spawn_process(&spawn);
}

int
probe_start(struct probe **out, struct supervisor *supervisor,
    const struct iface_name *iface, const struct capture_config *config,
    void (*done)(void *arg, const struct probe_result *result), void *arg)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int request[2] = {-1, -1};
	int answer[2] = {-1, -1};
	int log_write = -1;
	int rc = 0;

	if (!probe)
		return -ENOMEM;
	*probe = (struct probe){.loop = supervisor->loop,
	    .timer = {.fire = probe_on_timer, .arg = probe},
	    .pid_fd = -1,
	    .answer_fd = -1,
	    .done = done,
	    .arg = arg};
	if (pipe2(request, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0) {
		rc = -errno;
		goto out;
	}
	/* Another process may hold the other end when this one has ended. */
	if (fcntl(answer[0], F_SETFL, O_NONBLOCK) < 0) {
		rc = -errno;
		goto out;
	}
	rc = check_ask(request[1], iface->s, config);
	if (rc != 0)
		goto out;
	rc = log_pipe_new(
	    &probe->log, supervisor->loop, "weir-worker", iface->s, false, &log_write);
	if (rc != 0)
		goto out;
	probe->pid = probe_spawn(supervisor, iface, request[0], answer[1], log_write);
	if (probe->pid < 0) {
		rc = (int)probe->pid;
		goto out;
	}
	log_pipe_set_pid(probe->log, (int)probe->pid);
	probe->answer_fd = answer[0];
	answer[0] = -1;
	probe->pid_fd = pidfd_open(probe->pid, 0);
	if (probe->pid_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = loop_watch_fd(supervisor->loop, probe->pid_fd, probe_on_end, probe,
		    &probe->watch);
	if (rc != 0) {
		kill(probe->pid, SIGKILL);
		waitpid(probe->pid, NULL, 0);
		goto out;
	}
	loop_timer_set(supervisor->loop, &probe->timer, PROBE_MS);
	*out = probe;
	probe = NULL;
out:
	for (size_t i = 0; i < 2; i++) {
		if (request[i] >= 0)
			close(request[i]);
		if (answer[i] >= 0)
			close(answer[i]);
	}
	if (log_write >= 0)
		close(log_write);
	probe_free(probe);
	return rc;
}

void
probe_cancel(struct probe *probe)
{
	if (probe)
		probe->done = NULL;
}
