#include "worker/orient.h"

#include <netinet/in.h>
#include <stdbool.h>

#include "worker/decode.h"

/* Registered ports above the privileged range that are servers nevertheless: XMPP,
 * mDNS, HTTP alternative, Canon BJNP, Dropbox LAN sync, Lotus Notes. */
static bool
is_service_port(uint16_t port)
{
	switch (port) {
	case 1352:
	case 5222:
	case 5353:
	case 8080:
	case 8612:
	case 17500:
		return true;
	default:
		return port != 0 && port < 1024;
	}
}

/* 224.0.0.0/4 (RFC 5771), 255.255.255.255 (RFC 919), ff00::/8 (RFC 4291). */
static bool
is_group_address(uint8_t family, const uint8_t *address)
{
	if (family == FAMILY_IPV4)
		return (address[0] & 0xf0) == 0xe0 || get_be32(address) == UINT32_MAX;
	return address[0] == 0xff;
}

enum icmp_role {
	ICMP_SAYS_NOTHING,
	ICMP_REQUEST,
	ICMP_REPLY
};

/* RFC 792, 950, 1256. An error goes back to whoever sent what it is about, so it
 * stands for a reply. */
static enum icmp_role
icmp_role(int type)
{
	switch (type) {
	case 8: /* echo */
	case 10: /* router solicitation */
	case 13: /* timestamp */
	case 15: /* information request */
	case 17: /* address mask request */
		return ICMP_REQUEST;
	case 0:
	case 9:
	case 14:
	case 16:
	case 18:
	case 3: /* destination unreachable */
	case 4: /* source quench */
	case 5: /* redirect */
	case 11: /* time exceeded */
	case 12: /* parameter problem */
		return ICMP_REPLY;
	default:
		return ICMP_SAYS_NOTHING;
	}
}

/* RFC 4443 (errors are 1 to 127), 4861, 2710, 4620. */
static enum icmp_role
icmpv6_role(int type)
{
	switch (type) {
	case 128: /* echo request */
	case 130: /* multicast listener query */
	case 133: /* router solicitation */
	case 135: /* neighbour solicitation */
	case 139: /* node information query */
		return ICMP_REQUEST;
	case 1:
	case 2:
	case 3:
	case 4:
	case 129:
	case 131:
	case 132:
	case 134:
	case 136:
	case 137: /* redirect */
	case 140:
		return ICMP_REPLY;
	default:
		return ICMP_SAYS_NOTHING;
	}
}

static void
point_to(struct decoded *packet, enum orientation orientation, uint8_t initiator)
{
	packet->orientation = (uint8_t)orientation;
	packet->initiator = initiator;
}

static bool
orient_by_group(struct decoded *packet)
{
	const struct flow_key *key = &packet->key;
	bool a = is_group_address(key->family, key->address[ENDPOINT_A]);
	bool b = is_group_address(key->family, key->address[ENDPOINT_B]);

	if (a == b)
		return false;
	point_to(packet, ORIENT_MULTICAST, a ? ENDPOINT_B : ENDPOINT_A);
	return true;
}

static bool
orient_by_ports(struct decoded *packet)
{
	const uint16_t *port = packet->key.port;
	bool udp = packet->key.proto == IPPROTO_UDP;
	bool service_a = is_service_port(port[ENDPOINT_A]);
	bool service_b = is_service_port(port[ENDPOINT_B]);

	/* BOOTP: RFC 951, DHCPv6: RFC 8415. Both ports are privileged or both are not,
	 * so the general rule would say nothing. */
	for (int end = ENDPOINT_A; udp && end <= ENDPOINT_B; end++) {
		if ((port[end] == 68 && port[!end] == 67) ||
		    (port[end] == 546 && port[!end] == 547)) {
			point_to(packet, ORIENT_DHCP, (uint8_t)end);
			return true;
		}
	}
	if (service_a == service_b)
		return false;
	point_to(packet, ORIENT_PORTS, service_a ? ENDPOINT_B : ENDPOINT_A);
	return true;
}

/* Whoever ends first without an acknowledgement is taken for the initiator, whoever
 * answers that for the other side. Either side may end a connection, so this is weak;
 * it counts where nothing else does. */
static void
orient_by_fin(struct decoded *packet)
{
	if (packet->key.proto != IPPROTO_TCP)
		return;
	if (packet->tcp_flags == TCP_FIN)
		point_to(packet, ORIENT_FIN, packet->sender);
	else if (packet->tcp_flags == (TCP_FIN | TCP_ACK))
		point_to(packet, ORIENT_FIN, !packet->sender);
}

/* Whoever speaks to itself, address and port, has one end only. */
static bool
is_one_end(const struct flow_key *key)
{
	return key->port[ENDPOINT_A] == key->port[ENDPOINT_B] &&
	    memcmp(key->address[ENDPOINT_A], key->address[ENDPOINT_B],
		sizeof(key->address[0])) == 0;
}

static void
find_evidence(struct decoded *packet, int icmp_type)
{
	uint8_t sender = packet->sender;
	enum icmp_role role;

	point_to(packet, ORIENT_NONE, sender);
	switch (packet->key.proto) {
	case IPPROTO_TCP:
		if ((packet->tcp_flags & (TCP_SYN | TCP_RST)) == TCP_SYN) {
			bool answer = packet->tcp_flags & TCP_ACK;
			point_to(packet, ORIENT_HANDSHAKE, answer ? !sender : sender);
			return;
		}
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (orient_by_group(packet))
			return;
		role = packet->key.proto == IPPROTO_ICMP ? icmp_role(icmp_type)
							 : icmpv6_role(icmp_type);
		if (role != ICMP_SAYS_NOTHING)
			point_to(packet, ORIENT_ICMP,
			    role == ICMP_REQUEST ? sender : !sender);
		return;
	default:
		break;
	}
	if (!orient_by_group(packet) && !orient_by_ports(packet))
		orient_by_fin(packet);
}

void
orient_packet(struct decoded *packet, int icmp_type)
{
	find_evidence(packet, icmp_type);
	if (packet->initiator != packet->sender && is_one_end(&packet->key))
		packet->initiator = packet->sender;
}
