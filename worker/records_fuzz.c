/* The header of a record file, with a few records behind it: adoption, then counting,
 * rotating and fetching on whatever it makes of that. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/meter.h"
#include "worker/records.h"
#include "worker/test_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meter_options options = {
	    .iface = "fuzz", .file_id = 1, .begin_ms = 1, .flow_limit = 1000};
	struct interval interval;
	struct meter *meter;
	struct frame frame;
	struct packet packet;
	uint8_t header[sizeof(struct records_header)];
	int fd = memfd_create("records", 0);

	options.fd = fd;
	/* A valid file, then the input over its header. */
	if (meter_open(&meter, &options) != 0)
		abort();
	packet = frame_udp4(&frame, "10.0.0.1", 1, "10.0.0.2", 2, 1);
	meter_packet(meter, &packet);
	meter_flush(meter);
	meter_free(meter);
	if (pread(fd, header, sizeof(header), 0) != sizeof(header))
		abort();
	for (size_t i = 0; i + 3 <= size; i += 3)
		header[(data[i] | data[i + 1] << 8) % sizeof(header)] = data[i + 2];
	if (pwrite(fd, header, sizeof(header), 0) != sizeof(header))
		abort();
	if (meter_open(&meter, &options) == 0) {
		meter_packet(meter, &packet);
		meter_flush(meter);
		meter_interval(meter, &interval);
		if (!books_close(&interval.books))
			abort();
		(void)meter_rotate(
		    meter, meter_last_command(meter).seq + 1, 5, &interval);
		meter_free(meter);
	}
	close(fd);
	return 0;
}
