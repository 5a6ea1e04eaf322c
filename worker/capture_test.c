#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/capability.h>
#include <pcap/dlt.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "worker/test_live.h"

static void
packets_are_counted_once_in_their_direction(void **state)
{
	struct live_look q;
	struct live live;
	uint64_t sums[2];

	(void)state;
	live_begin(&live, "");
	assert_true(net_send_udp("v1", 5000, 1000));
	assert_true(net_send_udp("v0", 5000, 300));
	q = live_disable(&live);
	assert_int_equal(q.status.state, CAPTURE_UNINITIALIZED);
	assert_int_equal(q.interval.books.received.packets, 1300);
	assert_int_equal(q.interval.books.received.bytes, 1300 * 64);
	assert_true(q.interval.kernel.known);
	assert_int_equal(q.interval.kernel.received, 1300);
	assert_int_equal(q.interval.kernel.dropped, 0);
	assert_true(q.status.witness.known);
	assert_true(q.status.witness.agrees);
	assert_int_equal(q.status.witness.kernel, 1300);
	assert_int_equal(q.status.witness.handed_over, 1300);
	live_count(&live, sums);
	assert_int_equal(sums[RECEIVED], 1000);
	assert_int_equal(sums[SENT], 300);
	live_free(&live);
}

static void
a_capture_opened_under_traffic_takes_nothing_of_the_wrong_direction(void **state)
{
	struct live_look q;
	struct live live;
	uint64_t sums[2];
	pid_t sender;

	(void)state;
	net_require();
	sender = fork();
	if (sender == 0) {
		int in = net_sender("v1"), out = net_sender("v0");
		struct frame fits, other;

		/* Some 200 ms of both directions and both ports. */
		net_udp_frame(&fits, 1, 64);
		net_udp_frame(&other, 2, 64);
		for (int i = 0; i < 2000; i++) {
			(void)!send(in, fits.data, fits.len, 0);
			(void)!send(in, other.data, other.len, 0);
			(void)!send(out, other.data, other.len, 0);
			if (i % 10 == 0)
				net_wait_ms(1);
		}
		_exit(0);
	}
	net_wait_ms(2);
	live_prepare(&live, "udp port 1");
	assert_int_equal(live_start(&live, "v0"), CAPTURE_ACTIVE);
	while (waitpid(sender, NULL, 0) < 0 && errno == EINTR)
		;
	q = live_disable(&live);
	assert_true(q.status.witness.agrees);
	assert_true(q.interval.books.received.packets > 0);
	assert_true(q.interval.books.received.packets <= 2000);
	live_count(&live, sums);
	assert_int_equal(sums[RECEIVED], q.interval.books.received.packets);
	assert_int_equal(sums[SENT], 0);
	live_free(&live);
}

static void
stopping_counts_what_is_still_in_the_ring(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	net_require();
	live_prepare(&live, "");
	live.config.timeout_ms = 1000;
	assert_int_equal(live_start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 1000));
	q = live_status(&live);
	/* Held back by the kernel: the block is neither full nor old. */
	assert_int_equal(q.interval.books.received.packets, 0);
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 1000);
	assert_true(q.status.witness.agrees);
	assert_true(q.status.witness.drain_ms <= 1200);
}

static void
an_idle_link_answers_at_once_and_stops_at_once(void **state)
{
	struct mono begin;
	struct live_look q;
	struct live live;

	(void)state;
	net_require();
	live_prepare(&live, "");
	live.config.timeout_ms = 10000;
	assert_int_equal(live_start(&live, "v0"), CAPTURE_ACTIVE);
	net_wait_ms(300);
	begin = mono_now();
	q = live_status(&live);
	assert_true(mono_ms_between(begin, mono_now()) < 100);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	begin = mono_now();
	q = live_disable(&live);
	assert_true(mono_ms_between(begin, mono_now()) < 1000);
	assert_true(q.status.witness.agrees);
	live_free(&live);
}

static void
a_packet_on_the_loopback_device_counts_once(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5000)};
	struct live_look q;
	struct live live;
	int fd;

	(void)state;
	net_require();
	assert_true(net_run("ip link set lo up"));
	live_prepare(&live, "udp");
	assert_int_equal(live_start(&live, "lo"), CAPTURE_ACTIVE);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(
		    sendto(fd, "weir", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	close(fd);
	q = live_status(&live);
	assert_int_equal(q.status.facts.handles, 1);
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 7);
	assert_int_equal(q.status.witness.kernel, 7);
	assert_true(q.status.witness.agrees);
}

static void
a_burst_of_20000_small_packets_is_not_dropped(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "");
	assert_true(net_send_udp("v1", 5000, 20000));
	q = live_end(&live);
	assert_int_equal(q.interval.kernel.dropped, 0);
	assert_int_equal(q.interval.books.received.packets, 20000);
	assert_true(q.status.witness.agrees);
}

static void
packets_cut_at_the_snaplen_keep_their_length(void **state)
{
	struct frame frame;
	struct live_look q;
	struct live live;

	(void)state;
	net_require();
	live_prepare(&live, "");
	live.config.snaplen = CAPTURE_SNAPLEN_MIN;
	assert_int_equal(live_start(&live, "v0"), CAPTURE_ACTIVE);
	net_udp_frame(&frame, 5000, 1400);
	assert_true(net_send("v1", &frame, 50));
	q = live_end(&live);
	assert_int_equal(q.interval.books.in_flows.packets, 50);
	assert_int_equal(q.interval.books.in_flows.bytes, 50 * 1400);
}

static enum source_reason
reason_of_opening(const char *iface, const char *filter)
{
	enum source_reason reason;
	struct live live;

	live_prepare(&live, filter);
	assert_int_equal(live_start(&live, iface), CAPTURE_ERROR);
	reason = live_status(&live).status.fault.reason;
	assert_true(live_status(&live).status.fault.text[0] != '\0');
	live_free(&live);
	return reason;
}

static void
each_reason_for_not_opening_is_told_apart(void **state)
{
	(void)state;
	net_require();
	assert_true(net_run("ip link add d0 type veth peer name d1"));
	assert_int_equal(reason_of_opening("nosuch0", ""), SOURCE_NO_SUCH_DEVICE);
	assert_int_equal(reason_of_opening("d0", ""), SOURCE_DOWN);
	assert_int_equal(reason_of_opening("v0", "no such word"), SOURCE_FILTER);
	assert_int_equal(reason_of_opening("any", ""), SOURCE_OPEN_FAILED);
}

/* Switches the effective CAP_NET_RAW of this thread. */
static void
net_raw(bool on)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	if (on)
		data[0].effective |= 1u << CAP_NET_RAW;
	else
		data[0].effective &= ~(1u << CAP_NET_RAW);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void
without_rights_an_interface_is_forbidden_and_a_missing_one_is_missing(void **state)
{
	enum source_reason there, missing;

	(void)state;
	net_require();
	net_raw(false);
	there = reason_of_opening("v0", "");
	missing = reason_of_opening("nosuch0", "");
	net_raw(true);
	assert_int_equal(there, SOURCE_PERMISSION);
	assert_int_equal(missing, SOURCE_NO_SUCH_DEVICE);
}

/* The device t0 of that kind, or the end of the test. */
static int
require_tun(int kind)
{
	int tun = net_tun("t0", kind);

	if (tun < 0) {
		print_message("skipped: this kernel has no tun device\n");
		skip();
	}
	return tun;
}

static void
a_link_type_that_is_not_decoded_is_an_error(void **state)
{
	enum source_reason reason;
	int tun;

	(void)state;
	net_require();
	tun = require_tun(ARPHRD_FRAD);
	reason = reason_of_opening("t0", "");
	close(tun);
	assert_int_equal(reason, SOURCE_LINK_TYPE);
}

/* Writes `count` packets into a tun device and looks at what was captured. */
static struct live_look
capture_tun(int kind, const char *filter, unsigned count, unsigned *handles)
{
	struct frame frame = {.len = 0};
	struct live_look q;
	struct live live;
	int tun = require_tun(kind);

	live_prepare(&live, filter);
	assert_int_equal(live_start(&live, "t0"), CAPTURE_ACTIVE);
	*handles = live_status(&live).status.facts.handles;
	frame_ipv4(&frame, "10.9.0.1", "10.9.0.2", 17, 0, 8);
	frame_udp(&frame, 40000, 5000);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(write(tun, frame.data, frame.len), frame.len);
	q = live_end(&live);
	close(tun);
	return q;
}

static void
a_device_without_link_header_is_captured(void **state)
{
	struct live_look q;
	unsigned handles;

	(void)state;
	net_require();
	q = capture_tun(ARPHRD_NONE, "udp port 5000", 25, &handles);
	assert_int_equal(handles, 2);
	assert_int_equal(q.status.facts.link_type, DLT_RAW);
	assert_int_equal(q.interval.books.in_flows.packets, 25);
	assert_int_equal(q.interval.books.in_flows.bytes, 25 * 28);
	assert_true(q.status.witness.agrees);
}

static void
a_cooked_device_has_one_handle_with_the_whole_buffer(void **state)
{
	struct live_look q;
	unsigned handles;

	(void)state;
	net_require();
	q = capture_tun(ARPHRD_PPP, "udp port 5000", 25, &handles);
	assert_int_equal(handles, 1);
	assert_int_equal(q.status.facts.link_type, DLT_LINUX_SLL);
	assert_int_equal(q.interval.books.in_flows.packets, 25);
	/* libpcap may have filtered in user space, so the kernel is no witness. */
	assert_false(q.status.witness.known);
	q = capture_tun(ARPHRD_PPP, "", 25, &handles);
	assert_true(q.status.witness.agrees);
	q = capture_tun(ARPHRD_PPP, "tcp", 25, &handles);
	assert_int_equal(q.interval.books.received.packets, 0);
}

static void
status_tells_what_is_in_force(void **state)
{
	const struct {
		uint64_t wanted;
		uint64_t in_force;
	} buffers[] = {
	    {CAPTURE_BUFFER_MIN, 4 * 256 * 1024}, /* two blocks for each of two */
	    {8 * 1024 * 1024, 8 * 1024 * 1024},
	    {2 * 1024 * 1024 + 1, 10 * 256 * 1024}, /* rounded up for each */
	};
	struct live_look q;
	struct live live;

	(void)state;
	net_require();
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		live_prepare(&live, "");
		live.config.buffer = buffers[i].wanted;
		assert_int_equal(live_start(&live, "v0"), CAPTURE_ACTIVE);
		q = live_status(&live);
		assert_int_equal(q.status.facts.buffer, buffers[i].in_force);
		assert_int_equal(q.status.facts.handles, 2);
		assert_int_equal(q.status.facts.link_type, DLT_EN10MB);
		assert_int_equal(q.status.facts.snaplen, CAPTURE_SNAPLEN_DEFAULT);
		q = live_end(&live);
		assert_int_equal(q.status.facts.handles, 0);
	}
}

static void
promiscuous_mode_is_taken_once_and_given_back(void **state)
{
	struct live live;

	(void)state;
	live_begin(&live, "");
	assert_true(net_run("ip -d link show v0 | grep -q 'promiscuity 1 '"));
	live_free(&live);
	assert_true(net_run("ip -d link show v0 | grep -q 'promiscuity 0 '"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_are_counted_once_in_their_direction),
	    cmocka_unit_test(
		a_capture_opened_under_traffic_takes_nothing_of_the_wrong_direction),
	    cmocka_unit_test(stopping_counts_what_is_still_in_the_ring),
	    cmocka_unit_test(an_idle_link_answers_at_once_and_stops_at_once),
	    cmocka_unit_test(a_packet_on_the_loopback_device_counts_once),
	    cmocka_unit_test(a_burst_of_20000_small_packets_is_not_dropped),
	    cmocka_unit_test(packets_cut_at_the_snaplen_keep_their_length),
	    cmocka_unit_test(each_reason_for_not_opening_is_told_apart),
	    cmocka_unit_test(
		without_rights_an_interface_is_forbidden_and_a_missing_one_is_missing),
	    cmocka_unit_test(a_link_type_that_is_not_decoded_is_an_error),
	    cmocka_unit_test(a_device_without_link_header_is_captured),
	    cmocka_unit_test(a_cooked_device_has_one_handle_with_the_whole_buffer),
	    cmocka_unit_test(status_tells_what_is_in_force),
	    cmocka_unit_test(promiscuous_mode_is_taken_once_and_given_back),
	};

	return cmocka_run_group_tests_name("a live capture", tests, NULL, NULL);
}
