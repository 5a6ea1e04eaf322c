/* What a worker answers to its supervisor (PROTOCOL.md, "Supervisor to worker"): one
 * handler per type, in a table for serve_child(). */
#ifndef WEIR_WORKER_COMMANDS_H
#define WEIR_WORKER_COMMANDS_H

#include "proto/serve.h"
#include "worker/capture.h"
#include "worker/meter.h"

/* How a walk along the running generation held up the capture thread. */
struct commands_walk {
	uint64_t slices;
	int64_t worst_ns; /* the longest of them */
};

/* The `ctx` of the handlers. The members are borrowed; made by main.c,
 * the rest belongs to the serving thread. */
struct commands {
	struct capture *capture;
	struct meter *meter;
	struct meter_adoption adoption;
	int64_t adoption_ms; /* from the start of the process to counting */
	struct commands_walk walk; /* of the last `flows` */
};

/* "state", "reason", "reason_text" and "in_force", as in the answer to `status`. */
void commands_pack_state(struct pack *pack, const struct capture_status *status);

extern serve_handler *const commands_table[MSG_TYPE_MAX];

#endif
