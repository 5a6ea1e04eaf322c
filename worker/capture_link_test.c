#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "worker/test_live.h"

/* Looks until the capture has left ACTIVE, for 2 s at the most. */
static struct live_look
wait_for_error(struct live *live)
{
	struct live_look q = live_status(live);

	for (int i = 0; i < 100 && q.status.state == CAPTURE_ACTIVE; i++) {
		net_wait_ms(20);
		q = live_status(live);
	}
	return q;
}

static void
assert_gone(const struct live_look *q, uint64_t packets)
{
	assert_int_equal(q->status.state, CAPTURE_ERROR);
	assert_int_equal(q->status.fault.reason, SOURCE_GONE);
	assert_int_equal(q->status.facts.handles, 0);
	assert_int_equal(q->interval.books.received.packets, packets);
	assert_true(q->status.witness.agrees);
}

static void
an_interface_that_goes_down_and_up_is_counted_on(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp");
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_run("ip link set v0 down"));
	net_wait_ms(300);
	q = live_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	assert_int_equal(q.status.fault.reason, SOURCE_OK);
	assert_string_equal(q.status.fault.text, "");
	assert_true(net_run("ip link set v0 up"));
	net_wait_ms(100);
	assert_true(net_send_udp("v1", 5000, 20));
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 30);
	assert_true(q.status.witness.agrees);
}

/* Whether or not the capture sees that it was down in between. */
static void
an_interface_that_is_set_down_and_up_all_the_time_loses_nothing(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp");
	for (int i = 0; i < 30; i++) {
		assert_true(net_send_udp("v1", 5000, 10));
		assert_true(net_run("ip link set v0 down"));
		net_wait_ms(i % 5 * 10);
		assert_true(net_run("ip link set v0 up"));
		assert_true(net_send_udp("v0", 5000, 5));
	}
	q = live_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 30 * 15);
	/* The kernel's counters went on, too. */
	assert_int_equal(q.interval.kernel.received, 30 * 15);
	assert_int_equal(q.interval.kernel.dropped, 0);
	assert_true(q.status.witness.agrees);
}

static void
an_interface_that_vanishes_is_an_error_and_loses_nothing(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp");
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_send_udp("v0", 5000, 7));
	assert_true(net_run("ip link del v0"));
	q = wait_for_error(&live);
	assert_gone(&q, 17);
	/* Disabling leaves the error behind; the flows stay. */
	q = live_end(&live);
	assert_int_equal(q.status.state, CAPTURE_UNINITIALIZED);
	assert_int_equal(q.status.fault.reason, SOURCE_OK);
	assert_int_equal(q.interval.books.received.packets, 17);
}

/* Down does not become gone by itself, and what is down for long is looked at seldom. */
static void
an_interface_that_vanishes_while_it_is_down_is_gone(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp");
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_send_udp("v0", 5000, 7));
	assert_true(net_run("ip link set v0 down"));
	net_wait_ms(1500);
	q = live_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	assert_int_equal(q.interval.books.received.packets, 17);
	assert_true(net_run("ip link del v0"));
	q = wait_for_error(&live);
	assert_gone(&q, 17);
	live_free(&live);
}

static void
an_interface_that_is_moved_to_another_namespace_is_gone(void **state)
{
	char command[80];
	struct live_look q;
	struct live live;
	int ready[2];
	pid_t other;
	char byte;

	(void)state;
	live_begin(&live, "udp");
	assert_int_equal(pipe(ready), 0);
	other = fork();
	if (other == 0) {
		net_end_with_test();
		if (unshare(CLONE_NEWNET) != 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_send_udp("v0", 5000, 7));
	snprintf(command, sizeof(command), "ip link set v0 netns %d", (int)other);
	assert_true(net_run(command));
	q = wait_for_error(&live);
	kill(other, SIGKILL);
	while (waitpid(other, NULL, 0) < 0 && errno == EINTR)
		;
	close(ready[0]);
	close(ready[1]);
	assert_gone(&q, 17);
	live_free(&live);
}

/* libpcap reads by number and asks for the flags by name. */
static void
a_renamed_interface_is_counted_on_unless_it_is_down(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp");
	assert_true(net_send_udp("v1", 5000, 10));
	if (!net_run("ip link set v0 name w0 2>/dev/null")) {
		live_free(&live);
		print_message("skipped: this kernel renames only what is down\n");
		skip();
	}
	assert_true(net_send_udp("v1", 5000, 5));
	net_wait_ms(300);
	q = live_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	assert_int_equal(q.interval.books.received.packets, 15);
	assert_true(net_run("ip link set w0 down"));
	q = wait_for_error(&live);
	assert_gone(&q, 15);
	live_free(&live);
}

static int64_t
cpu_us(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
	    usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* A poll that returned at once with an error would take all of it. */
static void
an_interface_that_is_down_costs_no_time(void **state)
{
	struct live live;
	int64_t before, used;

	(void)state;
	live_begin(&live, "udp");
	assert_true(net_run("ip link set v0 down"));
	net_wait_ms(700);
	before = cpu_us();
	net_wait_ms(2000);
	used = cpu_us() - before;
	print_message("down for 2 s: %d us of processor time\n", (int)used);
	assert_true(used < 200 * 1000);
	assert_int_equal(live_status(&live).status.state, CAPTURE_ACTIVE);
	live_free(&live);
}

/* The descriptors of this process; puts the packet sockets among them into `packet`. */
static unsigned
count_descriptors(int packet[8], unsigned *packets)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(directory);
	*packets = 0;
	while ((entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name), domain;
		socklen_t len = sizeof(domain);

		if (entry->d_name[0] == '.' || fd == dirfd(directory))
			continue;
		count++;
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		    domain == AF_PACKET && *packets < 8)
			packet[(*packets)++] = fd;
	}
	closedir(directory);
	return count;
}

/* The socket of a handle is replaced by one whose other end has hung up: an error that
 * libpcap tells of, and none of the interface. */
static void
break_handle(void *arg)
{
	const int *handle = arg;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	assert_int_equal(dup3(pair[0], *handle, O_CLOEXEC), *handle);
	close(pair[0]);
}

static void
a_read_that_fails_is_an_error_and_closes_everything(void **state)
{
	unsigned before, after, packets;
	struct live_look q;
	struct live live;
	int packet[8];

	(void)state;
	net_require();
	before = count_descriptors(packet, &packets);
	assert_int_equal(packets, 0);
	live_prepare(&live, "udp");
	assert_int_equal(live_start(&live, "v0"), CAPTURE_ACTIVE);
	count_descriptors(packet, &packets);
	assert_int_equal(packets, 2);
	assert_true(net_send_udp("v1", 5000, 10));
	net_wait_ms(300);
	assert_int_equal(live_status(&live).interval.books.received.packets, 10);

	capture_run(live.capture, break_handle, &packet[0]);
	q = wait_for_error(&live);
	assert_int_equal(q.status.state, CAPTURE_ERROR);
	assert_int_equal(q.status.fault.reason, SOURCE_READ_FAILED);
	assert_true(q.status.fault.text[0] != '\0');
	assert_int_equal(q.status.facts.handles, 0);
	assert_int_equal(q.interval.books.received.packets, 10);
	count_descriptors(packet, &packets);
	assert_int_equal(packets, 0);
	assert_true(net_run("ip -d link show v0 | grep -q 'promiscuity 0 '"));
	live_free(&live);
	after = count_descriptors(packet, &packets);
	assert_int_equal(after, before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_interface_that_goes_down_and_up_is_counted_on),
	    cmocka_unit_test(
		an_interface_that_is_set_down_and_up_all_the_time_loses_nothing),
	    cmocka_unit_test(an_interface_that_vanishes_is_an_error_and_loses_nothing),
	    cmocka_unit_test(an_interface_that_vanishes_while_it_is_down_is_gone),
	    cmocka_unit_test(an_interface_that_is_moved_to_another_namespace_is_gone),
	    cmocka_unit_test(a_renamed_interface_is_counted_on_unless_it_is_down),
	    cmocka_unit_test(an_interface_that_is_down_costs_no_time),
	    cmocka_unit_test(a_read_that_fails_is_an_error_and_closes_everything),
	};

	return cmocka_run_group_tests_name(
	    "an interface that comes and goes", tests, NULL, NULL);
}
