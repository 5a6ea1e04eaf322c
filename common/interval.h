/* What is known of one interval of one interface, beside its flows. */
#ifndef WEIR_COMMON_INTERVAL_H
#define WEIR_COMMON_INTERVAL_H

#include "common/books.h"

/* Packet counts of the kernel (packet sockets) for the same interval: 64-bit sums of
 * polled differences. Not known is not 0. */
struct kernel_counts {
	bool known;
	uint64_t received; /* put into the ring, dropped ones included */
	uint64_t dropped; /* the ring was full */
};

/* The interface's own counters for the same interval, read by the supervisor (rtnetlink,
 * IFLA_STATS64). Not known is not 0: a worker does not know them, nor does anybody after the
 * interface was replaced. */
struct link_counts {
	bool known;
	uint64_t packets; /* received and sent by the interface */
	uint64_t dropped; /* rx_dropped: by the kernel, before anybody saw them */
	uint64_t missed; /* rx_missed_errors: by the device, for want of room */
};

struct interval {
	int64_t begin_ms; /* labels: UTC, [begin, end) */
	int64_t end_ms;
	int64_t length_ns; /* by the monotonic clock */
	int64_t clock_step_ms; /* labels minus length, when the clock was set; else 0 */
	uint64_t flows; /* flow records, overflow flows included */
	uint32_t cuts; /* how often counting was interrupted by a new worker */
	uint32_t busy; /* rotations refused because the last was not released */
	struct kernel_counts kernel;
	struct link_counts link;
	struct books books;
};

#endif
