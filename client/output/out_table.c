/* Tables for people: human units, columns aligned, fitted to the terminal.
 *
 * The first rows are held back to learn how wide the columns are; rows after them are
 * written as they come. When a terminal is too narrow, the least important columns are
 * left out; then texts are cut in the middle, so that both ends of an address can be
 * seen; then more columns go. Away from a terminal nothing is cut. */
#include "client/output/output.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define HELD_ROWS 500
#define HEAD_EVERY 20 /* lines of a live table */
#define CELL_SIZE 512
#define GAP 2
#define FIELD_WIDTH 12 /* of the names of fields, at least */
#define DROP_FIRST 3 /* columns of this rank go before others are cut */

struct table_state {
	unsigned width[OUTPUT_COLUMNS_MAX];
	bool shown[OUTPUT_COLUMNS_MAX];
	char **held; /* HELD_ROWS times column_count cells */
	size_t held_rows;
	bool fixed; /* widths are known, the head has been written */
	size_t lines; /* since the last head */
};

/* Characters of UTF-8 text; what a terminal shows of the names and numbers we have. */
static size_t
text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* The byte at which character number n begins. */
static size_t
text_offset(const char *text, size_t n)
{
	size_t i = 0;

	for (; text[i] != '\0'; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80 && n-- == 0)
			break;
	}
	return i;
}

static void
cell_text(
    const struct column *column, const struct value *value, char out[static CELL_SIZE])
{
	char buf[32];

	switch (value->kind) {
	case VALUE_NONE:
	case VALUE_COUNTER:
		snprintf(out, CELL_SIZE, "-");
		return;
	case VALUE_TEXT:
		text_escape(out, CELL_SIZE, value->text, strlen(value->text));
		return;
	case VALUE_BOOL:
		snprintf(out, CELL_SIZE, "%s", value->boolean ? "yes" : "no");
		return;
	case VALUE_REAL:
		if (column->unit == UNIT_SHARE)
			snprintf(out, CELL_SIZE, "%.1f%%", value->real);
		else if (column->unit == UNIT_BYTES && value->real >= 0)
			snprintf(out, CELL_SIZE, "%s",
			    text_bytes((uint64_t)(value->real + 0.5), buf));
		else if (column->unit == UNIT_COUNT && value->real >= 0)
			snprintf(out, CELL_SIZE, "%s",
			    text_count((uint64_t)(value->real + 0.5), buf));
		else
			snprintf(out, CELL_SIZE, "%.6g", value->real);
		return;
	case VALUE_I64:
		if (column->unit == UNIT_TIME_MS)
			snprintf(out, CELL_SIZE, "%s", wall_text_ms(value->i64, buf));
		else if (column->unit == UNIT_TIME_NS)
			snprintf(out, CELL_SIZE, "%s",
			    wall_text_ms(value->i64 / NS_PER_MS, buf));
		else if (column->unit == UNIT_DURATION_MS)
			snprintf(
			    out, CELL_SIZE, "%s", text_duration_ms(value->i64, buf));
		else
			snprintf(out, CELL_SIZE, "%" PRId64, value->i64);
		return;
	case VALUE_U64:
		if (column->unit == UNIT_BYTES)
			text_bytes(value->u64, buf);
		else if (column->unit == UNIT_COUNT)
			text_count(value->u64, buf);
		else if (column->unit == UNIT_DURATION_MS)
			text_duration_ms((int64_t)value->u64, buf);
		else
			snprintf(buf, sizeof(buf), "%" PRIu64, value->u64);
		snprintf(out, CELL_SIZE, "%s", buf);
		return;
	}
}

static void
put_cell(struct output *out, size_t column, const char *text, bool last)
{
	const char *mark = out->utf8 ? "\xe2\x80\xa6" : "~";
	size_t room = out->table->width[column];
	size_t width = text_width(text);
	char cut[CELL_SIZE + 8];

	if (width > room && out->columns[column].shrink > 0 && out->width > 0 &&
	    room > 0) {
		size_t front = text_offset(text, room / 2);
		size_t back = text_offset(text, width - (room - 1 - room / 2));
		snprintf(
		    cut, sizeof(cut), "%.*s%s%s", (int)front, text, mark, text + back);
		text = cut;
		width = room;
	}
	size_t pad = width < room ? room - width : 0;
	if (out->columns[column].left)
		fprintf(out->file, "%s%*s", text, last ? 0 : (int)pad, "");
	else
		fprintf(out->file, "%*s%s", (int)pad, "", text);
	if (!last)
		fprintf(out->file, "%*s", GAP, "");
}

static void
put_line(struct output *out, char *const *cells)
{
	size_t last = 0;

	for (size_t i = 0; i < out->column_count; i++) {
		if (out->table->shown[i])
			last = i;
	}
	for (size_t i = 0; i < out->column_count; i++) {
		if (out->table->shown[i])
			put_cell(out, i, cells[i] ? cells[i] : "-", i == last);
	}
	fputc('\n', out->file);
}

static void
put_head(struct output *out)
{
	size_t last = 0;

	for (size_t i = 0; i < out->column_count; i++) {
		if (out->table->shown[i])
			last = i;
	}
	for (size_t i = 0; i < out->column_count; i++) {
		if (out->table->shown[i])
			put_cell(out, i, out->columns[i].title, i == last);
	}
	fputc('\n', out->file);
	out->table->lines = 0;
}

static unsigned
total_width(const struct output *out)
{
	unsigned sum = 0;

	for (size_t i = 0; i < out->column_count; i++) {
		if (out->table->shown[i])
			sum += out->table->width[i] + GAP;
	}
	return sum > GAP ? sum - GAP : 0;
}

/* Makes the widest column that may be cut one narrower; false when none is left. */
static bool
shrink_one(struct output *out)
{
	size_t widest = out->column_count;

	for (size_t i = 0; i < out->column_count; i++) {
		if (!out->table->shown[i] || out->columns[i].shrink == 0 ||
		    out->table->width[i] <= out->columns[i].shrink)
			continue;
		if (widest == out->column_count ||
		    out->table->width[i] > out->table->width[widest])
			widest = i;
	}
	if (widest == out->column_count)
		return false;
	out->table->width[widest]--;
	return true;
}

/* Leaves out the least important column whose rank is at most `rank`. */
static bool
drop_one(struct output *out, unsigned rank)
{
	size_t least = out->column_count;

	for (size_t i = 0; i < out->column_count; i++) {
		if (!out->table->shown[i] || out->columns[i].drop == 0 ||
		    out->columns[i].drop > rank)
			continue;
		if (least == out->column_count ||
		    out->columns[i].drop < out->columns[least].drop)
			least = i;
	}
	if (least == out->column_count)
		return false;
	out->table->shown[least] = false;
	return true;
}

static void
fix_widths(struct output *out)
{
	struct table_state *table = out->table;

	bool narrow = out->width > 0;

	while (narrow && total_width(out) > out->width && drop_one(out, DROP_FIRST))
		;
	while (narrow && total_width(out) > out->width && shrink_one(out))
		;
	while (narrow && total_width(out) > out->width && drop_one(out, UINT_MAX))
		;
	put_head(out);
	for (size_t r = 0; r < table->held_rows; r++)
		put_line(out, table->held + r * out->column_count);
	table->fixed = true;
}

static void
release_held(struct output *out)
{
	struct table_state *table = out->table;

	for (size_t i = 0; i < table->held_rows * out->column_count; i++)
		free(table->held[i]);
	table->held_rows = 0;
}

static void
table_begin(struct output *out)
{
	out->table = calloc(1, sizeof(*out->table));
	if (out->table)
		out->table->held = calloc(
		    (size_t)HELD_ROWS * OUTPUT_COLUMNS_MAX, sizeof(*out->table->held));
	if (!out->table || !out->table->held) {
		fputs("weirctl: out of memory\n", stderr);
		exit(1);
	}
}

static void
table_end(struct output *out)
{
	free(out->table->held);
	free(out->table);
	out->table = NULL;
}

static void
table_list_begin(struct output *out, const char *key)
{
	(void)out;
	(void)key;
}

static void
table_list_end(struct output *out)
{
	(void)out;
}

static void
table_group_begin(struct output *out, const char *key, const char *heading)
{
	char text[CELL_SIZE];

	(void)key;
	if (!heading)
		return;
	text_escape(text, sizeof(text), heading, strlen(heading));
	fprintf(out->file, "%s:\n", text);
}

static void
table_group_end(struct output *out)
{
	fputc('\n', out->file);
}

static void
table_rows_begin(
    struct output *out, const char *key, const struct column *columns, size_t count)
{
	struct table_state *table = out->table;

	(void)key;
	out->columns = columns;
	out->column_count = count < OUTPUT_COLUMNS_MAX ? count : OUTPUT_COLUMNS_MAX;
	table->fixed = false;
	table->held_rows = 0;
	for (size_t i = 0; i < out->column_count; i++) {
		table->shown[i] = columns[i].title != NULL;
		size_t title = columns[i].title ? text_width(columns[i].title) : 0;
		table->width[i] =
		    columns[i].width > title ? columns[i].width : (unsigned)title;
	}
	if (out->live) /* rows are far apart: the columns' own widths must do */
		fix_widths(out);
}

/* The cells of a row; the caller frees them. */
static void
make_cells(struct output *out, const struct value *values, char **cells, bool learn)
{
	char text[CELL_SIZE];

	for (size_t i = 0; i < out->column_count; i++) {
		cells[i] = NULL;
		if (!out->columns[i].title)
			continue;
		cell_text(&out->columns[i], &values[i], text);
		cells[i] = strdup(text);
		size_t width = text_width(text);
		if (learn && width > out->table->width[i])
			out->table->width[i] = (unsigned)width;
	}
}

static void
table_row(struct output *out, const struct value *values)
{
	struct table_state *table = out->table;
	char *cells[OUTPUT_COLUMNS_MAX];

	if (!table->fixed && table->held_rows < HELD_ROWS) {
		make_cells(out, values,
		    table->held + table->held_rows * out->column_count, true);
		table->held_rows++;
		return;
	}
	if (!table->fixed) {
		fix_widths(out);
		release_held(out);
	}
	if (out->live && table->lines >= HEAD_EVERY)
		put_head(out);
	make_cells(out, values, cells, false);
	put_line(out, cells);
	table->lines++;
	for (size_t i = 0; i < out->column_count; i++)
		free(cells[i]);
	if (out->live)
		fflush(out->file);
}

static void
table_rows_end(struct output *out, const struct value *totals)
{
	struct table_state *table = out->table;
	char *cells[OUTPUT_COLUMNS_MAX];

	if (totals)
		make_cells(out, totals, cells, !table->fixed);
	if (!table->fixed) {
		fix_widths(out);
		release_held(out);
	}
	if (totals) {
		put_line(out, cells);
		for (size_t i = 0; i < out->column_count; i++)
			free(cells[i]);
	}
}

/* Text of a field stands alone in its line, so it needs no bound. */
static void
put_text(FILE *file, const char *text)
{
	size_t size = strlen(text) * 4 + 1; /* \xNN for each byte */
	char *safe = malloc(size);

	if (!safe)
		return;
	text_escape(safe, size, text, strlen(text));
	fputs(safe, file);
	free(safe);
}

static void
table_fields(struct output *out, const char *key, const struct column *columns,
    const struct value *values, size_t count)
{
	char text[CELL_SIZE];
	size_t wide = FIELD_WIDTH;

	(void)key;
	for (size_t i = 0; i < count; i++) {
		if (columns[i].title && text_width(columns[i].title) > wide)
			wide = text_width(columns[i].title);
	}
	for (size_t i = 0; i < count; i++) {
		if (!columns[i].title)
			continue;
		fprintf(out->file, "%-*s ", (int)wide, columns[i].title);
		if (values[i].kind == VALUE_TEXT) {
			put_text(out->file, values[i].text);
		} else {
			cell_text(&columns[i], &values[i], text);
			fputs(text, out->file);
		}
		fputc('\n', out->file);
	}
}

static void
books_line(struct output *out, const char *name, const struct counter *counter)
{
	char packets[16], bytes[16];

	fprintf(out->file, "%-14s %10s %10s\n", name,
	    text_count(counter->packets, packets), text_bytes(counter->bytes, bytes));
}

static void
table_books(struct output *out, const char *key, const struct books *books)
{
	(void)key;
	fprintf(out->file, "%-14s %10s %10s\n", "BOOKS", "PACKETS", "BYTES");
	books_line(out, "received", &books->received);
	books_line(out, "in flows", &books->in_flows);
	if (books->overflow.packets > 0)
		books_line(out, "- no addresses", &books->overflow);
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		if (books->refused[class].packets > 0)
			books_line(out, refusal_name((enum refusal) class),
			    &books->refused[class]);
	}
}

static void
table_note(struct output *out, const char *text)
{
	char safe[2048];

	text_escape(safe, sizeof(safe), text, strlen(text));
	fprintf(out->file, "%s\n", safe);
}

static void
table_members(struct output *out, const msgpack_object *map)
{
	(void)out; /* commands choose what people see of an answer */
	(void)map;
}

const struct output_ops output_table = {
    .name = "table",
    .exact = false,
    .flat = false,
    .begin = table_begin,
    .end = table_end,
    .list_begin = table_list_begin,
    .list_end = table_list_end,
    .group_begin = table_group_begin,
    .group_end = table_group_end,
    .rows_begin = table_rows_begin,
    .row = table_row,
    .rows_end = table_rows_end,
    .fields = table_fields,
    .books = table_books,
    .note = table_note,
    .members = table_members,
};
