/* A packet on its way from a source to the meter. */
#ifndef WEIR_WORKER_PACKET_H
#define WEIR_WORKER_PACKET_H

#include <stdint.h>

#include "common/clock.h"
#include "common/flow.h"

struct packet {
	int64_t ts_ns; /* packet time, ns since 1970 UTC */
	uint32_t wire_len; /* frame bytes as the kernel saw it */
	uint32_t caplen; /* bytes at data; never more are read */
	const uint8_t *data; /* valid only during the call it is passed to */
	int link_type; /* DLT_ value of its handle */
	enum observed observed; /* by the handle; a cooked header overrides it */
};

/* Years 1824 to 2115: differences fit 64 bits, too. Files may say anything; what lies
 * outside counts at the edge. */
#define PACKET_TIME_MAX_S INT64_C(4600000000)

static inline int64_t
packet_time_ns(int64_t seconds, int64_t ns)
{
	if (seconds > PACKET_TIME_MAX_S)
		seconds = PACKET_TIME_MAX_S;
	if (seconds < -PACKET_TIME_MAX_S)
		seconds = -PACKET_TIME_MAX_S;
	if (ns > INT32_MAX || ns < INT32_MIN)
		ns = 0;
	return seconds * NS_PER_S + ns;
}

#endif
