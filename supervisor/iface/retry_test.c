/* When a worker cannot count, or has no process: how often it is tried again, and what is
 * done about it meanwhile. In a network namespace of its own, so that nobody else changes
 * its links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/testing/testing.h"

static bool
cannot_read(const msgpack_object *iface)
{
	char state[16];
	char reason[32];

	return view_str(iface, "state", state, sizeof(state)) == 0 &&
	    strcmp(state, "error") == 0 &&
	    view_str(iface, "reason", reason, sizeof(reason)) == 0 &&
	    strcmp(reason, "read_failed") == 0;
}

/* Each process of the fakes counts 10 packets when it starts. */
static unsigned
starts(struct daemon *daemon)
{
	return (unsigned)(daemon_counted(daemon, "lo") / 10);
}

/* When each of the `count` processes after the first `before` ones was started, from now;
 * another attribute of the interface is changed all the time if that is wanted. */
static void
watch_starts(struct daemon *daemon, unsigned before, unsigned count, int64_t *at_ms,
    bool busy_link)
{
	struct mono begin = mono_now();

	for (unsigned seen = 0, turn = 0; seen < count; turn++) {
		unsigned now = starts(daemon) - before;

		while (seen < now && seen < count)
			at_ms[seen++] = mono_ms_between(begin, mono_now());
		assert_true(mono_ms_between(begin, mono_now()) < 15000);
		if (busy_link)
			assert_int_equal(system(turn % 2 ? "ip link set lo mtu 1400"
							 : "ip link set lo mtu 1500"),
			    0);
		usleep(10000);
	}
}

static void
assert_growing(const int64_t *at_ms)
{
	/* At once, but never two within half a second; then after 1 s, 2 s, ... */
	assert_in_range(at_ms[1] - at_ms[0], 900, 1900);
	assert_in_range(at_ms[2] - at_ms[1], 1900, 3900);
}

static void
a_read_that_fails_is_retried_with_growing_delays_and_nobody_else_minds(void **state)
{
	struct daemon *daemon = *state;
	unsigned before;
	int64_t at_ms[3];
	uint64_t pid;

	daemon_start(daemon, true);
	pid = daemon_number(daemon, "lo", "pid");
	before = starts(daemon);
	daemon_script(daemon, "worker.read-failed");
	daemon_wait(daemon, "lo", cannot_read);
	watch_starts(daemon, before, 3, at_ms, false);
	assert_growing(at_ms);
	assert_int_not_equal(daemon_number(daemon, "lo", "pid"), pid);
	/* The processes were ended, they did not die. */
	assert_int_equal(daemon_number(daemon, "lo", "restarts"), 0);
	daemon_unscript(daemon, "worker.read-failed");
	daemon_wait(daemon, "lo", daemon_is_active);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(
	    daemon_stored(daemon, "lo").packets, daemon_counted(daemon, "lo"));
}

static void
a_link_that_changes_in_another_way_does_not_shorten_the_delays(void **state)
{
	struct daemon *daemon = *state;
	unsigned before;
	int64_t at_ms[3];

	daemon_start(daemon, true);
	before = starts(daemon);
	daemon_script(daemon, "worker.read-failed");
	daemon_wait(daemon, "lo", cannot_read);
	watch_starts(daemon, before, 3, at_ms, true);
	assert_growing(at_ms);
	/* Up again is another matter: within the half second that two starts are apart. */
	before = starts(daemon);
	assert_int_equal(system("ip link set lo down && ip link set lo up"), 0);
	watch_starts(daemon, before, 1, at_ms, false);
	assert_in_range(at_ms[0], 0, 1500);
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
}

static bool
has_iface(struct daemon *daemon, const char *name)
{
	const msgpack_object *ifaces;
	const msgpack_object *part;
	struct answer answer;
	bool has;

	daemon_ask(daemon, MSG_STATUS, &answer);
	assert_int_equal(view_map(answer.msg.body, "ifaces", &ifaces), 0);
	has = view_map(ifaces, name, &part) == 0;
	answer_fini(&answer);
	return has;
}

static bool
died_five_times(const msgpack_object *iface)
{
	uint64_t restarts;

	return view_u64(iface, "restarts", UINT64_MAX, &restarts) == 0 && restarts >= 5;
}

/* A daemon whose workers end before they have made any records. */
static void
start_without_workers(struct daemon *daemon)
{
	daemon_script(daemon, "worker.unborn");
	daemon_start(daemon, false);
	for (int i = 0; i < 500 && access(daemon->control, F_OK) != 0; i++)
		usleep(10000);
	daemon_wait(daemon, "lo", died_five_times);
	daemon_wait(daemon, "fake0", died_five_times);
	usleep(300000); /* how they ended is known; the next start is further away */
}

static void
a_reload_removes_an_interface_that_has_no_process(void **state)
{
	struct daemon *daemon = *state;

	start_without_workers(daemon);
	daemon_configure(daemon, "  - name: fake0\n", "1h");
	kill(daemon->pid, SIGHUP);
	for (int i = 0; i < 500 && has_iface(daemon, "lo"); i++)
		usleep(10000);
	/* ... and it stays away: its link is there, but nobody wants it. */
	for (int i = 0; i < 30; i++) {
		assert_false(has_iface(daemon, "lo"));
		usleep(10000);
	}
	assert_true(has_iface(daemon, "fake0"));
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_int_equal(daemon_counted(daemon, "lo"), 0);
}

static void
the_end_waits_for_the_store_also_when_no_worker_has_a_process(void **state)
{
	struct daemon *daemon = *state;
	struct mono begin;

	start_without_workers(daemon);
	daemon_script(daemon, "store.slow-flush");
	begin = mono_now();
	assert_int_equal(daemon_end(daemon, SIGTERM, 30000), 0);
	assert_true(mono_ms_between(begin, mono_now()) >= 3000);
	assert_true(daemon_has_script(daemon, "flushed"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, daemon_setup, daemon_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(
		a_read_that_fails_is_retried_with_growing_delays_and_nobody_else_minds),
	    TEST(a_link_that_changes_in_another_way_does_not_shorten_the_delays),
	    TEST(a_reload_removes_an_interface_that_has_no_process),
	    TEST(the_end_waits_for_the_store_also_when_no_worker_has_a_process),
	};

	if (geteuid() != 0) {
		fprintf(stderr, "skipped: the supervisor must be started as root\n");
		return 77;
	}
	if (unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0) {
		fprintf(stderr, "skipped: no network namespace can be made\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
