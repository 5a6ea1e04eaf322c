#include "common/fdio.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

int
fdio_write_all(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int
fdio_read_all(int fd, void *data, size_t len)
{
	uint8_t *at = data;
	size_t left = len;

	while (left > 0) {
		ssize_t n = read(fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return left == len ? -ENODATA : -EPROTO;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}
