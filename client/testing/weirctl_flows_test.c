/* weirctl flows against a fake daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "client/client.h"
#include "client/testing/testing.h"
#include "common/flow.h"
#include "proto/flow_map.h"
#include "proto/view.h"

/* --- the daemon's answers --- */

/* How the next answer goes wrong, and what the last request asked for. */
static struct {
	atomic_bool silent; /* eth1 did not answer */
	atomic_bool malformed; /* the chunk of eth1 */
	atomic_bool too_much;
	atomic_bool disobeys; /* sends more flows than were asked for */
	atomic_bool reluctant; /* says nothing, and leaves out everything */
	atomic_bool
	    portions; /* as many interfaces as `fits` says, then one at a time */
	atomic_bool stops; /* after the first portion */
	unsigned fits, asked;
	char again[8][128]; /* of each request: the interfaces, joined by '+' */
	uint64_t limit;
	char sort[16];
	uint8_t address[16];
	size_t address_len;
	uint64_t prefix, port, proto; /* UINT64_MAX: not asked for */
} told;

static void
remember(const struct msg *request)
{
	const void *address;

	told.limit = told.prefix = told.port = told.proto = UINT64_MAX;
	told.sort[0] = '\0';
	told.address_len = 0;
	(void)view_u64(request->body, "limit", UINT64_MAX, &told.limit);
	(void)view_str(request->body, "sort", told.sort, sizeof(told.sort));
	(void)view_u64(request->body, "prefix", UINT64_MAX, &told.prefix);
	(void)view_u64(request->body, "port", UINT64_MAX, &told.port);
	(void)view_u64(request->body, "proto", UINT64_MAX, &told.proto);
	if (view_bin(request->body, "address", &address, &told.address_len) == 0 &&
	    told.address_len <= sizeof(told.address))
		memcpy(told.address, address, told.address_len);
}

/* A flow of 192.0.2.HOST with so many packets and bytes, last seen at that second. */
static void
pack_flow(
    struct pack *chunk, uint8_t host, uint64_t packets, uint64_t bytes, int64_t last)
{
	struct flow_record flow = {
	    .src = {192, 0, 2, host},
	    .dst = {198, 51, 100, 1},
	    .family = FAMILY_IPV4,
	    .proto = 6,
	    .sport = 40000,
	    .dport = 443,
	    .orientation = ORIENT_HANDSHAKE,
	    .conversations = 1,
	    .first_ns = INT64_C(1767225600) * NS_PER_S,
	    .last_ns = (INT64_C(1767225600) + last) * NS_PER_S,
	    .count = {[RECEIVED] = {[FWD] = {packets, bytes}}},
	};

	flow_map_pack(chunk, &flow);
}

static void
pack_chunk(struct pack *pack, const char *name, const struct pack *chunk, size_t len)
{
	pack_key_map(pack, name);
	pack_key_u64(pack, "flows", 40);
	pack_key_u64(pack, "matched", 12);
	pack_key_bin(pack, "chunk", chunk->buffer.data, len);
	pack_end(pack);
}

/* Seven interfaces with a flow each, of which few fit into one answer; eth3 is gone before
 * it is asked for again. */
static void
answer_in_portions(struct pack *pack, const struct msg *request)
{
	static const char *const all[] = {
	    "eth0", "eth1", "eth2", "eth3", "eth4", "eth5", "eth6"};
	const msgpack_object *ifaces = NULL;
	char *asked = told.again[told.asked % 8];
	bool again = false;
	size_t used = 0;
	unsigned told_of = 0, left = 0;

	(void)view_bool(request->body, "again", &again);
	(void)view_array(request->body, "ifaces", &ifaces);
	used += (size_t)snprintf(asked, 128, "%s", again ? "again" : "");
	for (uint32_t i = 0; ifaces && i < ifaces->via.array.size; i++) {
		const msgpack_object_str *name = &ifaces->via.array.ptr[i].via.str;
		used += (size_t)snprintf(
		    asked + used, 128 - used, "+%.*s", (int)name->size, name->ptr);
	}
	told.asked++;
	pack_answer(pack, MSG_FLOWS);
	pack_key_map(pack, "ifaces");
	for (unsigned i = 0; i < 7; i++) {
		struct pack chunk;

		if ((ifaces && !strstr(asked, all[i])) || (again && i == 3))
			continue;
		if (told_of == told.fits || told.reluctant) {
			left |= 1U << i;
			continue;
		}
		told_of++;
		pack_init(&chunk);
		pack_flow(&chunk, (uint8_t)(i + 1), 10, 1000 - i, 1);
		pack_chunk(pack, all[i], &chunk, chunk.buffer.size);
		pack_fini(&chunk);
	}
	pack_end(pack);
	told.fits = told.stops ? 0 : 1;
	pack_key_array(pack, "left_out");
	for (unsigned i = 0; i < 7; i++) {
		if (left & 1U << i)
			pack_str(pack, all[i]);
	}
	pack_end(pack);
}

static void
answer_flows(struct pack *pack, const struct msg *request)
{
	struct pack first, second;

	remember(request);
	if (told.portions) {
		answer_in_portions(pack, request);
		return;
	}
	if (told.too_much) {
		pack_error(pack, MSG_FLOWS, MSG_E_FAILED,
		    "the flows do not fit into one message; ask for fewer");
		return;
	}
	pack_init(&first);
	pack_init(&second);
	pack_flow(&first, 1, 10, 5000, 1);
	pack_flow(&second, 3, 20, 4000, 3);
	if (told.limit > 1 || told.disobeys) {
		pack_flow(&first, 2, 30, 3000, 2);
		pack_flow(&second, 4, 1, 60, 4);
	}
	pack_answer(pack, MSG_FLOWS);
	pack_key_map(pack, "ifaces");
	pack_chunk(pack, "a\xff\"b", &first, first.buffer.size);
	if (told.silent) {
		pack_key_map(pack, "eth1");
		pack_key_str(pack, "error", "timeout");
		pack_key_str(pack, "text", "no answer\x1b[2J in time");
		pack_end(pack);
	} else {
		pack_chunk(pack, "eth1", &second,
		    second.buffer.size - (told.malformed ? 1 : 0));
	}
	pack_end(pack);
	pack_fini(&first);
	pack_fini(&second);
}

static int
setup(void **state)
{
	testing_on(MSG_FLOWS, answer_flows);
	return testing_setup(state);
}

static int
reset(void **state)
{
	(void)state;
	told.silent = false;
	told.malformed = false;
	told.too_much = false;
	told.disobeys = false;
	told.portions = false;
	told.reluctant = false;
	told.stops = false;
	told.asked = 0;
	told.fits = 2;
	return 0;
}

/* --- weirctl --- */

static void
flows_of_all_interfaces_are_merged_by_size(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ flows"), EXIT_DONE);
	assert_string_equal(testing_err, "");
	assert_string_equal(testing_out,
	    "IFACE    LAST                  FIRST                 SRC        DST           "
	    "SPORT  DPORT  PROTO  BY         DIR   PKTS     BYTES  PKTS BACK  BYTES BACK\n"
	    "a\\xff\"b  2026-01-01T00:00:01Z  2026-01-01T00:00:00Z  192.0.2.1  "
	    "198.51.100.1  40000    443  tcp    handshake  sure    10  4.88 KiB          "
	    "0         0 B\n"
	    "eth1     2026-01-01T00:00:03Z  2026-01-01T00:00:00Z  192.0.2.3  "
	    "198.51.100.1  40000    443  tcp    handshake  sure    20  3.91 KiB          "
	    "0         0 B\n"
	    "a\\xff\"b  2026-01-01T00:00:02Z  2026-01-01T00:00:00Z  192.0.2.2  "
	    "198.51.100.1  40000    443  tcp    handshake  sure    30  2.93 KiB          "
	    "0         0 B\n"
	    "eth1     2026-01-01T00:00:04Z  2026-01-01T00:00:00Z  192.0.2.4  "
	    "198.51.100.1  40000    443  tcp    handshake  sure     1      60 B          "
	    "0         0 B\n"
	    "4 of 24 flows are shown (-n shows more)\n"
	    "a\\xff\"b: 12 of 40 flows match\n"
	    "eth1: 12 of 40 flows match\n");
	assert_int_equal(told.limit, 50);
	assert_string_equal(told.sort, "bytes");
	assert_int_equal(told.address_len, 0);
	assert_true(told.port == UINT64_MAX && told.proto == UINT64_MAX);
}

/* The hosts of the rows in their order, as one text. */
static void
expect_order(const char *line, const char *order)
{
	char hosts[16] = "";
	size_t n = 0;

	assert_int_equal(testing_run(line), EXIT_DONE);
	for (const char *at = testing_out; (at = strstr(at, "192.0.2.")) && n < 15;) {
		at += strlen("192.0.2.");
		hosts[n++] = *at;
	}
	hosts[n] = '\0';
	assert_string_equal(hosts, order);
}

static void
rows_are_sorted_together_and_then_cut(void **state)
{
	(void)state;
	expect_order("-s @ flows -s packets", "2314");
	assert_string_equal(told.sort, "packets");
	expect_order("-s @ flows --sort last -o csv", "4321");
	assert_string_equal(told.sort, "last");
	assert_int_equal(told.limit, 1000);
	expect_order("-s @ flows -n 3 -o json", "132");
	assert_int_equal(told.limit, 3);
	expect_order("-s @ flows -n 2", "13");
	testing_expect(testing_out, "\n2 of 24 flows are shown (-n shows more)\n");
}

static void
the_filter_is_the_daemons_to_apply(void **state)
{
	static const uint8_t net[] = {10, 1, 0, 0};
	static const uint8_t host[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

	(void)state;
	assert_int_equal(testing_run("-s @ flows --address 10.1.255.3/16 --port 0 "
				     "--proto UDP eth1"),
	    EXIT_DONE);
	assert_int_equal(told.address_len, 4);
	assert_memory_equal(told.address, net, 4);
	assert_int_equal(told.prefix, 16);
	assert_int_equal(told.port, 0);
	assert_int_equal(told.proto, 17);
	assert_int_equal(
	    testing_run("-s @ flows --address 2001:db8::1 --proto 132"), EXIT_DONE);
	assert_int_equal(told.address_len, 16);
	assert_memory_equal(told.address, host, 16);
	assert_int_equal(told.prefix, 128);
	assert_int_equal(told.proto, 132);
	assert_true(told.port == UINT64_MAX);
}

static void
csv_and_json_are_exact(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ flows -o csv"), EXIT_DONE);
	testing_expect(testing_out,
	    "iface,src,dst,sport,dport,proto,proto_name,family,orientation,confidence,"
	    "tcp_flags_fwd,tcp_flags_rev,first_ns,last_ns,received_fwd_packets,"
	    "received_fwd_bytes,received_rev_packets,received_rev_bytes,sent_fwd_packets,"
	    "sent_fwd_bytes,sent_rev_packets,sent_rev_bytes,packets,bytes\n"
	    "\"a\\xff\"\"b\",192.0.2.1,198.51.100.1,40000,443,6,tcp,4,handshake,sure,0,0,"
	    "1767225600000000000,1767225601000000000,10,5000,0,0,0,0,0,0,10,5000\n");
	assert_int_equal(testing_run("-s @ flows -n 1 -o json"), EXIT_DONE);
	assert_string_equal(testing_out,
	    "{\"flows\":[\n{\"iface\":\"a\\\\xff\\\"b\",\"src\":\"192.0.2.1\","
	    "\"dst\":\"198.51.100.1\",\"sport\":40000,\"dport\":443,\"proto\":6,"
	    "\"proto_name\":\"tcp\",\"family\":4,\"orientation\":\"handshake\","
	    "\"confidence\":\"sure\",\"tcp_flags_fwd\":0,\"tcp_flags_rev\":0,"
	    "\"first_ns\":1767225600000000000,\"last_ns\":1767225601000000000,"
	    "\"received_fwd\":{\"packets\":10,\"bytes\":5000},"
	    "\"received_rev\":{\"packets\":0,\"bytes\":0},"
	    "\"sent_fwd\":{\"packets\":0,\"bytes\":0},"
	    "\"sent_rev\":{\"packets\":0,\"bytes\":0},\"packets\":10,\"bytes\":5000}],"
	    "\"ifaces\":{\"a\\\\xff\\\"b\":{\"flows\":40,\"matched\":12},"
	    "\"eth1\":{\"flows\":40,\"matched\":12}}}\n");
}

static void
an_interface_without_an_answer_makes_it_4(void **state)
{
	(void)state;
	told.silent = true;
	assert_int_equal(testing_run("-s @ flows"), EXIT_INCOMPLETE);
	testing_expect(testing_out, "192.0.2.1");
	assert_null(strstr(testing_out, "192.0.2.3"));
	assert_string_equal(
	    testing_err, "weirctl: flows: eth1: timeout: no answer\\x1b[2J in time\n");
	assert_int_equal(testing_run("-s @ flows -o json"), EXIT_INCOMPLETE);
	testing_expect(testing_out,
	    "\"eth1\":{\"error\":\"timeout\",\"text\":\"no answer\\\\x1b[2J in time\"}");
}

static void
a_malformed_chunk_costs_its_own_interface(void **state)
{
	(void)state;
	told.malformed = true;
	assert_int_equal(testing_run("-s @ flows"), EXIT_INCOMPLETE);
	assert_null(strstr(testing_out, "192.0.2.3"));
	testing_expect(testing_out, "192.0.2.2");
	assert_string_equal(testing_err,
	    "weirctl: flows: eth1: bad_message: the flows in its answer are "
	    "malformed\n");
}

static void
more_than_was_asked_for_is_malformed(void **state)
{
	(void)state;
	told.disobeys = true;
	assert_int_equal(testing_run("-s @ flows -n 1"), EXIT_INCOMPLETE);
	testing_expect(testing_err, "eth1: bad_message: ");
	assert_null(strstr(testing_out, "192.0.2."));
}

static void
what_does_not_fit_is_told(void **state)
{
	(void)state;
	told.too_much = true;
	assert_int_equal(testing_run("-s @ flows -o csv"), EXIT_FAILED);
	assert_string_equal(testing_out, "");
	testing_expect(testing_err, "ask for fewer");
}

static void
what_an_answer_leaves_out_is_asked_for_again(void **state)
{
	(void)state;
	told.portions = true;
	assert_int_equal(testing_run("-s @ flows -o json"), EXIT_DONE);
	assert_string_equal(testing_err, "");
	assert_int_equal(told.asked, 5);
	assert_string_equal(told.again[0], "");
	/* twice as many as fitted before */
	assert_string_equal(told.again[1], "again+eth2+eth3+eth4+eth5");
	assert_string_equal(told.again[2], "again+eth4+eth5");
	assert_string_equal(told.again[3], "again+eth5+eth6");
	assert_string_equal(told.again[4], "again+eth6");
	testing_expect(testing_out,
	    "],\"ifaces\":{\"eth0\":{\"flows\":40,\"matched\":12},"
	    "\"eth1\":{\"flows\":40,\"matched\":12},"
	    "\"eth2\":{\"flows\":40,\"matched\":12},"
	    "\"eth4\":{\"flows\":40,\"matched\":12},"
	    "\"eth5\":{\"flows\":40,\"matched\":12},"
	    "\"eth6\":{\"flows\":40,\"matched\":12}}}\n");
	/* the question stays the same */
	assert_int_equal(told.limit, 1000);
	told.asked = 0;
	told.fits = 2;
	expect_order("-s @ flows", "123567");
	assert_int_equal(told.limit, 50);
	testing_expect(testing_out, "\n6 of 72 flows are shown (-n shows more)\n");
}

static void
an_answer_that_leads_no_further_ends_it(void **state)
{
	(void)state;
	told.portions = true;
	told.reluctant = true;
	assert_int_equal(testing_run("-s @ flows"), EXIT_FAILED);
	assert_int_equal(told.asked, 1);
	assert_string_equal(
	    testing_err, "weirctl: flows: the daemon's answer is malformed\n");
	assert_string_equal(testing_out, "");
	told.reluctant = false;
	told.asked = 0;
	told.fits = 3;
	/* three at first, then none any more: that one has gone is the last step */
	told.stops = true;
	assert_int_equal(testing_run("-s @ flows -o csv"), EXIT_FAILED);
	assert_int_equal(told.asked, 3);
	assert_string_equal(testing_out, "");
}

static void
all_that_can_be_asked_for_is_not_more(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ flows -n 1000"), EXIT_DONE);
	testing_expect(testing_out, "\n4 of 24 flows are shown\n");
	assert_int_equal(testing_run("-s @ flows -n 1000 eth1"), EXIT_DONE);
	testing_expect(testing_out, " flows are shown\n");
	assert_int_equal(testing_run("-s @ flows -o csv"), EXIT_DONE);
	assert_null(strstr(testing_out, "shown"));
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(flows_of_all_interfaces_are_merged_by_size),
	    TEST(rows_are_sorted_together_and_then_cut),
	    TEST(the_filter_is_the_daemons_to_apply),
	    TEST(csv_and_json_are_exact),
	    TEST(an_interface_without_an_answer_makes_it_4),
	    TEST(a_malformed_chunk_costs_its_own_interface),
	    TEST(more_than_was_asked_for_is_malformed),
	    TEST(what_does_not_fit_is_told),
	    TEST(what_an_answer_leaves_out_is_asked_for_again),
	    TEST(an_answer_that_leads_no_further_ends_it),
	    TEST(all_that_can_be_asked_for_is_not_more),
	};

	return cmocka_run_group_tests(tests, setup, testing_teardown);
}
