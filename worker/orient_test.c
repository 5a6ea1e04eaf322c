#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "worker/orient.h"

/* `initiator` is who must be the client: the sender of the packet, its receiver, or
 * nobody ("-": the packet is no evidence). */
static const struct {
	const char *what;
	const char *src, *dst;
	uint16_t sport, dport;
	uint8_t proto, tcp_flags;
	int icmp_type;
	char initiator; /* 's', 'r', '-' */
	uint8_t orientation;
} cases[] = {
    {"SYN", "10.0.0.1", "10.0.0.2", 40000, 80, 6, 0x02, -1, 's', ORIENT_HANDSHAKE},
    {"SYN to an odd port", "10.0.0.1", "10.0.0.2", 80, 40000, 6, 0x02, -1, 's',
	ORIENT_HANDSHAKE},
    {"SYN-ACK", "10.0.0.1", "10.0.0.2", 80, 40000, 6, 0x12, -1, 'r', ORIENT_HANDSHAKE},
    {"SYN-ACK from an odd port", "10.0.0.1", "10.0.0.2", 40000, 50000, 6, 0x12, -1, 'r',
	ORIENT_HANDSHAKE},
    {"SYN with RST says nothing", "10.0.0.1", "10.0.0.2", 40000, 50000, 6, 0x06, -1,
	'-', ORIENT_NONE},
    {"data to a service", "10.0.0.1", "10.0.0.2", 40000, 443, 6, 0x18, -1, 's',
	ORIENT_PORTS},
    {"data from a service", "10.0.0.1", "10.0.0.2", 443, 40000, 6, 0x10, -1, 'r',
	ORIENT_PORTS},
    {"data between odd ports", "10.0.0.1", "10.0.0.2", 50000, 40000, 6, 0x18, -1, '-',
	ORIENT_NONE},
    {"data between services", "10.0.0.1", "10.0.0.2", 22, 443, 6, 0x18, -1, '-',
	ORIENT_NONE},
    {"FIN between odd ports", "10.0.0.1", "10.0.0.2", 50000, 40000, 6, 0x01, -1, 's',
	ORIENT_FIN},
    {"FIN-ACK between odd ports", "10.0.0.1", "10.0.0.2", 50000, 40000, 6, 0x11, -1,
	'r', ORIENT_FIN},
    {"FIN-ACK with data says nothing", "10.0.0.1", "10.0.0.2", 50000, 40000, 6, 0x19,
	-1, '-', ORIENT_NONE},
    {"FIN-ACK of a service", "10.0.0.1", "10.0.0.2", 443, 40000, 6, 0x11, -1, 'r',
	ORIENT_PORTS},
    {"port 0 is no service", "10.0.0.1", "10.0.0.2", 0, 40000, 17, 0, -1, '-',
	ORIENT_NONE},
    {"XMPP", "10.0.0.1", "10.0.0.2", 5222, 40000, 6, 0x10, -1, 'r', ORIENT_PORTS},
    {"HTTP alternative", "10.0.0.1", "10.0.0.2", 40000, 8080, 6, 0x10, -1, 's',
	ORIENT_PORTS},
    {"Dropbox", "10.0.0.1", "10.0.0.2", 17500, 40000, 17, 0, -1, 'r', ORIENT_PORTS},
    {"BJNP", "10.0.0.1", "10.0.0.2", 8612, 40000, 17, 0, -1, 'r', ORIENT_PORTS},
    {"Notes", "10.0.0.1", "10.0.0.2", 1352, 40000, 6, 0x10, -1, 'r', ORIENT_PORTS},
    {"echo request", "10.0.0.1", "10.0.0.2", 0, 0, 1, 0, 8, 's', ORIENT_ICMP},
    {"echo reply", "10.0.0.1", "10.0.0.2", 0, 0, 1, 0, 0, 'r', ORIENT_ICMP},
    {"unreachable", "10.0.0.1", "10.0.0.2", 0, 0, 1, 0, 3, 'r', ORIENT_ICMP},
    {"ICMP type cut off", "10.0.0.1", "10.0.0.2", 0, 0, 1, 0, -1, '-', ORIENT_NONE},
    {"echo request v6", "fe80::1", "fe80::2", 0, 0, 58, 0, 128, 's', ORIENT_ICMP},
    {"echo reply v6", "fe80::1", "fe80::2", 0, 0, 58, 0, 129, 'r', ORIENT_ICMP},
    {"advertisement to all nodes", "fe80::1", "ff02::1", 0, 0, 58, 0, 134, 's',
	ORIENT_MULTICAST},
    {"limited broadcast", "192.168.1.105", "255.255.255.255", 50000, 50000, 17, 0, -1,
	's', ORIENT_MULTICAST},
    {"administrative multicast", "10.0.0.1", "239.1.2.3", 1900, 40000, 17, 0, -1, 's',
	ORIENT_MULTICAST},
    {"mDNS v6", "fe80::1", "ff02::fb", 5353, 5353, 17, 0, -1, 's', ORIENT_MULTICAST},
    {"DHCP request to a server", "10.0.0.1", "10.0.0.2", 68, 67, 17, 0, -1, 's',
	ORIENT_DHCP},
    {"DHCP answer", "10.0.0.1", "10.0.0.2", 67, 68, 17, 0, -1, 'r', ORIENT_DHCP},
    {"DHCPv6 answer", "fe80::1", "fe80::2", 547, 546, 17, 0, -1, 'r', ORIENT_DHCP},
    {"DHCP between relays", "10.0.0.1", "10.0.0.2", 67, 67, 17, 0, -1, '-',
	ORIENT_NONE},
};

/* The sender may be either endpoint of the key; the verdict must not depend on it. */
static void
every_case_whichever_end_sends(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (uint8_t sender = ENDPOINT_A; sender <= ENDPOINT_B; sender++) {
			struct decoded d = {
			    .sender = sender, .tcp_flags = cases[i].tcp_flags};
			bool v6 = strchr(cases[i].src, ':');
			d.key.family = v6 ? FAMILY_IPV6 : FAMILY_IPV4;
			d.key.proto = cases[i].proto;
			inet_pton(v6 ? AF_INET6 : AF_INET, cases[i].src,
			    d.key.address[sender]);
			inet_pton(v6 ? AF_INET6 : AF_INET, cases[i].dst,
			    d.key.address[!sender]);
			d.key.port[sender] = cases[i].sport;
			d.key.port[!sender] = cases[i].dport;
			orient_packet(&d, cases[i].icmp_type);
			if (d.orientation != cases[i].orientation)
				fail_msg("%s: evidence %s, not %s", cases[i].what,
				    orientation_name(d.orientation),
				    orientation_name(cases[i].orientation));
			if (cases[i].initiator != '-' &&
			    d.initiator !=
				(cases[i].initiator == 's' ? sender : !sender))
				fail_msg("%s: wrong initiator", cases[i].what);
		}
	}
}

/* An echo reply to oneself is not answered by somebody else. */
static void
one_end_alone_is_the_initiator(void **state)
{
	struct decoded d = {.sender = ENDPOINT_A};

	(void)state;
	d.key.family = FAMILY_IPV4;
	d.key.proto = 1;
	d.key.address[ENDPOINT_A][0] = d.key.address[ENDPOINT_B][0] = 127;
	orient_packet(&d, 0);
	assert_int_equal(d.orientation, ORIENT_ICMP);
	assert_int_equal(d.initiator, ENDPOINT_A);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_case_whichever_end_sends),
	    cmocka_unit_test(one_end_alone_is_the_initiator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
