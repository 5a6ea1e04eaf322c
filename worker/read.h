/* File mode: the flows of a capture file, without a daemon and without privileges. */
#ifndef WEIR_WORKER_READ_H
#define WEIR_WORKER_READ_H

#include <stdbool.h>
#include <stdint.h>

struct read_options {
	int input; /* the capture file, or a pipe */
	int output; /* takes the frames (PROTOCOL.md, "Worker in file mode") */
	bool books_only; /* no flows */
	uint64_t flow_limit;
};

/* Reads to the end and writes everything. 0 when all frames are written, even when the
 * file is damaged or no capture at all: then its books go up to the damage, and their
 * `error` says what is wrong. Negative errno when that was not possible. */
int read_run(const struct read_options *options);

#endif
