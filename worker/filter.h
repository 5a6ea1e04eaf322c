/* Filter programs of a live handle: the user's filter joined with the direction, and
 * attached to the packet socket behind libpcap's back (source_live.c says why). */
#ifndef WEIR_WORKER_FILTER_H
#define WEIR_WORKER_FILTER_H

#include <pcap/pcap.h>

#include "worker/source.h"

enum filter_direction {
	FILTER_BOTH,
	FILTER_INBOUND,
	FILTER_OUTBOUND
};

/* Compiles `text` (pcap-filter(7); "" takes everything) for the handle, joined with the
 * direction, which only works on an activated live handle. On Ethernet a text without
 * the words vlan, mpls and pppoe applies inside up to two VLAN tags of the frame, too.
 * 0, the program to be freed with pcap_freecode(); or negative errno and a fault, with
 * pcap's text when it does not compile (-EINVAL). */
int filter_compile(pcap_t *pcap, enum filter_direction direction, const char *text,
    struct bpf_program *out, struct source_fault *fault);

/* Puts the program in force on a packet socket in one step: no packet sees neither the
 * old nor the new one. Needs no capability. 0 or negative errno and a fault. */
int filter_attach(
    int fd, const struct bpf_program *program, struct source_fault *fault);

/* Nothing passes from now on. 0 or negative errno. */
int filter_attach_nothing(int fd);

#endif
