/* The file as text, bounded: how large a configuration may be is known before it is read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config_private.h"

static int
read_all(int fd, char **text, size_t *len)
{
	char *buf = malloc(CONFIG_FILE_MAX + 1);
	size_t used = 0;
	ssize_t n;
	int rc = 0;

	if (!buf)
		return -ENOMEM;
	/* One byte more than is allowed tells a file that is too large. */
	while (used < CONFIG_FILE_MAX + 1) {
		n = read(fd, buf + used, CONFIG_FILE_MAX + 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (rc != 0) {
		free(buf);
		return rc;
	}
	*text = buf;
	*len = used;
	return 0;
}

static int
unreadable(const char *name, const char *why,
    void (*fault)(void *arg, const char *line), void *arg)
{
	char *line;

	if (asprintf(&line, "%s: cannot be read: %s", name, why) < 0) {
		fault(arg, "out of memory");
		return -EINVAL;
	}
	fault(arg, line);
	free(line);
	return -EINVAL;
}

int
config_load_fd(int fd, const char *name, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg)
{
	char *text = NULL;
	size_t len = 0;
	int rc = fd < 0 ? -errno : read_all(fd, &text, &len);

	if (rc != 0)
		return unreadable(name, strerror(-rc), fault, arg);
	rc = config_parse(name, text, len, config, fault, arg);
	free(text);
	return rc;
}

int
config_load(const char *path, struct config *config,
    void (*fault)(void *arg, const char *line), void *arg)
{
	/* A daemon reads it while it measures: a pipe without a writer, or a terminal, must
	 * not let it wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc;

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISDIR(st.st_mode))
		rc = unreadable(path, "not a regular file", fault, arg);
	else
		rc = config_load_fd(fd, path, config, fault, arg);
	if (fd >= 0)
		close(fd);
	return rc;
}
