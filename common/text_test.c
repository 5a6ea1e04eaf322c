#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/text.h"

static const struct wall now = {INT64_C(1769825843500) * NS_PER_MS};

static void
numbers_are_digits_and_nothing_else(void **state)
{
	static const char *const refused[] = {
	    "", " ", " 1", "1 ", "-1", "+1", "0x10", "1.0", "1e3", "1k", "ten"};
	uint64_t out = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(text_to_number(refused[i], &out), -EINVAL);
	assert_int_equal(text_to_number("18446744073709551616", &out), -ERANGE);
	assert_int_equal(text_to_number("99999999999999999999", &out), -ERANGE);
	assert_int_equal(out, 42);
	assert_int_equal(text_to_number("0", &out), 0);
	assert_int_equal(out, 0);
	assert_int_equal(text_to_number("007", &out), 0);
	assert_int_equal(out, 7);
	assert_int_equal(text_to_number("18446744073709551615", &out), 0);
	assert_true(out == UINT64_MAX);
}

static void
sizes_have_binary_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {{"0", 0}, {"1024", 1024}, {"10B", 10}, {"64 KiB", 65536},
	    {"8MiB", UINT64_C(8) << 20}, {"1GiB", UINT64_C(1) << 30},
	    {"16777215TiB", UINT64_C(16777215) << 40},
	    {"18446744073709551615", UINT64_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t out;
		assert_int_equal(text_to_bytes(cases[i].text, &out), 0);
		assert_int_equal(out, cases[i].bytes);
	}
}

static void
sizes_that_make_no_sense_are_refused_untouched(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} cases[] = {{"", -EINVAL}, {"-1", -EINVAL}, {"+1", -EINVAL}, {" 1", -EINVAL},
	    {"1KB", -EINVAL}, {"1 kib", -EINVAL}, {"1.5MiB", -EINVAL}, {"MiB", -EINVAL},
	    {"0x10", -EINVAL}, {"1MiBx", -EINVAL}, {"18446744073709551616", -ERANGE},
	    {"16777216TiB", -ERANGE}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t out = 42;
		assert_int_equal(text_to_bytes(cases[i].text, &out), cases[i].rc);
		assert_int_equal(out, 42);
	}
}

static void
durations_need_a_unit(void **state)
{
	uint64_t out = 42;

	(void)state;
	assert_int_equal(text_to_ms("300", &out), -EINVAL);
	assert_int_equal(out, 42);
	assert_int_equal(text_to_ms("100ms", &out), 0);
	assert_int_equal(out, 100);
	assert_int_equal(text_to_ms("300s", &out), 0);
	assert_int_equal(out, 300000);
	assert_int_equal(text_to_ms("5 m", &out), 0);
	assert_int_equal(out, 300000);
	assert_int_equal(text_to_ms("12h", &out), 0);
	assert_int_equal(out, 43200000);
	assert_int_equal(text_to_ms("30d", &out), 0);
	assert_int_equal(out, INT64_C(2592000000));
	assert_int_equal(text_to_ms("1w", &out), -EINVAL);
	assert_int_equal(text_to_ms("213503982335d", &out), -ERANGE);
}

static void
points_in_time_are_utc_unless_they_name_a_zone(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {{"1970-01-01", 0}, {"2026-01-31", INT64_C(1769817600000)},
	    {"2026-01-31T23:59", INT64_C(1769903940000)},
	    {"2026-01-31 23:59", INT64_C(1769903940000)},
	    {"2026-01-31T23:59:59", INT64_C(1769903999000)},
	    {"2026-01-31T23:59:59Z", INT64_C(1769903999000)},
	    {"2026-01-31T23:59:59.123Z", INT64_C(1769903999123)},
	    {"2026-01-31T23:59:59.1", INT64_C(1769903999100)},
	    {"2026-01-31T23:59:59.1239", INT64_C(1769903999123)},
	    {"2026-02-01T00:59:59+01:00", INT64_C(1769903999000)},
	    {"2026-02-01T00:59:59+0100", INT64_C(1769903999000)},
	    {"2026-01-31T20:29:59-03:30", INT64_C(1769903999000)},
	    {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
	    {"2024-02-29", INT64_C(1709164800000)},
	    {"2000-02-29", INT64_C(951782400000)},
	    {"@1767225600", INT64_C(1767225600000)},
	    {"1767225600", INT64_C(1767225600000)}, {"now", INT64_C(1769825843500)},
	    {"-4h", INT64_C(1769811443500)}, {"-90m", INT64_C(1769820443500)},
	    {"-15d", INT64_C(1768529843500)}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t out = -1;
		assert_int_equal(text_to_time_ms(cases[i].text, now, &out), 0);
		assert_int_equal(out, cases[i].ms);
	}
}

static void
points_in_time_that_do_not_exist_are_refused_untouched(void **state)
{
	static const char *const cases[] = {"", "-", "yesterday", "2026-02-29",
	    "2100-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00",
	    "2026-1-1", "2026-01-31T24:00", "2026-01-31T23:60", "2026-01-31T23",
	    "2026-01-31T23:59.5", "2026-01-31T23:59:59.", "2026-01-31T23:59:59ZZ",
	    "2026-01-31T23:59:59+1", "2026-01-31Z", "-4", "-4x", "@", "@-1", "12a",
	    "now ", "1969-12-31"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t out = 42;
		assert_int_equal(text_to_time_ms(cases[i], now, &out), -EINVAL);
		assert_int_equal(out, 42);
	}
}

static void
points_in_time_out_of_range_are_told_apart(void **state)
{
	int64_t out = 42;

	(void)state;
	assert_int_equal(text_to_time_ms("99999999999999999999", now, &out), -ERANGE);
	assert_int_equal(text_to_time_ms("9999999999999999", now, &out), -ERANGE);
	assert_int_equal(text_to_time_ms("-99999999999d", now, &out), -ERANGE);
	assert_int_equal(out, 42);
}

static void
bytes_and_counts_have_three_digits_that_mean_something(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(text_bytes(0, buf), "0 B");
	assert_string_equal(text_bytes(999, buf), "999 B");
	assert_string_equal(text_bytes(1023, buf), "1.00 KiB");
	assert_string_equal(text_bytes(1536, buf), "1.50 KiB");
	assert_string_equal(text_bytes(UINT64_C(12) << 30, buf), "12.0 GiB");
	assert_string_equal(text_bytes(UINT64_C(1) << 20, buf), "1.00 MiB");
	assert_string_equal(text_bytes(UINT64_MAX, buf), "16.0 EiB");
	assert_string_equal(text_count(999, buf), "999");
	assert_string_equal(text_count(12345, buf), "12.3 k");
	assert_string_equal(text_count(999499, buf), "999 k");
	assert_string_equal(text_count(999500, buf), "1.00 M");
	assert_string_equal(text_count(UINT64_MAX, buf), "18.4 E");
}

static void
durations_have_two_units(void **state)
{
	char buf[32];

	(void)state;
	assert_string_equal(text_duration_ms(0, buf), "0ms");
	assert_string_equal(text_duration_ms(250, buf), "250ms");
	assert_string_equal(text_duration_ms(59999, buf), "59s");
	assert_string_equal(text_duration_ms(725000, buf), "12m 5s");
	assert_string_equal(text_duration_ms(3600000, buf), "1h 0m");
	assert_string_equal(text_duration_ms(INT64_C(273600000), buf), "3d 4h");
	assert_string_equal(text_duration_ms(-1, buf), "-");
	assert_true(strlen(text_duration_ms(INT64_MAX, buf)) < sizeof(buf));
}

static void
check_escape(const char *from, size_t len, size_t size, const char *expected)
{
	char out[64];

	memset(out, '#', sizeof(out));
	text_escape(out, size, from, len);
	assert_string_equal(out, expected);
	assert_int_equal(out[size], '#');
}

static void
text_from_outside_cannot_drive_a_terminal(void **state)
{
	(void)state;
	check_escape("plain", 5, 60, "plain");
	check_escape("\x1b[2J", 4, 60, "\\x1b[2J");
	check_escape("a\nb\0c", 5, 60, "a\\x0ab\\x00c");
	check_escape("\x7f", 1, 60, "\\x7f");
	check_escape("\xc2\x9b"
		     "31m",
	    5, 60, "\\xc2\\x9b31m");
	check_escape("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f", 9, 60,
	    "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9f");
}

static void
what_is_not_utf8_is_written_in_hexadecimal(void **state)
{
	(void)state;
	check_escape("\xff\xc3", 2, 60, "\\xff\\xc3");
	check_escape("\xc0\x80", 2, 60, "\\xc0\\x80");
	check_escape("\xe0\x80\x80", 3, 60, "\\xe0\\x80\\x80");
	check_escape("\xed\xa0\x80", 3, 60, "\\xed\\xa0\\x80");
	check_escape("\xf4\x90\x80\x80", 4, 60, "\\xf4\\x90\\x80\\x80");
	/* cut within a character */
	check_escape("\xe2\x82", 2, 60, "\\xe2\\x82");
}

static void
check_name(const char *from, size_t size, const char *expected)
{
	char out[64], back[64];

	memset(out, 'X', sizeof(out));
	text_escape_name(out, size, from, strlen(from));
	assert_string_equal(out, expected);
	text_unescape_name(back, sizeof(back), out, strlen(out));
	if (size == 60)
		assert_string_equal(back, from);
}

static void
names_are_escaped_so_that_no_two_read_the_same(void **state)
{
	char out[4];

	(void)state;
	check_name("eth0", 60, "eth0");
	check_name("\xff", 60, "\\xff");
	check_name("\\xff", 60, "\\x5cxff");
	check_name("\\\\", 60, "\\x5c\\x5c");
	check_name("\x01\xc3\xbc", 60, "\\x01\xc3\xbc");
	check_name("a\\b", 6, "a\\x5c");
	check_name("a\\b", 5, "a");
	/* What no escape is, stays. */
	text_unescape_name(out, sizeof(out), "\\x", 2);
	assert_string_equal(out, "\\x");
	text_unescape_name(out, sizeof(out), "\\xg1", 4);
	assert_string_equal(out, "\\xg");
	text_unescape_name(out, 1, "abc", 3);
	assert_string_equal(out, "");
}

static void
escaped_text_is_cut_between_characters(void **state)
{
	(void)state;
	check_escape("abcdef", 6, 4, "abc");
	check_escape("ab\xe2\x82\xac", 5, 5, "ab");
	check_escape("ab\xe2\x82\xac", 5, 6, "ab\xe2\x82\xac");
	check_escape("ab\n", 3, 6, "ab");
	check_escape("ab\n", 3, 7, "ab\\x0a");
	check_escape("abc", 3, 1, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_digits_and_nothing_else),
	    cmocka_unit_test(sizes_have_binary_units),
	    cmocka_unit_test(sizes_that_make_no_sense_are_refused_untouched),
	    cmocka_unit_test(durations_need_a_unit),
	    cmocka_unit_test(points_in_time_are_utc_unless_they_name_a_zone),
	    cmocka_unit_test(points_in_time_that_do_not_exist_are_refused_untouched),
	    cmocka_unit_test(points_in_time_out_of_range_are_told_apart),
	    cmocka_unit_test(bytes_and_counts_have_three_digits_that_mean_something),
	    cmocka_unit_test(durations_have_two_units),
	    cmocka_unit_test(text_from_outside_cannot_drive_a_terminal),
	    cmocka_unit_test(what_is_not_utf8_is_written_in_hexadecimal),
	    cmocka_unit_test(names_are_escaped_so_that_no_two_read_the_same),
	    cmocka_unit_test(escaped_text_is_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
