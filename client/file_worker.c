#include "client/file_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/program.h"
#include "common/child.h"

#define PROGRAM "weir-worker"

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
	int ends[2];
	int rc;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	const struct program_fd fds[] = {
	    {input, CHILD_FD_INPUT}, {ends[1], CHILD_FD_OUTPUT}};
	rc = program_start(&worker->pid, path, argv, fds, 2);
	close(ends[1]);
	if (rc == 0)
		worker->fd = ends[0];
	else
		close(ends[0]);
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
