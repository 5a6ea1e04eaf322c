/* What the encoder and the decoder of blocks share: FORMAT.md, "A column". */
#ifndef WEIR_STORE_BLOCK_PRIVATE_H
#define WEIR_STORE_BLOCK_PRIVATE_H

#include "store/block.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum encoding {
	ENCODING_PLAIN = 0,
	ENCODING_ZSTD = 1
};

#define WIDTH_ADDRESS 255

/* Offsets in the head. */
enum {
	HEAD_CHECKSUM = 0,
	HEAD_COLUMN = 8,
	HEAD_ENCODING = 9,
	HEAD_WIDTH = 10,
	HEAD_ZERO = 11,
	HEAD_ROWS = 12, /* three times 4 bytes */
	HEAD_BASE = 24,
	HEAD_SIZE = 32,
	HEAD_BYTES = 40,
};

/* Key of the column's row, which seeds its checksum. */
static inline uint64_t
block_row_key(int64_t interval, enum block_column column)
{
	return (uint64_t)interval * STORE_COLUMN_STEP + column;
}

static inline uint64_t
block_checksum(const uint8_t *blob, size_t len, uint64_t key)
{
	return XXH3_64bits_withSeed(blob + HEAD_COLUMN, len - HEAD_COLUMN, key);
}

#endif
