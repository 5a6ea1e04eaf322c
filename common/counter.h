/* What is counted everywhere: packets, and bytes of the frame as the kernel saw it
 * (libpcap's `len`, link header included), never the captured length. 64-bit sums;
 * at 100 Gbit/s the bytes last for 46 years. */
#ifndef WEIR_COMMON_COUNTER_H
#define WEIR_COMMON_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

struct counter {
	uint64_t packets;
	uint64_t bytes;
};

static inline void
counter_add(struct counter *sum, const struct counter *more)
{
	sum->packets += more->packets;
	sum->bytes += more->bytes;
}

static inline bool
counter_equal(const struct counter *a, const struct counter *b)
{
	return a->packets == b->packets && a->bytes == b->bytes;
}

#endif
