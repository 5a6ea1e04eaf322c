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

struct interval {
	int64_t begin_ms; /* labels: UTC, [begin, end) */
	int64_t end_ms;
	int64_t length_ns; /* by the monotonic clock */
	int64_t clock_step_ms; /* labels minus length, when the clock was set; else 0 */
	uint64_t flows; /* flow records, overflow flows included */
	uint32_t cuts; /* how often counting was interrupted by a new worker */
	uint32_t busy; /* rotations refused because the last was not released */
	struct kernel_counts kernel;
	struct books books;
};

#endif
