/* Flows and books of capture files as rows. */
#ifndef WEIR_CLIENT_FLOW_ROWS_H
#define WEIR_CLIENT_FLOW_ROWS_H

#include "client/client.h"
#include "common/flow.h"

struct flow_rows {
	struct output *out;
	const char *file; /* the first column; NULL: there is none */
};

/* Begins rows of flows; with the file's name first where several files end up in one
 * flat table. */
void flow_rows_begin(struct output *out, bool several);

/* One flow; for flow_map_each(), arg is a struct flow_rows. */
int flow_rows_add(void *arg, const struct flow_record *flow);

/* Whether books are shown as one row per file: with --books, in CSV always and in tables
 * when there are several. */
bool books_rows_wanted(
    const struct client *client, const struct output *out, bool several);
void books_rows_begin(struct output *out);
void books_row(struct output *out, const char *file, const struct books *books,
    const char *link_type);

#endif
