/* Starting one of weir's other programs with descriptors of the caller's. */
#ifndef WEIR_CLIENT_PROGRAM_H
#define WEIR_CLIENT_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* Number `to` of the program is `from` of the caller, which stays the caller's. */
struct program_fd {
	int from;
	int to;
};

#define PROGRAM_FDS_MAX 4

/* The program has these, and what of 0, 1 and 2 is not among them; everything else must be
 * close-on-exec. SIGPIPE ends it, as it would from a shell. 0 or negative errno. */
int program_start(pid_t *pid, const char *path, char *const argv[],
    const struct program_fd *fds, size_t count);

#endif
