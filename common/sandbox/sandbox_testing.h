/* For tests: what is done in a process of its own, since none of it can be undone, and
 * what that process said and how it ended. */
#ifndef WEIR_COMMON_SANDBOX_TESTING_H
#define WEIR_COMMON_SANDBOX_TESTING_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sandbox/sandbox.h"

#define HEAD "<3>sandbox: "
#define NOT_REFUSED 99 /* exit code: the call was made */

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

/* A new file below /tmp: its path. For setups: 0 or -1. */
static inline int
make_temporary(char *path, size_t size)
{
	int fd;

	snprintf(path, size, "/tmp/weir-test-XXXXXX");
	fd = mkstemp(path);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

static inline void
need_enforcing(void)
{
	if (WEIR_SANDBOX_MODE == SANDBOX_ENFORCE)
		return;
	print_message("skipped: built without an enforcing sandbox\n");
	skip();
}

/* What no process of ours may, to be refused. */

static inline void
trace_somebody(void)
{
	syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0);
}

static inline void
read_somebodys_memory(void)
{
	syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static inline void
kill_somebody(void)
{
	syscall(SYS_kill, 1, 0);
}

static inline void
run_a_program(void)
{
	char *const none[] = {NULL};

	execve("/bin/true", none, none);
}

static inline void
start_a_process(void)
{
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
		_exit(0);
}

#endif
