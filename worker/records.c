#include "worker/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"

static off_t
generation_offset(unsigned g)
{
	return (off_t)(RECORDS_HEADER_SIZE +
	    (uint64_t)g * RECORDS_CAPACITY * sizeof(struct record));
}

static int
allocate(int fd, off_t offset, off_t len)
{
	while (fallocate(fd, 0, offset, len) != 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int
records_grow(struct records *records, unsigned g)
{
	struct generation *generation = &records->header->generation[g];
	uint64_t step = RECORDS_STEP;
	int rc;

	if (generation->allocated >= RECORDS_CAPACITY)
		return -ENOSPC;
	if (step > RECORDS_CAPACITY - generation->allocated)
		step = RECORDS_CAPACITY - generation->allocated;
	rc = allocate(records->fd,
	    generation_offset(g) +
		(off_t)(generation->allocated * sizeof(struct record)),
	    (off_t)(step * sizeof(struct record)));
	if (rc != 0)
		return rc;
	generation->allocated += step;
	return 0;
}

void
records_reset(struct records *records, unsigned g, int64_t begin_ms, int64_t mono_ns)
{
	struct generation *generation = &records->header->generation[g];

	/* Field by field: a worker may die between any two stores, and `count` and
	 * `allocated` must be believable at every moment. */
	generation->count = RECORDS_OVERFLOW;
	generation->rotation = 0;
	generation->released = 0;
	generation->cuts = 0;
	generation->busy = 0;
	generation->kernel_known = 0;
	generation->kernel_received = 0;
	generation->kernel_dropped = 0;
	generation->begin_ms = begin_ms;
	generation->end_ms = 0;
	generation->begin_mono_ns = mono_ns;
	generation->length_ns = 0;
	generation->clock_step_ms = 0;
	memset(&generation->books, 0, sizeof(generation->books));
	memset(records->record[g], 0, RECORDS_OVERFLOW * sizeof(struct record));
}

static int
create(struct records *records, const char *iface, uint64_t file_id, int64_t begin_ms)
{
	struct records_header *header;
	int rc;

	rc = allocate(records->fd, 0, RECORDS_HEADER_SIZE);
	if (rc != 0)
		return rc;
	header = records->header;
	memset(header, 0, sizeof(*header));
	for (unsigned g = 0; g < 2; g++) {
		rc = records_grow(records, g);
		if (rc != 0)
			return rc;
		records_reset(records, g, begin_ms, mono_now().ns);
	}
	header->generation[1].released = 1;
	header->version = RECORDS_VERSION;
	header->header_size = RECORDS_HEADER_SIZE;
	header->record_size = sizeof(struct record);
	header->generation_size = sizeof(struct generation);
	header->capacity = RECORDS_CAPACITY;
	header->file_id = file_id;
	snprintf(header->iface, sizeof(header->iface), "%s", iface);
	records_barrier();
	header->magic = RECORDS_MAGIC;
	return 0;
}

static bool
check_generation(const struct records_header *header, unsigned g, off_t size)
{
	const struct generation *generation = &header->generation[g];
	bool frozen = g != header->current && generation->rotation != 0;

	if (generation->allocated > RECORDS_CAPACITY ||
	    generation->count > generation->allocated ||
	    generation->count < RECORDS_OVERFLOW)
		return false;
	/* Beyond the end of the file a read would be a SIGBUS. Generation 0 may have a
	 * hole there when only 1 was allocated: holes read as 0. */
	if ((uint64_t)generation_offset(g) +
		generation->allocated * sizeof(struct record) >
	    (uint64_t)size)
		return false;
	if (!records_label_valid(generation->begin_ms) ||
	    !records_label_valid(generation->end_ms) ||
	    (frozen && generation->end_ms < generation->begin_ms) ||
	    generation->clock_step_ms > RECORDS_LABEL_MAX_MS ||
	    generation->clock_step_ms < -RECORDS_LABEL_MAX_MS ||
	    generation->begin_mono_ns < 0 || generation->length_ns < 0)
		return false;
	return generation->rotation <= RECORDS_SEQ_MAX &&
	    generation->kernel_received <= RECORDS_COUNT_MAX &&
	    generation->kernel_dropped <= RECORDS_COUNT_MAX;
}

/* What must hold before anything in the file is believed. */
static int
check(const struct records *records, const char *iface, off_t size)
{
	const struct records_header *header = records->header;

	if (header->magic != RECORDS_MAGIC || header->version != RECORDS_VERSION ||
	    header->header_size != RECORDS_HEADER_SIZE ||
	    header->record_size != sizeof(struct record) ||
	    header->generation_size != sizeof(struct generation) ||
	    header->capacity != RECORDS_CAPACITY)
		return -EBADMSG;
	if (strncmp(header->iface, iface, sizeof(header->iface)) != 0)
		return -EBADMSG;
	if (header->file_id == 0 || header->current > 1 ||
	    header->command >> 16 > RECORDS_SEQ_MAX)
		return -EBADMSG;
	for (unsigned g = 0; g < 2; g++) {
		if (!check_generation(header, g, size))
			return -EBADMSG;
	}
	return 0;
}

int
records_open(struct records *records, int fd, const char *iface, uint64_t file_id,
    int64_t begin_ms, bool *fresh)
{
	size_t size =
	    RECORDS_HEADER_SIZE + 2 * RECORDS_CAPACITY * sizeof(struct record);
	const off_t used = lseek(fd, 0, SEEK_END); /* fstat(2) would take any path */
	int rc;

	if (used < 0)
		return -errno;
	if (used != 0 && used < RECORDS_HEADER_SIZE)
		return -EBADMSG;
	records->map =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (records->map == MAP_FAILED) {
		records->map = NULL;
		return -errno;
	}
	records->map_size = size;
	records->fd = fd;
	records->header = (struct records_header *)(void *)records->map;
	for (unsigned g = 0; g < 2; g++)
		records->record[g] =
		    (struct record *)(void *)(records->map + generation_offset(g));

	/* A file whose maker died before it was complete has never counted anything. */
	*fresh = used == 0 || records->header->magic == 0;
	if (*fresh)
		rc = create(records, iface, file_id, begin_ms);
	else
		rc = check(records, iface, used);
	if (rc != 0)
		records_close(records);
	return rc;
}

void
records_close(struct records *records)
{
	if (records->map)
		munmap(records->map, records->map_size);
	records->map = NULL;
}

uint64_t
records_size_max(uint64_t flow_limit)
{
	uint64_t steps =
	    (flow_limit + RECORDS_OVERFLOW + RECORDS_STEP - 1) / RECORDS_STEP;

	return (uint64_t)generation_offset(1) +
	    steps * RECORDS_STEP * sizeof(struct record);
}

uint64_t
records_flows(const struct records *records, unsigned g)
{
	uint64_t flows = records->header->generation[g].count - RECORDS_OVERFLOW;

	for (unsigned proto = 0; proto < RECORDS_OVERFLOW; proto++) {
		if (record_used(&records->record[g][proto]))
			flows++;
	}
	return flows;
}
