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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LINKS_TEST(offload_words_are_what_is_in_force),
	    LINKS_TEST(offloads_of_no_link_are_not_known),
	};

	return LINKS_TESTING_RUN(tests);
}
