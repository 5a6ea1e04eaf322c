#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/iface.h"

static void
what_the_kernel_allows_is_valid(void **state)
{
	static const char *const names[] = {"eth0", "lo", "enp3s0f1np1", "a",
	    "veth-a_b.100", "fifteen-bytes-x", "%s%n", "...", "\xc3\xa9th", "x;rm-f"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(iface_name_valid(names[i]));
}

static void
what_the_kernel_refuses_is_not(void **state)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/", "eth 0",
	    "eth0\n", "a:b", "x\xa0y", "sixteen-bytes-xx",
	    "a name that is far too long"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_false(iface_name_valid(names[i]));
}

static void
setting_an_invalid_name_leaves_the_old_one(void **state)
{
	struct iface_name name;

	(void)state;
	assert_int_equal(iface_name_set(&name, "eth0"), 0);
	assert_int_equal(iface_name_set(&name, "../etc"), -EINVAL);
	assert_string_equal(name.s, "eth0");
}

static void
a_file_name_is_one_harmless_component(void **state)
{
	char out[IFACE_FILE_NAME_SIZE];

	(void)state;
	iface_file_name("eth0.100", out);
	assert_string_equal(out, "eth0.100");
	iface_file_name("..", out);
	assert_string_equal(out, "%2E.");
	iface_file_name("a/b", out);
	assert_string_equal(out, "a%2Fb");
	iface_file_name("%2F", out);
	assert_string_equal(out, "%252F");
}

static void
the_longest_file_name_fits(void **state)
{
	char name[IFACE_NAME_SIZE];
	char out[IFACE_FILE_NAME_SIZE];

	(void)state;
	memset(name, 0xff, sizeof(name));
	name[IFACE_NAME_SIZE - 1] = '\0';
	iface_file_name(name, out);
	assert_int_equal(strlen(out), IFACE_FILE_NAME_SIZE - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_kernel_allows_is_valid),
	    cmocka_unit_test(what_the_kernel_refuses_is_not),
	    cmocka_unit_test(setting_an_invalid_name_leaves_the_old_one),
	    cmocka_unit_test(a_file_name_is_one_harmless_component),
	    cmocka_unit_test(the_longest_file_name_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
