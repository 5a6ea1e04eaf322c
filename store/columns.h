/* Between the tables and the program's structures: an interval's row, and the blobs of
 * its columns. Used by the writer (to merge) and by readers. The functions do not begin
 * or end transactions. Failures: negative errno, the sentence is sqlite3_errmsg(db). */
#ifndef WEIR_STORE_COLUMNS_H
#define WEIR_STORE_COLUMNS_H

#include <sqlite3.h>

#include "store/block.h"
#include "store/reader.h"

/* What a SELECT on the table interval must ask for, for columns_interval(). */
#define COLUMNS_OF_INTERVAL \
	"id, iface, begin_ms, end_ms, length_ns, clock_step_ms, cuts, busy," \
	" kernel_received, kernel_dropped, packets, bytes, in_flows_packets," \
	" in_flows_bytes, overflow_packets, overflow_bytes, flows, conversations," \
	" rows, column_bytes, link_packets, link_dropped, link_missed"

/* The same of a database of version 1, which has no counts of the interface. */
#define COLUMNS_OF_INTERVAL_1 \
	"id, iface, begin_ms, end_ms, length_ns, clock_step_ms, cuts, busy," \
	" kernel_received, kernel_dropped, packets, bytes, in_flows_packets," \
	" in_flows_bytes, overflow_packets, overflow_bytes, flows, conversations," \
	" rows, column_bytes, NULL, NULL, NULL"

/* Copies the row on which `statement` stands, without the classes of refusal. 0, or
 * -EBADMSG when it holds what no writer writes. */
int columns_interval(sqlite3_stmt *statement, struct store_interval *out);

/* Adds the classes of refusal. `statement` is prepared from COLUMNS_REFUSED and is
 * left reset. 0, -EBADMSG for classes unknown here, or another negative errno. */
#define COLUMNS_REFUSED "SELECT class, packets, bytes FROM refused WHERE interval_id=?1"
int columns_refused(sqlite3_stmt *statement, struct store_interval *out);

/* Blobs as they lie in the database, copied out. */
struct columns {
	void *data[COLUMN_MAX];
	size_t len[COLUMN_MAX];
};

/* Reads the blobs of the columns in `mask`. A missing one stays NULL: decoding tells.
 * 0 or negative errno, nothing to free then. */
int columns_read(sqlite3 *db, int64_t interval, uint64_t mask, struct columns *out);
void columns_fini(struct columns *columns);

/* Decodes them into `block`, an empty one from block_init() before: the caller frees it
 * in any case. 0; -ENOMEM; -EBADMSG, then `column` and `why` say what. */
int columns_decode(const struct columns *columns, int64_t interval, uint64_t mask,
    struct block *block, enum block_column *column, const char **why);

#endif
