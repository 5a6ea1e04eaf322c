#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_map.h"

#define KEEP_MAX 16

struct kept {
	struct flow_record flows[KEEP_MAX];
	size_t count;
	size_t stop_after; /* 0: never */
};

static int
keep(void *arg, const struct flow_record *flow)
{
	struct kept *kept = arg;

	if (kept->count < KEEP_MAX)
		kept->flows[kept->count] = *flow;
	kept->count++;
	return kept->count == kept->stop_after ? 7 : 0;
}

/* Reads a copy whose memory ends with the chunk. */
static int
read_copy(const void *data, size_t len, struct kept *kept)
{
	void *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, data, len);
	memset(kept, 0, sizeof(*kept));
	rc = flow_map_each(copy, len, keep, kept);
	free(copy);
	return rc;
}

static struct flow_record
ipv4_flow(void)
{
	struct flow_record flow = {
	    .src = {192, 0, 2, 1},
	    .dst = {198, 51, 100, 2},
	    .family = FAMILY_IPV4,
	    .proto = 6,
	    .sport = 50000,
	    .dport = 443,
	    .orientation = ORIENT_HANDSHAKE,
	    .tcp_flags = {0x1b, 0x13},
	    .conversations = 1,
	    .first_ns = INT64_C(1769825843500000001),
	    .last_ns = INT64_C(1769825843600000002),
	    .count = {{{10, 1500}, {8, 70000}}, {{0, 0}, {1, UINT64_MAX}}},
	};

	return flow;
}

static struct flow_record
ipv6_flow(void)
{
	struct flow_record flow = ipv4_flow();

	memset(flow.src, 0xfe, sizeof(flow.src));
	memset(flow.dst, 0x20, sizeof(flow.dst));
	flow.family = FAMILY_IPV6;
	flow.proto = 255;
	flow.first_ns = INT64_MIN;
	flow.last_ns = -1;
	return flow;
}

static struct flow_record
overflow_flow(void)
{
	struct flow_record flow = ipv4_flow();

	memset(flow.src, 0, sizeof(flow.src));
	memset(flow.dst, 0, sizeof(flow.dst));
	flow.family = FAMILY_NONE;
	flow.orientation = ORIENT_NONE;
	flow.sport = flow.dport = 0;
	return flow;
}

static void
records_arrive_as_they_were_sent(void **state)
{
	struct flow_record sent[] = {ipv4_flow(), ipv6_flow(), overflow_flow()};
	struct kept kept;
	struct pack pack;

	(void)state;
	pack_init(&pack);
	for (size_t i = 0; i < 3; i++)
		flow_map_pack(&pack, &sent[i]);
	assert_false(pack.failed);
	assert_int_equal(read_copy(pack.buffer.data, pack.buffer.size, &kept), 0);
	assert_int_equal(kept.count, 3);
	assert_memory_equal(kept.flows, sent, sizeof(sent));
	pack_fini(&pack);
}

static void
every_width_of_integer_arrives(void **state)
{
	static const uint64_t values[] = {0, 1, 127, 128, 255, 256, 65535, 65536,
	    UINT32_MAX, UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX};
	static const int64_t times[] = {0, -1, -32, -33, -128, -129, -32768, -32769,
	    INT32_MIN, INT64_C(-2147483649), INT64_MIN, 127, INT64_MAX};
	struct kept kept;
	struct pack pack;

	(void)state;
	pack_init(&pack);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct flow_record flow = ipv4_flow();
		flow.count[RECEIVED][FWD].packets = values[i];
		flow.count[SENT][REV].bytes = values[i];
		flow.first_ns = flow.last_ns = times[i];
		flow_map_pack(&pack, &flow);
	}
	assert_int_equal(read_copy(pack.buffer.data, pack.buffer.size, &kept), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_true(kept.flows[i].count[RECEIVED][FWD].packets == values[i]);
		assert_true(kept.flows[i].count[SENT][REV].bytes == values[i]);
		assert_true(kept.flows[i].first_ns == times[i]);
		assert_true(kept.flows[i].last_ns == times[i]);
	}
	pack_fini(&pack);
}

static void
the_largest_record_keeps_its_promise(void **state)
{
	struct flow_record flow;
	struct pack pack;

	(void)state;
	pack_init(&pack);
	memset(&flow, 0xff, sizeof(flow));
	flow.family = FAMILY_IPV6;
	flow.first_ns = flow.last_ns = INT64_MIN;
	flow_map_pack(&pack, &flow);
	assert_false(pack.failed);
	assert_true(pack.buffer.size <= FLOW_MAP_RECORD_MAX);
	pack_fini(&pack);
}

/* A reader with any msgpack library sees what PROTOCOL.md says. */
static void
records_are_ordinary_msgpack(void **state)
{
	struct flow_record flow = ipv4_flow();
	msgpack_unpacked unpacked;
	const msgpack_object *members;
	struct pack pack;
	size_t at = 0;

	(void)state;
	pack_init(&pack);
	flow_map_pack(&pack, &flow);
	msgpack_unpacked_init(&unpacked);
	assert_int_equal(
	    msgpack_unpack_next(&unpacked, pack.buffer.data, pack.buffer.size, &at),
	    MSGPACK_UNPACK_SUCCESS);
	assert_int_equal(at, pack.buffer.size);
	assert_int_equal(unpacked.data.via.array.size, FLOW_MAP_FIELDS);
	members = unpacked.data.via.array.ptr;
	assert_int_equal(members[0].via.u64, 4);
	assert_int_equal(members[1].type, MSGPACK_OBJECT_BIN);
	assert_int_equal(members[1].via.bin.size, 4);
	assert_memory_equal(members[2].via.bin.ptr, flow.dst, 4);
	assert_int_equal(members[4].via.u64, 443);
	assert_int_equal(members[8].via.u64, 0x13);
	assert_int_equal(members[9].via.i64, flow.first_ns);
	assert_int_equal(members[12].via.u64, 1500);
	assert_int_equal(members[14].via.u64, 70000);
	assert_true(members[18].via.u64 == UINT64_MAX);
	msgpack_unpacked_destroy(&unpacked);
	pack_fini(&pack);
}

static void
an_empty_chunk_has_no_records(void **state)
{
	struct kept kept;

	(void)state;
	assert_int_equal(read_copy("", 0, &kept), 0);
	assert_int_equal(kept.count, 0);
	/* A pack that nothing was written to has no memory. */
	assert_int_equal(flow_map_each(NULL, 0, keep, &kept), 0);
	assert_int_equal(kept.count, 0);
}

static void
the_caller_may_end_the_walk(void **state)
{
	struct flow_record flow = ipv4_flow();
	struct kept kept = {.stop_after = 2};
	struct pack pack;

	(void)state;
	pack_init(&pack);
	for (int i = 0; i < 3; i++)
		flow_map_pack(&pack, &flow);
	assert_int_equal(
	    flow_map_each(pack.buffer.data, pack.buffer.size, keep, &kept), 7);
	assert_int_equal(kept.count, 2);
	pack_fini(&pack);
}

static void
an_unknown_family_cannot_be_written(void **state)
{
	struct flow_record flow = ipv4_flow();
	struct pack pack;

	(void)state;
	flow.family = 5;
	pack_init(&pack);
	flow_map_pack(&pack, &flow);
	assert_true(pack.failed);
	pack_fini(&pack);
}

/* What a foreign sender may write: the same record in the longest forms there are. */
static void
put_long_record(msgpack_sbuffer *out, uint32_t fields, uint64_t family, uint8_t size,
    uint64_t port, int64_t first_ns)
{
	msgpack_packer packer;
	uint8_t header[] = {0xdd, 0, 0, 0, (uint8_t)fields};
	uint8_t bin[5 + 16] = {0xc6, 0, 0, 0, size};

	msgpack_packer_init(&packer, out, msgpack_sbuffer_write);
	msgpack_sbuffer_write(out, (const char *)header, sizeof(header));
	msgpack_pack_fix_uint64(&packer, family);
	for (int i = 0; i < 2; i++)
		msgpack_sbuffer_write(out, (const char *)bin, 5 + (size_t)size);
	msgpack_pack_fix_uint64(&packer, port);
	msgpack_pack_fix_int16(&packer, 443);
	msgpack_pack_fix_uint32(&packer, 6);
	msgpack_pack_fix_int8(&packer, 70);
	msgpack_pack_fix_int32(&packer, 2);
	msgpack_pack_fix_int64(&packer, 3);
	msgpack_pack_fix_int64(&packer, first_ns);
	msgpack_pack_fix_uint64(&packer, 5);
	for (uint32_t i = 11; i < fields; i++)
		msgpack_pack_fix_int64(&packer, i);
}

static int
read_long_record(uint32_t fields, uint64_t family, uint8_t size, uint64_t port,
    int64_t first_ns, struct kept *kept)
{
	msgpack_sbuffer out;
	int rc;

	msgpack_sbuffer_init(&out);
	put_long_record(&out, fields, family, size, port, first_ns);
	rc = read_copy(out.data, out.size, kept);
	msgpack_sbuffer_destroy(&out);
	return rc;
}

static void
the_longest_forms_are_read_too(void **state)
{
	struct kept kept;

	(void)state;
	assert_int_equal(read_long_record(19, 4, 4, 50000, -5, &kept), 0);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.flows[0].sport, 50000);
	assert_int_equal(kept.flows[0].dport, 443);
	assert_int_equal(kept.flows[0].orientation, 70);
	assert_int_equal(kept.flows[0].tcp_flags[REV], 3);
	assert_int_equal(kept.flows[0].first_ns, -5);
	assert_int_equal(kept.flows[0].count[SENT][REV].bytes, 18);
	assert_int_equal(kept.flows[0].conversations, 1);
}

static void
family_and_address_must_agree(void **state)
{
	struct kept kept;

	(void)state;
	assert_int_equal(read_long_record(19, 6, 16, 1, 0, &kept), 0);
	assert_int_equal(read_long_record(19, 0, 0, 1, 0, &kept), 0);
	assert_int_equal(read_long_record(19, 4, 16, 1, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(19, 6, 4, 1, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(19, 0, 4, 1, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(19, 5, 4, 1, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(19, 5, 0, 1, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(19, 260, 4, 1, 0, &kept), -EPROTO);
}

static void
members_out_of_range_or_number_are_refused(void **state)
{
	struct kept kept;

	(void)state;
	assert_int_equal(read_long_record(19, 4, 4, 65535, 0, &kept), 0);
	assert_int_equal(read_long_record(19, 4, 4, 65536, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(19, 4, 4, UINT64_MAX, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(18, 4, 4, 1, 0, &kept), -EPROTO);
	assert_int_equal(read_long_record(20, 4, 4, 1, 0, &kept), -EPROTO);
	assert_int_equal(kept.count, 0);
}

static void
a_chunk_cut_at_any_byte_is_refused(void **state)
{
	struct flow_record flows[] = {ipv4_flow(), ipv6_flow()};
	size_t first;
	struct kept kept;
	struct pack pack;

	(void)state;
	pack_init(&pack);
	flow_map_pack(&pack, &flows[0]);
	first = pack.buffer.size;
	flow_map_pack(&pack, &flows[1]);
	for (size_t len = 1; len < pack.buffer.size; len++) {
		int rc = read_copy(pack.buffer.data, len, &kept);
		assert_int_equal(rc, len == first ? 0 : -EPROTO);
		assert_int_equal(kept.count, len >= first ? 1 : 0);
	}
	pack_fini(&pack);
}

/* Any value in any byte: refused, or read as records that are in range. What is read
 * must also be msgpack for the library. */
static void
a_chunk_with_any_byte_changed_is_read_or_refused(void **state)
{
	struct flow_record flows[] = {ipv4_flow(), overflow_flow(), ipv6_flow()};
	size_t good = 0, bad = 0;
	struct pack pack;

	(void)state;
	pack_init(&pack);
	for (size_t i = 0; i < 3; i++)
		flow_map_pack(&pack, &flows[i]);
	for (size_t at = 0; at < pack.buffer.size; at++) {
		char original = pack.buffer.data[at];
		for (int value = 0; value < 256; value++) {
			size_t left = 3 * FLOW_MAP_FIELDS, used = 0, offset = 0;
			struct kept kept;
			int rc;

			pack.buffer.data[at] = (char)value;
			rc = read_copy(pack.buffer.data, pack.buffer.size, &kept);
			if (rc != 0) {
				assert_int_equal(rc, -EPROTO);
				assert_true(kept.count <= 3);
				bad++;
				continue;
			}
			good++;
			assert_int_equal(kept.count, 3);
			for (; offset < pack.buffer.size; offset += used)
				assert_int_equal(
				    msg_check_one(pack.buffer.data + offset,
					pack.buffer.size - offset, 1, &left, &used),
				    0);
		}
		pack.buffer.data[at] = original;
	}
	assert_true(good > 1000);
	assert_true(bad > 1000);
	pack_fini(&pack);
}

static void
random_bytes_are_refused(void **state)
{
	uint8_t bytes[160];
	uint32_t random = 3;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct kept kept;

		for (size_t at = 0; at < sizeof(bytes); at++) {
			random = random * 1664525 + 1013904223;
			bytes[at] = (uint8_t)(random >> 24);
		}
		if (i % 2)
			memcpy(bytes, "\xdc\x00\x13\x04\xc4\x04", 6);
		assert_int_equal(read_copy(bytes, sizeof(bytes), &kept), -EPROTO);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_arrive_as_they_were_sent),
	    cmocka_unit_test(every_width_of_integer_arrives),
	    cmocka_unit_test(the_largest_record_keeps_its_promise),
	    cmocka_unit_test(records_are_ordinary_msgpack),
	    cmocka_unit_test(an_empty_chunk_has_no_records),
	    cmocka_unit_test(the_caller_may_end_the_walk),
	    cmocka_unit_test(an_unknown_family_cannot_be_written),
	    cmocka_unit_test(the_longest_forms_are_read_too),
	    cmocka_unit_test(family_and_address_must_agree),
	    cmocka_unit_test(members_out_of_range_or_number_are_refused),
	    cmocka_unit_test(a_chunk_cut_at_any_byte_is_refused),
	    cmocka_unit_test(a_chunk_with_any_byte_changed_is_read_or_refused),
	    cmocka_unit_test(random_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
