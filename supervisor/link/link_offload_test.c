#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "supervisor/link/links_testing.h"

static void
offload_words_are_what_is_in_force(void **state)
{
	char words[LINK_OFFLOAD_SIZE] = "untouched";

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	ETHTOOL("-K", "va", "gro", "off", "gso", "off", "tso", "off", "rxvlan", "off",
	    "txvlan", "off");
	assert_int_equal(link_offload("va", words), 0);
	assert_string_equal(words, "");
	ETHTOOL("-K", "va", "gro", "on");
	assert_int_equal(link_offload("va", words), 0);
	assert_string_equal(words, "gro");
	ETHTOOL("-K", "va", "gro", "off", "gso", "on", "tso", "on", "txvlan", "on");
	assert_int_equal(link_offload("va", words), 0);
	assert_string_equal(words, "gso tso tx-vlan");
	ETHTOOL("-K", "va", "gro", "on", "rxvlan", "on");
	assert_int_equal(link_offload("va", words), 0);
	assert_string_equal(words, "gro gso tso rx-vlan tx-vlan");
}

static void
offloads_of_no_link_are_not_known(void **state)
{
	char words[LINK_OFFLOAD_SIZE] = "untouched";

	(void)state;
	assert_int_equal(link_offload("nosuch0", words), -ENODEV);
	assert_int_equal(link_offload("sixteen_bytes_16", words), -EINVAL);
	assert_string_equal(words, "untouched");
}

static void
offloads_are_asked_for_again_when_the_kernel_has_told_of_a_change(void **state)
{
	char words[LINK_OFFLOAD_SIZE];
	int index;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	ETHTOOL("-K", "va", "gro", "off", "gso", "on", "tso", "off", "rxvlan", "off",
	    "txvlan", "off");
	follow();
	index = links_find(links, "va")->index;
	assert_int_equal(links_offload(links, index, words), 0);
	assert_string_equal(words, "gso");
	assert_true(link_table_find(&links->table, index)->offload_asked);
	/* A reading of the counts is no change. */
	assert_int_equal(links_refresh(links, index), 0);
	assert_true(link_table_find(&links->table, index)->offload_asked);
	ETHTOOL("-K", "va", "gro", "on");
	settle();
	assert_int_equal(links_offload(links, index, words), 0);
	assert_string_equal(words, "gro gso");
	ETHTOOL("-K", "va", "gro", "off", "txvlan", "on");
	settle();
	assert_int_equal(links_offload(links, index, words), 0);
	assert_string_equal(words, "gso tx-vlan");
	IP("link", "del", "va");
	settle();
	assert_int_equal(links_offload(links, index, words), -ENODEV);
	assert_string_equal(words, "gso tx-vlan");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LINKS_TEST(offload_words_are_what_is_in_force),
	    LINKS_TEST(offloads_of_no_link_are_not_known),
	    LINKS_TEST(
		offloads_are_asked_for_again_when_the_kernel_has_told_of_a_change),
	};

	return LINKS_TESTING_RUN(tests);
}
