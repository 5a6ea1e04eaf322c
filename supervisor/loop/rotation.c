/* A timerfd on the wall clock that is also cancelled when the clock is set: a step
 * forward over a boundary ends the interval at once, a step back makes it longer. How
 * long it really was, the worker measures by the monotonic clock. */
#include "supervisor/loop/rotation.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int
rotation_arm(struct rotation *rotation)
{
	struct itimerspec at = {
	    .it_value = {.tv_sec = (time_t)(rotation->boundary_ms / MS_PER_S),
		.tv_nsec = (long)(rotation->boundary_ms % MS_PER_S * NS_PER_MS)}};

	if (timerfd_settime(rotation->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
		&at, NULL) < 0)
		return -errno;
	return 0;
}

int64_t
rotation_label(int64_t boundary_ms, int64_t now_ms, int64_t period_ms)
{
	if (now_ms < boundary_ms + period_ms)
		return boundary_ms;
	return now_ms / period_ms * period_ms;
}

static void
rotation_on_timer(void *arg)
{
	struct rotation *rotation = arg;
	struct wall now;
	int64_t now_ms;
	int64_t label;
	uint64_t count;

	if (read(rotation->fd, &count, sizeof(count)) < 0 && errno == EAGAIN)
		return;
	now = wall_now();
	now_ms = now.ns / NS_PER_MS;
	label = rotation_label(rotation->boundary_ms, now_ms, rotation->period_ms);
	if (now_ms >= rotation->boundary_ms)
		rotation->due(rotation->arg, label);
	rotation->boundary_ms = wall_next_boundary_ms(now, rotation->period_ms);
	rotation_arm(rotation);
}

int
rotation_set_period(struct rotation *rotation, int64_t period_ms)
{
	rotation->period_ms = period_ms;
	rotation->boundary_ms = wall_next_boundary_ms(wall_now(), period_ms);
	return rotation_arm(rotation);
}

int
rotation_init(struct rotation *rotation, struct loop *loop, int64_t period_ms,
    void (*due)(void *arg, int64_t end_ms), void *arg)
{
	int rc;

	*rotation = (struct rotation){.loop = loop, .due = due, .arg = arg};
	rotation->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (rotation->fd < 0)
		return -errno;
	rc = loop_watch_fd(
	    loop, rotation->fd, rotation_on_timer, rotation, &rotation->watch);
	if (rc == 0)
		rc = rotation_set_period(rotation, period_ms);
	if (rc != 0)
		rotation_fini(rotation);
	return rc;
}

void
rotation_fini(struct rotation *rotation)
{
	if (!rotation->loop)
		return;
	loop_unwatch(rotation->loop, rotation->watch);
	if (rotation->fd >= 0)
		close(rotation->fd);
	*rotation = (struct rotation){.fd = -1};
}
