/* The same path as a live packet's: source, meter, rotation, fetch. The records are in
 * anonymous memory, and there is one interval, from the first packet to the last. The
 * meter is opened at the first packet, because its interval begins there. */
#include "worker/read.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "worker/meter.h"
#include "worker/source.h"

#define READ_BATCH 4096

struct reading {
	const struct read_options *options;
	struct source *source;
	struct meter *meter;
	int records_fd; /* anonymous memory; -1 while there is no meter */
	int meter_error; /* negative errno of opening it */
	int64_t first_ns;
	int64_t last_ns;
	uint64_t packets;
	struct source_fault fault; /* why it ended early; no reason: it did not */
};

static int64_t
floor_ms(int64_t ns)
{
	return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

/* Its own labels are not used: files may be older than 1970. */
static int
open_meter(struct reading *reading)
{
	struct meter_options options = {
	    .iface = "file",
	    .file_id = 1,
	    .begin_ms = 0,
	    .flow_limit = reading->options->flow_limit,
	};

	reading->records_fd = memfd_create("weir-records", MFD_CLOEXEC);
	if (reading->records_fd < 0)
		return -errno;
	options.fd = reading->records_fd;
	return meter_open(&reading->meter, &options);
}

static void
take(void *arg, const struct packet *packet)
{
	struct reading *reading = arg;

	if (!reading->meter && reading->meter_error == 0)
		reading->meter_error = open_meter(reading);
	if (reading->meter_error != 0)
		return;
	if (reading->packets++ == 0) {
		reading->first_ns = packet->ts_ns;
		reading->last_ns = packet->ts_ns;
	}
	if (packet->ts_ns < reading->first_ns)
		reading->first_ns = packet->ts_ns;
	if (packet->ts_ns > reading->last_ns)
		reading->last_ns = packet->ts_ns;
	meter_packet(reading->meter, packet);
}

/* Takes everything that can be read. What cannot is left in the fault. */
static int
read_packets(struct reading *reading)
{
	const struct source_options options = {.fd = reading->options->input};
	int rc;

	rc = source_file.open(&reading->source, &options, &reading->fault);
	if (rc != 0)
		return rc;
	if (source_file.activate(reading->source, &reading->fault) != 0)
		return 0;
	do {
		rc = source_file.dispatch(
		    reading->source, READ_BATCH, take, reading, &reading->fault);
		if (reading->meter)
			meter_flush(reading->meter);
	} while (rc >= 0 && reading->meter_error == 0);
	return reading->meter_error;
}

static int
write_flows(struct reading *reading, uint64_t rotation)
{
	uint64_t cursor = 0;
	bool last = false;
	struct pack chunk;
	struct pack frame;
	int rc = 0;

	pack_init(&chunk);
	pack_init(&frame);
	while (!last && rc == 0) {
		uint64_t flows = 0;

		pack_clear(&chunk);
		rc = meter_fetch(
		    reading->meter, rotation, cursor, &chunk, &cursor, &last, &flows);
		if (rc != 0 || flows == 0)
			continue;
		pack_clear(&frame);
		pack_request(&frame, MSG_MAP);
		pack_key_bin(&frame, "chunk", chunk.buffer.data, chunk.buffer.size);
		pack_key_u64(&frame, "flows", flows);
		rc = chunk.failed ? -ENOMEM : pack_finish(&frame);
		if (rc == 0)
			rc = frame_write(reading->options->output, &frame);
	}
	pack_fini(&frame);
	pack_fini(&chunk);
	return rc;
}

static int
write_books(struct reading *reading, const struct interval *interval)
{
	const char *link_type = "";
	char number[16];
	struct pack frame;
	int rc;

	/* No packet handle, no link type: not a capture file. */
	if (reading->fault.reason != SOURCE_OPEN_FAILED) {
		int value = source_file.facts(reading->source).link_type;

		link_type = pcap_datalink_val_to_name(value);
		if (!link_type) {
			snprintf(number, sizeof(number), "%d", value);
			link_type = number;
		}
	}
	pack_init(&frame);
	pack_request(&frame, MSG_BOOKS);
	pack_key_interval(&frame, "interval", interval);
	pack_key_str(&frame, "link_type", link_type);
	pack_key_str(&frame, "error", reading->fault.text);
	rc = pack_finish(&frame);
	if (rc == 0)
		rc = frame_write(reading->options->output, &frame);
	pack_fini(&frame);
	return rc;
}

int
read_run(const struct read_options *options)
{
	struct reading reading = {.options = options, .records_fd = -1};
	const uint64_t rotation = 1;
	struct interval interval;
	int rc;

	rc = read_packets(&reading);
	if (rc == 0 && !reading.meter)
		rc = open_meter(&reading); /* no packet: empty books */
	if (rc != 0) {
		log_err("read", "%s",
		    reading.fault.text[0] != '\0' ? reading.fault.text : strerror(-rc));
		goto out;
	}
	rc = meter_rotate(reading.meter, rotation, 1, &interval);
	if (rc != 0) {
		log_err("read", "rotate: %s", strerror(-rc));
		goto out;
	}
	/* The labels are the packets', not this machine's clock's. */
	interval.begin_ms = floor_ms(reading.first_ns);
	interval.end_ms = floor_ms(reading.last_ns) + (reading.packets > 0 ? 1 : 0);
	interval.length_ns = (interval.end_ms - interval.begin_ms) * NS_PER_MS;
	interval.clock_step_ms = 0;
	if (!options->books_only)
		rc = write_flows(&reading, rotation);
	if (rc == 0)
		rc = write_books(&reading, &interval);
	if (rc != 0)
		log_err("read", "writing: %s", strerror(-rc));
out:
	meter_free(reading.meter);
	if (reading.records_fd >= 0)
		close(reading.records_fd);
	source_file.close(reading.source);
	return rc;
}
