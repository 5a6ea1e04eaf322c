/* fork + exec with fixed descriptors. */
#ifndef WEIR_SUPERVISOR_SPAWN_H
#define WEIR_SUPERVISOR_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

#define SPAWN_FDS_MAX 8

struct spawn_fd {
	int from;
	int to; /* above 1; each number once */
};

struct spawn {
	int program_dir;
	const char *program; /* file in program_dir; also argv[0] */
	char *const *argv;
	struct spawn_fd fds[SPAWN_FDS_MAX];
	size_t fd_count;
};

/* The pid, or negative errno. The child has the descriptors 0, 1, 2 and those in the list,
 * nothing else; one for 2 in the list is a pipe of supervisor/log, and the child is told so
 * (LOG_PIPE_VARIABLE); INT, TERM and HUP ignored, every other signal at its default, none blocked;
 * no core files; of the environment only what a child may see. A failing exec ends it with
 * exit code 127. */
pid_t spawn_process(const struct spawn *spawn);

#endif
