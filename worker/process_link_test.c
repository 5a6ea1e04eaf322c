#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/test_process.h"

/* How often `text` stands in the worker's log. */
static unsigned
count_in_log(const struct worker *worker, const char *text)
{
	static char log[65536];
	ssize_t len = pread(worker->log, log, sizeof(log) - 1, 0);
	unsigned count = 0;

	assert_true(len >= 0);
	log[len] = '\0';
	for (const char *at = log; (at = strstr(at, text)) != NULL; at++)
		count++;
	return count;
}

static uint64_t
counted(struct worker *worker)
{
	struct interval interval;

	assert_string_equal(ask_state(worker), "active");
	assert_string_equal(string(worker, "reason"), "");
	assert_int_equal(view_interval(worker->parsed.body, "interval", &interval), 0);
	return interval.books.received.packets;
}

/* User and system time of the process so far, in clock ticks. */
static unsigned long
cpu_ticks(pid_t pid)
{
	unsigned long user, system;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(
	    fscanf(file,
		"%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		&user, &system),
	    2);
	fclose(file);
	return user + system;
}

static void
one_worker_counts_an_interface_before_and_after_it_was_down(void **state)
{
	struct interval interval;
	struct worker worker;
	struct mono up;
	unsigned long ticks;
	uint64_t now;
	pid_t pid;

	(void)state;
	worker_prepare(&worker);
	worker.log = memfd_create("log", MFD_CLOEXEC);
	worker_start(&worker, "v0", "v0");
	pid = worker.pid;
	assert_int_equal(counted(&worker), 0);
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_run("ip link set v0 down"));
	net_wait_ms(1000);
	ticks = cpu_ticks(pid);
	net_wait_ms(2000);
	ticks = cpu_ticks(pid) - ticks;
	print_message(
	    "down for 2 s: %lu ticks of %ld a second\n", ticks, sysconf(_SC_CLK_TCK));
	assert_true(ticks < (unsigned long)sysconf(_SC_CLK_TCK) / 5);
	assert_int_equal(counted(&worker), 10);
	assert_int_equal(count_in_log(&worker, "the interface is down"), 1);
	assert_int_equal(count_in_log(&worker, "the interface is up"), 0);

	assert_true(net_run("ip link set v0 up"));
	up = mono_now();
	/* Out of v0: that v1 may send again the kernel only notices later. */
	assert_true(net_send_udp("v0", 5000, 20));
	do {
		net_wait_ms(20);
		now = counted(&worker);
	} while (now < 30 && mono_ms_between(up, mono_now()) < 5000);
	print_message("counted %d ms after it was up again\n",
	    (int)mono_ms_between(up, mono_now()));
	assert_int_equal(now, 30);
	assert_true(mono_ms_between(up, mono_now()) < 1000);
	net_wait_ms(1000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(count_in_log(&worker, "the interface is down"), 1);
	assert_int_equal(count_in_log(&worker, "the interface is up"), 1);
	assert_int_equal(count_in_log(&worker, "\n"), 2);

	disable(&worker, 1);
	rotate(&worker, 2, &interval);
	assert_int_equal(interval.books.received.packets, 30);
	assert_int_equal(interval.kernel.received, 30);
	assert_int_equal(interval.cuts, 0);
	worker_leave(&worker);
	worker_forget(&worker);
}

static bool
promiscuity_is(unsigned count)
{
	char command[96];

	snprintf(command, sizeof(command),
	    "ip -d link show v0 | grep -q 'promiscuity %u '", count);
	return net_run(command);
}

static void
promiscuous_mode_ends_with_the_worker_however_that_ends(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	assert_true(promiscuity_is(0));
	worker_start(&worker, "v0", "v0");
	assert_int_equal(counted(&worker), 0);
	assert_true(promiscuity_is(1));
	kill(worker.pid, SIGKILL);
	assert_int_equal(worker_exit_code(&worker), 256 + SIGKILL);
	assert_true(promiscuity_is(0));
	worker_close(&worker);

	worker_start(&worker, "v0", "v0");
	assert_int_equal(counted(&worker), 0);
	assert_true(promiscuity_is(1));
	disable(&worker, 1);
	assert_true(promiscuity_is(0));
	worker_leave(&worker);

	/* Beside somebody else who has asked for it. */
	assert_true(net_run("ip link set v0 promisc on"));
	worker_start(&worker, "v0", "v0");
	assert_int_equal(counted(&worker), 0);
	assert_true(promiscuity_is(2));
	kill(worker.pid, SIGKILL);
	assert_int_equal(worker_exit_code(&worker), 256 + SIGKILL);
	assert_true(promiscuity_is(1));
	worker_close(&worker);
	worker_forget(&worker);
}

int
main(void)
{
	/* The lines that are counted here are debug lines of the worker. */
	setenv("WEIR_DEBUG", "1", 1);
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		one_worker_counts_an_interface_before_and_after_it_was_down),
	    cmocka_unit_test(promiscuous_mode_ends_with_the_worker_however_that_ends),
	};

	return cmocka_run_group_tests_name(
	    "a worker process and its interface", tests, NULL, NULL);
}
