/* What a worker shuts itself into, for each of its modes. Each function logs what is to be
 * said, names the reason of a failure, and answers 0 or negative errno; after a failure the
 * process must exit. SECURITY.md tells what is left to somebody who takes it over. */
#ifndef WEIR_WORKER_CONFINE_H
#define WEIR_WORKER_CONFINE_H

#include <stdint.h>

/* No file, no TCP, nobody else to signal. When what needs files is open, before the first
 * other thread and the first nng call. */
int confine_files(void);

/* The rest, when everything is open, dialled and started. `flow_limit`: as the meter
 * has it. */
int confine_serving(uint64_t flow_limit);

/* File mode: all of it at once, before the first byte is read. */
int confine_reading(uint64_t flow_limit);

/* A check opens a capture, so it needs most of what that takes; it reads no packet. */
int confine_check(void);

#endif
