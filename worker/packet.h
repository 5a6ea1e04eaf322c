/* A packet on its way from a source to the meter. */
#ifndef WEIR_WORKER_PACKET_H
#define WEIR_WORKER_PACKET_H

#include <stdint.h>

#include "common/flow.h"

struct packet {
	int64_t ts_ns; /* packet time, ns since 1970 UTC */
	uint32_t wire_len; /* frame bytes as the kernel saw it */
	uint32_t caplen; /* bytes at data; never more are read */
	const uint8_t *data; /* valid only during the call it is passed to */
	int link_type; /* DLT_ value of its handle */
	enum observed observed; /* by the handle; a cooked header overrides it */
};

#endif
