/* Two clocks that must not be mixed, so each has its own type. Labels of intervals and
 * packet times are wall clock, UTC; lengths and deadlines are monotonic. */
#ifndef WEIR_COMMON_CLOCK_H
#define WEIR_COMMON_CLOCK_H

#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define MS_PER_S INT64_C(1000)

struct mono {
	int64_t
	    ns; /* CLOCK_BOOTTIME: goes on through suspend, the same in all processes */
};

struct wall {
	int64_t ns; /* since 1970-01-01 00:00:00 UTC */
};

struct mono mono_now(void);
struct wall wall_now(void);

/* later - earlier, in milliseconds, rounded towards zero. */
int64_t mono_ms_between(struct mono earlier, struct mono later);

struct mono mono_plus_ms(struct mono t, int64_t ms);

/* The first multiple of `period_ms` (since 1970 UTC) that is later than `now`: the
 * boundary at which an interval ends. period_ms > 0. */
int64_t wall_next_boundary_ms(struct wall now, int64_t period_ms);

/* "2026-01-31T23:59:59.123Z" (UTC, milliseconds; without the fraction when it is 0). */
char *wall_text_ms(int64_t ms, char buf[static 32]);

#endif
