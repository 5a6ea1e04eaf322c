/* What is read of a status answer, and the word that is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "client/daemon/iface_status.h"
#include "proto/parts.h"

/* What a test says of the one interface; NULL leaves the key out. */
struct facts {
	const char *wanted;
	const char *state;
	const char *reason;
	const char *presence; /* NULL: no link at all */
	uint64_t pid;
	bool answers;
};

static struct pack pack;
static struct msg msg;

static void
pack_begin(const struct facts *facts)
{
	pack_init(&pack);
	pack_answer(&pack, MSG_STATUS);
	pack_key_map(&pack, "ifaces");
	pack_key_map(&pack, "a\xff\"b");
	pack_key_str(&pack, "wanted", facts->wanted);
	pack_key_str(&pack, "state", facts->state);
	pack_key_str(&pack, "reason", facts->reason);
	pack_key_u64(&pack, "pid", facts->pid);
	pack_key_u64(&pack, "uptime_ms", 1000);
	pack_key_u64(&pack, "restarts", 2);
	pack_key_u64(&pack, "rotations", 3);
}

static void
pack_worker(void)
{
	struct interval interval = {.flows = 3};
	struct counter total = {7, 700};

	pack_key_map(&pack, "worker");
	pack_key_str(&pack, "reason_text", "in its own words");
	pack_key_interval(&pack, "interval", &interval);
	pack_key_u64(&pack, "flows", 3);
	pack_key_u64(&pack, "flow_limit", 100);
	pack_key_counter(&pack, "total", &total);
	pack_end(&pack);
}

/* The end of the message, and what is read of it. */
static int
read_back(struct iface_status *out)
{
	struct iface_status *all;
	size_t count;
	int rc;

	pack_end(&pack); /* the interface */
	pack_end(&pack); /* all of them */
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(msg_parse(&msg, pack.buffer.data, pack.buffer.size), 0);
	rc = iface_status_read(msg.body, &all, &count);
	if (rc == 0) {
		assert_int_equal(count, 1);
		*out = all[0];
		free(all);
	}
	return rc;
}

static void
pack_done(void)
{
	msg_fini(&msg);
	pack_fini(&pack);
}

static void
read_facts(const struct facts *facts, struct iface_status *out)
{
	pack_begin(facts);
	if (facts->presence) {
		pack_key_map(&pack, "link");
		pack_key_str(&pack, "presence", facts->presence);
		pack_end(&pack);
	}
	if (facts->answers)
		pack_worker();
	assert_int_equal(read_back(out), 0);
	pack_done();
}

static void
everything_is_read(void **state)
{
	static const struct facts facts = {"enabled", "active", "", NULL, 4711, true};
	struct iface_status status;

	(void)state;
	pack_begin(&facts);
	pack_key_str(&pack, "entry", "eth\x1b*");
	pack_key_bool(&pack, "leaving", true);
	pack_key_map(&pack, "link");
	pack_key_str(&pack, "presence", "up");
	pack_key_u64(&pack, "index", 7);
	pack_key_str(&pack, "kind", "veth");
	pack_key_u64(&pack, "mtu", 1500);
	pack_key_u64(&pack, "promiscuity", 0);
	pack_key_str(&pack, "offload", "");
	pack_key_str(&pack, "renamed", "");
	pack_end(&pack);
	pack_key_map(&pack, "link_counts");
	pack_key_u64(&pack, "packets", 10);
	pack_key_u64(&pack, "dropped", 2);
	pack_key_u64(&pack, "missed", 0);
	pack_end(&pack);
	pack_worker();
	assert_int_equal(read_back(&status), 0);
	assert_string_equal(status.name, "a\\xff\"b");
	assert_string_equal(status.entry, "eth\\x1b*");
	assert_true(status.leaving);
	assert_int_equal(status.link.presence, PRESENCE_UP);
	assert_int_equal(status.link.index, 7);
	assert_string_equal(status.link.kind, "veth");
	assert_int_equal(status.link.mtu, 1500);
	assert_true(status.link.promiscuity.known);
	assert_int_equal(status.link.promiscuity.value, 0);
	assert_true(status.link.offload_known);
	assert_string_equal(status.link.offload, "");
	assert_true(status.link_counts.known);
	assert_int_equal(status.link_counts.packets, 10);
	assert_true(iface_status_link_drops(&status).known);
	assert_int_equal(iface_status_link_drops(&status).value, 2);
	assert_true(status.answered);
	assert_int_equal(status.flows, 3);
	assert_int_equal(status.total.bytes, 700);
	assert_string_equal(status.reason, "in its own words");
	assert_ptr_equal(view_get(status.map, "entry"),
	    view_get(view_get(view_get(msg.body, "ifaces"), "a\xff\"b"), "entry"));
	pack_done();
}

static void
what_is_not_known_is_not_0(void **state)
{
	static const struct facts facts = {"enabled", "active", "", NULL, 1, true};
	struct iface_status status;

	(void)state;
	pack_begin(&facts);
	pack_key_map(&pack, "link");
	pack_key_str(&pack, "presence", "sideways");
	pack_key_nil(&pack, "promiscuity");
	pack_key_nil(&pack, "offload");
	pack_end(&pack);
	pack_key_nil(&pack, "link_counts");
	assert_int_equal(read_back(&status), 0);
	assert_int_equal(status.link.presence, PRESENCE_UNKNOWN);
	assert_false(status.link.promiscuity.known);
	assert_false(status.link.offload_known);
	assert_false(status.link_counts.known);
	assert_false(iface_status_link_drops(&status).known);
	pack_done();
	/* an older daemon says nothing of all this */
	read_facts(&facts, &status);
	assert_false(status.link.promiscuity.known);
	assert_false(iface_status_link_drops(&status).known);
}

static void
sums_of_drops_do_not_wrap(void **state)
{
	struct iface_status status = {
	    .link_counts = {.known = true, .dropped = UINT64_MAX - 1, .missed = 5}};

	(void)state;
	assert_true(iface_status_link_drops(&status).value == UINT64_MAX);
}

static void
a_value_of_another_type_is_refused(void **state)
{
	static const struct facts facts = {"enabled", "active", "", NULL, 1, true};
	struct iface_status status;

	(void)state;
	pack_begin(&facts);
	pack_key_map(&pack, "link");
	pack_key_str(&pack, "index", "seven");
	pack_end(&pack);
	assert_int_equal(read_back(&status), -EPROTO);
	pack_done();
	pack_begin(&facts);
	pack_key_map(&pack, "link");
	pack_key_bool(&pack, "promiscuity", true);
	pack_end(&pack);
	assert_int_equal(read_back(&status), -EPROTO);
	pack_done();
	pack_begin(&facts);
	pack_key_map(&pack, "link_counts");
	pack_key_u64(&pack, "packets", 1);
	pack_end(&pack);
	assert_int_equal(read_back(&status), -EPROTO);
	pack_done();
}

static const struct {
	struct facts facts;
	const char *word;
	bool word_is_reason;
	bool incomplete;
} words[] = {
    {{"enabled", "active", "", "up", 1, true}, "active", true, false},
    {{"enabled", "active", "", NULL, 1, true}, "active", true, false},
    {{"enabled", "active", "", "down", 1, true}, "down", true, false},
    {{"enabled", "error", "down", "down", 1, true}, "down", true, false},
    {{"enabled", "error", "down", NULL, 1, true}, "down", true, false},
    {{"enabled", "error", "permission", "down", 1, true}, "down", false, false},
    {{"enabled", "error", "gone", "gone", 1, true}, "gone", true, false},
    {{"enabled", "error", "gone", NULL, 1, true}, "gone", true, false},
    {{"enabled", "error", "gone", "gone", 0, false}, "gone", true, false},
    {{"enabled", "error", "no_such_device", "waiting", 1, true}, "waiting", true,
	false},
    {{"enabled", "uninitialized", "", "waiting", 0, false}, "waiting", true, false},
    {{"enabled", "error", "filter", "waiting", 0, false}, "waiting", false, false},
    {{"enabled", "error", "filter", "up", 1, true}, "error", false, false},
    {{"enabled", "error", "no_such_device", NULL, 1, true}, "error", false, false},
    {{"enabled", "uninitialized", "", "up", 1, true}, "starting", true, false},
    {{"enabled", "initialized", "", "up", 1, true}, "starting", true, false},
    /* it was killed and its successor is on its way */
    {{"enabled", "active", "", "up", 0, false}, "starting", true, true},
    {{"enabled", "active", "", "up", 1, false}, "active", true, true},
    {{"enabled", "error", "gone", "gone", 1, false}, "gone", true, true},
    {{"disabled", "uninitialized", "", "up", 1, true}, "disabled", true, false},
    {{"disabled", "uninitialized", "", "gone", 1, false}, "disabled", true, false},
    {{"disabled", "active", "", "up", 1, true}, "active", true, false},
    {{"disabled", "error", "filter", "up", 1, true}, "error", false, false},
};

static void
one_word_says_what_an_interface_is_at(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct iface_status status;
		read_facts(&words[i].facts, &status);
		/* what the worker adds to the reason is not the point here */
		snprintf(
		    status.reason, sizeof(status.reason), "%s", status.reason_name);
		assert_string_equal(iface_status_word(&status), words[i].word);
		assert_int_equal(
		    iface_status_word_is_reason(&status), words[i].word_is_reason);
		assert_int_equal(iface_status_incomplete(&status), words[i].incomplete);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything_is_read),
	    cmocka_unit_test(what_is_not_known_is_not_0),
	    cmocka_unit_test(sums_of_drops_do_not_wrap),
	    cmocka_unit_test(a_value_of_another_type_is_refused),
	    cmocka_unit_test(one_word_says_what_an_interface_is_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
