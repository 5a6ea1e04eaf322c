#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/flow.h"

static void
evidence_has_a_name_and_a_confidence(void **state)
{
	(void)state;
	assert_string_equal(orientation_name(ORIENT_HANDSHAKE), "handshake");
	assert_string_equal(orientation_confidence(ORIENT_HANDSHAKE), "sure");
	assert_string_equal(orientation_name(ORIENT_PORTS), "ports");
	assert_string_equal(orientation_confidence(ORIENT_PORTS), "likely");
	assert_string_equal(orientation_confidence(ORIENT_FIRST), "guess");
	assert_string_equal(orientation_confidence(ORIENT_NONE), "none");
	assert_string_equal(orientation_name(33), "unknown");
	assert_string_equal(orientation_confidence(255), "unknown");
}

static void
the_total_is_the_sum_of_all_four_counters(void **state)
{
	struct flow_record flow = {
	    .count = {{{1, 100}, {2, 200}}, {{4, 400}, {8, 800}}}};

	(void)state;
	assert_int_equal(flow_total(&flow).packets, 15);
	assert_int_equal(flow_total(&flow).bytes, 1500);
}

static void
addresses_are_written_as_usual(void **state)
{
	const uint8_t v4[16] = {192, 0, 2, 255};
	const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	uint8_t longest[16];
	char buf[46];

	(void)state;
	assert_string_equal(flow_address(FAMILY_IPV4, v4, buf), "192.0.2.255");
	assert_string_equal(flow_address(FAMILY_IPV6, v6, buf), "2001:db8::1");
	assert_string_equal(flow_address(FAMILY_NONE, v4, buf), "*");
	memset(longest, 0xff, sizeof(longest));
	assert_string_equal(flow_address(FAMILY_IPV6, longest, buf),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void
protocols_have_names_or_numbers(void **state)
{
	char buf[16];

	(void)state;
	assert_string_equal(flow_proto(6, buf), "tcp");
	assert_string_equal(flow_proto(58, buf), "icmpv6");
	assert_string_equal(flow_proto(253, buf), "253");
	assert_string_equal(flow_proto(0, buf), "0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(evidence_has_a_name_and_a_confidence),
	    cmocka_unit_test(the_total_is_the_sum_of_all_four_counters),
	    cmocka_unit_test(addresses_are_written_as_usual),
	    cmocka_unit_test(protocols_have_names_or_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
