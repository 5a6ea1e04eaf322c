/* Whether two interfaces see the same packets, so that who counts both counts them
 * twice: a bridge, bond, team or VRF and its ports, a paravirtual device and the
 * hardware behind it, a VLAN, macvlan or ipvlan and its parent, both ends of a veth
 * or netkit pair in this network namespace, of which each stands for the other; over
 * several steps too (a VLAN on a bond and a port of that bond). Tunnels (vxlan, gre,
 * ...) wrap packets: those are other packets. */
#ifndef WEIR_SUPERVISOR_LINK_OVERLAP_H
#define WEIR_SUPERVISOR_LINK_OVERLAP_H

#include "supervisor/link/links.h"

#define OVERLAP_TEXT_SIZE 160

/* Whether a and b see the same packets; then `text` says how for people, about a
 * ("sees the packets of br0 too, whose port it is"), names escaped. Order of a and b
 * does not matter for the answer. */
bool overlap_between(const struct links *links, const struct link *a,
    const struct link *b, char text[static OVERLAP_TEXT_SIZE]);

#endif
