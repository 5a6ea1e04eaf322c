/* The flow rows of one interval as columns: FORMAT.md draws each byte. The encoder turns
 * sorted rows into one blob per column; the decoder takes blobs that may be damaged. */
#ifndef WEIR_STORE_BLOCK_H
#define WEIR_STORE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/flow.h"
#include "store/format.h"

/* Numbers are kept in the database: append only. */
enum block_column {
	COLUMN_SRC = 0,
	COLUMN_DST = 1,
	COLUMN_DPORT = 2,
	COLUMN_PROTO = 3,
	COLUMN_ORIENTATION = 4,
	COLUMN_FLAGS_FORWARD = 5,
	COLUMN_FLAGS_REVERSE = 6,
	COLUMN_CONVERSATIONS = 7,
	COLUMN_FIRST = 8, /* ms since 1970 UTC, as int64_t */
	COLUMN_DURATION = 9, /* ms */
	COLUMN_COUNTERS =
	    10, /* + 4 * observed + 2 * direction + (0 packets, 1 bytes) */
	COLUMN_MAX = 18
};
_Static_assert(COLUMN_MAX <= STORE_COLUMN_STEP, "columns fit below the next interval");

#define COLUMN_BIT(column) (UINT64_C(1) << (column))
#define COLUMNS_COUNTERS (UINT64_C(0xff) << COLUMN_COUNTERS)
#define COLUMNS_ALL (COLUMN_BIT(COLUMN_MAX) - 1)

/* "src", "dport", "received_forward_bytes", ... */
const char *block_column_name(enum block_column column);

struct block_encoder;

struct block_encoder *block_encoder_new(void); /* NULL without memory */
void block_encoder_free(struct block_encoder *encoder);

/* One column of rows that are sorted as aggregate_finish() does. *data belongs to the
 * encoder and holds until the next call. 0; -ENOMEM; -E2BIG more than STORE_ROWS_MAX. */
int block_encode(struct block_encoder *encoder, int64_t interval,
    enum block_column column, const struct flow_record *rows, size_t count,
    const void **data, size_t *len);

/* Decoded columns. What has not been decoded is NULL. */
struct block {
	uint64_t rows;
	uint32_t
	    family_rows[3]; /* without addresses, IPv4, IPv6: rows lie in this order */
	bool counted; /* family_rows is set */
	uint8_t *address[2]; /* COLUMN_SRC, COLUMN_DST: packed, see block_address() */
	uint64_t *value[COLUMN_MAX];
};

/* An empty block of an interval that says to have so many rows. */
void block_init(struct block *block, uint64_t rows);
void block_fini(struct block *block);

/* Decodes one blob into the block. 0; -ENOMEM; -EBADMSG, and *why says what is wrong
 * with it. Never reads outside of the blob. */
int block_decode(struct block *block, int64_t interval, enum block_column column,
    const void *data, size_t len, const char **why);

/* Family of a row; needs a column, any, to have been decoded. */
static inline uint8_t
block_family(const struct block *block, size_t row)
{
	if (row < block->family_rows[0])
		return FAMILY_NONE;
	row -= block->family_rows[0];
	return row < block->family_rows[1] ? FAMILY_IPV4 : FAMILY_IPV6;
}

/* Copies the address of a row in the shape of struct flow_record: 16 bytes, rest 0. */
void block_address(const struct block *block, enum block_column column, size_t row,
    uint8_t out[static 16]);

/* A whole row; needs all columns. Times are whole milliseconds. */
void block_row(const struct block *block, size_t row, struct flow_record *out);

#endif
