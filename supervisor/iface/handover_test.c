/* Exactly once: whoever dies at whatever point of a hand-over, what was counted is in the
 * store, and nothing is twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/testing/testing.h"

/* Asks for a rotation; whether "lo" was done. */
static bool
rotate(struct daemon *daemon, char error[static 32], uint64_t *packets)
{
	const msgpack_object *ifaces;
	const msgpack_object *lo;
	struct books books;
	struct answer answer;
	bool done = false;

	daemon_ask(daemon, MSG_ROTATE, &answer);
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	assert_int_equal(view_map(ifaces, "lo", &lo), 0);
	assert_int_equal(view_bool(lo, "done", &done), 0);
	error[0] = '\0';
	*packets = 0;
	if (done) {
		assert_int_equal(view_books(lo, "books", &books), 0);
		*packets = books.received.packets;
	} else {
		assert_int_equal(view_str(lo, "error", error, 32), 0);
	}
	answer_fini(&answer);
	return done;
}

/* Ends the daemon in order; then everything that was ever counted must be stored. */
static void
end_and_compare(struct daemon *daemon)
{
	static const char *const names[] = {"lo", "fake0"};

	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(daemon_counted(daemon, names[i]) > 0);
		assert_int_equal(daemon_stored(daemon, names[i]).packets,
		    daemon_counted(daemon, names[i]));
	}
	assert_int_equal(daemon_record_files(daemon, ".flows"), 0);
}

static void
a_rotation_is_answered_when_it_is_durable(void **state)
{
	struct daemon *daemon = *state;
	char error[32];
	uint64_t packets;

	daemon_start(daemon, true);
	assert_true(rotate(daemon, error, &packets));
	assert_int_equal(packets, 20); /* the worker's start and the rotation */
	assert_int_equal(daemon_stored(daemon, "lo").packets, 20);
	assert_int_equal(daemon_number(daemon, "lo", "rotations"), 1);
	assert_true(rotate(daemon, error, &packets));
	assert_int_equal(packets, 10);
	end_and_compare(daemon);
	assert_int_equal(daemon_stored(daemon, "lo").maps, 3);
}

/* One fault of a child in the middle of a rotation that a client waits for. */
static void
rotate_with_fault(struct daemon *daemon, const char *fault)
{
	char error[32];
	uint64_t packets;

	daemon_start(daemon, true);
	daemon_script(daemon, fault);
	assert_true(rotate(daemon, error, &packets));
	/* The release comes after the answer. */
	for (int i = 0; i < 500 && daemon_has_script(daemon, fault); i++)
		usleep(10000);
	assert_false(daemon_has_script(daemon, fault));
	assert_true(packets >= 20);
	assert_int_equal(daemon_stored(daemon, "lo").maps, 1);
	assert_int_equal(daemon_stored(daemon, "lo").packets, packets);
	daemon_wait(daemon, "lo", daemon_is_quiet);
	daemon_wait(daemon, "fake0", daemon_is_quiet);
	end_and_compare(daemon);
}

static void
a_worker_that_dies_with_the_rotation_does_not_lose_it(void **state)
{
	rotate_with_fault(*state, "worker.die-before-rotate");
}

static void
a_worker_that_dies_after_the_rotation_does_not_do_it_twice(void **state)
{
	rotate_with_fault(*state, "worker.die-after-rotate");
}

/* When the first answer was lost the interface was not read at the freeze. */
static void
what_the_interface_counted_is_not_known_around_a_repeated_rotation(void **state)
{
	static const bool known[] = {true, false, false, true};
	struct daemon *daemon = *state;
	struct stored stored;
	char error[32];
	uint64_t packets;

	daemon_configure(daemon, "  - name: lo\n", "1h"); /* nobody else dies for it */
	daemon_start(daemon, true);
	for (int i = 0; i < 4; i++) {
		if (i == 1)
			daemon_script(daemon, "worker.die-after-rotate");
		assert_true(rotate(daemon, error, &packets));
	}
	stored = daemon_stored(daemon, "lo");
	assert_int_equal(stored.maps, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(stored.link_known[i], known[i]);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(
	    daemon_stored(daemon, "lo").packets, daemon_counted(daemon, "lo"));
}

static void
a_worker_that_dies_at_fetch_hands_over_from_the_start(void **state)
{
	rotate_with_fault(*state, "worker.die-at-fetch");
}

static void
a_worker_that_dies_after_the_release_goes_on(void **state)
{
	rotate_with_fault(*state, "worker.die-after-release");
}

static void
a_store_that_dies_with_a_part_gets_the_map_again(void **state)
{
	rotate_with_fault(*state, "store.die-at-append");
}

static void
a_store_that_dies_after_the_commit_does_not_store_twice(void **state)
{
	rotate_with_fault(*state, "store.die-after-append");
}

static bool
waits_for_disk(const msgpack_object *iface)
{
	const msgpack_object *waiting;
	char why[256];

	return view_map(iface, "waiting", &waiting) == 0 &&
	    view_str(waiting, "why", why, sizeof(why)) == 0 &&
	    strstr(why, "the disk is full") != NULL;
}

static void
a_failing_store_makes_flows_wait_and_the_interval_grow(void **state)
{
	struct daemon *daemon = *state;
	char error[32];
	uint64_t packets;

	daemon_start(daemon, true);
	daemon_script(daemon, "store.fail");
	assert_false(rotate(daemon, error, &packets));
	assert_string_equal(error, "failed");
	daemon_wait(daemon, "lo", waits_for_disk);
	assert_false(rotate(daemon, error, &packets));
	assert_string_equal(error, "busy");
	assert_int_equal(daemon_stored(daemon, "lo").maps, 0);
	/* Back again: it goes on without being asked. */
	daemon_unscript(daemon, "store.fail");
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_int_equal(daemon_stored(daemon, "lo").maps, 1);
	assert_true(rotate(daemon, error, &packets));
	end_and_compare(daemon);
}

static void
what_a_killed_supervisor_left_is_handed_over_by_the_next(void **state)
{
	struct daemon *daemon = *state;
	char error[32];
	uint64_t packets;
	uint64_t counted;

	daemon_start(daemon, true);
	daemon_script(daemon, "store.fail");
	assert_false(rotate(daemon, error, &packets));
	counted = daemon_counted(daemon, "lo");
	assert_int_equal(daemon_end(daemon, SIGKILL, 5000), -SIGKILL);
	daemon_unscript(daemon, "store.fail");
	assert_int_equal(daemon_record_files(daemon, ".flows"), 2);

	daemon_start(daemon, true);
	daemon_wait(daemon, "lo", daemon_is_quiet);
	assert_int_equal(daemon_stored(daemon, "lo").maps, 1);
	assert_int_equal(daemon_stored(daemon, "lo").packets, counted);
	end_and_compare(daemon);
}

static void
intervals_end_on_the_wall_clock_all_at_the_same_time(void **state)
{
	struct daemon *daemon = *state;
	struct stored lo;
	struct stored fake0;

	daemon_configure(daemon, "  - name: lo\n  - name: fake0\n", "1s");
	daemon_start(daemon, true);
	usleep(3300000);
	end_and_compare(daemon);
	lo = daemon_stored(daemon, "lo");
	fake0 = daemon_stored(daemon, "fake0");
	assert_in_range(lo.maps, 4, 6); /* the last one ended at another time */
	assert_int_equal(lo.maps, fake0.maps);
	for (unsigned i = 0; i + 1 < lo.maps; i++) {
		assert_int_equal(lo.end_ms[i] % 1000, 0);
		assert_int_equal(lo.end_ms[i], fake0.end_ms[i]);
		if (i > 0)
			assert_int_equal(lo.end_ms[i], lo.end_ms[i - 1] + 1000);
	}
}

static void
damaged_records_are_set_aside_and_counting_begins_anew(void **state)
{
	struct daemon *daemon = *state;
	char error[32];
	uint64_t packets;

	daemon_configure(daemon, "  - name: lo\n", "1h");
	daemon_start(daemon, true);
	daemon_script(daemon, "worker.damaged");
	kill((pid_t)daemon_number(daemon, "lo", "pid"), SIGKILL);
	for (int i = 0; i < 500 && daemon_has_script(daemon, "worker.damaged"); i++)
		usleep(10000);
	daemon_wait(daemon, "lo", daemon_is_active);
	assert_int_equal(daemon_record_files(daemon, "lo.flows.damaged-"), 1);
	assert_true(rotate(daemon, error, &packets));
	assert_int_equal(packets, 20);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
}

static bool
has_died_twice(const msgpack_object *iface)
{
	uint64_t restarts;

	return view_u64(iface, "restarts", UINT64_MAX, &restarts) == 0 && restarts >= 3;
}

static void
records_whose_adopters_crash_twice_are_set_aside(void **state)
{
	struct daemon *daemon = *state;

	daemon_configure(daemon, "  - name: lo\n", "1h");
	daemon_start(daemon, true);
	daemon_script(daemon, "worker.crash-at-start");
	kill((pid_t)daemon_number(daemon, "lo", "pid"), SIGKILL);
	daemon_wait(daemon, "lo", has_died_twice);
	daemon_unscript(daemon, "worker.crash-at-start");
	daemon_wait(daemon, "lo", daemon_is_active);
	assert_in_range(daemon_record_files(daemon, "lo.flows.damaged-"), 1, 2);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
}

static void
a_worker_killed_by_others_twice_keeps_its_records(void **state)
{
	struct daemon *daemon = *state;

	daemon_start(daemon, true);
	for (int i = 0; i < 3; i++) {
		uint64_t restarts = daemon_number(daemon, "lo", "restarts");

		kill((pid_t)daemon_number(daemon, "lo", "pid"), SIGKILL);
		while (daemon_number(daemon, "lo", "restarts") == restarts)
			usleep(10000);
		daemon_wait(daemon, "lo", daemon_is_active);
	}
	assert_int_equal(daemon_record_files(daemon, "damaged"), 0);
	end_and_compare(daemon);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_rotation_is_answered_when_it_is_durable),
	    TEST(a_worker_that_dies_with_the_rotation_does_not_lose_it),
	    TEST(a_worker_that_dies_after_the_rotation_does_not_do_it_twice),
	    TEST(what_the_interface_counted_is_not_known_around_a_repeated_rotation),
	    TEST(a_worker_that_dies_at_fetch_hands_over_from_the_start),
	    TEST(a_worker_that_dies_after_the_release_goes_on),
	    TEST(a_store_that_dies_with_a_part_gets_the_map_again),
	    TEST(a_store_that_dies_after_the_commit_does_not_store_twice),
	    TEST(a_failing_store_makes_flows_wait_and_the_interval_grow),
	    TEST(what_a_killed_supervisor_left_is_handed_over_by_the_next),
	    TEST(intervals_end_on_the_wall_clock_all_at_the_same_time),
	    TEST(damaged_records_are_set_aside_and_counting_begins_anew),
	    TEST(records_whose_adopters_crash_twice_are_set_aside),
	    TEST(a_worker_killed_by_others_twice_keeps_its_records),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: the supervisor must be started as root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
