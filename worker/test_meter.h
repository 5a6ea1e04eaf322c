/* For tests: a meter on a record file. */
#ifndef WEIR_WORKER_TEST_METER_H
#define WEIR_WORKER_TEST_METER_H

#include "worker/meter.h"

static inline struct meter_options
meter_options_for(int fd, uint64_t file_id, uint64_t limit)
{
	return (struct meter_options){.fd = fd,
	    .iface = "test0",
	    .file_id = file_id,
	    .begin_ms = 1000,
	    .flow_limit = limit};
}

static inline struct meter *
open_meter(int fd, uint64_t limit)
{
	struct meter_options options = meter_options_for(fd, 42, limit);
	struct meter *meter;

	assert_int_equal(meter_open(&meter, &options), 0);
	return meter;
}

#endif
