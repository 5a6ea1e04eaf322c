/* A token bucket: so many at once, and so many per second after that. The limits are given
 * with each call, and must be the same ones. No lock: one thread, or the caller's lock. */
#ifndef WEIR_COMMON_RATE_H
#define WEIR_COMMON_RATE_H

#include <stdbool.h>

#include "common/clock.h"

struct rate {
	int64_t tokens; /* in thousandths */
	struct mono filled;
};

/* Full. */
void rate_init(struct rate *rate, unsigned burst);

/* Whether one may pass now; then it has been taken. */
bool rate_take(struct rate *rate, unsigned burst, unsigned per_second);

#endif
