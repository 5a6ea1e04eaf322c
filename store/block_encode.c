/* Integers are reduced to their distance from the smallest one and split into planes of
 * bytes; zstd then finds the high planes nearly constant, whatever single large value
 * decided the width. Addresses stay as they are: sorted rows repeat them. The head of a
 * column repeats what is needed to read it alone, so that a query reads only the columns
 * it needs. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/clock.h"
#include "store/block_private.h"

#define ZSTD_LEVEL 3

struct block_encoder {
	ZSTD_CCtx *zstd;
	uint64_t *values;
	size_t value_room;
	uint8_t *raw;
	size_t raw_room;
	uint8_t *out;
	size_t out_room;
};

static void
put_le32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void
put_le64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

/* Rounds down, also before 1970. */
static int64_t
ns_to_ms(int64_t ns)
{
	return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

struct block_encoder *
block_encoder_new(void)
{
	struct block_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return NULL;
	encoder->zstd = ZSTD_createCCtx();
	if (!encoder->zstd) {
		free(encoder);
		return NULL;
	}
	ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	return encoder;
}

void
block_encoder_free(struct block_encoder *encoder)
{
	if (!encoder)
		return;
	ZSTD_freeCCtx(encoder->zstd);
	free(encoder->values);
	free(encoder->raw);
	free(encoder->out);
	free(encoder);
}

static int
room_for(uint8_t **data, size_t *room, size_t need)
{
	if (need <= *room)
		return 0;
	free(*data);
	*data = malloc(need);
	*room = *data ? need : 0;
	return *data ? 0 : -ENOMEM;
}

static uint64_t
value_of(const struct flow_record *row, enum block_column column)
{
	switch (column) {
	case COLUMN_DPORT:
		return row->dport;
	case COLUMN_PROTO:
		return row->proto;
	case COLUMN_ORIENTATION:
		return row->orientation;
	case COLUMN_FLAGS_FORWARD:
		return row->tcp_flags[FWD];
	case COLUMN_FLAGS_REVERSE:
		return row->tcp_flags[REV];
	case COLUMN_CONVERSATIONS:
		return row->conversations;
	case COLUMN_FIRST:
		return (uint64_t)ns_to_ms(row->first_ns);
	case COLUMN_DURATION:
		return (uint64_t)ns_to_ms(row->last_ns) -
		    (uint64_t)ns_to_ms(row->first_ns);
	default: {
		unsigned n = column - COLUMN_COUNTERS;
		const struct counter *count = &row->count[n >> 2 & 1][n >> 1 & 1];
		return n & 1 ? count->bytes : count->packets;
	}
	}
}

static unsigned
width_of(uint64_t largest)
{
	return largest ? (71 - (unsigned)__builtin_clzll(largest)) / 8 : 0;
}

/* Fills raw, tells width and base. */
static int
encode_values(struct block_encoder *encoder, enum block_column column,
    const struct flow_record *rows, size_t count, uint8_t *head, size_t *size)
{
	uint64_t low = 0, high = 0;

	if (count > encoder->value_room) {
		free(encoder->values);
		encoder->values = calloc(count, sizeof(*encoder->values));
		encoder->value_room = encoder->values ? count : 0;
		if (!encoder->values)
			return -ENOMEM;
	}
	/* `first` is signed: with its top bit turned the order is that of unsigned. */
	uint64_t turn = column == COLUMN_FIRST ? UINT64_C(1) << 63 : 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t v = value_of(&rows[i], column) ^ turn;
		encoder->values[i] = v;
		if (i == 0 || v < low)
			low = v;
		if (i == 0 || v > high)
			high = v;
	}
	unsigned width = width_of(high - low);
	int rc = room_for(&encoder->raw, &encoder->raw_room, width * count + 1);
	if (rc < 0)
		return rc;
	for (unsigned plane = 0; plane < width; plane++) {
		uint8_t *to = encoder->raw + plane * count;
		for (size_t i = 0; i < count; i++)
			to[i] = (uint8_t)((encoder->values[i] - low) >> (8 * plane));
	}
	head[HEAD_WIDTH] = (uint8_t)width;
	put_le64(head + HEAD_BASE, count ? low ^ turn : 0);
	*size = width * count;
	return 0;
}

static int
encode_addresses(struct block_encoder *encoder, enum block_column column,
    const struct flow_record *rows, size_t count, uint8_t *head, size_t *size)
{
	int rc = room_for(&encoder->raw, &encoder->raw_room, 16 * count + 1);
	if (rc < 0)
		return rc;
	uint8_t *to = encoder->raw;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *address =
		    column == COLUMN_SRC ? rows[i].src : rows[i].dst;
		size_t len = rows[i].family == FAMILY_NONE ? 0
		    : rows[i].family == FAMILY_IPV4        ? 4
							   : 16;
		memcpy(to, address, len);
		to += len;
	}
	head[HEAD_WIDTH] = WIDTH_ADDRESS;
	*size = (size_t)(to - encoder->raw);
	return 0;
}

int
block_encode(struct block_encoder *encoder, int64_t interval, enum block_column column,
    const struct flow_record *rows, size_t count, const void **data, size_t *len)
{
	uint8_t head[HEAD_BYTES] = {0};
	uint32_t family_rows[3] = {0, 0, 0};
	size_t size;
	int rc;

	if (count > STORE_ROWS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		int f = rows[i].family == FAMILY_NONE ? 0
		    : rows[i].family == FAMILY_IPV4   ? 1
						      : 2;
		family_rows[f]++;
	}
	if (column == COLUMN_SRC || column == COLUMN_DST)
		rc = encode_addresses(encoder, column, rows, count, head, &size);
	else
		rc = encode_values(encoder, column, rows, count, head, &size);
	if (rc < 0)
		return rc;
	rc = room_for(
	    &encoder->out, &encoder->out_room, HEAD_BYTES + ZSTD_compressBound(size));
	if (rc < 0)
		return rc;

	uint8_t *payload = encoder->out + HEAD_BYTES;
	size_t packed = ZSTD_compress2(
	    encoder->zstd, payload, encoder->out_room - HEAD_BYTES, encoder->raw, size);
	if (ZSTD_isError(packed))
		return -ENOMEM; /* the only way with enough room */
	head[HEAD_ENCODING] = ENCODING_ZSTD;
	if (packed >= size) {
		if (size > 0)
			memcpy(payload, encoder->raw, size);
		packed = size;
		head[HEAD_ENCODING] = ENCODING_PLAIN;
	}
	head[HEAD_COLUMN] = (uint8_t)column;
	for (int f = 0; f < 3; f++)
		put_le32(head + HEAD_ROWS + 4 * f, family_rows[f]);
	put_le64(head + HEAD_SIZE, size);
	memcpy(encoder->out, head, HEAD_BYTES);
	*len = HEAD_BYTES + packed;
	put_le64(encoder->out + HEAD_CHECKSUM,
	    block_checksum(encoder->out, *len, block_row_key(interval, column)));
	*data = encoder->out;
	return 0;
}
