/* What the store shuts itself into. Each function logs what is to be said and answers 0 or
 * negative errno; after a failure the process must exit. SECURITY.md tells what is left to
 * somebody who takes it over. */
#ifndef WEIR_STORE_CONFINE_H
#define WEIR_STORE_CONFINE_H

/* No file but those in this directory, no TCP, nobody else to signal. Before the first
 * other thread and the first nng call. */
int confine_files(int directory);

/* No network, no program, no other process; threads, one local socket and what nng has for
 * itself are left. Before the database is opened. */
int confine_starting(void);

/* The rest, when everything is started and dialled. */
int confine_serving(void);

#endif
