/* What a worker answers to its supervisor (PROTOCOL.md, "Supervisor to worker"): one
 * handler per type, in a table for serve_child(). */
#ifndef WEIR_WORKER_COMMANDS_H
#define WEIR_WORKER_COMMANDS_H

#include "proto/serve.h"
#include "worker/capture.h"
#include "worker/meter.h"

/* The `ctx` of the handlers. The members are borrowed; made by main.c. */
struct commands {
	struct capture *capture;
	struct meter *meter;
	struct meter_adoption adoption;
	int64_t adoption_ms; /* from the start of the process to counting */
};

extern serve_handler *const commands_table[MSG_TYPE_MAX];

#endif
