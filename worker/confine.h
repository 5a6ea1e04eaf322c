/* What a worker shuts itself into, for each of its modes. Each function logs what is to be
 * said, names the reason of a failure, and answers 0 or negative errno; after a failure the
 * process must exit. SECURITY.md tells what is left to somebody who takes it over. */
#ifndef WEIR_WORKER_CONFINE_H
#define WEIR_WORKER_CONFINE_H

#include <stdint.h>

/* A worker that counts calls these four in this order. */

/* What it takes to open a capture with CAP_NET_RAW, and what follows; files as large as
 * the records may become. Before libpcap sees the filter. */
int confine_opening(uint64_t flow_limit);

/* No file, no TCP, nobody else to signal. When what needs files is open, before the first
 * other thread and the first nng call. */
int confine_files(void);

/* No packet socket, file or network any more, only threads, one local socket and what nng
 * has for itself. Before the records are looked at. */
int confine_starting(void);

/* The rest, when everything is open, dialled and started. */
int confine_serving(void);

/* File mode: all of it at once, before the first byte is read. */
int confine_reading(uint64_t flow_limit);

/* A check opens a capture, so it needs most of what that takes; it reads no packet. */
int confine_check(void);

#endif
