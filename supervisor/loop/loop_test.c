#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "supervisor/loop/backoff.h"
#include "supervisor/loop/loop.h"
#include "supervisor/loop/rotation.h"

static struct loop *loop;
static char events[64];
static size_t events_used;

static int
setup(void **state)
{
	(void)state;
	events_used = 0;
	events[0] = '\0';
	return loop_new(&loop);
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* Notes the letter that arg points to. */
static void
note(void *arg)
{
	events[events_used++] = *(const char *)arg;
	events[events_used] = '\0';
}

static char letters[] = "abcdef";

static void
timers_fire_in_the_order_of_their_deadlines(void **state)
{
	struct loop_timer timers[3] = {{.fire = note, .arg = &letters[0]},
	    {.fire = note, .arg = &letters[1]}, {.fire = note, .arg = &letters[2]}};

	(void)state;
	loop_timer_set(loop, &timers[0], 30);
	loop_timer_set(loop, &timers[1], 10);
	loop_timer_set(loop, &timers[2], 20);
	for (int i = 0; i < 10 && events_used < 3; i++)
		assert_int_equal(loop_turn(loop, 50), 0);
	assert_string_equal(events, "bca");
}

static void
a_timer_set_again_fires_once_and_a_cleared_one_never(void **state)
{
	struct loop_timer again = {.fire = note, .arg = &letters[0]};
	struct loop_timer never = {.fire = note, .arg = &letters[1]};

	(void)state;
	loop_timer_set(loop, &again, 1);
	loop_timer_set(loop, &again, 5);
	loop_timer_set(loop, &never, 2);
	loop_timer_clear(loop, &never);
	loop_timer_clear(loop, &never);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(loop, 5), 0);
	assert_string_equal(events, "a");
}

static void
a_timer_never_fires_early(void **state)
{
	struct loop_timer timer = {.fire = note, .arg = &letters[0]};
	struct mono begin = mono_now();

	(void)state;
	loop_timer_set(loop, &timer, 25);
	while (events_used == 0)
		assert_int_equal(loop_turn(loop, -1), 0);
	assert_true(mono_ms_between(begin, mono_now()) >= 25);
}

static struct loop_watch *victim;

static void
remove_victim(void *arg)
{
	note(arg);
	loop_unwatch(loop, victim);
	victim = NULL;
}

/* Both are ready in the same round; whichever comes first removes the other. */
static void
a_watch_removed_by_another_is_not_called_any_more(void **state)
{
	int a[2];
	int b[2];
	struct loop_watch *first;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	assert_int_equal(
	    loop_watch_fd(loop, a[0], remove_victim, &letters[0], &first), 0);
	assert_int_equal(loop_watch_fd(loop, b[0], note, &letters[1], &victim), 0);
	assert_int_equal(write(a[1], &byte, 1), 1);
	assert_int_equal(write(b[1], &byte, 1), 1);
	assert_int_equal(loop_turn(loop, 100), 0);
	assert_null(victim);
	loop_unwatch(loop, first);
	assert_int_equal(loop_turn(loop, 0), 0);
	/* "b" can only come before "a" has removed it. */
	assert_true(events[events_used - 1] == 'a');
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

static void *
post_from_thread(void *arg)
{
	loop_post(loop, arg);
	return NULL;
}

static void
posts_from_other_threads_all_arrive_once(void **state)
{
	struct loop_post posts[6];
	pthread_t threads[6];
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		posts[i] = (struct loop_post){.run = note, .arg = &letters[i]};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, post_from_thread, &posts[i]), 0);
	}
	while (events_used < 6)
		assert_int_equal(loop_turn(loop, 1000), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < events_used; i++)
		seen |= 1U << (events[i] - 'a');
	assert_int_equal(seen, 0x3f);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_int_equal(events_used, 6);
}

static void
a_post_taken_back_does_not_run(void **state)
{
	struct loop_post kept = {.run = note, .arg = &letters[0]};
	struct loop_post taken = {.run = note, .arg = &letters[1]};

	(void)state;
	loop_post(loop, &kept);
	loop_post(loop, &taken);
	loop_post(loop, &kept); /* queued already */
	loop_unpost(loop, &taken);
	loop_unpost(loop, &taken);
	assert_int_equal(loop_turn(loop, 100), 0);
	assert_int_equal(loop_turn(loop, 0), 0);
	assert_string_equal(events, "a");
}

static void
back_off_starts_at_once_doubles_and_has_a_limit(void **state)
{
	static const int64_t want[] = {
	    0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 100, 30000, 60000, true);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(backoff_next(&backoff, 10), want[i]);
}

static void
back_off_begins_anew_after_a_minute_of_health(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 100, 30000, 60000, true);
	for (int i = 0; i < 5; i++)
		backoff_next(&backoff, 0);
	assert_int_equal(backoff_next(&backoff, 59999), 1600);
	assert_int_equal(backoff_next(&backoff, 60000), 0);
	assert_int_equal(backoff_next(&backoff, 0), 100);
}

static void
an_interval_ends_at_its_boundary_and_after_a_clock_step_at_the_last_one(void **state)
{
	(void)state;
	/* On time, and a little late. */
	assert_int_equal(rotation_label(300000, 300000, 300000), 300000);
	assert_int_equal(rotation_label(300000, 300750, 300000), 300000);
	/* The clock was set forward by an hour. */
	assert_int_equal(rotation_label(300000, 3912345, 300000), 3900000);
}

static int64_t due_at[2];
static unsigned due_count;

static void
due(void *arg, int64_t end_ms)
{
	(void)arg;
	if (due_count < 2)
		due_at[due_count] = end_ms;
	due_count++;
	if (due_count == 2)
		loop_stop(loop);
}

static void
boundaries_come_on_the_wall_clock(void **state)
{
	struct rotation rotation;

	(void)state;
	due_count = 0;
	assert_int_equal(rotation_init(&rotation, loop, 200, due, NULL), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(due_at[0] % 200, 0);
	assert_int_equal(due_at[1], due_at[0] + 200);
	assert_in_range(wall_now().ns / NS_PER_MS - due_at[1], 0, 100);
	rotation_fini(&rotation);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(timers_fire_in_the_order_of_their_deadlines),
	    TEST(a_timer_set_again_fires_once_and_a_cleared_one_never),
	    TEST(a_timer_never_fires_early),
	    TEST(a_watch_removed_by_another_is_not_called_any_more),
	    TEST(posts_from_other_threads_all_arrive_once),
	    TEST(a_post_taken_back_does_not_run),
	    TEST(back_off_starts_at_once_doubles_and_has_a_limit),
	    TEST(back_off_begins_anew_after_a_minute_of_health),
	    TEST(
		an_interval_ends_at_its_boundary_and_after_a_clock_step_at_the_last_one),
	    TEST(boundaries_come_on_the_wall_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
