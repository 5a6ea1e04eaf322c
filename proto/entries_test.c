#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/entries.h"
#include "proto/parts.h"

static struct pack pack;
static struct msg msg;
static struct config_iface *entries;
static size_t count;
static char why[ENTRIES_WHY_SIZE];

static int
begin(void **state)
{
	(void)state;
	pack_init(&pack);
	pack_request(&pack, MSG_UPDATE);
	entries = NULL;
	count = 4711;
	strcpy(why, "");
	return 0;
}

static int
end(void **state)
{
	(void)state;
	pack_fini(&pack);
	return 0;
}

/* What the daemon makes of the message in the pack. */
static int
receive(void)
{
	int rc;

	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(msg_parse(&msg, pack.buffer.data, pack.buffer.size), 0);
	rc = view_entries(msg.body, "entries", &entries, &count, why);
	msg_fini(&msg);
	return rc;
}

static void
what_was_sent_arrives(void **state)
{
	static struct config_iface sent[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		capture_config_default(&sent[i].capture);
	assert_int_equal(iface_name_set(&sent[0].name, "a@b\"c;\xc3\xa9$("), 0);
	sent[0].capture.snaplen = 256;
	strcpy(sent[0].capture.filter, "tcp");
	sent[1].kind = CONFIG_IFACE_PATTERN;
	strcpy(sent[1].pattern, "eth[0-9]*");
	strcpy(sent[1].not [0], "eth9");
	strcpy(sent[1].not [1], "*.*");
	sent[1].not_count = 2;
	sent[1].capture.promiscuous = false;
	sent[2].kind = CONFIG_IFACE_ANY_UP;
	strcpy(sent[2].not [0], "lo");
	sent[2].not_count = 1;
	assert_int_equal(iface_name_set(&sent[3].name, "\xff\x01"), 0);

	pack_key_entries(&pack, "entries", sent, 4);
	assert_int_equal(receive(), 0);
	assert_int_equal(count, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(entries[i].kind, sent[i].kind);
		assert_string_equal(entries[i].name.s, sent[i].name.s);
		assert_string_equal(entries[i].pattern, sent[i].pattern);
		assert_int_equal(entries[i].not_count, sent[i].not_count);
		assert_memory_equal(entries[i].not, sent[i].not, sizeof(sent[i].not ));
		assert_int_equal(
		    capture_config_compare(&entries[i].capture, &sent[i].capture),
		    CAPTURE_SAME);
		assert_int_equal(entries[i].line, 0);
	}
	assert_int_equal(entries[0].capture.snaplen, 256);
	free(entries);
}

static void
no_entries_are_a_set_too(void **state)
{
	(void)state;
	pack_key_entries(&pack, "entries", NULL, 0);
	assert_int_equal(receive(), 0);
	assert_int_equal(count, 0);
	free(entries);
}

static void
as_many_as_a_file_may_have_and_no_more(void **state)
{
	static struct config_iface many[CONFIG_IFACES_MAX + 1];

	(void)state;
	for (size_t i = 0; i <= CONFIG_IFACES_MAX; i++) {
		capture_config_default(&many[i].capture);
		many[i].kind = CONFIG_IFACE_PATTERN;
		snprintf(many[i].pattern, sizeof(many[i].pattern), "v%zu?*", i);
		for (int j = 0; j < CONFIG_NOT_MAX; j++)
			strcpy(many[i].not [many[i].not_count++], "*.*");
	}
	pack_key_entries(&pack, "entries", many, CONFIG_IFACES_MAX);
	/* the first limit that a sender would meet is the size of a request */
	assert_true(pack.buffer.size < MSG_REQUEST_SIZE_MAX);
	assert_int_equal(receive(), 0);
	assert_int_equal(count, CONFIG_IFACES_MAX);
	assert_string_equal(entries[1023].pattern, "v1023?*");
	free(entries);
	entries = NULL;
	pack_request(&pack, MSG_UPDATE);
	pack_key_entries(&pack, "entries", many, CONFIG_IFACES_MAX + 1);
	assert_int_equal(receive(), -EPROTO);
	assert_string_equal(why, "1025 entries; at most 1024");
}

/* As many as a file may have, each with its own name and snaplen. */
static struct config_iface *
make_many(void)
{
	static struct config_iface many[CONFIG_IFACES_MAX];

	memset(many, 0, sizeof(many));
	for (size_t i = 0; i < CONFIG_IFACES_MAX; i++) {
		char name[IFACE_NAME_SIZE];

		snprintf(name, sizeof(name), "vlan-eth.%u", (unsigned)i % 10000);
		assert_int_equal(iface_name_set(&many[i].name, name), 0);
		capture_config_default(&many[i].capture);
		many[i].capture.snaplen = 64 + (uint32_t)i;
	}
	return many;
}

static void
what_entries_have_in_common_is_sent_once(void **state)
{
	struct config_iface *many = make_many();

	(void)state;
	/* of 4,095 bytes in all but every 100th, which has another or none */
	for (size_t i = 0; i < CONFIG_IFACES_MAX; i++) {
		char *filter = many[i].capture.filter;

		if (i % 200 == 100)
			strcpy(filter, "tcp");
		else if (i % 200 != 0)
			memset(filter, 'u', CAPTURE_FILTER_SIZE - 1);
		many[i].capture.buffer = i % 3 == 0 ? 1 << 20 : 4 << 20;
		many[i].capture.promiscuous = i == 7;
	}
	pack_key_entries(&pack, "entries", many, CONFIG_IFACES_MAX);
	assert_true(pack.buffer.size < MSG_REQUEST_SIZE_MAX / 2);
	assert_int_equal(receive(), 0);
	assert_int_equal(count, CONFIG_IFACES_MAX);
	for (size_t i = 0; i < CONFIG_IFACES_MAX; i++) {
		assert_string_equal(entries[i].name.s, many[i].name.s);
		assert_int_equal(
		    capture_config_compare(&entries[i].capture, &many[i].capture),
		    CAPTURE_SAME);
	}
	free(entries);
}

/* Another client may send each entry whole, or only what it wants to be different. */
static void
defaults_may_be_missing_and_so_may_what_is_as_in_them(void **state)
{
	struct capture_config config;

	(void)state;
	capture_config_default(&config);
	config.snaplen = 999;
	strcpy(config.filter, "udp");
	pack_key_config(&pack, "defaults", &config);
	pack_key_array(&pack, "entries");
	pack_map(&pack);
	pack_key_str(&pack, "name", "eth0");
	pack_end(&pack);
	pack_map(&pack);
	pack_key_str(&pack, "name", "eth1");
	pack_key_map(&pack, "config");
	pack_key_str(&pack, "filter", "");
	pack_end(&pack);
	pack_end(&pack);
	pack_end(&pack);
	assert_int_equal(receive(), 0);
	assert_int_equal(count, 2);
	assert_int_equal(capture_config_compare(&entries[0].capture, &config), 0);
	assert_int_equal(entries[1].capture.snaplen, 999);
	assert_string_equal(entries[1].capture.filter, "");
	free(entries);

	pack_request(&pack, MSG_UPDATE);
	pack_key_array(&pack, "entries");
	pack_map(&pack);
	pack_key_str(&pack, "name", "eth0");
	pack_key_config(&pack, "config", &config);
	pack_end(&pack);
	pack_end(&pack);
	assert_int_equal(receive(), 0);
	assert_int_equal(entries[0].capture.snaplen, 999);
	free(entries);
}

/* Sends these defaults (NULL: a text) and one entry with a configuration of one key. */
static int
receive_over(const struct capture_config *base, const char *key, uint64_t value)
{
	pack_request(&pack, MSG_UPDATE);
	if (base)
		pack_key_config(&pack, "defaults", base);
	else
		pack_key_str(&pack, "defaults", "none");
	pack_key_array(&pack, "entries");
	pack_map(&pack);
	pack_key_str(&pack, "name", "eth0");
	pack_key_map(&pack, "config");
	pack_key_u64(&pack, key, value);
	pack_end(&pack);
	pack_end(&pack);
	pack_end(&pack);
	return receive();
}

static void
defaults_are_held_to_the_same_ranges(void **state)
{
	struct capture_config config;

	(void)state;
	capture_config_default(&config);
	assert_int_equal(receive_over(&config, "timeout_ms", 0), -EPROTO);
	assert_string_equal(why, "eth0: \"config\" has a value out of range");
	assert_int_equal(receive_over(&config, "filter", 5), -EPROTO);
	assert_string_equal(why, "eth0: \"config\" or a key of it is of another type");
	assert_int_equal(receive_over(NULL, "snaplen", 100), -EPROTO);
	assert_string_equal(why, "\"defaults\" or a key of it is of another type");
	config.snaplen = 63;
	assert_int_equal(receive_over(&config, "snaplen", 100), -EPROTO);
	assert_string_equal(why, "\"defaults\" has a value out of range");
	assert_null(entries);
}

static void
not_nothing(void)
{
}

static void
not_a_name(void)
{
	pack_key_str(&pack, "name", "a/b");
}

static void
not_too_long(void)
{
	pack_key_str(&pack, "name", "sixteen-bytes-xx");
}

static void
not_any(void)
{
	pack_key_str(&pack, "name", "any");
}

static void
not_both(void)
{
	pack_key_str(&pack, "name", "eth0");
	pack_key_bool(&pack, "any_up", true);
}

static void
not_false(void)
{
	pack_key_bool(&pack, "any_up", false);
}

static void
not_a_pattern(void)
{
	pack_key_str(&pack, "pattern", "eth0");
}

static void
not_closed(void)
{
	pack_key_str(&pack, "pattern", "\x1b[0-9");
}

static void
not_64(void)
{
	pack_key_str(&pack, "pattern",
	    "*234567890123456789012345678901234567890123456789012345678901234");
}

static void
not_with_a_name(void)
{
	pack_key_str(&pack, "name", "eth0");
	pack_key_array(&pack, "not");
	pack_end(&pack);
}

static void
not_a_list(void)
{
	pack_key_bool(&pack, "any_up", true);
	pack_key_str(&pack, "not", "lo");
}

static void
not_texts(void)
{
	pack_key_bool(&pack, "any_up", true);
	pack_key_array(&pack, "not");
	pack_u64(&pack, 5);
	pack_end(&pack);
}

static void
not_names(void)
{
	pack_key_bool(&pack, "any_up", true);
	pack_key_array(&pack, "not");
	pack_str(&pack, "");
	pack_end(&pack);
}

static void
not_17(void)
{
	pack_key_bool(&pack, "any_up", true);
	pack_key_array(&pack, "not");
	for (int i = 0; i < 17; i++)
		pack_str(&pack, "lo");
	pack_end(&pack);
}

static void
not_in_range(void)
{
	struct capture_config config;

	capture_config_default(&config);
	config.snaplen = 63;
	pack_key_str(&pack, "name", "eth0");
	pack_key_config(&pack, "config", &config);
}

static void
each_fault_has_a_sentence(void **state)
{
	static const struct {
		void (*write)(void);
		const char *why;
	} rows[] = {
	    {not_nothing, "an entry has one of \"name\", \"pattern\", \"any_up\""},
	    {not_both, "an entry has one of \"name\", \"pattern\", \"any_up\""},
	    {not_a_name, "\"name\" is not an interface name"},
	    {not_too_long, "\"name\" is not an interface name"},
	    {not_any, "\"any\" is not supported; any_up takes what is up"},
	    {not_false, "\"any_up\" can only be true"},
	    {not_a_pattern, "\"eth0\" is not a pattern"},
	    {not_closed, "\"\\x1b[0-9\" has a bracket [ that is not closed"},
	    {not_64, "\"pattern\" is a text of at most 63 bytes"},
	    {not_with_a_name, "\"not\" is a list, and only with a pattern or any_up"},
	    {not_a_list, "\"not\" is a list, and only with a pattern or any_up"},
	    {not_texts, "a member of \"not\" is no text of at most 63 bytes"},
	    {not_names, "\"\" is not an interface name"},
	    {not_17, "\"not\" has 17 members; at most 16"},
	    {not_in_range, "eth0: \"config\" has a value out of range"},
	};
	struct capture_config config;

	(void)state;
	capture_config_default(&config);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pack_request(&pack, MSG_UPDATE);
		pack_key_array(&pack, "entries");
		pack_map(&pack);
		rows[i].write();
		if (rows[i].write != not_in_range)
			pack_key_config(&pack, "config", &config);
		pack_end(&pack);
		pack_end(&pack);
		assert_int_equal(receive(), -EPROTO);
		assert_string_equal(why, rows[i].why);
		assert_null(entries);
		assert_int_equal(count, 4711);
	}
}

static void
a_config_is_needed(void **state)
{
	(void)state;
	pack_key_array(&pack, "entries");
	pack_map(&pack);
	pack_key_bool(&pack, "any_up", true);
	pack_end(&pack);
	pack_end(&pack);
	assert_int_equal(receive(), -EPROTO);
	assert_string_equal(why, "any-up: \"config\" is missing or lacks a key");
}

static void
entries_are_a_list_of_maps(void **state)
{
	(void)state;
	pack_key_str(&pack, "entries", "eth0");
	assert_int_equal(receive(), -EPROTO);
	assert_string_equal(why, "\"entries\" is missing or no list");
	pack_request(&pack, MSG_UPDATE);
	pack_key_array(&pack, "entries");
	pack_str(&pack, "eth0");
	pack_end(&pack);
	assert_int_equal(receive(), -EPROTO);
	assert_string_equal(why, "an entry is a map");
}

static void
the_same_twice_is_refused_by_its_text(void **state)
{
	static struct config_iface same[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		capture_config_default(&same[i].capture);
		assert_int_equal(
		    iface_name_set(&same[i].name, i == 1 ? "eth1" : "eth0"), 0);
	}
	pack_key_entries(&pack, "entries", same, 3);
	assert_int_equal(receive(), -EPROTO);
	assert_string_equal(why, "two entries for \"eth0\"");
	for (int i = 0; i < 3; i++) {
		same[i].kind = i == 1 ? CONFIG_IFACE_NAMED : CONFIG_IFACE_PATTERN;
		strcpy(same[i].pattern, i == 1 ? "" : "eth*");
	}
	pack_request(&pack, MSG_UPDATE);
	pack_key_entries(&pack, "entries", same, 3);
	assert_int_equal(receive(), -EPROTO);
	assert_string_equal(why, "two entries for \"eth*\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_was_sent_arrives, begin, end),
	    cmocka_unit_test_setup_teardown(no_entries_are_a_set_too, begin, end),
	    cmocka_unit_test_setup_teardown(
		as_many_as_a_file_may_have_and_no_more, begin, end),
	    cmocka_unit_test_setup_teardown(
		what_entries_have_in_common_is_sent_once, begin, end),
	    cmocka_unit_test_setup_teardown(
		defaults_may_be_missing_and_so_may_what_is_as_in_them, begin, end),
	    cmocka_unit_test_setup_teardown(
		defaults_are_held_to_the_same_ranges, begin, end),
	    cmocka_unit_test_setup_teardown(each_fault_has_a_sentence, begin, end),
	    cmocka_unit_test_setup_teardown(a_config_is_needed, begin, end),
	    cmocka_unit_test_setup_teardown(entries_are_a_list_of_maps, begin, end),
	    cmocka_unit_test_setup_teardown(
		the_same_twice_is_refused_by_its_text, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
