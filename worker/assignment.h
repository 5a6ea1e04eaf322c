/* The first message of a worker, on an inherited descriptor: what to capture, and what to
 * write into a new record file (PROTOCOL.md, "Supervisor to worker"). */
#ifndef WEIR_WORKER_ASSIGNMENT_H
#define WEIR_WORKER_ASSIGNMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/capture_config.h"
#include "common/iface.h"

struct assignment {
	struct capture_config config;
	uint64_t file_id;
	int64_t begin_ms; /* a valid label */
	bool enabled;
};

/* Reads it from CHILD_FD_START, which is closed. It must be for `iface`. 0; -EPROTO when
 * it is not what it has to be; other negative errno. */
int assignment_read(const struct iface_name *iface, struct assignment *out);

/* The same of which only the configuration is wanted, as for --check. */
int assignment_read_config(const struct iface_name *iface, struct capture_config *out);

#endif
