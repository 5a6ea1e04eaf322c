/* The books of one interface and interval.
 *
 * Every packet handed to a worker ends in exactly one place: in one flow, or in one
 * named class of refusal. So always, in packets and in bytes:
 *
 *	received = in_flows + sum of refused[]
 *
 * `overflow` is the part of in_flows that went to overflow flows because the table
 * was full (its totals are exact, only its addresses and ports are lost). */
#ifndef WEIR_COMMON_BOOKS_H
#define WEIR_COMMON_BOOKS_H

#include "common/counter.h"

/* Classes of refusal. The numbers are kept in record files: append only. A decoder's
 * verdict is one of these, REFUSED_NONE meaning that the packet belongs to a flow. */
enum refusal {
	REFUSED_NONE = 0,
	REFUSED_NOT_IP, /* a frame that carries no IP: ARP, LLDP, STP, ... */
	REFUSED_TRUNCATED, /* the capture (snaplen) or the frame ends inside a header */
	REFUSED_BAD_HEADER, /* an IP header that contradicts itself (version, length) */
	REFUSED_LINK_TYPE, /* the link type of the source is not decoded */
	REFUSED_MAX
};

struct books {
	struct counter received;
	struct counter in_flows;
	struct counter overflow;
	struct counter refused[REFUSED_MAX]; /* [REFUSED_NONE] stays 0 */
};

/* The name used in messages, the store and every output, e.g. "not_ip". NULL for
 * REFUSED_NONE and for numbers out of range. */
const char *refusal_name(enum refusal class);

/* One line of help for the class, for people. */
const char *refusal_help(enum refusal class);

/* The class with that name, or REFUSED_NONE. */
enum refusal refusal_from_name(const char *name);

struct counter books_refused(const struct books *books);
bool books_close(const struct books *books);
void books_add(struct books *sum, const struct books *more);

#endif
