/* fork + exec with fixed descriptors. */
#ifndef WEIR_SUPERVISOR_SPAWN_H
#define WEIR_SUPERVISOR_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 8

struct spawn_fd {
	int from;
	int to; /* 2, for a pipe of supervisor/log, or above; each number once */
};

struct spawn {
	int program_dir;
	const char *program; /* file in program_dir; also argv[0] */
	char *const *argv;
	struct spawn_fd fds[SPAWN_FDS_MAX];
	size_t fd_count;
};

/* The pid, or negative errno. The child has the descriptors in the list, nothing else: 0 and
 * 1, and 2 unless it is in the list, are /dev/null, opened for it alone (of a descriptor that
 * is shared it could change the flags for the supervisor, too). It is told of the pipe
 * (LOG_PIPE_VARIABLE). INT, TERM and HUP are ignored, and PIPE: who reads its log may end
 * before it. Every other signal is at its default, none blocked; no core files; of the
 * environment only what a child may see. A failing exec ends it with exit code 127. */
pid_t spawn_process(const struct spawn *spawn);

#endif
