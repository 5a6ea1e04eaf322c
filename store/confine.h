/* What the store shuts itself into. Each function logs what is to be said and answers 0 or
 * negative errno; after a failure the process must exit. SECURITY.md tells what is left to
 * somebody who takes it over. */
#ifndef WEIR_STORE_CONFINE_H
#define WEIR_STORE_CONFINE_H

/* No file but those in this directory, no TCP, nobody else to signal. Before the first
 * other thread and the first nng call. */
int confine_files(int directory);

/* The rest, when everything is started and dialled. */
int confine_serving(void);

#endif
