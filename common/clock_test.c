#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"

static void
boundaries_are_multiples_of_the_period_and_later_than_now(void **state)
{
	(void)state;
	/* 2026-01-31T02:17:23.5Z, every five minutes */
	struct wall now = {INT64_C(1769825843500) * NS_PER_MS};

	assert_int_equal(wall_next_boundary_ms(now, 300000), INT64_C(1769826000000));
	/* on a boundary the next one is meant */
	now.ns = INT64_C(1769826000000) * NS_PER_MS;
	assert_int_equal(wall_next_boundary_ms(now, 300000), INT64_C(1769826300000));
	now.ns -= 1;
	assert_int_equal(wall_next_boundary_ms(now, 300000), INT64_C(1769826000000));
}

static void
monotonic_differences_are_in_milliseconds(void **state)
{
	struct mono a = {1500000}, b = {4400000};

	(void)state;
	assert_int_equal(mono_ms_between(a, b), 2);
	assert_int_equal(mono_ms_between(b, a), -2);
	assert_int_equal(mono_ms_between(a, mono_plus_ms(a, 250)), 250);
}

static void
the_monotonic_clock_does_not_go_back(void **state)
{
	(void)state;
	struct mono last = mono_now();

	for (int i = 0; i < 1000; i++) {
		struct mono now = mono_now();
		assert_true(now.ns >= last.ns);
		last = now;
	}
	assert_true(wall_now().ns > INT64_C(1600000000) * NS_PER_S);
}

static void
labels_are_written_in_utc(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(wall_text_ms(0, buf), "1970-01-01T00:00:00Z");
	assert_string_equal(
	    wall_text_ms(INT64_C(1769903999123), buf), "2026-01-31T23:59:59.123Z");
	assert_string_equal(
	    wall_text_ms(INT64_C(1769903999000), buf), "2026-01-31T23:59:59Z");
	assert_string_equal(wall_text_ms(-1, buf), "1969-12-31T23:59:59.999Z");
}

static void
a_label_beyond_any_calendar_is_still_text(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(
	    wall_text_ms(INT64_MAX, buf), "292278994-08-17T07:12:55.807Z");
	assert_true(wall_text_ms(INT64_MIN, buf)[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(boundaries_are_multiples_of_the_period_and_later_than_now),
	    cmocka_unit_test(monotonic_differences_are_in_milliseconds),
	    cmocka_unit_test(the_monotonic_clock_does_not_go_back),
	    cmocka_unit_test(labels_are_written_in_utc),
	    cmocka_unit_test(a_label_beyond_any_calendar_is_still_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
