/* The second belt: each of these is given up by the list of system calls or by Landlock
 * as well, where the kernel has them. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "common/sandbox/sandbox.h"

/* poll(2) refuses more descriptors than may be open; ours are asked about fewer. */
#define LIMITS_POLLED 8

static int
limits_set(int resource, uint64_t value)
{
	const struct rlimit limit = {(rlim_t)value, (rlim_t)value};

	return setrlimit((__rlimit_resource_t)resource, &limit) == 0 ? 0 : -errno;
}

int
sandbox_limit(const struct sandbox_limits *limits)
{
	const struct {
		int resource;
		uint64_t value;
	} rows[] = {
	    {RLIMIT_CORE, 0},
	    {RLIMIT_MEMLOCK, 0},
	    {RLIMIT_MSGQUEUE, 0},
	    {RLIMIT_FSIZE, limits->file_size},
	    {RLIMIT_NOFILE, limits->descriptors},
	    {RLIMIT_NPROC, limits->threads},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].value != SANDBOX_NO_LIMIT)
			rc = limits_set(rows[i].resource, rows[i].value);
	}
	return rc;
}

uint64_t
sandbox_no_more_descriptors(void)
{
	uint64_t lowest = 0;

	while (fcntl((int)lowest, F_GETFD) >= 0)
		lowest++;
	return lowest > LIMITS_POLLED ? lowest : LIMITS_POLLED;
}
