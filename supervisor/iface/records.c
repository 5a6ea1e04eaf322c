#include "supervisor/iface/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define RECORDS_SUFFIX ".flows"

void
records_name(const struct iface_name *iface, char name[static RECORDS_NAME_SIZE])
{
	char file[IFACE_FILE_NAME_SIZE];

	iface_file_name(iface->s, file);
	snprintf(name, RECORDS_NAME_SIZE, "%s" RECORDS_SUFFIX, file);
}

int
records_iface(const char *file_name, struct iface_name *iface)
{
	char name[IFACE_NAME_SIZE];
	char again[RECORDS_NAME_SIZE];
	struct iface_name found;
	size_t len = 0;
	const char *at = file_name;
	unsigned byte;

	while (*at != '\0' && strcmp(at, RECORDS_SUFFIX) != 0) {
		if (len + 1 == sizeof(name))
			return -EINVAL;
		if (*at != '%') {
			name[len++] = *at++;
		} else if (sscanf(at, "%%%2x", &byte) == 1 && at[1] && at[2]) {
			name[len++] = (char)byte;
			at += 3;
		} else {
			return -EINVAL;
		}
	}
	name[len] = '\0';
	if (iface_name_set(&found, name) != 0)
		return -EINVAL;
	/* There is one way to write it. */
	records_name(&found, again);
	if (strcmp(again, file_name) != 0)
		return -EINVAL;
	*iface = found;
	return 0;
}

int
records_open(int dir_fd, const struct iface_name *iface)
{
	char name[RECORDS_NAME_SIZE];
	struct stat st;
	int fd;
	int rc;

	records_name(iface, name);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		rc = -EPERM;
	else
		rc = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}

bool
records_empty(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == 0;
}

int
records_set_aside(
    int dir_fd, const struct iface_name *iface, char name[static RECORDS_NAME_SIZE])
{
	char from[RECORDS_NAME_SIZE];
	char to[RECORDS_NAME_SIZE];
	struct wall now = wall_now();
	time_t seconds = (time_t)(now.ns / NS_PER_S);
	struct tm tm;
	char stamp[24] = "unknown";

	if (gmtime_r(&seconds, &tm))
		strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	records_name(iface, from);
	if (snprintf(to, sizeof(to), "%s.damaged-%s.%03dZ", from, stamp,
		(int)(now.ns / NS_PER_MS % MS_PER_S)) >= (int)sizeof(to))
		return -ENAMETOOLONG;
	if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) < 0)
		return -errno;
	memcpy(name, to, sizeof(to));
	return 0;
}

int
records_remove(int dir_fd, const struct iface_name *iface)
{
	char name[RECORDS_NAME_SIZE];

	records_name(iface, name);
	return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

void
records_each(int dir_fd, void (*each)(void *arg, const char *file_name), void *arg)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *entry;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, RECORDS_SUFFIX))
			each(arg, entry->d_name);
	}
	closedir(dir);
}

int
records_new_id(uint64_t *out)
{
	uint64_t id = 0;

	while (id == 0) {
		if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
			return -errno;
	}
	*out = id;
	return 0;
}
