/* weirctl enable, disable, update and reload against a fake daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "client/client.h"
#include "client/testing/testing.h"
#include "proto/entries.h"
#include "proto/pack.h"
#include "proto/view.h"

/* --- the daemon's answers --- */

struct change {
	const char *name;
	const char *action;
	const char *result;
	const char *keys[3];
	const char *state;
	const char *error;
	const char *text;
};

/* What the next answer says, and what the last request said; the daemon's thread reads and
 * writes only between a question and its answer. */
static struct {
	_Atomic(const struct change *) changes; /* ends with a NULL name */
	atomic_bool settings;
	atomic_bool faults;
	atomic_bool dry_run;
	char ifaces[128]; /* of the request, joined by '+' */
	struct config_iface entry[4]; /* of an update */
	size_t entry_count;
	char why[ENTRIES_WHY_SIZE];
} told;

static void
remember_ifaces(const struct msg *request)
{
	const msgpack_object *ifaces;
	size_t used = 0;

	snprintf(told.ifaces, sizeof(told.ifaces), "all");
	if (view_array(request->body, "ifaces", &ifaces) != 0)
		return;
	for (uint32_t i = 0; i < ifaces->via.array.size; i++) {
		const msgpack_object_str *name = &ifaces->via.array.ptr[i].via.str;
		used += (size_t)snprintf(told.ifaces + used, sizeof(told.ifaces) - used,
		    "%s%.*s", i > 0 ? "+" : "", (int)name->size, name->ptr);
	}
}

static void
remember_entries(const struct msg *request)
{
	struct config_iface *entries = NULL;
	size_t count = 0;

	told.entry_count = 0;
	told.why[0] = '\0';
	if (view_entries(request->body, "entries", &entries, &count, told.why) != 0)
		return;
	for (; told.entry_count < count && told.entry_count < 4; told.entry_count++)
		told.entry[told.entry_count] = entries[told.entry_count];
	free(entries);
}

static void
pack_change(struct pack *pack, const struct change *change)
{
	pack_key_map(pack, change->name);
	pack_key_str(pack, "action", change->action);
	pack_key_str(pack, "result", change->result);
	pack_key_array(pack, "keys");
	for (size_t i = 0; i < 3 && change->keys[i]; i++)
		pack_str(pack, change->keys[i]);
	pack_end(pack);
	pack_key_str(pack, "state", change->state);
	pack_key_str(pack, "error", change->error);
	pack_key_str(pack, "text", change->text);
	pack_end(pack);
}

static void
answer_change(struct pack *pack, const struct msg *request)
{
	bool dry_run = false;

	remember_ifaces(request);
	if (request->type == MSG_UPDATE)
		remember_entries(request);
	(void)view_bool(request->body, "dry_run", &dry_run);
	told.dry_run = dry_run;
	if (told.faults) {
		pack_request(pack, request->type);
		pack_key_bool(pack, "ok", false);
		pack_key_str(pack, "error", "failed");
		pack_key_str(
		    pack, "text", "weir.yaml has 2 faults; nothing was changed");
		pack_key_array(pack, "faults");
		pack_str(
		    pack, "/etc/weir.yaml:3:9: snaplen: \"a\xff\x1b\" is no number");
		pack_str(pack, "/etc/weir.yaml:7:1: colour: unknown key");
		pack_end(pack);
		return;
	}
	pack_answer(pack, request->type);
	pack_key_bool(pack, "dry_run", dry_run);
	pack_key_map(pack, "ifaces");
	for (const struct change *c = told.changes; c && c->name; c++)
		pack_change(pack, c);
	pack_end(pack);
	if (told.settings) {
		pack_key_map(pack, "settings");
		pack_key_str(pack, "rotation", "now");
		pack_key_str(pack, "keep", "restart");
		pack_end(pack);
	}
}

static int
setup(void **state)
{
	static const enum msg_type types[] = {
	    MSG_ENABLE, MSG_DISABLE, MSG_UPDATE, MSG_RELOAD};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		testing_on(types[i], answer_change);
	return testing_setup(state);
}

static int
reset(void **state)
{
	(void)state;
	told.changes = NULL;
	told.settings = false;
	told.faults = false;
	return 0;
}

/* --- weirctl --- */

static void
all_done_makes_it_0(void **state)
{
	static const struct change changes[] = {
	    {"eth0", "enable", "done", {NULL}, "active", "", ""},
	    {"eth1", "enable", "unchanged", {NULL}, "active", "", ""},
	    {"eth2", "enable", "done", {NULL}, "error", "", "waits for the interface"},
	    {0},
	};

	(void)state;
	told.changes = changes;
	assert_int_equal(testing_run("-s @ enable"), EXIT_DONE);
	assert_string_equal(testing_err, "");
	assert_string_equal(testing_out,
	    "IFACE  ACTION  RESULT     STATE   KEYS  WHY\n"
	    "eth0   enable  done       active        \n"
	    "eth1   enable  unchanged  active        \n"
	    "eth2   enable  done       error         waits for the interface\n");
	assert_string_equal(told.ifaces, "all");
}

static void
names_are_taken_as_bytes(void **state)
{
	static const struct change changes[] = {
	    {"a\xff\"b", "disable", "done", {NULL}, "uninitialized", "", ""},
	    {0},
	};

	(void)state;
	told.changes = changes;
	assert_int_equal(testing_run("-s @ disable a\xff\"b -- -odd"), EXIT_DONE);
	assert_string_equal(told.ifaces, "a\xff\"b+-odd");
	testing_expect(testing_out, "a\\xff\"b  disable  done    disabled");
	assert_int_equal(testing_run("-s @ disable -o json a\xff\"b"), EXIT_DONE);
	assert_string_equal(testing_out,
	    "{\"dry_run\":false,\"ifaces\":{\"a\\\\xff\\\"b\":{\"action\":\"disable\","
	    "\"result\":\"done\",\"keys\":[],\"state\":\"uninitialized\",\"error\":\"\","
	    "\"text\":\"\"}}}\n");
	assert_int_equal(testing_run("-s @ disable -o csv"), EXIT_DONE);
	assert_string_equal(testing_out,
	    "iface,action,result,state,keys,error,text\n"
	    "\"a\\xff\"\"b\",disable,done,uninitialized,,,\n");
}

static const struct change some_failed[] = {
    {"eth0", "enable", "done", {NULL}, "active", "", ""},
    {"a\x1b", "enable", "failed", {NULL}, "error", "permission", "no \x1b[2J right"},
    {0},
};

static void
some_failed_makes_it_4(void **state)
{
	(void)state;
	told.changes = some_failed;
	assert_int_equal(testing_run("-s @ enable"), EXIT_INCOMPLETE);
	testing_expect(testing_out,
	    "a\\x1b  enable  failed  error         permission: no \\x1b[2J right\n");
	assert_string_equal(testing_err, "");
	/* whoever reads CSV or JSON by a program still sees it */
	assert_int_equal(testing_run("-s @ enable -o csv"), EXIT_INCOMPLETE);
	assert_string_equal(
	    testing_err, "weirctl: enable: a\\x1b: permission: no \\x1b[2J right\n");
	testing_expect(
	    testing_out, ",enable,failed,error,,permission,no \\x1b[2J right\n");
	assert_int_equal(testing_run("-s @ enable -o json"), EXIT_INCOMPLETE);
	testing_expect(testing_out, "\"error\":\"permission\"");
	testing_expect(testing_err, "permission");
}

static void
all_failed_makes_it_1(void **state)
{
	(void)state;
	told.changes = some_failed + 1;
	assert_int_equal(testing_run("-s @ enable"), EXIT_FAILED);
	assert_int_equal(testing_run("-s @ disable -o json"), EXIT_FAILED);
}

static const struct change planned[] = {
    {"eth0", "kept", "unchanged", {NULL}, "active", "", ""},
    {"eth1", "changed", "planned", {"snaplen", "filter", NULL}, "active", "", ""},
    {"eth2", "new", "planned", {NULL}, "uninitialized", "", ""},
    {"eth3", "removed", "planned", {NULL}, "active", "", ""},
    {0},
};

static void
reload_shows_what_is_planned_and_what_settings_need(void **state)
{
	(void)state;
	told.changes = planned;
	told.settings = true;
	assert_int_equal(testing_run("-s @ reload --dry-run"), EXIT_DONE);
	assert_true(told.dry_run);
	assert_string_equal(testing_err, "");
	assert_string_equal(testing_out,
	    "IFACE  ACTION   RESULT     STATE          KEYS            WHY\n"
	    "eth0   kept     unchanged  active                         \n"
	    "eth1   changed  planned    active         snaplen,filter  \n"
	    "eth2   new      planned    uninitialized                  \n"
	    "eth3   removed  planned    active                         \n"
	    "rotation: takes effect now\n"
	    "keep: needs a restart\n"
	    "dry run: nothing was changed\n");
	assert_int_equal(testing_run("-s @ reload"), EXIT_DONE);
	assert_false(told.dry_run);
	assert_null(strstr(testing_out, "dry run"));
	assert_int_equal(testing_run("-s @ reload -o json"), EXIT_DONE);
	testing_expect(
	    testing_out, "\"settings\":{\"rotation\":\"now\",\"keep\":\"restart\"}");
	testing_expect(testing_out, "\"keys\":[\"snaplen\",\"filter\"]");
	assert_int_equal(testing_run("-s @ reload -o csv"), EXIT_DONE);
	testing_expect(
	    testing_out, "eth1,changed,planned,active,\"snaplen,filter\",,\n");
	assert_string_equal(testing_err, "weirctl: reload: keep: needs a restart\n");
}

static void
a_dry_run_that_will_fail_is_4_or_1(void **state)
{
	static const struct change changes[] = {
	    {"eth0", "kept", "unchanged", {NULL}, "active", "", ""},
	    {"eth1", "changed", "will_fail", {"filter"}, "active", "filter",
		"syntax error"},
	    {0},
	};

	(void)state;
	told.changes = changes;
	assert_int_equal(testing_run("-s @ reload --dry-run"), EXIT_INCOMPLETE);
	testing_expect(
	    testing_out, "will_fail  active  filter  filter: syntax error\n");
	told.changes = changes + 1;
	assert_int_equal(testing_run("-s @ reload --dry-run"), EXIT_FAILED);
}

static void
nothing_to_do_is_said_and_0(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ reload"), EXIT_DONE);
	testing_expect(testing_out, "no interfaces\n");
}

static void
faults_that_the_daemon_finds_are_told_line_by_line(void **state)
{
	(void)state;
	told.faults = true;
	assert_int_equal(testing_run("-s @ reload"), EXIT_FAILED);
	assert_string_equal(testing_out, "");
	assert_string_equal(testing_err,
	    "/etc/weir.yaml:3:9: snaplen: \"a\\xff\\x1b\" is no number\n"
	    "/etc/weir.yaml:7:1: colour: unknown key\n"
	    "weirctl: reload: weir.yaml has 2 faults; nothing was changed\n");
}

static void
an_answer_without_its_form_is_malformed(void **state)
{
	static const struct change changes[] = {
	    {"eth0", "enable", "perhaps", {NULL}, "active", "", ""},
	    {0},
	};

	(void)state;
	told.changes = changes;
	assert_int_equal(testing_run("-s @ enable"), EXIT_FAILED);
	testing_expect(testing_err, "the daemon's answer is malformed");
}

#define FILE_TEXT \
	"rotation: 60s\n" \
	"defaults:\n" \
	"  snaplen: 256\n" \
	"interfaces:\n" \
	"  - name: eth0\n" \
	"    filter: udp port 53\n" \
	"  - name: \"veth*\"\n" \
	"    not: \"veth9\"\n"

static void
expect_entries(void)
{
	assert_string_equal(told.why, "");
	assert_int_equal(told.entry_count, 2);
	assert_int_equal(told.entry[0].kind, CONFIG_IFACE_NAMED);
	assert_string_equal(told.entry[0].name.s, "eth0");
	assert_string_equal(told.entry[0].capture.filter, "udp port 53");
	assert_int_equal(told.entry[0].capture.snaplen, 256);
	assert_int_equal(told.entry[1].kind, CONFIG_IFACE_PATTERN);
	assert_string_equal(told.entry[1].pattern, "veth*");
	assert_int_equal(told.entry[1].not_count, 1);
	assert_string_equal(told.entry[1].not [0], "veth9");
	assert_string_equal(told.entry[1].capture.filter, "");
}

static void
update_sends_the_entries_of_a_file(void **state)
{
	char line[256];

	(void)state;
	told.changes = planned;
	snprintf(
	    line, sizeof(line), "-s @ update %s", testing_file("weir.yaml", FILE_TEXT));
	assert_int_equal(testing_run(line), EXIT_DONE);
	assert_string_equal(testing_err, "");
	testing_expect(testing_out, "snaplen,filter");
	assert_false(told.dry_run);
	expect_entries();
	snprintf(line, sizeof(line), "-s @ update --dry-run %s",
	    testing_file("weir.yaml", NULL));
	assert_int_equal(testing_run(line), EXIT_DONE);
	assert_true(told.dry_run);
	testing_expect(testing_out, "dry run: nothing was changed\n");
	memset(told.entry, 0, sizeof(told.entry));
	assert_int_equal(testing_run_input("-s @ update -", FILE_TEXT), EXIT_DONE);
	expect_entries();
}

static void
update_of_a_faulty_file_asks_nobody(void **state)
{
	char line[256], want[256];

	(void)state;
	told.entry_count = 99;
	snprintf(line, sizeof(line), "-s @ update %s",
	    testing_file("weir.yaml",
		"interfaces:\n  - name: eth0\n    snaplen: many\n    colour: red\n"));
	assert_int_equal(testing_run(line), EXIT_FAILED);
	assert_string_equal(testing_out, "");
	snprintf(
	    want, sizeof(want), "%s:3:14: snaplen: ", testing_file("weir.yaml", NULL));
	assert_ptr_equal(strstr(testing_err, want), testing_err);
	snprintf(want, sizeof(want), "\n%s:4:5: ", testing_file("weir.yaml", NULL));
	testing_expect(testing_err, want);
	assert_int_equal(testing_run("-s @ update /nowhere/weir.yaml"), EXIT_FAILED);
	testing_expect(testing_err, "/nowhere/weir.yaml");
	assert_int_equal(
	    testing_run_input("-s @ update -", "interfaces: 3\n"), EXIT_FAILED);
	testing_expect(testing_err, "standard input:1:");
	assert_int_equal(told.entry_count, 99);
}

static void
no_daemon_makes_it_3(void **state)
{
	static const char *const commands[] = {
	    "enable", "disable eth0", "reload", "reload --dry-run", "update -"};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(line, sizeof(line), "-s /nowhere/weir.sock %s", commands[i]);
		assert_int_equal(testing_run_input(line, FILE_TEXT), EXIT_NO_DAEMON);
		testing_expect(testing_err, "no daemon at /nowhere/weir.sock");
	}
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_done_makes_it_0),
	    TEST(names_are_taken_as_bytes),
	    TEST(some_failed_makes_it_4),
	    TEST(all_failed_makes_it_1),
	    TEST(reload_shows_what_is_planned_and_what_settings_need),
	    TEST(a_dry_run_that_will_fail_is_4_or_1),
	    TEST(nothing_to_do_is_said_and_0),
	    TEST(faults_that_the_daemon_finds_are_told_line_by_line),
	    TEST(an_answer_without_its_form_is_malformed),
	    TEST(update_sends_the_entries_of_a_file),
	    TEST(update_of_a_faulty_file_asks_nobody),
	    TEST(no_daemon_makes_it_3),
	};

	return cmocka_run_group_tests(tests, setup, testing_teardown);
}
