/* Frames of any link type: the first two bytes choose it. */
#include <stddef.h>
#include <stdlib.h>

#include "worker/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoded out;
	struct packet packet = {0};

	if (size < 2)
		return 0;
	packet.link_type = (data[0] | data[1] << 8) % 300;
	packet.data = data + 2;
	packet.caplen = (uint32_t)(size - 2);
	packet.wire_len = packet.caplen;
	if (decode_packet(&packet, &out) >= REFUSED_MAX)
		abort();
	return 0;
}
