#include "supervisor/iface/error_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int
error_file_open(int dir_fd, const struct iface_name *iface, gid_t gid)
{
	char escaped[IFACE_FILE_NAME_SIZE];
	char name[IFACE_FILE_NAME_SIZE + sizeof("_errors.pcap")];
	struct stat st;
	int fd;
	int rc = 0;

	iface_file_name(iface->s, escaped);
	snprintf(name, sizeof(name), "%s_errors.pcap", escaped);
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
