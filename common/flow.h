/* A flow record as it leaves a worker: one conversation of one interval, both
 * directions in one record, oriented from the initiator (source) to the responder.
 * The messages, the store and every output speak of flows in these terms. */
#ifndef WEIR_COMMON_FLOW_H
#define WEIR_COMMON_FLOW_H

#include "common/counter.h"

/* Where the observation point saw the packet, from the interface's view. Sources
 * without direction information (files, mirror ports) count all as received. */
enum observed {
	RECEIVED = 0,
	SENT = 1
};

/* RFC 5103: forward is the direction of the initiator. */
enum flow_dir {
	FWD = 0,
	REV = 1
};

/* Why we believe that `src` started the conversation, weakest first: a packet with
 * stronger evidence turns the flow over. Numbers are kept in records, messages and
 * the store; they are spaced so that an evidence can come between. */
enum orientation {
	ORIENT_NONE = 0, /* overflow flows: the addresses are lost */
	ORIENT_FIRST = 10, /* the side with the earliest packet time */
	ORIENT_FIN = 20, /* TCP FIN or FIN-ACK and nothing better */
	ORIENT_PORTS = 30, /* a service port against an ephemeral one */
	ORIENT_DHCP = 40, /* DHCP or DHCPv6 client port against server port */
	ORIENT_MULTICAST = 50, /* one side is a multicast or broadcast address */
	ORIENT_ICMP = 60, /* request, reply or error by ICMP type */
	ORIENT_HANDSHAKE = 70, /* TCP SYN or SYN-ACK seen */
};

/* The IP version. FAMILY_NONE marks an overflow flow, whose addresses are lost. */
enum flow_family {
	FAMILY_NONE = 0,
	FAMILY_IPV4 = 4,
	FAMILY_IPV6 = 6
};

struct flow_record {
	uint8_t src[16]; /* network order; IPv4 in the first 4 bytes, the rest 0 */
	uint8_t dst[16];
	uint8_t family; /* enum flow_family */
	uint8_t proto; /* IANA protocol number of the outermost IP header's payload */
	uint16_t sport; /* host order; 0 where the protocol has no ports */
	uint16_t dport;
	uint8_t orientation; /* enum orientation: why src is src */
	uint8_t tcp_flags[2]; /* or of all seen, [FWD] and [REV] */
	uint64_t conversations; /* 1 from a worker; summed by aggregation */
	int64_t first_ns; /* earliest packet time, ns since 1970 UTC */
	int64_t last_ns; /* latest packet time */
	struct counter count[2][2]; /* [enum observed][enum flow_dir] */
};

/* "handshake", "ports", ...: the evidence in words, for outputs. */
const char *orientation_name(uint8_t orientation);

/* "sure", "likely" or "guess" ("none" for overflow): how far to trust it. */
const char *orientation_confidence(uint8_t orientation);

/* Sum of all four counters. */
struct counter flow_total(const struct flow_record *flow);

/* Text form of an address of that family into buf (at least 46 bytes); "*" for
 * FAMILY_NONE. Returns buf. */
char *flow_address(uint8_t family, const uint8_t *address, char buf[static 46]);

/* IANA name of common protocols ("tcp"), else the number in digits. Returns buf. */
char *flow_proto(uint8_t proto, char buf[static 16]);

#endif
