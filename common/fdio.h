/* Small helpers around descriptors. All return 0 or negative errno. */
#ifndef WEIR_COMMON_FDIO_H
#define WEIR_COMMON_FDIO_H

#include <stddef.h>

/* Write or read exactly len bytes, whatever signals and short counts do. fdio_read_all
 * answers -ENODATA when the end comes before the first byte and -EPROTO when it comes
 * in the middle. */
int fdio_write_all(int fd, const void *data, size_t len);
int fdio_read_all(int fd, void *data, size_t len);

#endif
