/* Directories that the supervisor makes or takes over. */
#ifndef WEIR_SUPERVISOR_DIRECTORY_H
#define WEIR_SUPERVISOR_DIRECTORY_H

#include <stdbool.h>
#include <sys/types.h>

/* How a directory must be. */
struct directory {
	const char *key; /* of the configuration, for messages */
	const char *path; /* for messages */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	const char *
	    mark; /* a file that shows that a directory with content is ours; or NULL */
};

/* Makes `name` in at_fd (AT_FDCWD: a path) when it is missing, and gives it owner, group
 * and mode. One that exists must be a directory, no link, and belong to root or `uid`; one
 * that is not empty and lacks `mark` must have owner, group and mode already. Answers a
 * descriptor (close-on-exec), or negative errno after having said why in the log. */
int directory_open(int at_fd, const char *name, const struct directory *want);

/* Removes every socket in the directory. 0 or negative errno. */
int directory_remove_sockets(int fd);

/* Whether it lies on tmpfs: 1, 0 or negative errno. */
int directory_on_tmpfs(int fd);

#endif
