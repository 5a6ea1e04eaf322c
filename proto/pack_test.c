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

static struct pack pack;

static int
new_pack(void **state)
{
	(void)state;
	pack_init(&pack);
	return 0;
}

static int
old_pack(void **state)
{
	(void)state;
	pack_fini(&pack);
	pack_fini(&pack);
	pack_fini(NULL);
	return 0;
}

static void
assert_bytes(const void *expected, size_t len)
{
	assert_int_equal(pack.buffer.size, len);
	assert_memory_equal(pack.buffer.data, expected, len);
}

static void
counts_are_written_when_a_container_ends(void **state)
{
	static const uint8_t expected[] = {0xdf, 0, 0, 0, 2, 0xa1, 'a', 0xdd, 0, 0, 0,
	    3, 1, 0xdf, 0, 0, 0, 0, 0xc0, 0xa1, 'b', 0xc3};

	(void)state;
	pack_map(&pack);
	pack_key_array(&pack, "a");
	pack_u64(&pack, 1);
	pack_map(&pack);
	pack_end(&pack);
	pack_nil(&pack);
	pack_end(&pack);
	pack_key_bool(&pack, "b", true);
	assert_int_equal(pack_finish(&pack), 0);
	assert_bytes(expected, sizeof(expected));
}

static void
a_count_takes_all_four_bytes(void **state)
{
	(void)state;
	pack_array(&pack);
	for (int i = 0; i < 0x10203; i++)
		pack_u64(&pack, 0);
	pack_end(&pack);
	assert_false(pack.failed);
	assert_memory_equal(pack.buffer.data, "\xdd\x00\x01\x02\x03", 5);
	assert_int_equal(pack.buffer.size, 5 + 0x10203);
}

static void
values_at_the_top_are_not_counted(void **state)
{
	(void)state;
	pack_u64(&pack, 7);
	pack_str(&pack, "x");
	pack_i64(&pack, -1);
	assert_false(pack.failed);
	assert_bytes("\x07\xa1x\xff", 4);
}

static void
an_empty_pack_keeps_nothing_of_the_last_message(void **state)
{
	(void)state;
	pack_end(&pack);
	assert_true(pack.failed);
	pack_clear(&pack);
	assert_false(pack.failed);
	pack_request(&pack, MSG_PING);
	pack_clear(&pack);
	pack_nil(&pack);
	assert_bytes("\xc0", 1);
}

static void
ends_without_beginning_are_a_failure(void **state)
{
	(void)state;
	pack_request(&pack, MSG_PING);
	pack_end(&pack);
	pack_end(&pack);
	assert_int_not_equal(pack_finish(&pack), 0);
}

static void
a_container_left_open_is_a_failure(void **state)
{
	(void)state;
	pack_request(&pack, MSG_PING);
	pack_key_map(&pack, "inner");
	assert_int_not_equal(pack_finish(&pack), 0);
	pack_clear(&pack);
	assert_int_not_equal(pack_finish(&pack), 0);
}

static void
keys_and_values_of_a_map_must_alternate(void **state)
{
	(void)state;
	pack_request(&pack, MSG_PING);
	pack_u64(&pack, 1);
	assert_int_not_equal(pack_finish(&pack), 0);

	pack_request(&pack, MSG_PING);
	pack_key(&pack, "alone");
	assert_int_not_equal(pack_finish(&pack), 0);

	pack_request(&pack, MSG_PING);
	pack_key(&pack, "two");
	pack_key(&pack, "keys");
	assert_int_not_equal(pack_finish(&pack), 0);

	pack_request(&pack, MSG_PING);
	pack_key_array(&pack, "array");
	pack_key(&pack, "key");
	assert_true(pack.failed);

	pack_request(&pack, MSG_PING);
	pack_key_str(&pack, "null", NULL);
	assert_int_not_equal(pack_finish(&pack), 0);
}

static void
what_nobody_could_read_cannot_be_written(void **state)
{
	(void)state;
	for (int depth = 0; depth < MSG_DEPTH_MAX; depth++)
		pack_array(&pack);
	assert_false(pack.failed);
	pack_array(&pack);
	assert_true(pack.failed);
	for (int depth = 0; depth < 20; depth++)
		pack_map(&pack);
	for (int depth = 0; depth < 20; depth++)
		pack_end(&pack);
	assert_true(pack.failed);
}

static void
a_finished_pack_may_be_finished_again(void **state)
{
	size_t size;

	(void)state;
	pack_answer(&pack, MSG_PING);
	assert_int_equal(pack_finish(&pack), 0);
	size = pack.buffer.size;
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(pack.buffer.size, size);
}

static void
an_error_replaces_half_an_answer(void **state)
{
	struct msg msg;
	char text[64];

	(void)state;
	pack_answer(&pack, MSG_FETCH);
	pack_key_map(&pack, "half");
	pack_error(&pack, MSG_FETCH, MSG_E_SEQUENCE, "%s is not %d", "3", 4);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(msg_parse(&msg, pack.buffer.data, pack.buffer.size), 0);
	assert_int_equal(msg.error, MSG_E_SEQUENCE);
	assert_null(view_get(msg.body, "half"));
	assert_int_equal(view_str(msg.body, "text", text, sizeof(text)), 0);
	assert_string_equal(text, "3 is not 4");
	msg_fini(&msg);
}

static void
an_error_also_mends_a_failed_pack_and_cuts_long_text(void **state)
{
	char text[2000];
	struct msg msg;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	pack_end(&pack);
	pack_error(&pack, MSG_NONE, MSG_E_BAD_MESSAGE, "%s", text);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(msg_parse(&msg, pack.buffer.data, pack.buffer.size), 0);
	assert_int_equal(msg.type, MSG_NONE);
	assert_int_equal(msg.error, MSG_E_BAD_MESSAGE);
	assert_true(view_get(msg.body, "text")->via.str.size < 600);
	msg_fini(&msg);
}

static void
a_copied_object_is_the_same_object(void **state)
{
	struct pack copy;
	msgpack_unpacked a, b;
	size_t at = 0;

	(void)state;
	pack_init(&copy);
	pack_map(&pack);
	pack_key_array(&pack, "list");
	pack_i64(&pack, INT64_MIN);
	pack_u64(&pack, UINT64_MAX);
	pack_bin(&pack, "", 0);
	pack_nil(&pack);
	msgpack_pack_double(&pack.packer, 0.5);
	pack.open[1].count++;
	pack_end(&pack);
	pack_key_bool(&pack, "false", false);
	assert_int_equal(pack_finish(&pack), 0);
	msgpack_unpacked_init(&a);
	msgpack_unpacked_init(&b);
	assert_int_equal(
	    msgpack_unpack_next(&a, pack.buffer.data, pack.buffer.size, &at),
	    MSGPACK_UNPACK_SUCCESS);

	pack_map(&copy);
	pack_key(&copy, "copy");
	pack_object(&copy, &a.data);
	pack_key_u64(&copy, "after", 1);
	assert_int_equal(pack_finish(&copy), 0);
	at = 0;
	assert_int_equal(
	    msgpack_unpack_next(&b, copy.buffer.data, copy.buffer.size, &at),
	    MSGPACK_UNPACK_SUCCESS);
	assert_true(msgpack_object_equal(*view_get(&b.data, "copy"), a.data));
	assert_non_null(view_get(&b.data, "after"));
	msgpack_unpacked_destroy(&a);
	msgpack_unpacked_destroy(&b);
	pack_fini(&copy);
}

static void
what_a_copy_would_nest_too_deep_becomes_nil(void **state)
{
	struct pack copy;
	msgpack_unpacked a;
	size_t at = 0;

	(void)state;
	pack_init(&copy);
	for (int depth = 0; depth < MSG_DEPTH_MAX; depth++)
		pack_array(&pack);
	for (int depth = 0; depth < MSG_DEPTH_MAX; depth++)
		pack_end(&pack);
	msgpack_unpacked_init(&a);
	assert_int_equal(
	    msgpack_unpack_next(&a, pack.buffer.data, pack.buffer.size, &at),
	    MSGPACK_UNPACK_SUCCESS);
	pack_map(&copy);
	pack_key_map(&copy, "a");
	pack_key(&copy, "b");
	pack_object(&copy, &a.data);
	pack_end(&copy);
	assert_int_equal(pack_finish(&copy), 0);
	assert_int_equal(msg_check(copy.buffer.data, copy.buffer.size, MSG_DEPTH_MAX,
			     MSG_OBJECTS_MAX),
	    0);
	assert_int_equal((uint8_t)copy.buffer.data[copy.buffer.size - 1], 0xc0);
	msgpack_unpacked_destroy(&a);
	pack_fini(&copy);
}

static void
what_was_taken_back_was_never_there(void **state)
{
	struct pack_place place;
	struct msg msg;
	uint64_t number;

	(void)state;
	pack_answer(&pack, MSG_STATUS);
	pack_key_map(&pack, "ifaces");
	pack_key_u64(&pack, "eth0", 7);
	place = pack_here(&pack);
	pack_key_map(&pack, "eth1");
	pack_key_array(&pack, "keys");
	pack_str(&pack, "left open");
	pack_back(&pack, &place);
	pack_key_u64(&pack, "eth2", 8);
	pack_end(&pack);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(msg_parse(&msg, pack.buffer.data, pack.buffer.size), 0);
	const msgpack_object *ifaces = view_get(msg.body, "ifaces");
	assert_int_equal(ifaces->via.map.size, 2);
	assert_int_equal(view_u64(ifaces, "eth0", 100, &number), 0);
	assert_int_equal(number, 7);
	assert_null(view_get(ifaces, "eth1"));
	assert_int_equal(view_u64(ifaces, "eth2", 100, &number), 0);
	assert_int_equal(number, 8);
	msg_fini(&msg);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_pack, old_pack)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(counts_are_written_when_a_container_ends),
	    TEST(a_count_takes_all_four_bytes),
	    TEST(values_at_the_top_are_not_counted),
	    TEST(an_empty_pack_keeps_nothing_of_the_last_message),
	    TEST(ends_without_beginning_are_a_failure),
	    TEST(a_container_left_open_is_a_failure),
	    TEST(keys_and_values_of_a_map_must_alternate),
	    TEST(what_nobody_could_read_cannot_be_written),
	    TEST(a_finished_pack_may_be_finished_again),
	    TEST(what_was_taken_back_was_never_there),
	    TEST(an_error_replaces_half_an_answer),
	    TEST(an_error_also_mends_a_failed_pack_and_cuts_long_text),
	    TEST(a_copied_object_is_the_same_object),
	    TEST(what_a_copy_would_nest_too_deep_becomes_nil),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
