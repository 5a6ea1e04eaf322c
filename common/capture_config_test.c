#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/capture_config.h"

static struct capture_config a, b;

static int
both_default(void **state)
{
	(void)state;
	/* whatever lies in the memory before must not count */
	memset(&a, 0x55, sizeof(a));
	memset(&b, 0xaa, sizeof(b));
	capture_config_default(&a);
	capture_config_default(&b);
	return 0;
}

static void
defaults_are_equal_and_as_documented(void **state)
{
	(void)state;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_SAME);
	assert_int_equal(a.buffer, 8 * 1024 * 1024);
	assert_int_equal(a.snaplen, 128);
	assert_int_equal(a.timeout_ms, 100);
	assert_string_equal(a.filter, "");
}

static void
another_filter_alone_is_applied_in_place(void **state)
{
	(void)state;
	strcpy(b.filter, "tcp");
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_FILTER_CHANGED);
}

static void
every_other_key_opens_the_capture_again(void **state)
{
	(void)state;
	b.buffer++;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
	both_default(NULL);
	b.flows++;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
	both_default(NULL);
	b.snaplen++;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
	both_default(NULL);
	b.timeout_ms++;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
	both_default(NULL);
	b.error_threshold++;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
	both_default(NULL);
	b.promiscuous = !b.promiscuous;
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
	strcpy(b.filter, "tcp");
	assert_int_equal(capture_config_compare(&a, &b), CAPTURE_REOPEN);
}

static void
differences_are_told_by_key_in_the_order_of_the_file(void **state)
{
	static const char *const all[CAPTURE_CONFIG_KEYS] = {"buffer", "flows",
	    "snaplen", "timeout", "promiscuous", "error_threshold", "filter"};
	const char *names[CAPTURE_CONFIG_KEYS];

	(void)state;
	assert_int_equal(capture_config_differences(&a, &b, names), 0);
	b.snaplen++;
	strcpy(b.filter, "tcp");
	assert_int_equal(capture_config_differences(&a, &b, names), 2);
	assert_string_equal(names[0], "snaplen");
	assert_string_equal(names[1], "filter");
	b.buffer++;
	b.flows++;
	b.timeout_ms++;
	b.promiscuous = !b.promiscuous;
	b.error_threshold++;
	assert_int_equal(
	    capture_config_differences(&a, &b, names), CAPTURE_CONFIG_KEYS);
	for (size_t i = 0; i < CAPTURE_CONFIG_KEYS; i++)
		assert_string_equal(names[i], all[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(defaults_are_equal_and_as_documented, both_default),
	    cmocka_unit_test_setup(
		another_filter_alone_is_applied_in_place, both_default),
	    cmocka_unit_test_setup(
		every_other_key_opens_the_capture_again, both_default),
	    cmocka_unit_test_setup(
		differences_are_told_by_key_in_the_order_of_the_file, both_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
