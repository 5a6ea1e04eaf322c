/* weirctl status against a fake daemon: what stands behind the numbers. The plain forms are
 * in weirctl_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "client/client.h"
#include "client/testing/testing.h"
#include "proto/parts.h"

/* --- the daemon's answers --- */

static void
pack_link(struct pack *pack, const char *presence, uint64_t index, const char *renamed)
{
	pack_key_map(pack, "link");
	pack_key_str(pack, "presence", presence);
	pack_key_u64(pack, "index", index);
	pack_key_str(pack, "kind", index > 0 ? "veth" : "");
	pack_key_u64(pack, "mtu", index > 0 ? 1500 : 0);
	if (index > 0) {
		pack_key_u64(pack, "promiscuity", 0);
		pack_key_str(pack, "offload", "gro tx-vlan");
	} else {
		pack_key_nil(pack, "promiscuity");
		pack_key_nil(pack, "offload");
	}
	pack_key_str(pack, "renamed", renamed);
	pack_end(pack);
}

static void
pack_link_counts(struct pack *pack, uint64_t dropped, uint64_t missed)
{
	pack_key_map(pack, "link_counts");
	pack_key_u64(pack, "packets", 5000);
	pack_key_u64(pack, "dropped", dropped);
	pack_key_u64(pack, "missed", missed);
	pack_end(pack);
}

static void
pack_in_force(struct pack *pack, const char *filter)
{
	pack_key_map(pack, "in_force");
	pack_key_str(pack, "link_type", "EN10MB");
	pack_key_u64(pack, "handles", 2);
	pack_key_u64(pack, "buffer", 1048576);
	pack_key_u64(pack, "snaplen", 128);
	pack_key_u64(pack, "timeout_ms", 100);
	pack_key_bool(pack, "promiscuous", false);
	pack_key_str(pack, "filter", filter);
	pack_end(pack);
	pack_key_map(pack, "rotation");
	pack_key_u64(pack, "count", 12);
	pack_key_u64(pack, "last_ns", 12000);
	pack_key_u64(pack, "worst_ns", 1500000);
	pack_end(pack);
	pack_key_map(pack, "adoption");
	pack_key_u64(pack, "flows", 1234);
	pack_key_bool(pack, "repaired", true);
	pack_key_u64(pack, "ms", 35);
	pack_end(pack);
}

static void
pack_worker(struct pack *pack, const char *filter)
{
	struct interval interval = {.begin_ms = INT64_C(1767225600000),
	    .end_ms = INT64_C(1767225601000),
	    .length_ns = NS_PER_S,
	    .flows = 3,
	    .kernel = {.known = true, .received = 1000, .dropped = 5}};
	struct counter total = {1000, 100000};

	interval.books.received = total;
	interval.books.in_flows = total;
	pack_key_map(pack, "worker");
	pack_key_interval(pack, "interval", &interval);
	pack_key_u64(pack, "flows", 3);
	pack_key_u64(pack, "flow_limit", 65536);
	pack_key_counter(pack, "total", &total);
	if (filter)
		pack_in_force(pack, filter);
	pack_end(pack);
}

static void
pack_facts(struct pack *pack, const char *name, const char *wanted, const char *state,
    const char *reason, uint64_t pid)
{
	pack_key_map(pack, name);
	pack_key_str(pack, "wanted", wanted);
	pack_key_str(pack, "state", state);
	pack_key_str(pack, "reason", reason);
	pack_key_u64(pack, "pid", pid);
	pack_key_u64(pack, "uptime_ms", pid > 0 ? 61000 : 0);
	pack_key_u64(pack, "restarts", 1);
	pack_key_u64(pack, "rotations", 7);
	pack_key_nil(pack, "waiting");
}

static char long_filter[CAPTURE_FILTER_SIZE];

static void
pack_eth0(struct pack *pack)
{
	struct capture_config config;

	capture_config_default(&config);
	config.buffer = 1000000;
	config.snaplen = 256;
	snprintf(config.filter, sizeof(config.filter), "%s", long_filter);
	pack_facts(pack, "a\xff\"b", "enabled", "active", "", 4711);
	pack_key_str(pack, "entry", "a*");
	pack_key_str(pack, "last_exit", "signal 9 (Killed)");
	pack_key_u64(pack, "last_exit_ms", UINT64_C(1767225600000));
	pack_link(pack, "up", 7, "");
	pack_link_counts(pack, 2, 1);
	pack_key_config(pack, "config", &config);
	pack_key_array(pack, "warnings");
	pack_str(pack, "sees the packets of br0\x1b too");
	pack_str(pack, "another");
	pack_str(pack, "sees the packets of br0\x1b too");
	pack_end(pack);
	pack_worker(pack, "udp port 53");
	pack_end(pack);
}

static void
answer_status(struct pack *pack, const struct msg *request)
{
	(void)request;
	pack_answer(pack, MSG_STATUS);
	pack_key_map(pack, "ifaces");
	pack_eth0(pack);
	pack_facts(pack, "downer", "enabled", "active", "", 1);
	pack_link(pack, "down", 8, "");
	pack_link_counts(pack, 0, 0);
	pack_worker(pack, NULL);
	pack_end(pack);
	pack_facts(pack, "goner", "enabled", "error", "gone", 2);
	pack_link(pack, "gone", 0,
	    "lan\x1b"
	    "0");
	pack_key_nil(pack, "link_counts");
	pack_worker(pack, NULL);
	pack_end(pack);
	pack_facts(pack, "waiter", "enabled", "uninitialized", "", 0);
	pack_link(pack, "waiting", 0, "");
	pack_key_nil(pack, "worker");
	pack_end(pack);
	pack_facts(pack, "off", "disabled", "uninitialized", "", 3);
	pack_link(pack, "up", 9, "");
	pack_worker(pack, NULL);
	pack_end(pack);
	pack_facts(pack, "leaver", "disabled", "uninitialized", "", 3);
	pack_key_bool(pack, "leaving", true);
	pack_worker(pack, NULL);
	pack_end(pack);
	pack_facts(pack, "broken", "enabled", "error", "permission", 4);
	pack_link(pack, "up", 10, "");
	pack_worker(pack, NULL);
	pack_end(pack);
	pack_facts(pack, "starter", "enabled", "initialized", "", 5);
	pack_link(pack, "up", 11, "");
	pack_worker(pack, NULL);
	pack_end(pack);
	pack_end(pack);
}

static int
setup(void **state)
{
	size_t used = 0;

	/* longer than any cell of a table may be */
	for (int port = 1; used < 3000; port++)
		used += (size_t)snprintf(long_filter + used, sizeof(long_filter) - used,
		    "%sport %d", port > 1 ? " or " : "", port);
	testing_on(MSG_STATUS, answer_status);
	return testing_setup(state);
}

/* --- weirctl --- */

static void
each_state_has_its_word(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status"), EXIT_DONE);
	testing_expect(testing_out, "\na\\xff\"b  active ");
	testing_expect(testing_out, "\ndowner   down ");
	testing_expect(testing_out, "\ngoner    gone ");
	testing_expect(testing_out, "\nwaiter   waiting ");
	testing_expect(testing_out, "\noff      disabled ");
	testing_expect(testing_out, "\nbroken   error ");
	testing_expect(testing_out, "\nstarter  starting ");
	testing_expect(testing_out, "\nbroken: permission\n");
	testing_expect(testing_out, "\ngoner: is called lan\\x1b0 now\n");
	testing_expect(testing_out,
	    "\nleaver: no longer configured; removed when its flows are stored\n");
	/* what the word says already is not said again */
	assert_null(strstr(testing_out, "goner: gone"));
	assert_null(strstr(testing_out, "off: "));
}

static void
interface_drops_that_are_not_known_are_not_0(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status"), EXIT_DONE);
	testing_expect(testing_out, "  DROPS  IFDROPS  ");
	testing_expect(testing_out,
	    "\na\\xff\"b  active    2026-01-01T00:00:00Z   1.00 k  97.7 KiB        0"
	    "      3      5        3        7  ");
	testing_expect(testing_out,
	    "\ndowner   down      2026-01-01T00:00:00Z   1.00 k  97.7 KiB        0"
	    "      3      5        0        7  ");
	testing_expect(testing_out,
	    "\ngoner    gone      2026-01-01T00:00:00Z   1.00 k  97.7 KiB        0"
	    "      3      5        -        7  ");
}

static void
warnings_are_said_once(void **state)
{
	static const char text[] =
	    "a\\xff\"b: warning: sees the packets of br0\\x1b too\n";

	(void)state;
	for (int verbose = 0; verbose < 2; verbose++) {
		assert_int_equal(
		    testing_run(verbose ? "-s @ status -v" : "-s @ status"), EXIT_DONE);
		const char *at = strstr(testing_out, text);
		assert_non_null(at);
		assert_null(strstr(at + 1, text));
		testing_expect(testing_out, "a\\xff\"b: warning: another\n");
	}
}

static void
a_block_shows_what_is_in_force_beside_what_is_wanted(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status --verbose"), EXIT_DONE);
	assert_string_equal(testing_err, "");
	testing_expect(testing_out,
	    "\n\na\\xff\"b: active\n"
	    "KEY              IN FORCE   WANTED\n"
	    "buffer           1.00 MiB   977 KiB\n"
	    "flows            65.5 k     1.00 M\n"
	    "snaplen          128 B      256 B\n"
	    "timeout          100ms      100ms\n"
	    "promiscuous      no         yes\n"
	    "error_threshold  not known  10000\n"
	    "link_type        EN10MB     \n"
	    "handles          2          \n"
	    "filter         udp port 53\n"
	    "filter wanted  port 1 or port 2 or ");
	testing_expect(testing_out, long_filter); /* whole, however long */
	testing_expect(testing_out,
	    "\nentry          a*\n"
	    "link           up\n"
	    "index          7\n"
	    "kind           veth\n"
	    "mtu            1500\n"
	    "promiscuity    0\n"
	    "offload        gro tx-vlan\n"
	    "interface      5000 packets, 2 dropped, 1 missed\n"
	    "ring           1000 packets, 5 dropped\n"
	    "worker         pid 4711\n"
	    "uptime         1m 1s\n"
	    "restarts       1\n"
	    "last exit      signal 9 (Killed) at 2026-01-01T00:00:00Z\n"
	    "rotation pause last 0.012 ms, worst 1.500 ms, of 12\n"
	    "adoption       1234 flows, counting after 35 ms, one record repaired\n");
}

static void
a_block_says_what_is_not_known(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status -v"), EXIT_DONE);
	testing_expect(testing_out,
	    "\n\nwaiter: waiting\n"
	    "KEY              IN FORCE   WANTED\n"
	    "buffer           not known  not known\n");
	testing_expect(testing_out,
	    "handles          not known  \n"
	    "filter         not known\n"
	    "filter wanted  not known\n"
	    "entry          not known\n"
	    "link           not there yet\n"
	    "index          not known\n"
	    "promiscuity    not known\n"
	    "offload        not known\n"
	    "interface      not known\n"
	    "ring           not known\n"
	    "worker         not running\n"
	    "restarts       1\n"
	    "last exit      none\n"
	    "rotation pause not known\n"
	    "adoption       not known\n");
}

static void
csv_has_the_facts_too(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status -o csv"), EXIT_DONE);
	testing_expect(testing_out,
	    ",restarts,capture,entry,index,kind,mtu,promiscuity,offload,link_packets,"
	    "link_dropped,link_missed\n");
	testing_expect(
	    testing_out, "\n\"a\\xff\"\"b\",enabled,active,,2026-01-01T00:00:00Z,");
	testing_expect(
	    testing_out, ",1,active,a*,7,veth,1500,0,gro tx-vlan,5000,2,1\n");
	testing_expect(testing_out, "\ngoner,enabled,gone,gone,");
	testing_expect(testing_out, ",1,error,,,,,,,,,\n");
	testing_expect(testing_out, "\noff,disabled,disabled,,");
}

static void
json_is_the_daemons_own(void **state)
{
	(void)state;
	assert_int_equal(testing_run("-s @ status -v -o json"), EXIT_DONE);
	testing_expect(testing_out,
	    "\"goner\":{\"wanted\":\"enabled\",\"state\":\"error\",\"reason\":\"gone\"");
	testing_expect(testing_out, "\"promiscuity\":null");
	testing_expect(testing_out, "\"promiscuity\":0");
	testing_expect(testing_out,
	    "\"warnings\":[\"sees the packets of br0\\u001b too\",\"another\",");
}

static void
watch_shows_the_same_words(void **state)
{
	(void)state;
	assert_int_equal(
	    testing_run("-s @ status --watch 0.1 --count 1 -o csv"), EXIT_DONE);
	testing_expect(testing_out,
	    "time,iface,state,packets_per_s,bytes_per_s,flows,dropped,if_dropped,"
	    "refused\n");
	testing_expect(testing_out, ",downer,down,0,0,3,5,0,0\n");
	testing_expect(testing_out, ",goner,gone,0,0,3,5,,0\n");
	testing_expect(testing_out, ",waiter,waiting,,,,,,\n");
	testing_expect(testing_out, ",off,disabled,0,0,3,5,,0\n");
	assert_int_equal(testing_run("-s @ status -w 0.1 -c 1"), EXIT_DONE);
	testing_expect(testing_out, "DROPS  IFDROPS  REFUSED\n");
	testing_expect(testing_out, "  starter       starting  ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_state_has_its_word),
	    cmocka_unit_test(interface_drops_that_are_not_known_are_not_0),
	    cmocka_unit_test(warnings_are_said_once),
	    cmocka_unit_test(a_block_shows_what_is_in_force_beside_what_is_wanted),
	    cmocka_unit_test(a_block_says_what_is_not_known),
	    cmocka_unit_test(csv_has_the_facts_too),
	    cmocka_unit_test(json_is_the_daemons_own),
	    cmocka_unit_test(watch_shows_the_same_words),
	};

	return cmocka_run_group_tests(tests, setup, testing_teardown);
}
