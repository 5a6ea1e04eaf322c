/* For tests and fuzzers: a record file as it was left, one generation frozen, one counting,
 * to be damaged and written again. The file that includes this defines IMAGE_KEPT, the
 * records of a generation that are not empty. */
#ifndef WEIR_WORKER_TEST_IMAGE_H
#define WEIR_WORKER_TEST_IMAGE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/records.h"

struct image {
	uint8_t header[RECORDS_HEADER_SIZE];
	struct record record[2][IMAGE_KEPT];
	off_t size;
};

static inline off_t
record_offset(unsigned g, uint64_t number)
{
	return (off_t)(RECORDS_HEADER_SIZE +
	    (g * RECORDS_CAPACITY + number) * sizeof(struct record));
}

static inline bool
image_read(struct image *image, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 ||
	    pread(fd, image->header, sizeof(image->header), 0) != sizeof(image->header))
		return false;
	for (unsigned g = 0; g < 2; g++) {
		if (pread(fd, image->record[g], sizeof(image->record[g]),
			record_offset(g, 0)) != sizeof(image->record[g]))
			return false;
	}
	image->size = st.st_size;
	return true;
}

static inline bool
image_write(const struct image *image, int fd)
{
	if (pwrite(fd, image->header, sizeof(image->header), 0) !=
	    sizeof(image->header))
		return false;
	for (unsigned g = 0; g < 2; g++) {
		if (pwrite(fd, image->record[g], sizeof(image->record[g]),
			record_offset(g, 0)) != sizeof(image->record[g]))
			return false;
	}
	return ftruncate(fd, image->size) == 0;
}

#endif
