/* When an interval ends: at the multiples of `rotation` since 1970 UTC, by the wall
 * clock, also after that was set. */
#ifndef WEIR_SUPERVISOR_ROTATION_H
#define WEIR_SUPERVISOR_ROTATION_H

#include "supervisor/loop/loop.h"

struct rotation {
	struct loop *loop;
	struct loop_watch *watch;
	int fd;
	int64_t period_ms;
	int64_t boundary_ms; /* the next one */
	void (*due)(void *arg, int64_t end_ms);
	void *arg;
};

/* `due` is called at each boundary with its label. 0 or negative errno. */
int rotation_init(struct rotation *rotation, struct loop *loop, int64_t period_ms,
    void (*due)(void *arg, int64_t end_ms), void *arg);

/* Another period from now on. 0 or negative errno. */
int rotation_set_period(struct rotation *rotation, int64_t period_ms);

/* The label of the interval that ends when the clock, that was to reach `boundary_ms`,
 * shows now_ms: that boundary, or after a jump the last one before now. */
int64_t rotation_label(int64_t boundary_ms, int64_t now_ms, int64_t period_ms);

void rotation_fini(struct rotation *rotation);

#endif
