/* Descriptors go by way of high numbers: so placing one cannot overwrite another, and none
 * is placed onto itself, which would leave it close-on-exec. */
#include "client/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#define FD_ASIDE 64 /* above the descriptors that a program finds */

static int
spawn(pid_t *pid, const char *path, char *const argv[],
    posix_spawn_file_actions_t *actions)
{
	posix_spawnattr_t attributes;
	sigset_t defaults;
	int rc;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	rc = posix_spawnattr_init(&attributes);
	if (rc != 0)
		return -rc;
	rc = posix_spawnattr_setsigdefault(&attributes, &defaults);
	if (rc == 0)
		rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	if (rc == 0)
		rc = posix_spawn(pid, path, actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	return -rc;
}

int
program_start(pid_t *pid, const char *path, char *const argv[],
    const struct program_fd *fds, size_t count)
{
	posix_spawn_file_actions_t actions;
	int aside[PROGRAM_FDS_MAX];
	size_t n = 0;
	int rc;

	if (count > PROGRAM_FDS_MAX)
		return -EINVAL;
	rc = -posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	for (; rc == 0 && n < count; n++) {
		aside[n] = fcntl(fds[n].from, F_DUPFD_CLOEXEC, FD_ASIDE);
		rc = aside[n] < 0
		    ? -errno
		    : -posix_spawn_file_actions_adddup2(&actions, aside[n], fds[n].to);
	}
	if (rc == 0)
		rc = spawn(pid, path, argv, &actions);
	while (n > 0) {
		if (aside[--n] >= 0)
			close(aside[n]);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}
