#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/flow_map.h"
#include "worker/meter.h"
#include "worker/test_frame.h"
#include "worker/test_meter.h"

#define FLOWS_KEPT 4096

struct fetched {
	size_t count;
	struct flow_record flow[FLOWS_KEPT];
	struct counter sum;
};

static int
new_file(void)
{
	int fd = memfd_create("records", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static int
keep(void *arg, const struct flow_record *flow)
{
	struct fetched *all = arg;
	struct counter total = flow_total(flow);

	if (all->count < FLOWS_KEPT)
		all->flow[all->count] = *flow;
	all->count++;
	counter_add(&all->sum, &total);
	return 0;
}

/* All flows of a frozen rotation, chunk by chunk as the supervisor asks for them. */
static void
fetch_all(struct meter *meter, uint64_t rotation, struct fetched *all)
{
	uint64_t cursor = 0, flows;
	bool last = false;
	struct pack pack;

	memset(all, 0, sizeof(*all));
	pack_init(&pack);
	while (!last) {
		pack_clear(&pack);
		assert_int_equal(
		    meter_fetch(meter, rotation, cursor, &pack, &cursor, &last, &flows),
		    0);
		assert_true(pack.buffer.size <= MSG_CHUNK_MAX);
		assert_int_equal(
		    flow_map_each(pack.buffer.data, pack.buffer.size, keep, all), 0);
	}
	pack_fini(&pack);
}

static void
rotate_fetch(
    struct meter *meter, uint64_t seq, struct interval *iv, struct fetched *all)
{
	meter_flush(meter);
	assert_int_equal(meter_rotate(meter, seq, (int64_t)seq * 100000, iv), 0);
	fetch_all(meter, seq, all);
	assert_true(books_close(&iv->books));
	assert_int_equal(all->count, iv->flows);
	assert_true(counter_equal(&all->sum, &iv->books.in_flows));
	assert_int_equal(meter_release(meter, seq), 0);
}

static void
assert_address(const uint8_t *address, const char *text)
{
	uint8_t want[16] = {0};

	inet_pton(AF_INET, text, want);
	assert_memory_equal(address, want, 4);
}

static struct fetched got; /* too large for the stack */

static void
both_ways_are_one_flow(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 1000);
	struct interval iv;
	struct frame f;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct packet p =
		    frame_udp4(&f, "10.0.0.7", 40000, "10.0.0.2", 53, 100 + i);
		meter_packet(meter, &p);
		p = frame_udp4(&f, "10.0.0.2", 53, "10.0.0.7", 40000, 200 + i);
		p.observed = SENT;
		meter_packet(meter, &p);
	}
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_address(got.flow[0].src, "10.0.0.7");
	assert_int_equal(got.flow[0].dport, 53);
	assert_int_equal(got.flow[0].count[RECEIVED][FWD].packets, 5);
	assert_int_equal(got.flow[0].count[RECEIVED][REV].packets, 0);
	assert_int_equal(got.flow[0].count[SENT][FWD].packets, 0);
	assert_int_equal(got.flow[0].count[SENT][REV].packets, 5);
	assert_int_equal(got.flow[0].first_ns, 100);
	assert_int_equal(got.flow[0].last_ns, 204);
	assert_int_equal(got.flow[0].orientation, ORIENT_PORTS);
	meter_free(meter);
	close(fd);
}

/* CHECKS 1.11, 10.3: the first packet is a SYN-ACK; its bytes are the answering side's. */
static void
a_syn_ack_first_turns_the_flow_with_its_counters(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 1000);
	struct interval iv;
	struct frame f;
	struct packet p = frame_tcp4(&f, "10.0.0.2", 40000, "10.0.0.7", 50000, 0x12, 5);

	(void)state;
	p.wire_len = 1500;
	meter_packet(meter, &p);
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_address(got.flow[0].src, "10.0.0.7");
	assert_address(got.flow[0].dst, "10.0.0.2");
	assert_int_equal(got.flow[0].dport, 40000);
	assert_int_equal(got.flow[0].count[RECEIVED][FWD].bytes, 0);
	assert_int_equal(got.flow[0].count[RECEIVED][REV].bytes, 1500);
	assert_int_equal(got.flow[0].tcp_flags[REV], 0x12);
	assert_string_equal(orientation_confidence(got.flow[0].orientation), "sure");
	meter_free(meter);
	close(fd);
}

static void
data_first_is_a_guess_by_earliest_time(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 1000);
	struct interval iv;
	struct frame f;
	struct packet p =
	    frame_tcp4(&f, "10.0.0.2", 50000, "10.0.0.7", 40000, 0x18, 2000);

	(void)state;
	meter_packet(meter, &p);
	/* Handled later, but captured earlier: the other handle was slower. */
	p = frame_tcp4(&f, "10.0.0.7", 40000, "10.0.0.2", 50000, 0x18, 1000);
	meter_packet(meter, &p);
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_address(got.flow[0].src, "10.0.0.7");
	assert_string_equal(orientation_confidence(got.flow[0].orientation), "guess");
	assert_int_equal(got.flow[0].first_ns, 1000);
	meter_free(meter);
	close(fd);
}

static void
stronger_evidence_swaps_weaker_does_not(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 1000);
	struct interval iv;
	struct frame f;
	struct packet p = frame_tcp4(&f, "10.0.0.7", 50000, "10.0.0.2", 22, 0x18, 1000);

	(void)state;
	meter_packet(meter, &p); /* ports: .7 is the client */
	p = frame_tcp4(&f, "10.0.0.2", 22, "10.0.0.7", 50000, 0x02, 2000);
	meter_packet(meter, &p); /* SYN: .2 is */
	p = frame_tcp4(&f, "10.0.0.7", 50000, "10.0.0.2", 22, 0x18, 3000);
	meter_packet(meter, &p); /* ports again: weaker */
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_address(got.flow[0].src, "10.0.0.2");
	assert_int_equal(got.flow[0].count[RECEIVED][FWD].packets, 1);
	assert_int_equal(got.flow[0].count[RECEIVED][REV].packets, 2);
	assert_int_equal(got.flow[0].orientation, ORIENT_HANDSHAKE);
	meter_free(meter);
	close(fd);
}

/* CHECKS 10.6 and the rule of the carried direction: known for one more interval,
 * forgotten after an idle one. */
static void
the_initiator_survives_rotations_until_an_idle_interval(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 1000);
	struct interval iv;
	struct frame f;
	struct packet p = frame_tcp4(&f, "10.0.0.7", 50000, "10.0.0.2", 40000, 0x02, 1);

	(void)state;
	meter_packet(meter, &p);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		rotate_fetch(meter, seq, &iv, &got);
		assert_int_equal(got.count, 1);
		assert_address(got.flow[0].src, "10.0.0.7");
		assert_int_equal(got.flow[0].orientation, ORIENT_HANDSHAKE);
		/* The next interval begins with the answering side. */
		p = frame_tcp4(&f, "10.0.0.2", 40000, "10.0.0.7", 50000, 0x10,
		    (int64_t)seq * 1000);
		meter_packet(meter, &p);
	}
	rotate_fetch(meter, 4, &iv, &got);
	rotate_fetch(meter, 5, &iv, &got);
	assert_int_equal(got.count, 0);
	meter_packet(meter, &p);
	rotate_fetch(meter, 6, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_address(got.flow[0].src, "10.0.0.2");
	assert_int_equal(got.flow[0].orientation, ORIENT_FIRST);
	meter_free(meter);
	close(fd);
}

static void
at_the_limit_only_keys_are_lost(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv;
	struct frame f;
	uint64_t bytes = 0;
	size_t overflow = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct packet p = frame_udp4(&f, "10.0.0.7", 10000 + i, "10.0.0.2",
		    i % 2 ? 53 : 40000, 1000 + i);
		p.wire_len = 100 + i;
		bytes += p.wire_len;
		meter_packet(meter, &p);
	}
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(iv.books.received.packets, 1000);
	assert_int_equal(iv.books.received.bytes, bytes);
	assert_int_equal(iv.books.overflow.packets, 900);
	assert_int_equal(got.count, 101);
	for (size_t i = 0; i < got.count; i++) {
		if (got.flow[i].family == FAMILY_NONE) {
			overflow++;
			assert_int_equal(got.flow[i].proto, 17);
			assert_int_equal(flow_total(&got.flow[i]).packets, 900);
			assert_int_equal(got.flow[i].first_ns, 1100);
			assert_int_equal(got.flow[i].last_ns, 1999);
		}
	}
	assert_int_equal(overflow, 1);
	/* The next interval takes new flows again. */
	struct packet p = frame_udp4(&f, "10.9.9.9", 1, "10.0.0.2", 53, 1);
	meter_packet(meter, &p);
	rotate_fetch(meter, 2, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_int_equal(iv.books.overflow.packets, 0);
	meter_free(meter);
	close(fd);
}

static void
refused_packets_are_in_the_books(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv;
	struct frame f;
	struct packet p = frame_udp4(&f, "10.0.0.7", 1, "10.0.0.2", 2, 1);

	(void)state;
	p.caplen = 20;
	meter_packet(meter, &p);
	f.data[12] = 0x08;
	f.data[13] = 0x06;
	p.caplen = f.len;
	meter_packet(meter, &p);
	meter_packet(meter, &p);
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(iv.books.refused[REFUSED_TRUNCATED].packets, 1);
	assert_int_equal(iv.books.refused[REFUSED_NOT_IP].packets, 2);
	assert_int_equal(iv.books.refused[REFUSED_NOT_IP].bytes, 2 * f.len);
	assert_int_equal(iv.books.in_flows.packets, 0);
	meter_free(meter);
	close(fd);
}

/* CHECKS 1.9 */
static void
one_flow_passes_four_gigabytes(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv;
	struct frame f;
	struct packet p = frame_udp4(&f, "10.0.0.7", 1, "10.0.0.2", 2, 1);

	(void)state;
	p.wire_len = 65549;
	for (int i = 0; i < 65600; i++)
		meter_packet(meter, &p);
	rotate_fetch(meter, 1, &iv, &got);
	assert_int_equal(got.count, 1);
	assert_int_equal(got.flow[0].count[RECEIVED][FWD].packets, 65600);
	assert_int_equal(got.flow[0].count[RECEIVED][FWD].bytes, UINT64_C(4300014400));
	meter_free(meter);
	close(fd);
}

static void
a_rotation_waits_until_the_last_one_is_released(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv, again;
	struct frame f;
	struct packet p = frame_udp4(&f, "10.0.0.7", 1, "10.0.0.2", 2, 1);

	(void)state;
	assert_int_equal(meter_frozen(meter, &iv), 0);
	assert_int_equal(meter_rotate(meter, 1, 300000, &iv), 0);
	meter_packet(meter, &p);
	meter_flush(meter);
	assert_int_equal(meter_rotate(meter, 2, 600000, &iv), -EBUSY);
	assert_int_equal(meter_rotate(meter, 2, 900000, &iv), -EBUSY);
	assert_int_equal(meter_frozen(meter, &again), 1);
	assert_int_equal(meter_release(meter, 7), -ESTALE);
	assert_int_equal(meter_release(meter, 1), 0);
	assert_int_equal(meter_release(meter, 1), 0);
	assert_int_equal(meter_frozen(meter, &again), 0);
	assert_int_equal(meter_rotate(meter, 2, 1200000, &iv), 0);
	assert_int_equal(iv.begin_ms, 300000);
	assert_int_equal(iv.end_ms, 1200000);
	assert_int_equal(iv.busy, 2);
	assert_int_equal(iv.books.received.packets, 1);
	assert_int_equal(meter_last_command(meter).seq, 2);
	meter_free(meter);
	close(fd);
}

static void
the_last_command_is_known_to_a_successor(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv;

	(void)state;
	meter_set_command(meter, (struct meter_command){7, MSG_UPDATE, 2});
	meter_free(meter);
	meter = open_meter(fd, 100);
	assert_int_equal(meter_last_command(meter).seq, 7);
	assert_int_equal(meter_last_command(meter).type, MSG_UPDATE);
	assert_int_equal(meter_last_command(meter).result, 2);
	assert_int_equal(meter_rotate(meter, 8, 300000, &iv), 0);
	assert_int_equal(iv.cuts, 1);
	meter_free(meter);
	meter = open_meter(fd, 100);
	assert_int_equal(meter_last_command(meter).type, MSG_ROTATE);
	assert_int_equal(meter_frozen(meter, &iv), 8);
	assert_int_equal(meter_file_id(meter), 42);
	meter_free(meter);
	close(fd);
}

static void
many_flows_over_many_rotations(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100000);
	struct interval iv;
	struct frame f;
	char src[16];

	(void)state;
	for (uint64_t seq = 1; seq <= 6; seq++) {
		unsigned flows = seq == 3 ? 10 : 40000;
		for (unsigned i = 0; i < flows; i++) {
			struct packet p;
			snprintf(src, sizeof(src), "10.%u.%u.%u", (unsigned)seq, i >> 8,
			    i & 255);
			p = frame_udp4(&f, src, 1000 + (i & 7), "10.0.0.2", 53, i);
			meter_packet(meter, &p);
			meter_packet(meter, &p);
		}
		rotate_fetch(meter, seq, &iv, &got);
		assert_int_equal(got.count, flows);
		assert_int_equal(iv.books.received.packets, 2 * flows);
	}
	meter_free(meter);
	close(fd);
}

/* Random packets over 50,000 keys, a rotation every 1,000, a thousand times: every
 * rotation has its flows, and the file does not grow with their number. */
static void
a_thousand_rotations_of_random_flows(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100000);
	uint64_t counted = 0;
	struct interval iv;
	struct frame f;
	struct stat st;
	char src[16];

	(void)state;
	srand(11);
	for (uint64_t seq = 1; seq <= 1000; seq++) {
		for (int i = 0; i < 1000; i++) {
			unsigned key = (unsigned)rand() % 50000;
			struct packet p;
			snprintf(src, sizeof(src), "10.0.%u.%u", key >> 8, key & 255);
			p = frame_udp4(&f, src, 1000, "10.0.0.2", 53, i + 1);
			meter_packet(meter, &p);
		}
		rotate_fetch(meter, seq, &iv, &got);
		assert_int_equal(iv.books.received.packets, 1000);
		counted += got.sum.packets;
	}
	assert_int_equal(counted, 1000000);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 <= UINT64_C(4) << 20);
	meter_free(meter);
	close(fd);
}

/* The clock is set back by an hour: the block that runs ends after it began, the next
 * one begins where the clock is, and the step is told once. */
static void
a_clock_set_back_is_told_and_passes(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv;

	(void)state;
	assert_int_equal(meter_rotate(meter, 1, 7200000, &iv), 0);
	assert_int_equal(meter_release(meter, 1), 0);
	assert_int_equal(meter_rotate(meter, 2, 3900000, &iv), 0);
	assert_int_equal(iv.begin_ms, 7200000);
	assert_in_range(iv.end_ms, 7200000, 7200000 + 1000);
	assert_in_range(-iv.clock_step_ms, 3300000, 3300000 + 1000);
	assert_int_equal(meter_release(meter, 2), 0);
	usleep(2000);
	assert_int_equal(meter_rotate(meter, 3, 3900002, &iv), 0);
	assert_int_equal(iv.begin_ms, 3900000);
	assert_int_equal(iv.end_ms, 3900002);
	assert_int_equal(iv.clock_step_ms, 0);
	meter_free(meter);
	close(fd);
}

static void
an_impossible_label_is_refused(void **state)
{
	int fd = new_file();
	struct meter *meter = open_meter(fd, 100);
	struct interval iv;

	(void)state;
	assert_int_equal(meter_rotate(meter, 1, -1, &iv), -ERANGE);
	assert_int_equal(meter_rotate(meter, 1, INT64_MAX, &iv), -ERANGE);
	assert_int_equal(meter_last_command(meter).seq, 0);
	meter_free(meter);
	meter = open_meter(fd, 100);
	meter_free(meter);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ways_are_one_flow),
	    cmocka_unit_test(a_syn_ack_first_turns_the_flow_with_its_counters),
	    cmocka_unit_test(data_first_is_a_guess_by_earliest_time),
	    cmocka_unit_test(stronger_evidence_swaps_weaker_does_not),
	    cmocka_unit_test(the_initiator_survives_rotations_until_an_idle_interval),
	    cmocka_unit_test(at_the_limit_only_keys_are_lost),
	    cmocka_unit_test(refused_packets_are_in_the_books),
	    cmocka_unit_test(one_flow_passes_four_gigabytes),
	    cmocka_unit_test(a_rotation_waits_until_the_last_one_is_released),
	    cmocka_unit_test(the_last_command_is_known_to_a_successor),
	    cmocka_unit_test(many_flows_over_many_rotations),
	    cmocka_unit_test(a_thousand_rotations_of_random_flows),
	    cmocka_unit_test(a_clock_set_back_is_told_and_passes),
	    cmocka_unit_test(an_impossible_label_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
