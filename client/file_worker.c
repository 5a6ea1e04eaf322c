#include "client/file_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"

#define PROGRAM "weir-worker"
#define FD_ASIDE 64 /* above the descriptors that a child finds */

static bool
try_directory(char *out, size_t size, const char *directory, size_t len)
{
	int n = snprintf(out, size, "%.*s/" PROGRAM, (int)len, directory);

	return n > 0 && (size_t)n < size && access(out, X_OK) == 0;
}

int
file_worker_find(char *out, size_t size)
{
	const char *libexec = getenv("WEIR_LIBEXECDIR");
	char self[PATH_MAX];
	ssize_t n;

	if (libexec && libexec[0] != '\0') /* it overrides, so nothing else is tried */
		return try_directory(out, size, libexec, strlen(libexec)) ? 0 : -ENOENT;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		char *slash = strrchr(self, '/');
		if (slash && try_directory(out, size, self, (size_t)(slash - self)))
			return 0;
	}
	return try_directory(out, size, WEIR_LIBEXECDIR, strlen(WEIR_LIBEXECDIR))
	    ? 0
	    : -ENOENT;
}

int
file_worker_start(
    struct file_worker *worker, const char *path, int input, bool books_only)
{
	char program[] = PROGRAM;
	char read_flag[] = "--read";
	char books_flag[] = "--books";
	char *const argv[] = {program, read_flag, books_only ? books_flag : NULL, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int ends[2] = {-1, -1};
	int source = -1, target = -1;
	int rc;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	/* dup2 onto itself would leave close-on-exec set, so keep clear of 6 and 7 */
	source = fcntl(input, F_DUPFD_CLOEXEC, FD_ASIDE);
	target = fcntl(ends[1], F_DUPFD_CLOEXEC, FD_ASIDE);
	if (source < 0 || target < 0) {
		rc = -errno;
		goto out;
	}
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	rc = posix_spawn_file_actions_adddup2(&actions, source, CHILD_FD_INPUT);
	if (rc == 0)
		rc =
		    posix_spawn_file_actions_adddup2(&actions, target, CHILD_FD_OUTPUT);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(&attributes, &defaults);
	if (rc == 0)
		rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawn(
		    &worker->pid, path, &actions, &attributes, argv, environ);
	rc = -rc;
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (rc == 0) {
		worker->fd = ends[0];
		ends[0] = -1;
	}
out:
	if (source >= 0)
		close(source);
	if (target >= 0)
		close(target);
	if (ends[0] >= 0)
		close(ends[0]);
	close(ends[1]);
	return rc;
}

int
file_worker_end(struct file_worker *worker, char *how, size_t size)
{
	int status;

	close(worker->fd); /* a worker that still writes ends by SIGPIPE or EPIPE */
	while (waitpid(worker->pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		snprintf(how, size, "%s", strerror(errno));
		return -EIO;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		snprintf(how, size, "signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		snprintf(how, size, "exit code %d", WEXITSTATUS(status));
	return -EIO;
}
