#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "proto/flow_map.h"
#include "worker/flow_choice.h"
#include "worker/test_commands.h"

#define SLICE 1000 /* most records between two batches (DESIGN 4) */

/* ---- what the meter holds ---- */

static void
count_one(struct meter *meter, unsigned number, unsigned dport, uint32_t wire_len)
{
	struct frame f;
	struct packet packet;
	char src[16];

	snprintf(src, sizeof(src), "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255,
	    number & 255);
	packet =
	    frame_udp4(&f, src, 40000, "192.0.2.1", dport, INT64_C(1000000) + number);
	packet.wire_len = wire_len;
	meter_packet(meter, &packet);
}

/* Flows of different size and time; each third one is to port 53, the others to 123. */
static void
fill_flows(struct meter *meter, unsigned flows)
{
	for (unsigned n = 0; n < flows; n++)
		count_one(meter, n, n % 3 == 0 ? 53 : 123, 60 + n * 7919 % 1400);
	meter_flush(meter);
}

static void
fill_3000(struct meter *meter)
{
	fill_flows(meter, 3000);
}

static void
fill_200000(struct meter *meter)
{
	fill_flows(meter, 200000);
}

/* ---- what is answered ---- */

struct flow_list {
	size_t count;
	struct flow_record flow[4096];
};

static int
on_flow(void *arg, const struct flow_record *flow)
{
	struct flow_list *list = arg;

	assert_true(list->count < 4096);
	list->flow[list->count++] = *flow;
	return 0;
}

static void
add_chunk(const struct worker *worker, struct flow_list *list)
{
	const void *chunk;
	size_t len;

	assert_int_equal(view_bin(worker->parsed.body, "chunk", &chunk, &len), 0);
	assert_int_equal(flow_map_each(chunk, len, on_flow, list), 0);
}

static void
ask_flows(struct worker *worker, struct flow_list *list)
{
	assert_int_equal(ask(worker), MSG_OK);
	list->count = 0;
	add_chunk(worker, list);
}

static int
most_bytes_first(const void *a, const void *b)
{
	uint64_t x = flow_total(a).bytes, y = flow_total(b).bytes;

	return x != y ? (x > y ? -1 : 1) : 0;
}

static struct flow_list answered, fetched; /* too large for the stack */

static void
the_flows_are_those_of_the_meter_the_largest_first(void **state)
{
	static bool taken[4096];
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker.flow_limit = 5000;
	worker.fill = fill_3000;
	worker_open(&worker, "nosuch0");
	pack_key_u64(begin(&worker, MSG_FLOWS), "limit", 1000);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "flows"), 3000);
	assert_int_equal(number(&worker, "matched"), 3000);
	assert_int_equal(answered.count, 1000);
	/* 3000 flows and the places of the overflow flows. */
	assert_int_equal(worker.commands.walk.slices, 4);

	/* The same records as a rotation hands over, in the same words. */
	assert_int_equal(ask_rotate(&worker, 1, 2000), MSG_OK);
	assert_int_equal(ask_fetch(&worker, 1, 0), MSG_OK);
	fetched.count = 0;
	add_chunk(&worker, &fetched);
	assert_int_equal(fetched.count, 3000);
	qsort(fetched.flow, fetched.count, sizeof(fetched.flow[0]), most_bytes_first);
	for (size_t i = 0; i < answered.count; i++) {
		size_t k = 0;

		assert_int_equal(flow_total(&answered.flow[i]).bytes,
		    flow_total(&fetched.flow[i]).bytes);
		/* Among equals the order of the sort is another. */
		while (k < fetched.count &&
		    memcmp(&answered.flow[i], &fetched.flow[k],
			sizeof(fetched.flow[k])) != 0)
			k++;
		assert_true(k < fetched.count);
		assert_false(taken[k]);
		taken[k] = true;
	}

	/* The next interval has none yet. */
	begin(&worker, MSG_FLOWS);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "flows"), 0);
	assert_int_equal(answered.count, 0);
	worker_end(&worker);
}

static void
without_keys_the_fifty_largest_are_answered(void **state)
{
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker.flow_limit = 5000;
	worker.fill = fill_3000;
	worker_open(&worker, "nosuch0");
	begin(&worker, MSG_FLOWS);
	ask_flows(&worker, &answered);
	assert_int_equal(answered.count, FLOWS_LIMIT_DEFAULT);
	for (size_t i = 1; i < answered.count; i++)
		assert_true(flow_total(&answered.flow[i - 1]).bytes >=
		    flow_total(&answered.flow[i]).bytes);
	worker_end(&worker);
}

static void
filter_and_order_are_those_of_the_request(void **state)
{
	static const uint8_t net[4] = {10, 0, 1, 99}, other[16] = {0x20, 1};
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker.flow_limit = 5000;
	worker.fill = fill_3000;
	worker_open(&worker, "nosuch0");

	pack_key_u64(begin(&worker, MSG_FLOWS), "port", 53);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "flows"), 3000);
	assert_int_equal(number(&worker, "matched"), 1000);

	pack_key_bin(begin(&worker, MSG_FLOWS), "address", net, sizeof(net));
	pack_key_u64(&worker.request, "prefix", 24);
	pack_key_str(&worker.request, "sort", "last");
	pack_key_u64(&worker.request, "limit", 3);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "matched"), 256);
	assert_int_equal(answered.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(answered.flow[i].last_ns, 1000000 + 511 - i);
		assert_int_equal(answered.flow[i].src[3], 255 - i);
	}

	pack_key_u64(begin(&worker, MSG_FLOWS), "proto", 6);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "matched"), 0);
	pack_key_bin(begin(&worker, MSG_FLOWS), "address", other, sizeof(other));
	pack_key_u64(&worker.request, "prefix", 0);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "matched"), 0);
	worker_end(&worker);
}

static void
overflow_flows_are_flows_without_address(void **state)
{
	static const uint8_t any[4] = {0, 0, 0, 0};
	struct worker worker;

	(void)state;
	worker_prepare(&worker);
	worker.flow_limit = 16;
	worker.fill = fill_3000;
	worker_open(&worker, "nosuch0");
	pack_key_str(begin(&worker, MSG_FLOWS), "sort", "packets");
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "flows"), 17);
	assert_int_equal(answered.count, 17);
	assert_int_equal(answered.flow[0].family, FAMILY_NONE);
	assert_int_equal(answered.flow[0].proto, 17);
	assert_int_equal(flow_total(&answered.flow[0]).packets, 3000 - 16);

	pack_key_u64(begin(&worker, MSG_FLOWS), "proto", 17);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "matched"), 17);
	pack_key_bin(begin(&worker, MSG_FLOWS), "address", any, sizeof(any));
	pack_key_u64(&worker.request, "prefix", 0);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "matched"), 16);
	pack_key_u64(begin(&worker, MSG_FLOWS), "port", 40000);
	ask_flows(&worker, &answered);
	assert_int_equal(number(&worker, "matched"), 16);
	worker_end(&worker);
}

static void
what_is_out_of_range_is_refused_by_name(void **state)
{
	static const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
	    {"limit", 0}, {"limit", 1001}, {"port", 65536}, {"proto", 256},
	    {"sort", 1}, /* not a string */
	    {"address", 1}, /* not a bin */
	};
	static const struct {
		size_t len;
		int prefix; /* -1: none */
		const char *key; /* that is named */
	} addresses[] = {
	    {0, 0, "address"},
	    {5, 8, "address"},
	    {17, 8, "address"},
	    {4, 33, "prefix"},
	    {16, 129, "prefix"},
	    {4, -1, "prefix"},
	};
	static const uint8_t bytes[32] = {10};
	char begins[32];
	struct worker worker;

	(void)state;
	worker_start(&worker, "nosuch0");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		pack_key_u64(
		    begin(&worker, MSG_FLOWS), numbers[i].key, numbers[i].value);
		assert_int_equal(ask(&worker), MSG_E_BAD_MESSAGE);
		snprintf(begins, sizeof(begins), "%s: ", numbers[i].key);
		assert_memory_equal(string(&worker, "text"), begins, strlen(begins));
	}
	pack_key_str(begin(&worker, MSG_FLOWS), "sort", "size");
	assert_int_equal(ask(&worker), MSG_E_BAD_MESSAGE);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		pack_key_bin(
		    begin(&worker, MSG_FLOWS), "address", bytes, addresses[i].len);
		if (addresses[i].prefix >= 0)
			pack_key_u64(
			    &worker.request, "prefix", (uint64_t)addresses[i].prefix);
		assert_int_equal(ask(&worker), MSG_E_BAD_MESSAGE);
		snprintf(begins, sizeof(begins), "%s: ", addresses[i].key);
		assert_memory_equal(string(&worker, "text"), begins, strlen(begins));
	}
	/* A prefix of nothing. */
	pack_key_u64(begin(&worker, MSG_FLOWS), "prefix", 8);
	assert_int_equal(ask(&worker), MSG_E_BAD_MESSAGE);
	worker_end(&worker);
}

static void
send_for_ever(void)
{
	int fd = net_sender("v1");
	struct frame frame;

	net_end_with_test();
	for (unsigned n = 0; fd >= 0; n++) {
		net_udp_frame(&frame, (uint16_t)(1 + n % 60000), 64);
		(void)!send(fd, frame.data, frame.len, 0);
		if (n % 50 == 0)
			net_wait_ms(1);
	}
	_exit(1);
}

/* Some 20 to 50 packets a millisecond, of ever new flows, while 200,000 are looked at: the
 * capture thread never stands still for more than a slice, and goes on in between. */
static void
packets_go_on_while_200000_flows_are_looked_at(void **state)
{
	const unsigned slices = (200000 + 256) / SLICE + 1;
	uint64_t before, after, flows;
	struct interval interval;
	struct worker worker;
	struct mono began;
	pid_t sender;

	(void)state;
	net_require();
	worker_prepare(&worker);
	worker.flow_limit = 300000;
	worker.fill = fill_200000;
	worker_open(&worker, "v0");
	sender = fork();
	if (sender == 0)
		send_for_ever();
	net_wait_ms(200);
	for (int round = 0; round < 5; round++) {
		begin(&worker, MSG_STATUS);
		assert_int_equal(ask(&worker), MSG_OK);
		assert_int_equal(
		    view_interval(worker.parsed.body, "interval", &interval), 0);
		before = interval.books.received.packets;
		flows = number(&worker, "flows");
		began = mono_now();
		pack_key_u64(begin(&worker, MSG_FLOWS), "limit", 1000);
		ask_flows(&worker, &answered);
		print_message("%d flows in %d ms, %d slices, the longest %d us\n",
		    (int)number(&worker, "flows"),
		    (int)mono_ms_between(began, mono_now()),
		    (int)worker.commands.walk.slices,
		    (int)(worker.commands.walk.worst_ns / 1000));
		assert_int_equal(answered.count, 1000);
		/* Those that were there, and at most those that came since. */
		assert_true(number(&worker, "flows") >= flows);
		assert_true(worker.commands.walk.slices >= slices);
		begin(&worker, MSG_STATUS);
		assert_int_equal(ask(&worker), MSG_OK);
		assert_int_equal(
		    view_interval(worker.parsed.body, "interval", &interval), 0);
		after = interval.books.received.packets;
		assert_true(after >= before);
		net_wait_ms(150);
	}
	kill(sender, SIGKILL);
	while (waitpid(sender, NULL, 0) < 0 && errno == EINTR)
		;
	pack_key_u64(begin(&worker, MSG_DISABLE), "seq", 1);
	assert_int_equal(ask(&worker), MSG_OK);
	assert_int_equal(ask_rotate(&worker, 2, 2000), MSG_OK);
	assert_int_equal(view_interval(worker.parsed.body, "interval", &interval), 0);
	assert_true(interval.books.received.packets > 200000);
	assert_int_equal(interval.books.received.packets,
	    200000 + interval.kernel.received - interval.kernel.dropped);
	print_message("%d packets came meanwhile, %d were dropped\n",
	    (int)interval.kernel.received, (int)interval.kernel.dropped);
	worker_end(&worker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_flows_are_those_of_the_meter_the_largest_first),
	    cmocka_unit_test(without_keys_the_fifty_largest_are_answered),
	    cmocka_unit_test(filter_and_order_are_those_of_the_request),
	    cmocka_unit_test(overflow_flows_are_flows_without_address),
	    cmocka_unit_test(what_is_out_of_range_is_refused_by_name),
	    cmocka_unit_test(packets_go_on_while_200000_flows_are_looked_at),
	};

	return cmocka_run_group_tests_name("the running flows", tests, NULL, NULL);
}
