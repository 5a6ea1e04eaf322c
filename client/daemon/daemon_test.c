/* What the client takes from an answer: the keys of its maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "client/daemon/daemon.h"

static msgpack_object
text_of(const char *bytes, uint32_t len)
{
	return (msgpack_object){
	    .type = MSGPACK_OBJECT_STR, .via.str = {.size = len, .ptr = bytes}};
}

static int
read_key(msgpack_object key, char out[static IFACE_NAME_SIZE])
{
	memset(out, '#', IFACE_NAME_SIZE);
	return daemon_key(&key, out, IFACE_NAME_SIZE);
}

static void
a_key_is_copied_as_it_is_shown(void **state)
{
	char name[IFACE_NAME_SIZE];

	(void)state;
	assert_int_equal(read_key(text_of("eth0.100", 4), name), 0);
	assert_string_equal(name, "eth0");
	assert_int_equal(read_key(text_of("abcdefghijklmno", 15), name), 0);
	assert_string_equal(name, "abcdefghijklmno");
	assert_int_equal(read_key(text_of("a\xff\"b", 4), name), 0);
	assert_string_equal(name, "a\\xff\"b");
}

static void
a_key_that_is_no_name_is_refused_untouched(void **state)
{
	const msgpack_object refused[] = {
	    text_of("", 0),
	    text_of("abcdefghijklmnop", 16),
	    text_of("eth0\0", 5),
	    text_of("e\0th0", 5),
	    {.type = MSGPACK_OBJECT_BIN, .via.bin = {.size = 4, .ptr = "eth0"}},
	    {.type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = 4},
	    {.type = MSGPACK_OBJECT_NIL},
	};
	char name[IFACE_NAME_SIZE], before[IFACE_NAME_SIZE];

	(void)state;
	memset(before, '#', sizeof(before));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(read_key(refused[i], name), -EPROTO);
		assert_memory_equal(name, before, sizeof(before));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_is_copied_as_it_is_shown),
	    cmocka_unit_test(a_key_that_is_no_name_is_refused_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
