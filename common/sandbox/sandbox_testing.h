/* For tests: what is done in a process of its own, since none of it can be undone, and
 * what that process said and how it ended. */
#ifndef WEIR_COMMON_SANDBOX_TESTING_H
#define WEIR_COMMON_SANDBOX_TESTING_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct ended {
	int status; /* of waitpid() */
	char said[1024]; /* on stderr */
};

/* `run` answers the exit code: 0, or the number of its first failing step. */
static inline void
end_of(int (*run)(void), struct ended *ended)
{
	size_t used = 0;
	int fds[2];
	ssize_t n;
	pid_t pid;

	memset(ended, 0, sizeof(*ended));
	ended->status = -1;
	if (pipe(fds) != 0)
		return;
	pid = fork();
	if (pid == 0) {
		if (dup2(fds[1], STDERR_FILENO) < 0)
			_exit(200);
		close(fds[0]);
		close(fds[1]);
		_exit(run());
	}
	close(fds[1]);
	while (used < sizeof(ended->said) - 1 &&
	    (n = read(fds[0], ended->said + used, sizeof(ended->said) - 1 - used)) > 0)
		used += (size_t)n;
	close(fds[0]);
	while (waitpid(pid, &ended->status, 0) < 0 && errno == EINTR)
		;
}

/* Whether it came to its end: exit code 0. */
static inline bool
did_all(int (*run)(void))
{
	struct ended ended;

	end_of(run, &ended);
	if (ended.status == 0)
		return true;
	fprintf(stderr, "it ended with %x, and said: %s\n", (unsigned)ended.status,
	    ended.said);
	return false;
}

/* Whether it was ended for a call that the line on stderr names. */
static inline bool
was_refused(int (*run)(void), const char *name)
{
	char words[64];
	struct ended ended;

	end_of(run, &ended);
	snprintf(words, sizeof(words), "the system call %s (number ", name);
	if (WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGSYS &&
	    strstr(ended.said, words) && ended.said[strlen(ended.said) - 1] == '\n')
		return true;
	fprintf(stderr, "%s: it ended with %x, and said: %s\n", name,
	    (unsigned)ended.status, ended.said);
	return false;
}

#endif
