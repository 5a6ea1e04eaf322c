/* Messages on a pipe. The length is judged before anything is allocated. */
#include "proto/frame.h"

#include <errno.h>
#include <stdlib.h>

#include "common/fdio.h"

#define HEADER_SIZE 4

int
frame_write(int fd, const struct pack *pack)
{
	size_t len = pack->buffer.size;
	const uint8_t header[HEADER_SIZE] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
	    (uint8_t)(len >> 8), (uint8_t)len};
	int rc;

	if (pack->failed || pack->depth != 0)
		return -EINVAL;
	if (len == 0 || len > MSG_SIZE_MAX)
		return -EMSGSIZE;
	rc = fdio_write_all(fd, header, sizeof(header));
	return rc != 0 ? rc : fdio_write_all(fd, pack->buffer.data, len);
}

int
frame_read(int fd, void **data, size_t *len)
{
	uint8_t header[HEADER_SIZE];
	uint32_t size;
	void *body;
	int rc;

	rc = fdio_read_all(fd, header, sizeof(header));
	if (rc != 0)
		return rc;
	size = (uint32_t)header[0] << 24 | (uint32_t)header[1] << 16 |
	    (uint32_t)header[2] << 8 | header[3];
	if (size == 0 || size > MSG_SIZE_MAX)
		return -EPROTO;
	body = malloc(size);
	if (!body)
		return -ENOMEM;
	rc = fdio_read_all(fd, body, size);
	if (rc != 0) {
		free(body);
		return rc == -ENODATA ? -EPROTO : rc;
	}
	*data = body;
	*len = size;
	return 0;
}
