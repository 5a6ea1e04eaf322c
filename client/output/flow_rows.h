/* Flows as rows, of capture files and of running intervals, and books of files. */
#ifndef WEIR_CLIENT_OUTPUT_FLOW_ROWS_H
#define WEIR_CLIENT_OUTPUT_FLOW_ROWS_H

#include "client/client.h"
#include "common/flow.h"

/* What the first column tells of a flow: where it is from. */
enum flow_rows_lead {
	FLOW_ROWS_PLAIN = 0, /* nothing */
	FLOW_ROWS_FILE,
	FLOW_ROWS_IFACE, /* the interface, and the time of the last packet in tables too */
};

struct flow_rows {
	struct output *out;
	enum flow_rows_lead lead;
	const char *from; /* name of the file or interface; NULL without */
};

void flow_rows_begin(const struct flow_rows *rows);

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
