/* Tables made by hand: what a kernel may lack, and what it would never say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "supervisor/link/links_private.h"
#include "supervisor/link/overlap.h"

static struct links links;
static char text[OVERLAP_TEXT_SIZE];

static void
put(int index, const char *name, const char *kind, int lower, int master)
{
	struct link link = {.index = index, .lower = lower, .master = master};

	assert_int_equal(iface_name_set(&link.name, name), 0);
	snprintf(link.kind, sizeof(link.kind), "%s", kind);
	assert_int_equal(link_table_put(&links.table, &link), 0);
}

/* Both ways round, which must agree; the text is about a. */
static bool
overlap(int a, int b)
{
	char other_text[OVERLAP_TEXT_SIZE];
	const struct link *one = links_find_index(&links, a);
	const struct link *other = links_find_index(&links, b);
	bool found;

	memset(text, 0, sizeof(text));
	found = overlap_between(&links, one, other, text);
	assert_int_equal(overlap_between(&links, other, one, other_text), found);
	return found;
}

#define assert_overlap(a, b, how) \
	do { \
		assert_true(overlap(a, b)); \
		assert_string_equal(text, how); \
	} while (0)

static int
setup(void **state)
{
	(void)state;
	links = (struct links){0};
	return link_table_init(&links.table);
}

static int
teardown(void **state)
{
	(void)state;
	link_table_fini(&links.table);
	return 0;
}

static void
a_bridge_a_bond_and_a_team_see_what_their_ports_see(void **state)
{
	static const char *const kinds[] = {"bridge", "bond", "team"};

	(void)state;
	put(2, "eth0", "", 0, 10);
	put(3, "eth1", "", 0, 10);
	put(4, "eth2", "", 0, 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		put(10, "up0", kinds[i], 0, 0);
		assert_overlap(2, 10, "sees the packets of up0 too, whose port it is");
		assert_overlap(
		    10, 3, "sees the packets of eth1 too, which is its port");
		assert_false(overlap(2, 3));
		assert_false(overlap(4, 10));
		assert_false(overlap(4, 2));
	}
}

static void
a_vlan_and_its_like_see_packets_of_their_parent(void **state)
{
	(void)state;
	put(2, "eth0", "", 0, 0);
	put(3, "eth1", "", 0, 0);
	put(4, "eth0.10", "vlan", 2, 0);
	put(5, "eth0.20", "vlan", 2, 0);
	put(6, "mac0", "macvlan", 2, 0);
	put(7, "ipv0", "ipvlan", 2, 0);
	assert_overlap(4, 2, "sees packets of eth0 too, on which it lies (vlan)");
	assert_overlap(
	    2, 4, "sees the packets of eth0.10 too, which lies on it (vlan)");
	assert_overlap(6, 2, "sees packets of eth0 too, on which it lies (macvlan)");
	assert_overlap(7, 2, "sees packets of eth0 too, on which it lies (ipvlan)");
	assert_false(overlap(4, 5));
	assert_false(overlap(4, 6));
	assert_false(overlap(4, 3));
}

static void
a_vlan_on_a_bond_and_a_port_of_it_overlap(void **state)
{
	(void)state;
	put(2, "eth0", "", 0, 10);
	put(3, "eth1", "", 0, 10);
	put(4, "eth2", "", 0, 20);
	put(10, "bond0", "bond", 0, 0);
	put(11, "bond0.5", "vlan", 10, 20);
	put(20, "br0", "bridge", 0, 0);
	put(21, "qinq", "vlan", 20, 0);
	assert_overlap(11, 2, "sees packets of eth0 too, by way of bond0");
	assert_overlap(2, 11, "sees packets of bond0.5 too, by way of bond0");
	/* eth1 in bond0, on it bond0.5 in br0, on it qinq. */
	assert_overlap(3, 20, "sees packets of br0 too, by way of bond0");
	assert_overlap(21, 3, "sees packets of eth1 too, by way of bond0");
	assert_overlap(21, 4, "sees packets of eth2 too, by way of br0");
	assert_false(overlap(4, 10));
	assert_false(overlap(4, 2));
}

static void
both_ends_of_a_pair_overlap_when_both_are_here(void **state)
{
	struct link elsewhere = {.index = 5,
	    .name = {"v4"},
	    .kind = "veth",
	    .lower = 2,
	    .lower_elsewhere = true};

	(void)state;
	put(2, "v0", "veth", 3, 0);
	put(3, "v1", "veth", 2, 0);
	put(4, "v3", "veth", 0, 0);
	assert_int_equal(link_table_put(&links.table, &elsewhere), 0);
	assert_overlap(2, 3, "sees the packets of v1 too, the other end of its pair");
	assert_false(overlap(2, 5));
	assert_false(overlap(2, 4));
	assert_false(overlap(4, 5));
}

static void
one_end_that_names_the_other_is_enough(void **state)
{
	(void)state;
	put(2, "v0", "veth", 0, 0);
	put(3, "v1", "veth", 2, 0);
	put(4, "v2", "veth", 2, 0);
	put(5, "v3", "veth", 4, 0);
	put(6, "eth0", "", 5, 0);
	assert_true(overlap(2, 3));
	/* v2 names v0, so what names v2 is out of date. */
	assert_false(overlap(5, 4));
	assert_false(overlap(6, 5));
}

static void
what_lies_over_one_end_of_a_pair_sees_the_packets_of_the_other(void **state)
{
	(void)state;
	put(2, "v0", "veth", 3, 0);
	put(3, "v1", "veth", 2, 10);
	put(4, "v1.7", "vlan", 3, 0);
	put(10, "br0", "bridge", 0, 0);
	assert_overlap(2, 10, "sees packets of br0 too, by way of v1");
	assert_overlap(4, 2, "sees packets of v0 too, by way of v1");
	assert_false(overlap(4, 10));
}

static void
tunnels_are_other_packets(void **state)
{
	static const char *const kinds[] = {
	    "vxlan", "gre", "gretap", "ipip", "sit", "geneve", "macsec", "dummy"};

	(void)state;
	put(2, "eth0", "", 0, 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		put(3, "over0", kinds[i], 2, 0);
		assert_false(overlap(2, 3));
	}
	put(4, "ovs-system", "openvswitch", 0, 0);
	put(2, "eth0", "", 0, 4);
	assert_false(overlap(2, 4));
}

static void
a_paravirtual_device_sees_what_the_hardware_behind_it_sees(void **state)
{
	(void)state;
	put(2, "eth0", "", 0, 0);
	put(3, "eth1", "", 0, 2);
	put(4, "eth2", "", 0, 0);
	assert_overlap(3, 2, "sees the packets of eth0 too, whose port it is");
	assert_false(overlap(4, 2));
}

static void
a_link_does_not_overlap_with_itself_and_not_with_what_is_gone(void **state)
{
	(void)state;
	put(2, "eth0", "", 0, 99);
	put(4, "eth0.1", "vlan", 98, 0);
	assert_false(overlap(2, 2));
	assert_false(overlap(2, 4));
}

static void
tables_that_refer_in_circles_are_walked_to_an_end(void **state)
{
	(void)state;
	put(2, "a", "vlan", 3, 0);
	put(3, "b", "vlan", 2, 0);
	put(4, "c", "bridge", 0, 5);
	put(5, "d", "bridge", 0, 4);
	put(6, "e", "bridge", 0, 6);
	put(7, "f", "vlan", 7, 6);
	put(8, "g", "", 0, 0);
	for (int i = 2; i < 8; i++)
		assert_false(overlap(i, 8));
	assert_true(overlap(2, 3));
	assert_true(overlap(4, 5));
}

static void
names_are_escaped_and_the_longest_fit(void **state)
{
	(void)state;
	put(2, "\x01\x02\x03\x04\x05\x06\x07\x0e\x0f\x10\x11\x12\x13\x14\x15", "", 0,
	    3);
	put(3, "\x15\x14\x13\x12\x11\x10\x0f\x0e\x07\x06\x05\x04\x03\x02\x01", "bond",
	    0, 0);
	put(4, "a\x1b[2J", "vlan", 3, 0);
	assert_overlap(4, 2,
	    "sees packets of \\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x0e\\x0f\\x10\\x11"
	    "\\x12\\x13\\x14\\x15 too, by way of "
	    "\\x15\\x14\\x13\\x12\\x11\\x10\\x0f\\x0e\\x07\\x06\\x05\\x04\\x03\\x02\\x01");
	assert_overlap(2, 4,
	    "sees packets of a\\x1b[2J too, by way of "
	    "\\x15\\x14\\x13\\x12\\x11\\x10\\x0f\\x0e\\x07\\x06\\x05\\x04\\x03\\x02\\x01");
}

/* A router with many VLANs on a bond in a big bridge: every pair of them in a
 * moment. */
static void
many_links_take_little_time(void **state)
{
	struct mono begin = mono_now();
	unsigned found = 0;

	(void)state;
	put(1, "bond0", "bond", 0, 0);
	put(2, "br0", "bridge", 0, 0);
	put(3, "eth0", "", 0, 1);
	for (int i = 10; i < 1010; i++) {
		char name[IFACE_NAME_SIZE];

		snprintf(name, sizeof(name), "bond0.%u", (unsigned)i % 10000);
		put(i, name, "vlan", 1, 2);
	}
	for (int i = 10; i < 1010; i++) {
		found += overlap_between(&links, links_find_index(&links, i),
		    links_find_index(&links, 3), text);
		found += overlap_between(&links, links_find_index(&links, 2),
		    links_find_index(&links, i), text);
		found += overlap_between(&links, links_find_index(&links, 2),
		    links_find_index(&links, 3), text);
	}
	assert_int_equal(found, 3000);
	print_message("3000 pairs among 1003 links: %lld ms\n",
	    (long long)mono_ms_between(begin, mono_now()));
	assert_true(mono_ms_between(begin, mono_now()) < 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_bridge_a_bond_and_a_team_see_what_their_ports_see),
	    TEST(a_vlan_and_its_like_see_packets_of_their_parent),
	    TEST(a_vlan_on_a_bond_and_a_port_of_it_overlap),
	    TEST(both_ends_of_a_pair_overlap_when_both_are_here),
	    TEST(one_end_that_names_the_other_is_enough),
	    TEST(what_lies_over_one_end_of_a_pair_sees_the_packets_of_the_other),
	    TEST(tunnels_are_other_packets),
	    TEST(a_paravirtual_device_sees_what_the_hardware_behind_it_sees),
	    TEST(a_link_does_not_overlap_with_itself_and_not_with_what_is_gone),
	    TEST(tables_that_refer_in_circles_are_walked_to_an_end),
	    TEST(names_are_escaped_and_the_longest_fit),
	    TEST(many_links_take_little_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
