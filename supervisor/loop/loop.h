/* The event loop of the supervisor: descriptors, timers and work posted by other
 * threads, all run on the one thread that owns the supervisor's state. Handlers run to
 * their end one after the other, so nothing that they touch needs a lock. No handler
 * may block.
 *
 * Threads: everything here belongs to the thread of loop_run(), except loop_post(). */
#ifndef WEIR_SUPERVISOR_LOOP_H
#define WEIR_SUPERVISOR_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/clock.h"

struct loop;
struct loop_watch;

/* Lives in its user's struct; fill `fire` and `arg`, the rest zero. */
struct loop_timer {
	void (*fire)(void *arg);
	void *arg;
	struct mono at; /* private from here */
	bool armed;
	TAILQ_ENTRY(loop_timer) entry;
};

/* The same for work from other threads. */
struct loop_post {
	void (*run)(void *arg);
	void *arg;
	bool queued; /* private from here, under the loop's lock */
	TAILQ_ENTRY(loop_post) entry;
};

/* 0 or negative errno. */
int loop_new(struct loop **out);
void loop_free(struct loop *loop);

/* Runs until loop_stop(): 0, or negative errno when waiting itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One round: waits at most max_ms for something to do (-1: until there is), does it. */
int loop_turn(struct loop *loop, int64_t max_ms);

/* `ready` is called while fd is readable or has ended. The fd stays the caller's and
 * must be open until loop_unwatch(), which may be called from any handler and accepts
 * NULL. */
int loop_watch_fd(struct loop *loop, int fd, void (*ready)(void *arg), void *arg,
    struct loop_watch **out);
void loop_unwatch(struct loop *loop, struct loop_watch *watch);

/* What `ready` is called for from now on: a set of these, at first LOOP_READABLE. That the
 * other end has hung up is told whatever is asked for. */
#define LOOP_READABLE 1U
#define LOOP_WRITABLE 2U
void loop_watch_for(struct loop *loop, struct loop_watch *watch, unsigned what);

/* Arms the timer to fire once, `ms` from now; again if it was armed. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t ms);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);
/* Until it fires; -1 when it is not armed. */
int64_t loop_timer_left_ms(const struct loop_timer *timer);

/* Has `post` run on the loop's thread. Any thread; nothing happens when it is queued
 * already. */
void loop_post(struct loop *loop, struct loop_post *post);

/* Takes it back: afterwards it is not queued and not running. */
void loop_unpost(struct loop *loop, struct loop_post *post);

#endif
