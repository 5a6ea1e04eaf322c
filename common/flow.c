#include "common/flow.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct {
	uint8_t orientation;
	const char *name;
	const char *confidence;
} orientations[] = {
    {ORIENT_NONE, "none", "none"},
    {ORIENT_FIRST, "first", "guess"},
    {ORIENT_FIN, "fin", "guess"},
    {ORIENT_PORTS, "ports", "likely"},
    {ORIENT_DHCP, "dhcp", "sure"},
    {ORIENT_MULTICAST, "multicast", "sure"},
    {ORIENT_ICMP, "icmp", "sure"},
    {ORIENT_HANDSHAKE, "handshake", "sure"},
};

static const struct {
	uint8_t number;
	const char *name;
} protocols[] = {
    {1, "icmp"},
    {2, "igmp"},
    {4, "ipip"},
    {6, "tcp"},
    {17, "udp"},
    {41, "ipv6"},
    {47, "gre"},
    {50, "esp"},
    {51, "ah"},
    {58, "icmpv6"},
    {88, "eigrp"},
    {89, "ospf"},
    {103, "pim"},
    {112, "vrrp"},
    {132, "sctp"},
    {136, "udplite"},
};

const char *
orientation_name(uint8_t orientation)
{
	for (size_t i = 0; i < sizeof(orientations) / sizeof(orientations[0]); i++) {
		if (orientations[i].orientation == orientation)
			return orientations[i].name;
	}
	return "unknown";
}

const char *
orientation_confidence(uint8_t orientation)
{
	for (size_t i = 0; i < sizeof(orientations) / sizeof(orientations[0]); i++) {
		if (orientations[i].orientation == orientation)
			return orientations[i].confidence;
	}
	return "unknown";
}

struct counter
flow_total(const struct flow_record *flow)
{
	struct counter sum = {0, 0};

	for (int observed = RECEIVED; observed <= SENT; observed++) {
		counter_add(&sum, &flow->count[observed][FWD]);
		counter_add(&sum, &flow->count[observed][REV]);
	}
	return sum;
}

char *
flow_address(uint8_t family, const uint8_t *address, char buf[static 46])
{
	if (family == FAMILY_NONE)
		return strcpy(buf, "*");
	if (!inet_ntop(family == FAMILY_IPV4 ? AF_INET : AF_INET6, address, buf, 46))
		return strcpy(buf, "?");
	return buf;
}

char *
flow_proto(uint8_t proto, char buf[static 16])
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (protocols[i].number == proto)
			return strcpy(buf, protocols[i].name);
	}
	snprintf(buf, 16, "%u", proto);
	return buf;
}
