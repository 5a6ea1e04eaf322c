/* What weir-store does when it is asked: the database, the maps in work and retention
 * behind the table of request handlers. */
#ifndef WEIR_STORE_REQUESTS_H
#define WEIR_STORE_REQUESTS_H

#include "proto/serve.h"
#include "store/expire.h"
#include "store/schema.h"

struct store;

/* For serve_child() and serve_request(); the context is a struct store. */
extern serve_handler *const store_requests[MSG_TYPE_MAX];

/* Opens the database in the working directory and starts the thread that does what
 * retention asks for, after appends and once a minute. `path` is how status names the
 * database. 0 or negative errno and a sentence, as schema_open(). */
int store_start(const char *path, const struct retention *retention, struct store **out,
    char why[static SCHEMA_WHY_SIZE]);

/* Logs the flows of every map from now on. */
void store_log_flows(struct store *store);

/* Ends the thread, writes everything into the main file and closes. NULL is fine. */
void store_stop(struct store *store);

#endif
