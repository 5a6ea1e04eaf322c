/* The columns of an interval from arbitrary bytes, with a row count. A blob is taken as it
 * comes, or gets the parts that chance would hardly hit: a head that fits, zstd, the right
 * checksum. What is decoded can be read to the last row, agrees with a decoder written
 * here, and is the same after it was encoded again. */
#include <errno.h>
#include <zstd.h>

#include "common/clock.h"
#include "store/block_private.h"
#include "tests/fuzz/input.h"

#define INTERVAL 7
#define ROWS_MAX 511
#define BLOB_MAX (HEAD_BYTES + 16 * ROWS_MAX + 4096)

/* How a blob is made of the input. */
#define MAKE_HEAD 0x01
#define MAKE_ZSTD 0x02
#define MAKE_CHECKSUM 0x04
#define CHANGE_BYTE 0x08 /* of the head, before the checksum */
#define WIDTH_SHIFT 4

static void
put_le(uint8_t *at, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t
get_le(const uint8_t *at, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

struct blob {
	uint8_t *data;
	size_t len;
	enum block_column column;
	bool made; /* head and payload are as they should be */
	const uint8_t *raw; /* made: the payload before zstd, `size` bytes */
	size_t size;
};

static size_t
payload_size(const uint32_t families[3], bool address, unsigned width)
{
	if (address)
		return (size_t)4 * families[1] + (size_t)16 * families[2];
	return (size_t)(families[0] + families[1] + families[2]) * width;
}

static ZSTD_CCtx *
zstd(void)
{
	static ZSTD_CCtx *context;

	if (!context)
		context = ZSTD_createCCtx();
	fuzz_check(context != NULL);
	return context;
}

/* Takes column, style and bytes. The raw payload is the input's bytes again and again. */
static void
take_blob(struct input *in, const uint32_t families[3], uint8_t raw[static BLOB_MAX],
    uint8_t out[static BLOB_MAX], struct blob *blob)
{
	unsigned style, width, at = 0, change = 0;
	struct input bytes;
	bool address;

	blob->column = (enum block_column)(input_u8(in) % COLUMN_MAX);
	style = input_u8(in);
	if (style & CHANGE_BYTE) {
		at = input_u8(in) % HEAD_BYTES;
		change = input_u8(in);
	}
	bytes = input_bytes(in, input_u16(in));
	blob->len = input_left(&bytes);
	if (!(style & MAKE_HEAD)) {
		if (blob->len > BLOB_MAX)
			blob->len = BLOB_MAX;
		memcpy(out, bytes.at, blob->len);
	} else {
		address = blob->column == COLUMN_SRC || blob->column == COLUMN_DST;
		width = (style >> WIDTH_SHIFT) % 9;
		blob->size = payload_size(families, address, width);
		for (size_t i = 0; i < blob->size; i++)
			raw[i] = blob->len > 0 ? bytes.at[i % blob->len] : 0;
		memset(out, 0, HEAD_BYTES);
		out[HEAD_COLUMN] = (uint8_t)blob->column;
		out[HEAD_ENCODING] = style & MAKE_ZSTD ? ENCODING_ZSTD : ENCODING_PLAIN;
		out[HEAD_WIDTH] = address ? WIDTH_ADDRESS : (uint8_t)width;
		for (int f = 0; f < 3; f++)
			put_le(out + HEAD_ROWS + 4 * f, families[f], 4);
		put_le(out + HEAD_BASE, blob->len >= 8 ? get_le(bytes.at, 8) : 0, 8);
		put_le(out + HEAD_SIZE, blob->size, 8);
		blob->len = HEAD_BYTES + blob->size;
		if (style & MAKE_ZSTD)
			blob->len = HEAD_BYTES +
			    ZSTD_compressCCtx(zstd(), out + HEAD_BYTES,
				BLOB_MAX - HEAD_BYTES, raw, blob->size, 1);
		else
			memcpy(out + HEAD_BYTES, raw, blob->size);
		fuzz_check(blob->len >= HEAD_BYTES && blob->len <= BLOB_MAX);
		blob->raw = raw;
		blob->made = true;
	}
	if (blob->len >= HEAD_BYTES) {
		if (style & CHANGE_BYTE) {
			blob->made = blob->made && out[at] == change;
			out[at] = (uint8_t)change;
		}
		if (style & MAKE_CHECKSUM)
			put_le(out + HEAD_CHECKSUM,
			    block_checksum(
				out, blob->len, block_row_key(INTERVAL, blob->column)),
			    8);
		else
			blob->made = false;
	}
}

/* Reads all of a column; of one that was made here, its values are known. */
static uint64_t
read_column(const struct block *block, const struct blob *blob, const uint8_t *data)
{
	uint64_t sum = 0;
	uint8_t address[16];
	unsigned width = data[HEAD_WIDTH];
	uint64_t base = get_le(data + HEAD_BASE, 8);

	for (size_t row = 0; row < block->rows; row++) {
		uint64_t value = base;

		if (blob->column == COLUMN_SRC || blob->column == COLUMN_DST) {
			block_address(block, blob->column, row, address);
			for (int i = 0; i < 16; i++)
				sum += address[i];
			fuzz_check(block_family(block, row) != FAMILY_NONE ||
			    get_le(address, 8) == 0);
			continue;
		}
		sum += block->value[blob->column][row];
		if (!blob->made)
			continue;
		for (unsigned plane = 0; plane < width; plane++)
			value += (uint64_t)blob->raw[plane * block->rows + row]
			    << (8 * plane);
		fuzz_check(block->value[blob->column][row] == value);
	}
	return sum;
}

static void
try_blob(struct block *block, uint64_t *decoded, const struct blob *blob,
    const uint8_t *data)
{
	const char *why = NULL;
	struct block alone;
	uint8_t *exact = malloc(blob->len);
	int rc;

	/* In a block that ends where the blob does. */
	fuzz_check(exact || blob->len == 0);
	if (blob->len > 0)
		memcpy(exact, data, blob->len);
	block_init(&alone, block->rows);
	rc = block_decode(&alone, INTERVAL, blob->column, exact, blob->len, &why);
	fuzz_check(rc == 0 || (rc == -EBADMSG && why && why[0] != '\0'));
	if (blob->made)
		fuzz_check(rc == 0);
	if (rc == 0) {
		(void)read_column(&alone, blob, exact);
		/* And among the others, which must be of the same rows. */
		rc =
		    block_decode(block, INTERVAL, blob->column, exact, blob->len, &why);
		fuzz_check(rc == 0 || rc == -EBADMSG);
		if (rc == 0)
			*decoded |= COLUMN_BIT(blob->column);
		else
			fuzz_check(memcmp(alone.family_rows, block->family_rows,
				       sizeof(alone.family_rows)) != 0);
	}
	block_fini(&alone);
	free(exact);
}

static bool
times_are_exact(const struct block *block)
{
	const int64_t most = INT64_MAX / NS_PER_MS;

	for (size_t row = 0; row < block->rows; row++) {
		int64_t first = (int64_t)block->value[COLUMN_FIRST][row];
		int64_t last = (int64_t)(block->value[COLUMN_FIRST][row] +
		    block->value[COLUMN_DURATION][row]);

		if (first > most || first < -most || last > most || last < -most)
			return false; /* beyond nanoseconds: they count at the edge */
	}
	return true;
}

static void
try_rows(const struct block *block)
{
	struct flow_record *rows = calloc(block->rows + 1, sizeof(*rows));
	struct block_encoder *encoder = block_encoder_new();
	bool exact = times_are_exact(block);
	struct block again;
	const char *why;

	fuzz_check(rows && encoder);
	for (size_t row = 0; row < block->rows; row++)
		block_row(block, row, &rows[row]);
	block_init(&again, block->rows);
	for (int column = 0; column < COLUMN_MAX; column++) {
		const void *data;
		size_t len;

		fuzz_check(block_encode(encoder, INTERVAL, (enum block_column)column,
			       rows, block->rows, &data, &len) == 0);
		fuzz_check(block_decode(&again, INTERVAL, (enum block_column)column,
			       data, len, &why) == 0);
	}
	for (size_t row = 0; row < block->rows && exact; row++) {
		struct flow_record second;

		block_row(&again, row, &second);
		fuzz_check(memcmp(&second, &rows[row], sizeof(second)) == 0);
	}
	block_fini(&again);
	block_encoder_free(encoder);
	free(rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t raw[BLOB_MAX], bytes[BLOB_MAX];
	struct input in = input_of(data, size);
	uint64_t rows = input_u16(&in) & ROWS_MAX;
	uint64_t decoded = 0;
	uint32_t families[3];
	struct block block;

	families[0] = (uint32_t)(input_u8(&in) % (rows + 1));
	families[1] = (uint32_t)(input_u16(&in) % (rows - families[0] + 1));
	families[2] = (uint32_t)rows - families[0] - families[1];
	block_init(&block, rows);
	while (input_left(&in) > 0) {
		struct blob blob = {.len = 0};

		take_blob(&in, families, raw, bytes, &blob);
		try_blob(&block, &decoded, &blob, bytes);
	}
	if (decoded == COLUMNS_ALL)
		try_rows(&block);
	block_fini(&block);
	return 0;
}
