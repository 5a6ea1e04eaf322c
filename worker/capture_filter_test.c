#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "worker/test_live.h"

static void
the_filter_chooses(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp port 5001 or tcp");
	assert_true(net_send_udp("v1", 5000, 70));
	assert_true(net_send_udp("v1", 5001, 30));
	assert_true(net_send_udp("v0", 5001, 20));
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 50);
	assert_true(q.status.witness.agrees);
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
		struct live_look q;
		struct live live;

		live_begin(&live, table[i].filter);
		send_tagged("v1");
		send_tagged("v0");
		q = live_disable(&live);
		assert_true(q.status.witness.agrees);
		live_count(&live, sums);
		assert_int_equal(sums[RECEIVED], table[i].packets);
		assert_int_equal(sums[SENT], table[i].packets);
		live_free(&live);
	}
}

static void
a_filter_that_speaks_of_tags_is_pcap_s_own(void **state)
{
	uint64_t sums[2];
	struct live live;

	(void)state;
	live_begin(&live, "vlan 12");
	send_tagged("v1");
	send_tagged("v0");
	(void)live_disable(&live);
	live_count(&live, sums);
	assert_int_equal(sums[RECEIVED], 40);
	assert_int_equal(sums[SENT], 40);
	live_free(&live);
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
	struct live_look q;
	struct live live;
	pthread_t sender;

	(void)state;
	live_begin(&live, "udp");
	assert_int_equal(pthread_create(&sender, NULL, send_steadily, &sent), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(live_set_filter(&live, fitting[i % 6]), 0);
		net_wait_ms(20);
	}
	pthread_join(sender, NULL);
	q = live_end(&live);
	assert_int_equal(sent, 2000);
	assert_int_equal(q.interval.books.received.packets, 2000);
	assert_true(q.status.witness.agrees);
}

static void
a_filter_changed_before_the_first_packet_is_the_only_one(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "tcp");
	assert_int_equal(live_set_filter(&live, "udp"), 0);
	assert_true(net_send_udp("v1", 5000, 10));
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 10);
}

static void
a_filter_that_does_not_compile_changes_nothing(void **state)
{
	struct live_look q;
	struct live live;

	(void)state;
	live_begin(&live, "udp");
	assert_int_equal(live_set_filter(&live, "no such word"), -EINVAL);
	assert_int_equal(live_set_filter(&live, "tcp) or (udp"), -EINVAL);
	assert_true(net_send_udp("v1", 5000, 10));
	q = live_status(&live);
	assert_int_equal(q.status.state, CAPTURE_ACTIVE);
	assert_string_equal(q.status.config.filter, "udp");
	q = live_end(&live);
	assert_int_equal(q.interval.books.received.packets, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_filter_chooses),
	    cmocka_unit_test(a_plain_filter_sees_into_tags_on_both_sides),
	    cmocka_unit_test(a_filter_that_speaks_of_tags_is_pcap_s_own),
	    cmocka_unit_test(changing_the_filter_under_traffic_loses_nothing),
	    cmocka_unit_test(a_filter_changed_before_the_first_packet_is_the_only_one),
	    cmocka_unit_test(a_filter_that_does_not_compile_changes_nothing),
	};

	return cmocka_run_group_tests_name(
	    "the filter of a live capture", tests, NULL, NULL);
}
