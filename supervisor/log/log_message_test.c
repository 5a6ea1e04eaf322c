#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "supervisor/log/log_message.h"

#define BOM "\xef\xbb\xbf"

/* 2026-01-31T23:59:59.123Z */
static const struct wall now = {INT64_C(1769903999123) * NS_PER_MS};

static struct log_record
sample(void)
{
	return (struct log_record){.level = LOG_LEVEL_ERR,
	    .pid = 77,
	    .program = "weir-worker",
	    .iface = "eth0",
	    .topic = "capture",
	    .text = "not counting: the interface is down"};
}

static const char *
formatted(const char *host, const struct log_record *record)
{
	static char text[LOG_MESSAGE_SIZE + 1];
	size_t len = log_message_format(text, now, host, record);

	assert_true(len <= LOG_MESSAGE_SIZE);
	text[len] = '\0';
	assert_int_equal(strlen(text), len);
	return text;
}

static void
a_message_has_all_fields_of_rfc_5424(void **state)
{
	struct log_record record = sample();

	(void)state;
	assert_string_equal(formatted("probe", &record),
	    "<27>1 2026-01-31T23:59:59.123Z probe weir-worker 77 capture "
	    "[weir@32473 iface=\"eth0\"] not counting: the interface is down");
	record.level = LOG_LEVEL_WARNING;
	assert_non_null(strstr(formatted("probe", &record), "<28>1 "));
	record.level = LOG_LEVEL_INFO;
	assert_non_null(strstr(formatted("probe", &record), "<30>1 "));
	record.level = LOG_LEVEL_DEBUG;
	assert_non_null(strstr(formatted("probe", &record), "<31>1 "));
}

static void
what_is_not_there_is_a_dash(void **state)
{
	struct log_record record = {.level = LOG_LEVEL_INFO,
	    .program = "weir-supervisor",
	    .iface = "",
	    .topic = "",
	    .text = "x"};

	(void)state;
	assert_string_equal(formatted(NULL, &record),
	    "<30>1 2026-01-31T23:59:59.123Z - weir-supervisor - - - x");
	assert_string_equal(formatted("", &record), formatted(" \t\xc3\xbc", &record));
}

static void
the_name_of_an_interface_is_escaped_twice(void **state)
{
	struct log_record record = sample();

	(void)state;
	record.iface = "a\"b]c\\d\x01\xff\xc3\xbc";
	assert_non_null(strstr(formatted("h", &record),
	    " [weir@32473 iface=\"a\\\"b\\]c\\\\x5cd\\\\x01\\\\xff\xc3\xbc\"] not "));
	record.iface = "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e";
	assert_non_null(strstr(formatted("h", &record), "\\\\x80\\\\x81"));
	assert_non_null(strstr(formatted("h", &record), "\\\\x8e\"] not "));
}

static void
text_beyond_ascii_says_that_it_is_utf_8(void **state)
{
	struct log_record record = sample();

	(void)state;
	record.text = "gr\xc3\xbc\xc3\x9f";
	assert_non_null(
	    strstr(formatted("h", &record), "\"] " BOM "gr\xc3\xbc\xc3\x9f"));
}

static void
a_long_text_is_cut_between_characters(void **state)
{
	struct log_record record = sample();
	char text[2048];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		const char *got;
		size_t len;

		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[2000] = '\0';
		record.text = text;
		got = formatted("h", &record);
		len = strlen(got);
		assert_in_range(len, LOG_MESSAGE_SIZE - 2, LOG_MESSAGE_SIZE);
		assert_memory_equal(got + len - 3, "\xe2\x82\xac", 3);
	}
	memset(text, 'y', 2000);
	record.text = text;
	assert_int_equal(strlen(formatted("h", &record)), LOG_MESSAGE_SIZE);
}

static void
fields_of_the_header_keep_their_sizes(void **state)
{
	struct log_record record = sample();
	char host[600];
	const char *got;

	(void)state;
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	record.topic = "a_topic_that_is_longer_than_thirty_two_characters";
	got = formatted(host, &record);
	got = strchr(got, 'Z') + 2;
	assert_int_equal(strcspn(got, " "), 255);
	assert_non_null(strstr(got, " 77 a_topic_that_is_longer_than_thir [weir"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_has_all_fields_of_rfc_5424),
	    cmocka_unit_test(what_is_not_there_is_a_dash),
	    cmocka_unit_test(the_name_of_an_interface_is_escaped_twice),
	    cmocka_unit_test(text_beyond_ascii_says_that_it_is_utf_8),
	    cmocka_unit_test(a_long_text_is_cut_between_characters),
	    cmocka_unit_test(fields_of_the_header_keep_their_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
