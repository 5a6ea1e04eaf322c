/* Reading the store: the one header of store/ for other programs. It opens the database
 * read-only, in the caller's own process and with its rights, beside the running writer.
 * Every function reads in short transactions, one interval at a time, so a reader that
 * is slow never holds the writer's log back. A handle belongs to one thread at a time.
 *
 * query.h, included here, groups and sums on top of it. */
#ifndef WEIR_STORE_READER_H
#define WEIR_STORE_READER_H

#include <stddef.h>
#include <stdint.h>

#include "common/iface.h"
#include "common/interval.h"
#include "store/query.h"

struct block;

/* One interval of one interface, without its flows. */
struct store_interval {
	int64_t id;
	struct iface_name iface;
	struct interval interval; /* labels, books and the rest, as handed in */
	uint64_t conversations; /* that went into the rows */
	uint64_t rows; /* aggregated flow rows */
	uint64_t bytes; /* that its columns take in the database */
};

/* Sentences for people: a path and some words fit. */
#define STORE_WHY_SIZE (4096 + 512)

/* Opens the store in `directory`. 0; -ENOENT there is none; -EACCES not allowed to;
 * -EPROTONOSUPPORT written by a newer weir; -EBADMSG damaged or no store of weir's;
 * other negative errno. On failure *out is untouched and `why` (STORE_WHY_SIZE bytes)
 * is a sentence with the path that says what to do. */
int store_reader_open(
    const char *directory, struct store_reader **out, char why[static STORE_WHY_SIZE]);
void store_reader_close(struct store_reader *reader);

/* The intervals whose begin lies in [first_ms, last_ms), in the order of begin, then
 * interface. `ifaces` of length 0: all. *out is malloc'ed, the caller frees it; NULL
 * when there is none. 0 or negative errno, see store_reader_why(). */
int store_reader_list(struct store_reader *reader, const char *const *ifaces,
    size_t iface_count, int64_t first_ms, int64_t last_ms, struct store_interval **out,
    size_t *count);

/* Reads and decodes the columns in `mask` (bit n: enum block_column n) of one interval
 * into the block, which the caller gives back with block_fini(). 0; -ENOENT when it has
 * been expired meanwhile; -EBADMSG when it is damaged; other negative errno. See
 * store_reader_why() for which column and how. When `now` is not NULL it takes the
 * interval as it is in the same transaction (a merge may have changed it). */
int store_reader_block(struct store_reader *reader, int64_t id, uint64_t mask,
    struct block *block, struct store_interval *now);

/* The sentence that belongs to the last failure of this handle. */
const char *store_reader_why(const struct store_reader *reader);

#endif
