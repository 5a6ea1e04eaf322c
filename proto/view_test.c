#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "proto/pack.h"
#include "proto/view.h"

static struct pack pack;
static msgpack_unpacked unpacked;
static const msgpack_object *map;

static int
make_map(void **state)
{
	size_t at = 0;

	(void)state;
	pack_init(&pack);
	pack_map(&pack);
	pack_key_u64(&pack, "zero", 0);
	pack_key_u64(&pack, "small", 255);
	pack_key_u64(&pack, "u32", UINT32_MAX);
	pack_key_u64(&pack, "u33", UINT64_C(1) << 32);
	pack_key_u64(&pack, "i64max", INT64_MAX);
	pack_key_u64(&pack, "i64over", UINT64_C(1) << 63);
	pack_key_u64(&pack, "u64max", UINT64_MAX);
	pack_key_i64(&pack, "minus", -1);
	pack_key_i64(&pack, "i64min", INT64_MIN);
	pack_key_bool(&pack, "true", true);
	pack_key_nil(&pack, "nil");
	pack_key_str(&pack, "str", "abc");
	pack_key_str(&pack, "esc", "a\x1b[0m");
	pack_key_bin(&pack, "bin", "a\0b", 3);
	pack_key_map(&pack, "map");
	pack_end(&pack);
	pack_key_array(&pack, "array");
	pack_u64(&pack, 1);
	pack_end(&pack);
	pack_key_u64(&pack, "small", 7); /* a second time */
	pack_key(&pack, "holed");
	msgpack_pack_str(&pack.packer, 3);
	msgpack_pack_str_body(&pack.packer, "a\0b", 3);
	pack.open[0].count++;
	assert_int_equal(pack_finish(&pack), 0);
	msgpack_unpacked_init(&unpacked);
	assert_int_equal(
	    msgpack_unpack_next(&unpacked, pack.buffer.data, pack.buffer.size, &at),
	    MSGPACK_UNPACK_SUCCESS);
	map = &unpacked.data;
	return 0;
}

static int
drop_map(void **state)
{
	(void)state;
	msgpack_unpacked_destroy(&unpacked);
	pack_fini(&pack);
	return 0;
}

static void
keys_are_compared_whole(void **state)
{
	(void)state;
	assert_non_null(view_get(map, "str"));
	assert_null(view_get(map, "st"));
	assert_null(view_get(map, "strx"));
	assert_null(view_get(map, ""));
	assert_null(view_get(NULL, "str"));
	assert_null(view_get(view_get(map, "array"), "str"));
	assert_null(view_get(view_get(map, "nil"), "str"));
}

static void
the_first_of_two_equal_keys_counts(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(view_u64(map, "small", 1000, &value), 0);
	assert_int_equal(value, 255);
}

static void
unsigned_integers_are_checked_for_range(void **state)
{
	uint64_t value = 42;
	uint32_t narrow = 42;

	(void)state;
	assert_int_equal(view_u64(map, "missing", 9, &value), -ENOENT);
	assert_int_equal(view_u64(map, "small", 254, &value), -ERANGE);
	assert_int_equal(view_u64(map, "minus", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(view_u64(map, "str", UINT64_MAX, &value), -EPROTO);
	assert_int_equal(view_u64(map, "true", UINT64_MAX, &value), -EPROTO);
	assert_int_equal(view_u64(map, "nil", UINT64_MAX, &value), -EPROTO);
	assert_int_equal(value, 42);
	assert_int_equal(view_u64(map, "small", 255, &value), 0);
	assert_int_equal(value, 255);
	assert_int_equal(view_u64(map, "u64max", UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(view_u32(map, "u33", UINT32_MAX, &narrow), -ERANGE);
	assert_int_equal(narrow, 42);
	assert_int_equal(view_u32(map, "u32", UINT32_MAX, &narrow), 0);
	assert_true(narrow == UINT32_MAX);
}

static void
signed_integers_are_checked_for_range(void **state)
{
	int64_t value = 42;

	(void)state;
	assert_int_equal(view_i64(map, "i64over", &value), -ERANGE);
	assert_int_equal(view_i64(map, "bin", &value), -EPROTO);
	assert_int_equal(view_i64(map, "missing", &value), -ENOENT);
	assert_int_equal(value, 42);
	assert_int_equal(view_i64(map, "i64max", &value), 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(view_i64(map, "i64min", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(view_i64(map, "minus", &value), 0);
	assert_int_equal(value, -1);
}

static void
booleans_are_not_integers(void **state)
{
	bool value = false;

	(void)state;
	assert_int_equal(view_bool(map, "small", &value), -EPROTO);
	assert_int_equal(view_bool(map, "missing", &value), -ENOENT);
	assert_false(value);
	assert_int_equal(view_bool(map, "true", &value), 0);
	assert_true(value);
}

static void
strings_fit_whole_or_not_at_all(void **state)
{
	char out[8] = "old";

	(void)state;
	assert_int_equal(view_str(map, "str", out, 3), -ERANGE);
	assert_int_equal(view_str(map, "holed", out, sizeof(out)), -ERANGE);
	assert_int_equal(view_str(map, "bin", out, sizeof(out)), -EPROTO);
	assert_int_equal(view_str(map, "missing", out, sizeof(out)), -ENOENT);
	assert_string_equal(out, "old");
	assert_int_equal(view_str(map, "str", out, 4), 0);
	assert_string_equal(out, "abc");
}

static void
text_is_escaped_and_cut(void **state)
{
	char out[16];

	(void)state;
	view_text(map, "esc", out, sizeof(out));
	assert_string_equal(out, "a\\x1b[0m");
	view_text(map, "str", out, 3);
	assert_string_equal(out, "ab");
	view_text(map, "holed", out, sizeof(out));
	assert_string_equal(out, "a\\x00b");
	view_text(map, "missing", out, sizeof(out));
	assert_string_equal(out, "");
	view_text(map, "small", out, sizeof(out));
	assert_string_equal(out, "");
}

static void
bins_maps_and_arrays_are_told_apart(void **state)
{
	const void *data = NULL;
	const msgpack_object *inner = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(view_bin(map, "str", &data, &len), -EPROTO);
	assert_int_equal(view_bin(map, "bin", &data, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(data, "a\0b", 3);
	assert_int_equal(view_map(map, "array", &inner), -EPROTO);
	assert_int_equal(view_array(map, "map", &inner), -EPROTO);
	assert_null(inner);
	assert_int_equal(view_map(map, "map", &inner), 0);
	assert_int_equal(inner->via.map.size, 0);
	assert_int_equal(view_array(map, "array", &inner), 0);
	assert_int_equal(inner->via.array.size, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_compared_whole),
	    cmocka_unit_test(the_first_of_two_equal_keys_counts),
	    cmocka_unit_test(unsigned_integers_are_checked_for_range),
	    cmocka_unit_test(signed_integers_are_checked_for_range),
	    cmocka_unit_test(booleans_are_not_integers),
	    cmocka_unit_test(strings_fit_whole_or_not_at_all),
	    cmocka_unit_test(text_is_escaped_and_cut),
	    cmocka_unit_test(bins_maps_and_arrays_are_told_apart),
	};

	return cmocka_run_group_tests(tests, make_map, drop_map);
}
