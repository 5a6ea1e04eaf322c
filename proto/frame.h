/* The same messages on a pipe or an inherited descriptor: 4 bytes of length, big
 * endian, then the message. Used for a worker's first message and for file mode. */
#ifndef WEIR_PROTO_FRAME_H
#define WEIR_PROTO_FRAME_H

#include "proto/pack.h"

/* Writes the finished pack as one frame. 0 or negative errno. */
int frame_write(int fd, const struct pack *pack);

/* Reads one frame into *data (malloc, the caller frees). 0; -ENODATA at a clean end;
 * -EPROTO cut off or longer than MSG_SIZE_MAX; other negative errno. */
int frame_read(int fd, void **data, size_t *len);

#endif
