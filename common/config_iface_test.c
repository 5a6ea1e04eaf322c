#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/config.h"

static const struct config_iface entries[] = {
    {.kind = CONFIG_IFACE_PATTERN,
	.pattern = "eth*",
	.not = {"eth9", "*.[0-9]*"},
	.not_count = 2},
    {.kind = CONFIG_IFACE_ANY_UP, .not = {"veth*"}, .not_count = 1},
    {.kind = CONFIG_IFACE_PATTERN, .pattern = "*0"},
    {.kind = CONFIG_IFACE_NAMED, .name = {"eth1"}},
    {.kind = CONFIG_IFACE_NAMED, .name = {"lo"}},
};

static void
a_name_goes_before_patterns_and_the_first_pattern_before_others(void **state)
{
	static const struct {
		const char *name;
		bool up;
		bool loopback;
		int entry; /* -1: none */
	} rows[] = {
	    {"eth0", true, false, 0},
	    {"eth0", false, false, 0}, /* a pattern takes what is down, too */
	    {"eth1", true, false, 3}, {"eth1", false, false, 3},
	    {"eth9", true, false, 1}, /* left out by the first: the next may take it */
	    {"eth9", false, false, -1}, {"eth0.100", true, false, 1},
	    {"eth0.100", false, false, 2}, {"wlan0", true, false, 1},
	    {"wlan0", false, false, 2}, {"wlan1", false, false, -1},
	    {"veth0", true, false, 2}, {"veth1", true, false, -1},
	    {"lo", true, true, 4},
	    {"lo1", true, true, -1}, /* any-up takes no loopback */
	    {"lo0", true, true, 2}, /* a pattern does */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct config_iface *entry =
		    config_iface_for(entries, sizeof(entries) / sizeof(entries[0]),
			rows[i].name, rows[i].up, rows[i].loopback);
		int found = entry ? (int)(entry - entries) : -1;
		if (found != rows[i].entry)
			fail_msg(
			    "%s: %d instead of %d", rows[i].name, found, rows[i].entry);
	}
	assert_null(config_iface_for(NULL, 0, "eth0", true, false));
}

static void
an_entry_is_told_as_it_was_written(void **state)
{
	(void)state;
	assert_string_equal(config_iface_text(&entries[0]), "eth*");
	assert_string_equal(config_iface_text(&entries[1]), "any-up");
	assert_string_equal(config_iface_text(&entries[3]), "eth1");
}

static void
log_targets_are_a_word_or_an_address_and_port(void **state)
{
	static const struct {
		const char *text;
		enum config_log_target target;
		const char *address;
		uint16_t port;
	} rows[] = {
	    {"stderr", CONFIG_LOG_STDERR, "", 0},
	    {"syslog", CONFIG_LOG_SYSLOG, "", 0},
	    {"udp", CONFIG_LOG_UDP, "127.0.0.1", 514},
	    {"udp:192.0.2.1:1514", CONFIG_LOG_UDP, "192.0.2.1", 1514},
	    {"udp:[::1]:514", CONFIG_LOG_UDP, "::1", 514},
	    {"udp:[2001:db8::ffff:192.0.2.1]:65535", CONFIG_LOG_UDP,
		"2001:db8::ffff:192.0.2.1", 65535},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_log log;
		memset(&log, 0x5a, sizeof(log));
		assert_int_equal(config_log_parse(rows[i].text, &log), 0);
		assert_int_equal(log.target, rows[i].target);
		assert_string_equal(log.address, rows[i].address);
		assert_int_equal(log.port, rows[i].port);
	}
}

static void
anything_else_is_no_log_target(void **state)
{
	static const char *const wrong[] = {"", "Stderr", "stderr ", "journal",
	    "udp:", "udp::514", "udp:192.0.2.1", "udp:192.0.2.1:", "udp:192.0.2.1:0",
	    "udp:192.0.2.1:65536", "udp:192.0.2.1:+5", "udp:192.0.2.1:5x",
	    "udp:192.0.2:514", "udp:localhost:514", "udp:::1:514", "udp:[::1]",
	    "udp:[::1]514", "udp:[::1:514", "udp:[192.0.2.1]:514",
	    "udp:[fe80::1%lo]:514", "udp: 192.0.2.1:514", "syslog:192.0.2.1:514",
	    "tcp:192.0.2.1:514",
	    "udp:11111111111111111111111111111111111111111111111111111111111111111111:1"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct config_log log = {.port = 4711};
		if (config_log_parse(wrong[i], &log) != -EINVAL)
			fail_msg("%s", wrong[i]);
		assert_int_equal(log.port, 4711);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_name_goes_before_patterns_and_the_first_pattern_before_others),
	    cmocka_unit_test(an_entry_is_told_as_it_was_written),
	    cmocka_unit_test(log_targets_are_a_word_or_an_address_and_port),
	    cmocka_unit_test(anything_else_is_no_log_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
