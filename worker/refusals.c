/* The error capture file is written with plain pwrite(2): a sandboxed worker has no file
 * system, and libpcap's dumper would need one. Format: pcap, native byte order, ns. */
#include "worker/refusals.h"

#include <string.h>
#include <unistd.h>

#include "common/clock.h"

#define PCAP_MAGIC_NS 0xa1b23c4d

struct file_header {
	uint32_t magic;
	uint16_t major;
	uint16_t minor;
	uint32_t zone;
	uint32_t accuracy;
	uint32_t snaplen;
	uint32_t link_type;
};

struct packet_header {
	uint32_t seconds;
	uint32_t ns;
	uint32_t caplen;
	uint32_t len;
};
_Static_assert(sizeof(struct file_header) < REFUSALS_FILE_RECORD_MAX &&
	sizeof(struct packet_header) + REFUSALS_FILE_SNAPLEN ==
	    REFUSALS_FILE_RECORD_MAX,
    "what the sandbox lets a worker write at a time");

void
refusals_init(struct refusals *refusals)
{
	memset(refusals, 0, sizeof(*refusals));
	refusals->file_fd = -1;
}

void
refusals_set_file(struct refusals *refusals, int fd)
{
	refusals->file_fd = fd;
}

/* The offset to write at, or -1 when this file takes nothing (more). */
static off_t
file_end(int fd, const struct packet *packet)
{
	struct file_header header;
	const off_t size = lseek(fd, 0, SEEK_END); /* fstat(2) would take any path */

	if (size < 0 || size >= REFUSALS_FILE_MAX)
		return -1;
	if (size == 0) {
		header = (struct file_header){PCAP_MAGIC_NS, 2, 4, 0, 0,
		    REFUSALS_FILE_SNAPLEN, (uint32_t)packet->link_type};
		if (pwrite(fd, &header, sizeof(header), 0) != sizeof(header))
			return -1;
		return sizeof(header);
	}
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    header.magic != PCAP_MAGIC_NS ||
	    header.link_type != (uint32_t)packet->link_type)
		return -1;
	return size;
}

/* One failure and the file is done with: a full disk must not cost time per packet. */
static void
write_sample(struct refusals *refusals, const struct packet *packet)
{
	uint32_t caplen = packet->caplen < REFUSALS_FILE_SNAPLEN
	    ? packet->caplen
	    : REFUSALS_FILE_SNAPLEN;
	int64_t ns = packet->ts_ns > 0 ? packet->ts_ns : 0;
	struct packet_header header = {(uint32_t)(ns / NS_PER_S),
	    (uint32_t)(ns % NS_PER_S), caplen, packet->wire_len};
	uint8_t record[REFUSALS_FILE_RECORD_MAX];
	off_t at = file_end(refusals->file_fd, packet);

	memcpy(record, &header, sizeof(header));
	memcpy(record + sizeof(header), packet->data, caplen);
	if (at < 0 || at + (off_t)(sizeof(header) + caplen) > REFUSALS_FILE_MAX ||
	    pwrite(refusals->file_fd, record, sizeof(header) + caplen, at) !=
		(ssize_t)(sizeof(header) + caplen))
		refusals->file_fd = -1;
}

void
refusals_add(struct refusals *refusals, enum refusal class, const struct packet *packet)
{
	struct refusal_note *note = &refusals->note[class];
	uint32_t bit = UINT32_C(1) << class;

	if (note->total.packets == 0) {
		note->first_ns = packet->ts_ns;
		note->sample_wire_len = packet->wire_len;
		note->sample_len = packet->caplen < REFUSALS_SAMPLE_MAX
		    ? packet->caplen
		    : REFUSALS_SAMPLE_MAX;
		memcpy(note->sample, packet->data, note->sample_len);
		if (refusals->file_fd >= 0)
			write_sample(refusals, packet);
	}
	note->total.packets++;
	note->total.bytes += packet->wire_len;
	note->last_ns = packet->ts_ns;
	if (!(refusals->known & bit)) {
		refusals->known |= bit;
		refusals->news |= bit;
	}
}

void
refusals_next_interval(struct refusals *refusals)
{
	refusals->known = 0;
}

uint32_t
refusals_news(struct refusals *refusals)
{
	uint32_t news = refusals->news;

	refusals->news = 0;
	return news;
}
