/* One epoll instance. Timers are a list sorted by deadline, searched from the end: there
 * are a few per interface and most are set far ahead. Posts are a list under a lock with
 * an eventfd that wakes the loop. A watch that is removed while its event may still be
 * in the batch at hand is kept until the batch is done. */
#include "supervisor/loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOP_BATCH 64

struct loop_watch {
	int fd;
	bool removed;
	void (*ready)(void *arg);
	void *arg;
	struct loop_watch *next_removed;
};

struct loop {
	int epoll_fd;
	int wake_fd;
	bool stopped;
	TAILQ_HEAD(loop_timers, loop_timer) timers;
	struct loop_watch *removed;
	pthread_mutex_t lock;
	TAILQ_HEAD(loop_posts, loop_post) posts; /* under lock */
};

int
loop_new(struct loop **out)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	struct loop *loop = calloc(1, sizeof(*loop));
	int rc;

	if (!loop)
		return -ENOMEM;
	TAILQ_INIT(&loop->timers);
	TAILQ_INIT(&loop->posts);
	pthread_mutex_init(&loop->lock, NULL);
	loop->wake_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		goto fail;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		goto fail;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
		goto fail;
	*out = loop;
	return 0;
fail:
	rc = -errno;
	loop_free(loop);
	return rc;
}

static void
loop_bury(struct loop *loop)
{
	while (loop->removed) {
		struct loop_watch *watch = loop->removed;

		loop->removed = watch->next_removed;
		free(watch);
	}
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	loop_bury(loop);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

int
loop_watch_fd(struct loop *loop, int fd, void (*ready)(void *arg), void *arg,
    struct loop_watch **out)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct loop_watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return -ENOMEM;
	watch->fd = fd;
	watch->ready = ready;
	watch->arg = arg;
	event.data.ptr = watch;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		rc = -errno;
		free(watch);
		return rc;
	}
	*out = watch;
	return 0;
}

void
loop_unwatch(struct loop *loop, struct loop_watch *watch)
{
	if (!watch)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->removed = true;
	watch->next_removed = loop->removed;
	loop->removed = watch;
}

void
loop_watch_for(struct loop *loop, struct loop_watch *watch, unsigned what)
{
	struct epoll_event event = {.data.ptr = watch};

	if (what & LOOP_READABLE)
		event.events |= EPOLLIN;
	if (what & LOOP_WRITABLE)
		event.events |= EPOLLOUT;
	/* Changing what is there needs no memory. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
}

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t ms)
{
	struct loop_timer *before;

	loop_timer_clear(loop, timer);
	timer->at = mono_plus_ms(mono_now(), ms > 0 ? ms : 0);
	timer->armed = true;
	TAILQ_FOREACH_REVERSE(before, &loop->timers, loop_timers, entry) {
		if (before->at.ns <= timer->at.ns) {
			TAILQ_INSERT_AFTER(&loop->timers, before, timer, entry);
			return;
		}
	}
	TAILQ_INSERT_HEAD(&loop->timers, timer, entry);
}

void
loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->armed)
		return;
	timer->armed = false;
	TAILQ_REMOVE(&loop->timers, timer, entry);
}

int64_t
loop_timer_left_ms(const struct loop_timer *timer)
{
	int64_t left;

	if (!timer->armed)
		return -1;
	left = mono_ms_between(mono_now(), timer->at);
	return left > 0 ? left : 0;
}

void
loop_post(struct loop *loop, struct loop_post *post)
{
	uint64_t one = 1;

	pthread_mutex_lock(&loop->lock);
	if (!post->queued) {
		post->queued = true;
		TAILQ_INSERT_TAIL(&loop->posts, post, entry);
	}
	pthread_mutex_unlock(&loop->lock);
	/* EAGAIN means that the counter is full: the loop is awake already. */
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void
loop_unpost(struct loop *loop, struct loop_post *post)
{
	pthread_mutex_lock(&loop->lock);
	if (post->queued) {
		post->queued = false;
		TAILQ_REMOVE(&loop->posts, post, entry);
	}
	pthread_mutex_unlock(&loop->lock);
}

static void
loop_run_posts(struct loop *loop)
{
	struct loop_post *last;

	pthread_mutex_lock(&loop->lock);
	last = TAILQ_LAST(&loop->posts, loop_posts);
	pthread_mutex_unlock(&loop->lock);
	if (!last)
		return;
	/* One at a time: a handler may take back any other. What is posted meanwhile is
	 * for the next round; if `last` was taken back, the list itself ends this one. */
	for (bool more = true; more;) {
		struct loop_post *post;

		pthread_mutex_lock(&loop->lock);
		post = TAILQ_FIRST(&loop->posts);
		if (post) {
			TAILQ_REMOVE(&loop->posts, post, entry);
			post->queued = false;
		}
		pthread_mutex_unlock(&loop->lock);
		more = post && post != last;
		if (post)
			post->run(post->arg);
	}
}

static void
loop_run_timers(struct loop *loop)
{
	struct mono now = mono_now();
	struct loop_timer *timer;

	while ((timer = TAILQ_FIRST(&loop->timers)) != NULL && timer->at.ns <= now.ns) {
		loop_timer_clear(loop, timer);
		timer->fire(timer->arg);
	}
}

static int
loop_wait_ms(struct loop *loop, int64_t max_ms)
{
	struct loop_timer *first = TAILQ_FIRST(&loop->timers);
	int64_t ms;

	if (!first)
		return max_ms < 0 ? -1 : (int)max_ms;
	/* Rounded up, else the last millisecond would be spent turning in circles. */
	ms = (first->at.ns - mono_now().ns + NS_PER_MS - 1) / NS_PER_MS;
	if (ms < 0)
		ms = 0;
	if (max_ms >= 0 && ms > max_ms)
		ms = max_ms;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int
loop_turn(struct loop *loop, int64_t max_ms)
{
	struct epoll_event events[LOOP_BATCH];
	uint64_t woken;
	int n;

	n = epoll_wait(loop->epoll_fd, events, LOOP_BATCH, loop_wait_ms(loop, max_ms));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct loop_watch *watch = events[i].data.ptr;

		if (!watch) {
			if (read(loop->wake_fd, &woken, sizeof(woken)) < 0 &&
			    errno != EAGAIN)
				return -errno;
			loop_run_posts(loop);
		} else if (!watch->removed) {
			watch->ready(watch->arg);
		}
	}
	loop_bury(loop);
	loop_run_timers(loop);
	return 0;
}

int
loop_run(struct loop *loop)
{
	int rc = 0;

	loop->stopped = false;
	while (!loop->stopped && rc == 0)
		rc = loop_turn(loop, -1);
	return rc;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
