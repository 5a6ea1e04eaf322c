#include "supervisor/iface/error_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE (IFACE_FILE_NAME_SIZE + sizeof("_errors.pcap"))

static void
error_file_name(const struct iface_name *iface, char out[static NAME_SIZE])
{
	char escaped[IFACE_FILE_NAME_SIZE];

	iface_file_name(iface->s, escaped);
	snprintf(out, NAME_SIZE, "%s_errors.pcap", escaped);
}

int
error_file_open(int dir_fd, const struct iface_name *iface, gid_t gid)
{
	char name[NAME_SIZE];
	struct stat st;
	int fd;
	int rc = 0;

	error_file_name(iface, name);
	fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		rc = -EPERM;
	else if (fchown(fd, (uid_t)-1, gid) != 0 || fchmod(fd, 0640) != 0)
		rc = -errno;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	return fd;
}

void
error_file_tidy(int dir_fd, const struct iface_name *iface)
{
	char name[NAME_SIZE];
	struct stat st;

	if (dir_fd < 0)
		return;
	error_file_name(iface, name);
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size == 0)
		(void)unlinkat(dir_fd, name, 0);
}
