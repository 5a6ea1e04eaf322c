/* What is known of refused packets beside their counts in the books: per class the sum
 * since the process started, the first and last packet time, and the first bytes of one
 * sample. A fixed number of classes, so nothing a sender does makes it grow.
 *
 * The first packet of each class also goes to the error capture file, a pcap file that
 * the supervisor opened; at most REFUSALS_FILE_MAX bytes, over all processes that have
 * written to it. Thread: the capture thread. */
#ifndef WEIR_WORKER_REFUSALS_H
#define WEIR_WORKER_REFUSALS_H

#include <stdbool.h>

#include "common/books.h"
#include "worker/packet.h"

#define REFUSALS_SAMPLE_MAX 64
#define REFUSALS_FILE_MAX (256 * 1024)
#define REFUSALS_FILE_SNAPLEN 4096 /* bytes of one packet in the file */
#define REFUSALS_FILE_RECORD_MAX (16 + REFUSALS_FILE_SNAPLEN) /* with its header */

struct refusal_note {
	struct counter total;
	int64_t first_ns;
	int64_t last_ns;
	uint32_t sample_wire_len;
	uint32_t
	    sample_len; /* bytes in sample; 0: nothing was captured, or no packet */
	uint8_t sample[REFUSALS_SAMPLE_MAX];
};

struct refusals {
	struct refusal_note note[REFUSED_MAX];
	uint32_t news; /* bit per class: seen since refusals_news() was asked */
	uint32_t known; /* bit per class: seen in this interval */
	int file_fd; /* -1: none */
};

void refusals_init(struct refusals *refusals);

/* Where the first packet of each class goes from now on; not owned. An empty file gets
 * its header with the first packet; one that is no pcap file, of another link type, or
 * full, is left alone. */
void refusals_set_file(struct refusals *refusals, int fd);

/* Takes note of a refused packet. */
void refusals_add(
    struct refusals *refusals, enum refusal class, const struct packet *packet);

/* A new interval: each class is news again. */
void refusals_next_interval(struct refusals *refusals);

/* The classes seen for the first time in this interval since the last call, as bits. */
uint32_t refusals_news(struct refusals *refusals);

#endif
