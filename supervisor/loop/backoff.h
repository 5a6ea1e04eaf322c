/* How long to wait before something that failed is tried again. The first try comes at
 * once, the following ones after `first_ms`, doubling up to `most_ms`; a success that
 * lasts `healthy_ms` begins anew. */
#ifndef WEIR_SUPERVISOR_BACKOFF_H
#define WEIR_SUPERVISOR_BACKOFF_H

#include <stdbool.h>

#include "common/clock.h"

struct backoff {
	int64_t first_ms;
	int64_t most_ms;
	int64_t healthy_ms;
	bool at_once; /* whether the first delay is 0 instead */
	int64_t next_ms; /* private */
};

void backoff_init(struct backoff *backoff, int64_t first_ms, int64_t most_ms,
    int64_t healthy_ms, bool at_once);

/* The delay before the next try, given how long the last one was well. */
int64_t backoff_next(struct backoff *backoff, int64_t well_ms);

#endif
