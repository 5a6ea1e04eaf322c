#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/capability.h>
#include <pcap/dlt.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "proto/flow_map.h"
#include "worker/capture.h"
#include "worker/test_net.h"

#define NEEDS_ROOT "skipped: needs root, to make a network namespace\n"

/* One captured interface with a meter in memory. */
struct live {
	struct capture *capture;
	struct meter *meter;
	struct capture_config config;
	int records;
};

static void
prepare(struct live *live, const char *filter)
{
	*live = (struct live){.records = -1};
	capture_config_default(&live->config);
	snprintf(live->config.filter, sizeof(live->config.filter), "%s", filter);
}

/* Opens, and when that went well also starts to read. */
static enum capture_state
start(struct live *live, const char *iface)
{
	const struct source_options source = {.iface = iface, .config = &live->config};
	struct meter_options meter = {
	    .iface = iface, .file_id = 7, .begin_ms = 1000, .flow_limit = 1000};
	struct capture_status status;

	assert_int_equal(capture_new(&live->capture, &source_live, &source), 0);
	capture_enable(live->capture);
	live->records = memfd_create("records", MFD_CLOEXEC);
	meter.fd = live->records;
	assert_int_equal(meter_open(&live->meter, &meter), 0);
	capture_status(live->capture, &status);
	assert_int_equal(capture_start(live->capture, live->meter), 0);
	return status.state;
}

static void
finish(struct live *live)
{
	capture_free(live->capture);
	meter_free(live->meter);
	close(live->records);
}

struct question {
	struct live *live;
	struct capture_status status;
	struct interval interval;
	const char *filter;
	int result;
};

static void
look(void *arg)
{
	struct question *question = arg;

	capture_status(question->live->capture, &question->status);
	meter_interval(question->live->meter, &question->interval);
}

static struct question
ask_status(struct live *live)
{
	struct question question = {.live = live};

	capture_run(live->capture, look, &question);
	return question;
}

static void
change(void *arg)
{
	struct question *question = arg;
	struct source_fault fault;

	question->result =
	    capture_set_filter(question->live->capture, question->filter, &fault);
}

static int
set_filter(struct live *live, const char *filter)
{
	struct question question = {.live = live, .filter = filter};

	capture_run(live->capture, change, &question);
	return question.result;
}

static void
stop(void *arg)
{
	struct question *question = arg;

	capture_disable(question->live->capture);
	look(question);
}

static struct question
disable(struct live *live)
{
	struct question question = {.live = live};

	capture_run(live->capture, stop, &question);
	return question;
}

static int
add_directions(void *arg, const struct flow_record *flow)
{
	uint64_t *sums = arg;

	for (int observed = 0; observed < 2; observed++)
		sums[observed] += flow->count[observed][FWD].packets +
		    flow->count[observed][REV].packets;
	return 0;
}

/* Received and sent packets of the running interval, which this ends. */
static void
count_directions(struct live *live, uint64_t sums[2])
{
	struct interval interval;
	uint64_t next, flows;
	struct pack pack;
	bool last;

	sums[RECEIVED] = sums[SENT] = 0;
	pack_init(&pack);
	assert_int_equal(meter_rotate(live->meter, 1, 2000, &interval), 0);
	assert_int_equal(
	    meter_fetch(live->meter, 1, 0, &pack, &next, &last, &flows), 0);
	assert_true(last);
	assert_int_equal(
	    flow_map_each(pack.buffer.data, pack.buffer.size, add_directions, sums), 0);
	pack_fini(&pack);
}

static void
packets_are_counted_once_in_their_direction(void **state)
{
	struct question q;
	struct live live;
	uint64_t sums[2];

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 1000));
	assert_true(net_send_udp("v0", 5000, 300));
	q = disable(&live);
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
	count_directions(&live, sums);
	assert_int_equal(sums[RECEIVED], 1000);
	assert_int_equal(sums[SENT], 300);
	finish(&live);
}

static void
a_capture_opened_under_traffic_takes_nothing_of_the_wrong_direction(void **state)
{
	struct question q;
	struct live live;
	uint64_t sums[2];
	pid_t sender;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	sender = fork();
	if (sender == 0) {
		int in = net_sender("v1"), out = net_sender("v0");
		struct frame fits, not ;

		/* Some 200 ms of both directions and both ports. */
		net_udp_frame(&fits, 1, 64);
		net_udp_frame(&not, 2, 64);
		for (int i = 0; i < 2000; i++) {
			(void)!send(in, fits.data, fits.len, 0);
			(void)!send(in, not .data, not .len, 0);
			(void)!send(out, not .data, not .len, 0);
			if (i % 10 == 0)
				net_wait_ms(1);
		}
		_exit(0);
	}
	net_wait_ms(2);
	prepare(&live, "udp port 1");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	while (waitpid(sender, NULL, 0) < 0 && errno == EINTR)
		;
	q = disable(&live);
	assert_true(q.status.witness.agrees);
	assert_true(q.interval.books.received.packets > 0);
	assert_true(q.interval.books.received.packets <= 2000);
	count_directions(&live, sums);
	assert_int_equal(sums[RECEIVED], q.interval.books.received.packets);
	assert_int_equal(sums[SENT], 0);
	finish(&live);
}

static void
the_filter_chooses(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "udp port 5001 or tcp");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 70));
	assert_true(net_send_udp("v1", 5001, 30));
	assert_true(net_send_udp("v0", 5001, 20));
	q = disable(&live);
	assert_int_equal(q.interval.books.received.packets, 50);
	assert_true(q.status.witness.agrees);
	finish(&live);
}

struct tagged {
	unsigned count;
	uint16_t tpid[2]; /* 0: no tag */
	uint16_t tag[2];
	uint16_t dport;
};

static void
send_tagged(const char *iface)
{
	static const struct tagged all[] = {
	    {10, {0, 0}, {0, 0}, 53},
	    {20, {0x8100, 0}, {11, 0}, 53},
	    {40, {0x8100, 0}, {12, 0}, 5000},
	    {80, {0x88a8, 0x8100}, {200, 11}, 53},
	    {160, {0x8100, 0x8100}, {11, 300}, 53},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct frame frame;

		frame_ethernet(&frame);
		for (int tag = 0; tag < 2 && all[i].tpid[tag] != 0; tag++) {
			frame_put16(&frame, all[i].tpid[tag]);
			frame_put16(&frame, all[i].tag[tag]);
		}
		frame_put16(&frame, 0x0800);
		frame_ipv4(&frame, "10.9.0.1", "10.9.0.2", 17, 0, 8);
		frame_udp(&frame, 40000, all[i].dport);
		assert_true(net_send(iface, &frame, all[i].count));
	}
}

static void
a_plain_filter_sees_into_tags_on_both_sides(void **state)
{
	static const struct {
		const char *filter;
		uint64_t packets;
	} table[] = {
	    {"", 310},
	    {"udp port 53", 270},
	    {"not udp port 53", 40},
	    {"ip host 10.9.0.2 and udp[2:2] = 5000", 40},
	    {"ether src 02:00:00:00:00:02 and ip", 310},
	    {"ip6 or arp", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t sums[2];
		struct question q;
		struct live live;

		if (!net_new()) {
			print_message(NEEDS_ROOT);
			skip();
		}
		prepare(&live, table[i].filter);
		assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
		send_tagged("v1");
		send_tagged("v0");
		q = disable(&live);
		assert_true(q.status.witness.agrees);
		count_directions(&live, sums);
		assert_int_equal(sums[RECEIVED], table[i].packets);
		assert_int_equal(sums[SENT], table[i].packets);
		finish(&live);
	}
}

static void
a_filter_that_speaks_of_tags_is_pcap_s_own(void **state)
{
	uint64_t sums[2];
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "vlan 12");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	send_tagged("v1");
	send_tagged("v0");
	(void)disable(&live);
	count_directions(&live, sums);
	assert_int_equal(sums[RECEIVED], 40);
	assert_int_equal(sums[SENT], 40);
	finish(&live);
}

static void *
send_steadily(void *arg)
{
	unsigned *sent = arg;
	int fd = net_sender("v1");
	struct frame frame;

	net_udp_frame(&frame, 5000, 64);
	for (int i = 0; i < 250; i++) {
		for (int j = 0; j < 8; j++)
			*sent += send(fd, frame.data, frame.len, 0) > 0;
		net_wait_ms(2);
	}
	close(fd);
	return NULL;
}

static void
changing_the_filter_under_traffic_loses_nothing(void **state)
{
	static const char *const fitting[] = {
	    "udp", "", "udp port 5000", "ip", "ip and udp dst port 5000", "  "};
	unsigned sent = 0;
	struct question q;
	struct live live;
	pthread_t sender;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "udp");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_int_equal(pthread_create(&sender, NULL, send_steadily, &sent), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(set_filter(&live, fitting[i % 6]), 0);
		net_wait_ms(20);
	}
	pthread_join(sender, NULL);
	q = disable(&live);
	assert_int_equal(sent, 2000);
	assert_int_equal(q.interval.books.received.packets, 2000);
	assert_true(q.status.witness.agrees);
	finish(&live);
}

static void
a_filter_changed_before_the_first_packet_is_the_only_one(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "tcp");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_int_equal(set_filter(&live, "udp"), 0);
	assert_true(net_send_udp("v1", 5000, 10));
	q = disable(&live);
	assert_int_equal(q.interval.books.received.packets, 10);
	finish(&live);
}

static void
a_filter_that_does_not_compile_changes_nothing(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "udp");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_int_equal(set_filter(&live, "no such word"), -EINVAL);
	assert_int_equal(set_filter(&live, "tcp) or (udp"), -EINVAL);
	assert_true(net_send_udp("v1", 5000, 10));
	q = ask_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	assert_string_equal(q.status.config.filter, "udp");
	q = disable(&live);
	assert_int_equal(q.interval.books.received.packets, 10);
	finish(&live);
}

static void
stopping_counts_what_is_still_in_the_ring(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "");
	live.config.timeout_ms = 1000;
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 1000));
	q = ask_status(&live);
	/* Held back by the kernel: the block is neither full nor old. */
	assert_int_equal(q.interval.books.received.packets, 0);
	q = disable(&live);
	assert_int_equal(q.interval.books.received.packets, 1000);
	assert_true(q.status.witness.agrees);
	assert_true(q.status.witness.drain_ms <= 1200);
	finish(&live);
}

static void
an_idle_link_answers_at_once_and_stops_at_once(void **state)
{
	struct mono begin;
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "");
	live.config.timeout_ms = 10000;
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	net_wait_ms(300);
	begin = mono_now();
	q = ask_status(&live);
	assert_true(mono_ms_between(begin, mono_now()) < 100);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	begin = mono_now();
	q = disable(&live);
	assert_true(mono_ms_between(begin, mono_now()) < 1000);
	assert_true(q.status.witness.agrees);
	finish(&live);
}

static void
a_packet_on_the_loopback_device_counts_once(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(5000)};
	struct question q;
	struct live live;
	int fd;

	(void)state;
	if (!net_new() || !net_run("ip link set lo up")) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "udp");
	assert_int_equal(start(&live, "lo"), CAPTURE_ACTIVE);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(
		    sendto(fd, "weir", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	close(fd);
	q = ask_status(&live);
	assert_int_equal(q.status.facts.handles, 1);
	q = disable(&live);
	assert_int_equal(q.interval.books.received.packets, 7);
	assert_int_equal(q.status.witness.kernel, 7);
	assert_true(q.status.witness.agrees);
	finish(&live);
}

static void
a_burst_of_20000_small_packets_is_not_dropped(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 20000));
	q = disable(&live);
	assert_int_equal(q.interval.kernel.dropped, 0);
	assert_int_equal(q.interval.books.received.packets, 20000);
	assert_true(q.status.witness.agrees);
	finish(&live);
}

static void
packets_cut_at_the_snaplen_keep_their_length(void **state)
{
	struct frame frame;
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "");
	live.config.snaplen = CAPTURE_SNAPLEN_MIN;
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	net_udp_frame(&frame, 5000, 1400);
	assert_true(net_send("v1", &frame, 50));
	q = disable(&live);
	assert_int_equal(q.interval.books.in_flows.packets, 50);
	assert_int_equal(q.interval.books.in_flows.bytes, 50 * 1400);
	finish(&live);
}

static void
an_interface_that_goes_down_and_up_is_counted_on(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "udp");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_run("ip link set v0 down"));
	net_wait_ms(300);
	q = ask_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	assert_true(net_run("ip link set v0 up"));
	net_wait_ms(100);
	assert_true(net_send_udp("v1", 5000, 20));
	q = disable(&live);
	assert_int_equal(q.interval.books.received.packets, 30);
	assert_true(q.status.witness.agrees);
	finish(&live);
}

static void
an_interface_that_vanishes_is_an_error_and_loses_nothing(void **state)
{
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "udp");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_send_udp("v1", 5000, 10));
	assert_true(net_run("ip link del v0"));
	for (int i = 0; i < 20; i++) {
		q = ask_status(&live);
		if (q.status.state == CAPTURE_ERROR)
			break;
		net_wait_ms(50);
	}
	assert_int_equal(q.status.state, CAPTURE_ERROR);
	assert_int_equal(q.status.fault.reason, SOURCE_GONE);
	assert_int_equal(q.interval.books.received.packets, 10);
	assert_true(q.status.witness.agrees);
	/* Disabling leaves the error behind; the flows stay. */
	q = disable(&live);
	assert_int_equal(q.status.state, CAPTURE_UNINITIALIZED);
	assert_int_equal(q.status.fault.reason, SOURCE_OK);
	assert_int_equal(q.interval.books.received.packets, 10);
	finish(&live);
}

static enum source_reason
reason_of_opening(const char *iface, const char *filter)
{
	enum source_reason reason;
	struct live live;

	prepare(&live, filter);
	assert_int_equal(start(&live, iface), CAPTURE_ERROR);
	reason = ask_status(&live).status.fault.reason;
	assert_true(ask_status(&live).status.fault.text[0] != '\0');
	finish(&live);
	return reason;
}

static void
each_reason_for_not_opening_is_told_apart(void **state)
{
	(void)state;
	if (!net_new() || !net_run("ip link add d0 type veth peer name d1")) {
		print_message(NEEDS_ROOT);
		skip();
	}
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
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	net_raw(false);
	there = reason_of_opening("v0", "");
	missing = reason_of_opening("nosuch0", "");
	net_raw(true);
	assert_int_equal(there, SOURCE_PERMISSION);
	assert_int_equal(missing, SOURCE_NO_SUCH_DEVICE);
}

static void
a_link_type_that_is_not_decoded_is_an_error(void **state)
{
	enum source_reason reason;
	int tun;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	tun = net_tun("t0", ARPHRD_FRAD);
	if (tun < 0) {
		print_message("skipped: this kernel has no tun device\n");
		skip();
	}
	reason = reason_of_opening("t0", "");
	close(tun);
	assert_int_equal(reason, SOURCE_LINK_TYPE);
}

/* Writes `count` packets into a tun device and looks at what was captured. */
static struct question
capture_tun(int kind, const char *filter, unsigned count, unsigned *handles)
{
	struct frame frame = {.len = 0};
	struct question q;
	struct live live;
	int tun = net_tun("t0", kind);

	if (tun < 0) {
		print_message("skipped: this kernel has no tun device\n");
		skip();
	}
	prepare(&live, filter);
	assert_int_equal(start(&live, "t0"), CAPTURE_ACTIVE);
	*handles = ask_status(&live).status.facts.handles;
	frame_ipv4(&frame, "10.9.0.1", "10.9.0.2", 17, 0, 8);
	frame_udp(&frame, 40000, 5000);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(write(tun, frame.data, frame.len), frame.len);
	q = disable(&live);
	finish(&live);
	close(tun);
	return q;
}

static void
a_device_without_link_header_is_captured(void **state)
{
	struct question q;
	unsigned handles;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
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
	struct question q;
	unsigned handles;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
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
	struct question q;
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		prepare(&live, "");
		live.config.buffer = buffers[i].wanted;
		assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
		q = ask_status(&live);
		assert_int_equal(q.status.facts.buffer, buffers[i].in_force);
		assert_int_equal(q.status.facts.handles, 2);
		assert_int_equal(q.status.facts.link_type, DLT_EN10MB);
		assert_int_equal(q.status.facts.snaplen, CAPTURE_SNAPLEN_DEFAULT);
		q = disable(&live);
		assert_int_equal(q.status.facts.handles, 0);
		finish(&live);
	}
}

static void
promiscuous_mode_is_taken_once_and_given_back(void **state)
{
	struct live live;

	(void)state;
	if (!net_new()) {
		print_message(NEEDS_ROOT);
		skip();
	}
	prepare(&live, "");
	assert_int_equal(start(&live, "v0"), CAPTURE_ACTIVE);
	assert_true(net_run("ip -d link show v0 | grep -q 'promiscuity 1 '"));
	finish(&live);
	assert_true(net_run("ip -d link show v0 | grep -q 'promiscuity 0 '"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_are_counted_once_in_their_direction),
	    cmocka_unit_test(
		a_capture_opened_under_traffic_takes_nothing_of_the_wrong_direction),
	    cmocka_unit_test(the_filter_chooses),
	    cmocka_unit_test(a_plain_filter_sees_into_tags_on_both_sides),
	    cmocka_unit_test(a_filter_that_speaks_of_tags_is_pcap_s_own),
	    cmocka_unit_test(changing_the_filter_under_traffic_loses_nothing),
	    cmocka_unit_test(a_filter_changed_before_the_first_packet_is_the_only_one),
	    cmocka_unit_test(a_filter_that_does_not_compile_changes_nothing),
	    cmocka_unit_test(stopping_counts_what_is_still_in_the_ring),
	    cmocka_unit_test(an_idle_link_answers_at_once_and_stops_at_once),
	    cmocka_unit_test(a_packet_on_the_loopback_device_counts_once),
	    cmocka_unit_test(a_burst_of_20000_small_packets_is_not_dropped),
	    cmocka_unit_test(packets_cut_at_the_snaplen_keep_their_length),
	    cmocka_unit_test(an_interface_that_goes_down_and_up_is_counted_on),
	    cmocka_unit_test(an_interface_that_vanishes_is_an_error_and_loses_nothing),
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
