#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/pack.h"
#include "proto/view.h"

#define BYTES(...) \
	((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

/* Checks a copy that ends where its memory ends, so that a sanitizer sees every byte
 * read beyond it. */
static int
check(const void *data, size_t len, unsigned depth, size_t objects)
{
	void *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, data, len);
	rc = msg_check(copy, len, depth, objects);
	free(copy);
	return rc;
}

static int
check_default(const void *data, size_t len)
{
	return check(data, len, MSG_DEPTH_MAX, MSG_OBJECTS_MAX);
}

static int
parse(struct msg *msg, const struct pack *pack)
{
	return msg_parse(msg, pack->buffer.data, pack->buffer.size);
}

static void
one_object_of_each_form_passes(void **state)
{
	(void)state;
	assert_int_equal(check_default(BYTES(0x00)), 0);
	assert_int_equal(check_default(BYTES(0x7f)), 0);
	assert_int_equal(check_default(BYTES(0xe0)), 0);
	assert_int_equal(check_default(BYTES(0xc0)), 0);
	assert_int_equal(check_default(BYTES(0xc2)), 0);
	assert_int_equal(check_default(BYTES(0xc3)), 0);
	assert_int_equal(check_default(BYTES(0xca, 0, 0, 0, 0)), 0);
	assert_int_equal(check_default(BYTES(0xcb, 0, 0, 0, 0, 0, 0, 0, 0)), 0);
	assert_int_equal(check_default(BYTES(0xcc, 1)), 0);
	assert_int_equal(check_default(BYTES(0xcd, 1, 2)), 0);
	assert_int_equal(check_default(BYTES(0xce, 1, 2, 3, 4)), 0);
	assert_int_equal(check_default(BYTES(0xcf, 1, 2, 3, 4, 5, 6, 7, 8)), 0);
	assert_int_equal(check_default(BYTES(0xd0, 1)), 0);
	assert_int_equal(check_default(BYTES(0xd1, 1, 2)), 0);
	assert_int_equal(check_default(BYTES(0xd2, 1, 2, 3, 4)), 0);
	assert_int_equal(check_default(BYTES(0xd3, 1, 2, 3, 4, 5, 6, 7, 8)), 0);
	assert_int_equal(check_default(BYTES(0xa2, 'a', 'b')), 0);
	assert_int_equal(check_default(BYTES(0xd9, 1, 'a')), 0);
	assert_int_equal(check_default(BYTES(0xda, 0, 1, 'a')), 0);
	assert_int_equal(check_default(BYTES(0xdb, 0, 0, 0, 1, 'a')), 0);
	assert_int_equal(check_default(BYTES(0xc4, 1, 9)), 0);
	assert_int_equal(check_default(BYTES(0xc5, 0, 1, 9)), 0);
	assert_int_equal(check_default(BYTES(0xc6, 0, 0, 0, 1, 9)), 0);
	assert_int_equal(check_default(BYTES(0x80)), 0);
	assert_int_equal(check_default(BYTES(0x90)), 0);
	assert_int_equal(check_default(BYTES(0xdc, 0, 1, 0x90)), 0);
	assert_int_equal(check_default(BYTES(0xdd, 0, 0, 0, 1, 0x80)), 0);
	assert_int_equal(check_default(BYTES(0xde, 0, 1, 1, 2)), 0);
	assert_int_equal(check_default(BYTES(0xdf, 0, 0, 0, 1, 1, 0x91, 0xc0)), 0);
}

static void
nothing_and_leftover_bytes_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check_default(BYTES(0xc0, 0xc0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0x80, 0x80)), -EPROTO);
	assert_int_equal(check_default(BYTES(0x91, 1, 2)), -EPROTO);
	assert_int_equal(msg_check("", 0, MSG_DEPTH_MAX, MSG_OBJECTS_MAX), -EPROTO);
}

static void
extension_types_and_the_unused_byte_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check_default(BYTES(0xc1)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xc7, 1, 1, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xc8, 0, 1, 1, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xc9, 0, 0, 0, 1, 1, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xd4, 1, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xd6, 0xff, 0, 0, 0, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0x91, 0xd5, 1, 0, 0)), -EPROTO);
}

static void
counts_and_lengths_that_the_bytes_cannot_back_are_refused(void **state)
{
	(void)state;
	assert_int_equal(check_default(BYTES(0xdd, 0xff, 0, 0, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xdf, 0x80, 0, 0, 0)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xdc, 0, 2, 0xdc, 0xff, 0xff)), -EPROTO);
	assert_int_equal(check_default(BYTES(0xa5, 'a', 'b')), -EPROTO);
	assert_int_equal(check_default(BYTES(0x92, 0x91)), -EPROTO);
	assert_int_equal(check_default(BYTES(0x81, 0xa1, 'a')), -EPROTO);
}

static void
nesting_ends_at_the_limit(void **state)
{
	uint8_t nest[41];

	(void)state;
	memset(nest, 0x91, sizeof(nest));
	nest[8] = 0xc0;
	assert_int_equal(check(nest, 9, 8, 100), 0);
	assert_int_equal(check(nest, 9, 7, 100), -EPROTO);
	nest[8] = 0x91;
	nest[40] = 0xc0;
	assert_int_equal(check(nest, 41, MSG_DEPTH_MAX, 100), -EPROTO);
	/* whatever the caller asks for, no deeper than msgpack-c can unpack */
	assert_int_equal(check(nest, 41, 1000, 100), -EPROTO);
	nest[32] = 0xc0;
	assert_int_equal(check(nest, 33, 1000, 100), 0);
	/* an empty container at the limit is a level too */
	nest[8] = 0x90;
	assert_int_equal(check(nest, 9, 8, 100), -EPROTO);
	assert_int_equal(check(BYTES(0xc0), 0, 0), 0);
	assert_int_equal(check(BYTES(0x90), 0, 0), -EPROTO);
}

static void
a_wide_object_may_return_to_a_level_many_times(void **state)
{
	(void)state;
	assert_int_equal(
	    check(BYTES(0x93, 0x91, 0x91, 1, 0x90, 0x82, 1, 0x91, 2, 3, 0x90), 3, 100),
	    0);
	assert_int_equal(
	    check(BYTES(0x93, 0x91, 0x91, 1, 0x90, 0x82, 1, 0x91, 2, 3, 0x90), 2, 100),
	    -EPROTO);
}

static void
members_are_counted_over_the_whole_object(void **state)
{
	(void)state;
	/* 2 members, then 2 keys and values, then 1 */
	assert_int_equal(check(BYTES(0x92, 0x81, 1, 2, 0x91, 3), 8, 5), 0);
	assert_int_equal(check(BYTES(0x92, 0x81, 1, 2, 0x91, 3), 8, 4), -EPROTO);
}

static void
objects_in_a_row_share_one_budget(void **state)
{
	const uint8_t row[] = {0x92, 1, 2, 0x91, 3, 0x91};
	size_t left = 3, used = 0;

	(void)state;
	assert_int_equal(msg_check_one(row, 6, 1, &left, &used), 0);
	assert_int_equal(used, 3);
	assert_int_equal(left, 1);
	assert_int_equal(msg_check_one(row + 3, 3, 1, &left, &used), 0);
	assert_int_equal(used, 2);
	assert_int_equal(left, 0);
	assert_int_equal(msg_check_one(row + 5, 1, 1, &left, &used), -EPROTO);
	assert_int_equal(used, 2);
}

/* A message with something of everything. */
static void
make_sample(struct pack *pack)
{
	pack_request(pack, MSG_UPDATE);
	pack_key_u64(pack, "seq", UINT64_MAX);
	pack_key_map(pack, "config");
	pack_key_i64(pack, "negative", -300);
	pack_key_str(pack, "filter", "tcp port 443 and not host 192.0.2.1");
	pack_key_bool(pack, "promiscuous", true);
	pack_key_nil(pack, "nothing");
	pack_end(pack);
	pack_key_array(pack, "list");
	pack_u64(pack, 1);
	pack_bin(pack, "\0\1\2", 3);
	pack_end(pack);
	assert_int_equal(pack_finish(pack), 0);
}

static void
a_message_cut_at_any_byte_is_refused(void **state)
{
	struct pack pack;
	struct msg msg;

	(void)state;
	pack_init(&pack);
	make_sample(&pack);
	for (size_t len = 0; len < pack.buffer.size; len++) {
		assert_int_equal(check_default(pack.buffer.data, len), -EPROTO);
		assert_int_equal(msg_parse(&msg, pack.buffer.data, len), -EPROTO);
	}
	assert_int_equal(check_default(pack.buffer.data, pack.buffer.size), 0);
	pack_fini(&pack);
}

/* The walk must accept exactly what msgpack-c accepts, but for limits and extension
 * types: what it let through and the library refused would be a hole in its reasoning. */
static void
a_message_with_any_byte_changed_is_parsed_or_refused(void **state)
{
	struct pack pack;
	size_t parsed = 0, refused = 0;

	(void)state;
	pack_init(&pack);
	make_sample(&pack);
	for (size_t at = 0; at < pack.buffer.size; at++) {
		char original = pack.buffer.data[at];
		for (int value = 0; value < 256; value++) {
			struct msg msg;
			int rc;

			pack.buffer.data[at] = (char)value;
			rc = parse(&msg, &pack);
			if (rc == 0) {
				assert_non_null(msg.body);
				msg_fini(&msg);
				parsed++;
			} else {
				msgpack_unpacked unpacked;
				size_t off = 0;
				assert_true(rc == -EPROTO || rc == -EPROTONOSUPPORT ||
				    rc == -ENOMSG);
				refused++;
				if (check_default(pack.buffer.data, pack.buffer.size) !=
				    0)
					continue;
				msgpack_unpacked_init(&unpacked);
				assert_int_equal(
				    msgpack_unpack_next(&unpacked, pack.buffer.data,
					pack.buffer.size, &off),
				    MSGPACK_UNPACK_SUCCESS);
				assert_int_equal(off, pack.buffer.size);
				msgpack_unpacked_destroy(&unpacked);
			}
		}
		pack.buffer.data[at] = original;
	}
	assert_true(parsed > 0);
	assert_true(refused > 0);
	pack_fini(&pack);
}

static void
random_bytes_are_refused_or_whole(void **state)
{
	uint8_t bytes[64];
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct msg msg;
		size_t len = 1 + (size_t)i % sizeof(bytes);

		for (size_t at = 0; at < len; at++) {
			random = random * 1664525 + 1013904223;
			bytes[at] = (uint8_t)(random >> 24);
		}
		assert_int_not_equal(msg_parse(&msg, bytes, len), 0);
	}
}

static void
every_type_has_one_name(void **state)
{
	(void)state;
	for (int type = MSG_NONE + 1; type < MSG_TYPE_MAX; type++) {
		const struct msg_policy *policy = msg_policy((enum msg_type)type);
		assert_non_null(policy);
		assert_int_equal(
		    msg_type_from_name(policy->name, strlen(policy->name)), type);
	}
	assert_null(msg_policy(MSG_NONE));
	assert_null(msg_policy(MSG_TYPE_MAX));
	assert_null(msg_policy((enum msg_type) - 1));
	assert_int_equal(msg_type_from_name("statusx", 6), MSG_STATUS);
	assert_int_equal(msg_type_from_name("status", 5), MSG_NONE);
	assert_int_equal(msg_type_from_name("", 0), MSG_NONE);
}

static void
every_error_has_one_name_and_others_are_failures(void **state)
{
	(void)state;
	for (int error = MSG_OK + 1; error < MSG_ERROR_MAX; error++)
		assert_int_equal(
		    msg_error_from_name(msg_error_name((enum msg_error)error)), error);
	assert_int_equal(msg_error_from_name("on_fire"), MSG_E_FAILED);
	assert_int_equal(msg_error_from_name("ok"), MSG_E_FAILED);
	assert_string_equal(msg_error_name(MSG_ERROR_MAX), "failed");
}

static void
a_request_is_parsed(void **state)
{
	struct pack pack;
	struct msg msg;
	uint64_t seq = 0;

	(void)state;
	pack_init(&pack);
	make_sample(&pack);
	assert_int_equal(parse(&msg, &pack), 0);
	assert_int_equal(msg.type, MSG_UPDATE);
	assert_false(msg.is_answer);
	assert_int_equal(msg.error, MSG_OK);
	assert_int_equal(view_u64(msg.body, "seq", UINT64_MAX, &seq), 0);
	assert_true(seq == UINT64_MAX);
	msg_fini(&msg);
	msg_fini(&msg);
	msg_fini(NULL);
	pack_fini(&pack);
}

static void
answers_tell_whether_it_went_well(void **state)
{
	struct pack pack;
	struct msg msg;

	(void)state;
	pack_init(&pack);
	pack_answer(&pack, MSG_PING);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), 0);
	assert_true(msg.is_answer);
	assert_int_equal(msg.error, MSG_OK);
	msg_fini(&msg);

	pack_error(&pack, MSG_ROTATE, MSG_E_BUSY, "rotation %d is not released", 7);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), 0);
	assert_true(msg.is_answer);
	assert_int_equal(msg.type, MSG_ROTATE);
	assert_int_equal(msg.error, MSG_E_BUSY);
	msg_fini(&msg);
	pack_fini(&pack);
}

/* {"weir": 1, "type": "ping", "ok": false, ...} by hand */
static int
parse_refusal(const char *type, const char *error, struct msg *msg)
{
	struct pack pack;
	int rc;

	pack_init(&pack);
	pack_map(&pack);
	pack_key_u64(&pack, "weir", 1);
	pack_key_str(&pack, "type", type);
	pack_key_bool(&pack, "ok", false);
	if (error)
		pack_key_str(&pack, "error", error);
	assert_int_equal(pack_finish(&pack), 0);
	rc = parse(msg, &pack);
	if (rc == 0)
		msg_fini(msg);
	pack_fini(&pack);
	return rc;
}

static void
an_error_of_a_newer_peer_is_a_failure(void **state)
{
	struct msg msg;

	(void)state;
	assert_int_equal(parse_refusal("ping", "on_fire", &msg), 0);
	assert_int_equal(msg.error, MSG_E_FAILED);
	assert_int_equal(parse_refusal("ping", NULL, &msg), -EPROTO);
}

static void
a_refusal_needs_no_known_type(void **state)
{
	struct msg msg;

	(void)state;
	assert_int_equal(parse_refusal("none", "bad_message", &msg), 0);
	assert_int_equal(msg.type, MSG_NONE);
	assert_int_equal(msg.error, MSG_E_BAD_MESSAGE);
}

static void
messages_without_their_envelope_are_refused(void **state)
{
	struct msg msg;
	struct pack pack;

	(void)state;
	assert_int_equal(msg_parse(&msg, BYTES(0x80)), -EPROTO);
	assert_int_equal(msg_parse(&msg, BYTES(0x93, 1, 2, 3)), -EPROTO);
	assert_int_equal(msg_parse(&msg, BYTES(0x01)), -EPROTO);
	assert_int_equal(
	    msg_parse(&msg, BYTES(0x81, 0xa4, 'w', 'e', 'i', 'r', 0x01)), -EPROTO);
	assert_int_equal(
	    msg_parse(&msg, BYTES(0x81, 0xa4, 'w', 'e', 'i', 'r', 0xa1, '1')), -EPROTO);
	assert_int_equal(msg_parse(&msg, BYTES(0x81, 0xa4, 'w', 'e', 'i', 'r', 0x02)),
	    -EPROTONOSUPPORT);

	pack_init(&pack);
	pack_map(&pack);
	pack_key_u64(&pack, "weir", 1);
	pack_key_str(&pack, "type", "nonsense");
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), -ENOMSG);

	pack_request(&pack, MSG_PING);
	pack_key_u64(&pack, "ok", 1);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), -EPROTO);
	pack_fini(&pack);
}

static void
of_a_key_that_stands_twice_the_first_counts(void **state)
{
	struct pack pack;
	struct msg msg;

	(void)state;
	pack_init(&pack);
	pack_request(&pack, MSG_PING);
	pack_key_str(&pack, "type", "flush");
	pack_key_u64(&pack, "weir", 9);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), 0);
	assert_int_equal(msg.type, MSG_PING);
	msg_fini(&msg);
	pack_fini(&pack);
}

static void
a_message_over_the_size_limit_is_refused(void **state)
{
	struct pack pack;
	struct msg msg;
	uint8_t *data = calloc(1, MSG_SIZE_MAX);

	(void)state;
	assert_non_null(data);
	pack_init(&pack);
	pack_request(&pack, MSG_APPEND);
	pack_key_bin(&pack, "chunk", data, MSG_CHUNK_MAX);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), 0);
	msg_fini(&msg);
	pack_request(&pack, MSG_APPEND);
	pack_key_bin(&pack, "chunk", data, MSG_SIZE_MAX);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(parse(&msg, &pack), -EPROTO);
	pack_fini(&pack);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_object_of_each_form_passes),
	    cmocka_unit_test(nothing_and_leftover_bytes_are_refused),
	    cmocka_unit_test(extension_types_and_the_unused_byte_are_refused),
	    cmocka_unit_test(counts_and_lengths_that_the_bytes_cannot_back_are_refused),
	    cmocka_unit_test(nesting_ends_at_the_limit),
	    cmocka_unit_test(a_wide_object_may_return_to_a_level_many_times),
	    cmocka_unit_test(members_are_counted_over_the_whole_object),
	    cmocka_unit_test(objects_in_a_row_share_one_budget),
	    cmocka_unit_test(a_message_cut_at_any_byte_is_refused),
	    cmocka_unit_test(a_message_with_any_byte_changed_is_parsed_or_refused),
	    cmocka_unit_test(random_bytes_are_refused_or_whole),
	    cmocka_unit_test(every_type_has_one_name),
	    cmocka_unit_test(every_error_has_one_name_and_others_are_failures),
	    cmocka_unit_test(a_request_is_parsed),
	    cmocka_unit_test(answers_tell_whether_it_went_well),
	    cmocka_unit_test(an_error_of_a_newer_peer_is_a_failure),
	    cmocka_unit_test(a_refusal_needs_no_known_type),
	    cmocka_unit_test(messages_without_their_envelope_are_refused),
	    cmocka_unit_test(of_a_key_that_stands_twice_the_first_counts),
	    cmocka_unit_test(a_message_over_the_size_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
