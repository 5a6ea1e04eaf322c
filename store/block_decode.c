/* Blobs are as untrusted as any file: the checksum finds accidents, the checks after it
 * hold against a blob that was made to deceive. Nothing is allocated before the size has
 * been computed from counts that agree with the interval's. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/clock.h"
#include "store/block_private.h"

static const char *const names[COLUMN_MAX] = {"src", "dst", "dport", "proto",
    "orientation", "flags_forward", "flags_reverse", "conversations", "first",
    "duration", "received_forward_packets", "received_forward_bytes",
    "received_reverse_packets", "received_reverse_bytes", "sent_forward_packets",
    "sent_forward_bytes", "sent_reverse_packets", "sent_reverse_bytes"};

const char *
block_column_name(enum block_column column)
{
	return (unsigned)column < COLUMN_MAX ? names[column] : "unknown";
}

static uint32_t
get_le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t
get_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static int64_t
ms_to_ns(int64_t ms)
{
	int64_t ns;

	if (__builtin_mul_overflow(ms, NS_PER_MS, &ns))
		return ms < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

void
block_init(struct block *block, uint64_t rows)
{
	memset(block, 0, sizeof(*block));
	block->rows = rows;
}

void
block_fini(struct block *block)
{
	if (!block)
		return;
	free(block->address[0]);
	free(block->address[1]);
	for (int column = 0; column < COLUMN_MAX; column++)
		free(block->value[column]);
	memset(block, 0, sizeof(*block));
}

static int
bad(const char **why, const char *text)
{
	*why = text;
	return -EBADMSG;
}

/* The checks of the head, in the order of FORMAT.md; *size is that of the raw payload. */
static int
head_check(struct block *block, uint64_t key, enum block_column column,
    const uint8_t *blob, size_t len, size_t *size, const char **why)
{
	uint64_t total = 0;

	if (len < HEAD_BYTES)
		return bad(why, "is cut short");
	if (get_le64(blob + HEAD_CHECKSUM) != block_checksum(blob, len, key))
		return bad(why, "has a wrong checksum");
	if (blob[HEAD_COLUMN] != column || blob[HEAD_ZERO] != 0)
		return bad(why, "is another column");
	if (blob[HEAD_ENCODING] > ENCODING_ZSTD)
		return bad(why, "has an encoding that this program does not know");
	bool is_address = column == COLUMN_SRC || column == COLUMN_DST;
	if (is_address ? blob[HEAD_WIDTH] != WIDTH_ADDRESS : blob[HEAD_WIDTH] > 8)
		return bad(why, "has an impossible width");
	for (int f = 0; f < 3; f++) {
		uint32_t rows = get_le32(blob + HEAD_ROWS + 4 * f);
		if (block->counted && rows != block->family_rows[f])
			return bad(why, "has another number of rows than the others");
		total += rows;
	}
	if (total != block->rows || total > STORE_ROWS_MAX)
		return bad(why, "has another number of rows than the interval");
	uint64_t want = is_address ? UINT64_C(4) * get_le32(blob + HEAD_ROWS + 4) +
		UINT64_C(16) * get_le32(blob + HEAD_ROWS + 8)
				   : total * blob[HEAD_WIDTH];
	if (get_le64(blob + HEAD_SIZE) != want)
		return bad(why, "has a size that does not fit its rows");
	for (int f = 0; f < 3; f++)
		block->family_rows[f] = get_le32(blob + HEAD_ROWS + 4 * f);
	block->counted = true;
	*size = want;
	return 0;
}

/* The raw payload: inside the blob, or in *unpacked, which the caller frees. */
static int
payload_get(const uint8_t *blob, size_t len, size_t size, uint8_t **unpacked,
    const uint8_t **raw, const char **why)
{
	const uint8_t *payload = blob + HEAD_BYTES;
	size_t packed = len - HEAD_BYTES;

	*unpacked = NULL;
	if (blob[HEAD_ENCODING] == ENCODING_PLAIN) {
		if (packed != size)
			return bad(why, "has a payload of another size");
		*raw = payload;
		return 0;
	}
	if (ZSTD_getFrameContentSize(payload, packed) != size)
		return bad(why, "has a payload of another size");
	*unpacked = malloc(size + 1);
	if (!*unpacked)
		return -ENOMEM;
	if (ZSTD_decompress(*unpacked, size, payload, packed) != size) {
		free(*unpacked);
		*unpacked = NULL;
		return bad(why, "cannot be decompressed");
	}
	*raw = *unpacked;
	return 0;
}

static uint64_t *
values_join(const uint8_t *raw, size_t count, unsigned width, uint64_t base)
{
	uint64_t *values = malloc((count + 1) * sizeof(*values));

	if (!values)
		return NULL;
	/* Widths 1 and 2 are nearly all there are: one pass over memory for them. */
	if (width == 0) {
		for (size_t i = 0; i < count; i++)
			values[i] = base;
	} else if (width == 1) {
		for (size_t i = 0; i < count; i++)
			values[i] = base + raw[i];
	} else {
		const uint8_t *second = raw + count;
		for (size_t i = 0; i < count; i++)
			values[i] = base + raw[i] + ((uint64_t)second[i] << 8);
	}
	for (unsigned plane = 2; plane < width; plane++) {
		const uint8_t *from = raw + plane * count;
		for (size_t i = 0; i < count; i++)
			values[i] += (uint64_t)from[i] << (8 * plane);
	}
	return values;
}

int
block_decode(struct block *block, int64_t interval, enum block_column column,
    const void *data, size_t len, const char **why)
{
	const uint8_t *blob = data, *raw;
	uint8_t *unpacked;
	size_t size;

	int rc = head_check(
	    block, block_row_key(interval, column), column, blob, len, &size, why);
	if (rc < 0)
		return rc;
	rc = payload_get(blob, len, size, &unpacked, &raw, why);
	if (rc < 0)
		return rc;
	if (column == COLUMN_SRC || column == COLUMN_DST) {
		if (!unpacked) {
			unpacked = malloc(size + 1);
			if (!unpacked)
				return -ENOMEM;
			memcpy(unpacked, raw, size);
		}
		free(block->address[column]);
		block->address[column] = unpacked;
		return 0;
	}
	uint64_t *values =
	    values_join(raw, block->rows, blob[HEAD_WIDTH], get_le64(blob + HEAD_BASE));
	free(unpacked);
	if (!values)
		return -ENOMEM;
	free(block->value[column]);
	block->value[column] = values;
	return 0;
}

void
block_address(const struct block *block, enum block_column column, size_t row,
    uint8_t out[static 16])
{
	const uint8_t *from = block->address[column];

	memset(out, 0, 16);
	if (row < block->family_rows[0])
		return;
	row -= block->family_rows[0];
	if (row < block->family_rows[1]) {
		memcpy(out, from + 4 * row, 4);
		return;
	}
	row -= block->family_rows[1];
	memcpy(out, from + (size_t)4 * block->family_rows[1] + 16 * row, 16);
}

void
block_row(const struct block *block, size_t row, struct flow_record *out)
{
	memset(out, 0, sizeof(*out));
	out->family = block_family(block, row);
	block_address(block, COLUMN_SRC, row, out->src);
	block_address(block, COLUMN_DST, row, out->dst);
	out->dport = (uint16_t)block->value[COLUMN_DPORT][row];
	out->proto = (uint8_t)block->value[COLUMN_PROTO][row];
	out->orientation = (uint8_t)block->value[COLUMN_ORIENTATION][row];
	out->tcp_flags[FWD] = (uint8_t)block->value[COLUMN_FLAGS_FORWARD][row];
	out->tcp_flags[REV] = (uint8_t)block->value[COLUMN_FLAGS_REVERSE][row];
	out->conversations = block->value[COLUMN_CONVERSATIONS][row];
	uint64_t first = block->value[COLUMN_FIRST][row];
	out->first_ns = ms_to_ns((int64_t)first);
	out->last_ns = ms_to_ns((int64_t)(first + block->value[COLUMN_DURATION][row]));
	for (int n = 0; n < COLUMN_MAX - COLUMN_COUNTERS; n += 2) {
		struct counter *count = &out->count[n >> 2][n >> 1 & 1];
		count->packets = block->value[COLUMN_COUNTERS + n][row];
		count->bytes = block->value[COLUMN_COUNTERS + n + 1][row];
	}
}
