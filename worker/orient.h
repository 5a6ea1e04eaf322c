/* Who started the conversation: the evidence of a single packet. Heuristics in the
 * order of enum orientation, strongest first; a multicast or broadcast address is never
 * the initiator, so it is looked at before the ICMP type. */
#ifndef WEIR_WORKER_ORIENT_H
#define WEIR_WORKER_ORIENT_H

#include "worker/flow_key.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Sets orientation and initiator of `packet`, whose other fields are complete.
 * icmp_type is -1 when the protocol is not ICMP or ICMPv6 or the type was cut off. */
void orient_packet(struct decoded *packet, int icmp_type);

#endif
