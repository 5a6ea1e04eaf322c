#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>

#include "worker/test_process.h"

/* "At once"; the thread sanitizer alone waits a second at the end of a process. */
#ifdef WEIR_SANITIZED
#define SOON_MS 2500
#else
#define SOON_MS 1000
#endif
static bool
status_line_is(pid_t pid, const char *name, const char *wanted)
{
	char path[64], line[256], value[64];
	bool is = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0 &&
		    line[strlen(name)] == ':' &&
		    sscanf(line + strlen(name) + 1, "%63s", value) == 1)
			is = strcmp(value, wanted) == 0;
	}
	fclose(file);
	return is;
}

static void
a_worker_counts_without_any_right_and_ends_when_it_is_left(void **state)
{
	static const char *const sets[] = {
	    "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
	struct interval interval;
	struct worker worker;
	struct mono begin_at;
	struct mono dropped;

	(void)state;
	worker_prepare(&worker);
	begin_at = mono_now();
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	print_message("from fork to the first answer: %d ms\n",
	    (int)mono_ms_between(begin_at, mono_now()));
	for (size_t i = 0; i < 5; i++)
		assert_true(status_line_is(worker.pid, sets[i], "0000000000000000"));
	assert_true(status_line_is(worker.pid, "NoNewPrivs", "1"));
	assert_true(status_line_is(worker.pid, "Uid", "54321"));
	assert_true(status_line_is(worker.pid, "Gid", "54322"));

	/* A Ctrl-C reaches it too, and means nothing to it. */
	kill(worker.pid, SIGINT);
	kill(worker.pid, SIGTERM);
	kill(worker.pid, SIGHUP);
	assert_true(net_send_udp("v1", 5000, 123));
	disable(&worker, 1);
	rotate(&worker, 2, &interval);
	assert_int_equal(interval.books.received.packets, 123);
	assert_int_equal(interval.kernel.received, 123);

	nng_close(worker.sock);
	dropped = mono_now();
	assert_int_equal(worker_exit_code(&worker), 0);
	assert_true(mono_ms_between(dropped, mono_now()) < SOON_MS);
	worker_close(&worker);
	worker_forget(&worker);
}

static void
a_successor_of_a_killed_worker_has_its_flows(void **state)
{
	const struct msgpack_object *adoption;
	struct pollfd alive;
	struct interval interval;
	struct worker worker;
	struct mono killed;
	uint64_t ms = 0;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	assert_true(net_send_udp("v1", 5000, 50));
	net_wait_ms(250); /* over the timeout: counted */
	killed = mono_now();
	kill(worker.pid, SIGKILL);
	alive = (struct pollfd){worker.alive, POLLIN, 0};
	assert_int_equal(poll(&alive, 1, 1000), 1);
	assert_true(alive.revents & POLLHUP);
	print_message("from kill to the lifeline's end: %d us\n",
	    (int)((mono_now().ns - killed.ns) / 1000));
	assert_int_equal(worker_exit_code(&worker), 256 + SIGKILL);
	worker_close(&worker);

	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	assert_int_equal(view_map(worker.parsed.body, "adoption", &adoption), 0);
	assert_int_equal(view_u64(adoption, "ms", 60000, &ms), 0);
	print_message("from exec to counting: %d ms\n", (int)ms);
	assert_true(net_send_udp("v1", 5000, 30));
	disable(&worker, 1);
	rotate(&worker, 2, &interval);
	assert_int_equal(interval.books.received.packets, 80);
	assert_int_equal(interval.cuts, 1);
	worker_leave(&worker);
	worker_forget(&worker);
}

static void
a_worker_that_is_left_keeps_what_its_rings_hold(void **state)
{
	struct interval interval;
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	assert_true(net_send_udp("v1", 5000, 40));
	worker_leave(&worker);
	worker_start(&worker, "v0", "v0");
	rotate(&worker, 1, &interval);
	assert_int_equal(interval.books.received.packets, 40);
	assert_int_equal(interval.kernel.received, 40);
	worker_leave(&worker);
	worker_forget(&worker);
}

static void
a_worker_ends_when_its_supervisor_is_gone(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v0");
	assert_string_equal(ask_state(&worker), "active");
	close(worker.parent);
	worker.parent = -1;
	assert_int_equal(worker_exit_code(&worker), CHILD_EXIT_FAILED);
	worker_close(&worker);
	worker_forget(&worker);
}

static void
a_worker_without_interface_serves_as_error(void **state)
{
	struct interval interval;
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "nosuch0", "nosuch0");
	assert_string_equal(ask_state(&worker), "error");
	assert_string_equal(string(&worker, "reason"), "no_such_device");
	rotate(&worker, 1, &interval);
	assert_int_equal(interval.flows, 0);
	worker_leave(&worker);
	worker_forget(&worker);
}

static void
records_of_another_interface_are_refused(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	assert_int_equal(write(worker.records, "no records of ours at all", 25), 25);
	worker_start(&worker, "v0", "v0");
	assert_int_equal(worker_exit_code(&worker), CHILD_EXIT_RECORDS);
	worker_close(&worker);
	worker_forget(&worker);
}

static void
a_first_message_for_another_interface_is_refused(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker_start(&worker, "v0", "v1");
	assert_int_equal(worker_exit_code(&worker), CHILD_EXIT_FAILED);
	worker_close(&worker);
	worker_forget(&worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_worker_counts_without_any_right_and_ends_when_it_is_left),
	    cmocka_unit_test(a_successor_of_a_killed_worker_has_its_flows),
	    cmocka_unit_test(a_worker_that_is_left_keeps_what_its_rings_hold),
	    cmocka_unit_test(a_worker_ends_when_its_supervisor_is_gone),
	    cmocka_unit_test(a_worker_without_interface_serves_as_error),
	    cmocka_unit_test(records_of_another_interface_are_refused),
	    cmocka_unit_test(a_first_message_for_another_interface_is_refused),
	};

	return cmocka_run_group_tests_name("a worker process", tests, NULL, NULL);
}
