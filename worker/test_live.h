/* A capture of a live interface for the worker's tests: its thread, with a meter whose
 * records are in memory. While it runs the test looks at it as a worker does, through
 * capture_run(). */
#ifndef WEIR_WORKER_TEST_LIVE_H
#define WEIR_WORKER_TEST_LIVE_H

#include <stdio.h>
#include <sys/mman.h>

#include "proto/flow_map.h"
#include "worker/capture.h"
#include "worker/test_net.h"

struct live {
	struct capture *capture;
	struct meter *meter;
	struct capture_config config;
	int records;
};

/* What a look finds; `filter` goes in, `result` is what setting it returned. */
struct live_look {
	struct live *live;
	struct capture_status status;
	struct interval interval;
	const char *filter;
	int result;
};

/* The default configuration with this filter, to be changed before live_start(). */
static inline void
live_prepare(struct live *live, const char *filter)
{
	*live = (struct live){.records = -1};
	capture_config_default(&live->config);
	snprintf(live->config.filter, sizeof(live->config.filter), "%s", filter);
}

/* Opens, and when that went well also starts to read. */
static inline enum capture_state
live_start(struct live *live, const char *iface)
{
	const struct source_options source = {.iface = iface, .config = &live->config};
	struct meter_options meter = {
	    .iface = iface, .file_id = 7, .begin_ms = 1000, .flow_limit = 1000};
	struct capture_status status;

	assert_int_equal(capture_new(&live->capture, &source_live, &source), 0);
	capture_enable(live->capture);
	live->records = memfd_create("records", MFD_CLOEXEC);
	meter.fd = live->records;
	assert_int_equal(meter_open(&live->meter, &meter), 0);
	capture_status(live->capture, &status);
	assert_int_equal(capture_start(live->capture, live->meter), 0);
	return status.state;
}

/* A new namespace (or the test skips), in which v0 is captured. */
static inline void
live_begin(struct live *live, const char *filter)
{
	net_require();
	live_prepare(live, filter);
	assert_int_equal(live_start(live, "v0"), CAPTURE_ACTIVE);
}

static inline void
live_free(struct live *live)
{
	capture_free(live->capture);
	meter_free(live->meter);
	close(live->records);
}

static inline void
live_on_look(void *arg)
{
	struct live_look *look = arg;

	capture_status(look->live->capture, &look->status);
	meter_interval(look->live->meter, &look->interval);
}

static inline struct live_look
live_status(struct live *live)
{
	struct live_look look = {.live = live};

	capture_run(live->capture, live_on_look, &look);
	return look;
}

static inline void
live_on_filter(void *arg)
{
	struct live_look *look = arg;
	struct source_fault fault;

	look->result = capture_set_filter(look->live->capture, look->filter, &fault);
}

static inline int
live_set_filter(struct live *live, const char *filter)
{
	struct live_look look = {.live = live, .filter = filter};

	capture_run(live->capture, live_on_filter, &look);
	return look.result;
}

static inline void
live_on_disable(void *arg)
{
	struct live_look *look = arg;

	capture_disable(look->live->capture);
	live_on_look(look);
}

/* Ends the capture, which counts what the rings still hold; the look is after that. */
static inline struct live_look
live_disable(struct live *live)
{
	struct live_look look = {.live = live};

	capture_run(live->capture, live_on_disable, &look);
	return look;
}

/* The same when nothing is asked of it afterwards. */
static inline struct live_look
live_end(struct live *live)
{
	struct live_look look = live_disable(live);

	live_free(live);
	return look;
}

static inline int
live_add_directions(void *arg, const struct flow_record *flow)
{
	uint64_t *sums = arg;

	for (int observed = 0; observed < 2; observed++)
		sums[observed] += flow->count[observed][FWD].packets +
		    flow->count[observed][REV].packets;
	return 0;
}

/* Received and sent packets of the running interval, which this ends. */
static inline void
live_count(struct live *live, uint64_t sums[2])
{
	struct interval interval;
	uint64_t next, flows;
	struct pack pack;
	bool last;

	sums[RECEIVED] = sums[SENT] = 0;
	pack_init(&pack);
	assert_int_equal(meter_rotate(live->meter, 1, 2000, &interval), 0);
	assert_int_equal(
	    meter_fetch(live->meter, 1, 0, &pack, &next, &last, &flows), 0);
	assert_true(last);
	assert_int_equal(flow_map_each(pack.buffer.data, pack.buffer.size,
			     live_add_directions, sums),
	    0);
	pack_fini(&pack);
}

#endif
