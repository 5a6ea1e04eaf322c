/* CSV (RFC 4180, lines end with LF): a header line, then rows. Numbers are exact. Text
 * is escaped as everywhere (text_escape), so a file of it is UTF-8 and can be looked at on
 * a terminal, and quoted where it must be. A counter takes two columns. One document is one
 * table: fields, groups and notes have no place in it. */
#include "client/output/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static void
write_safe(FILE *file, const char *text)
{
	bool quote = strpbrk(text, "\",") != NULL;

	/* leading or trailing spaces get lost in some readers */
	size_t len = strlen(text);
	quote = quote || (len > 0 && (text[0] == ' ' || text[len - 1] == ' '));
	if (!quote) {
		fputs(text, file);
		return;
	}
	fputc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', file);
		fputc(*text, file);
	}
	fputc('"', file);
}

static void
write_text(FILE *file, const char *text)
{
	size_t len = strlen(text);
	size_t size = 4 * len + 1; /* \xNN for each byte */
	char *safe = malloc(size);

	if (safe) {
		text_escape(safe, size, text, len);
		write_safe(file, safe);
	}
	free(safe);
}

static void
write_value(FILE *file, const struct column *column, const struct value *value)
{
	char buf[32];

	switch (value->kind) {
	case VALUE_NONE:
		if (column->unit == UNIT_COUNTER)
			fputc(',', file);
		break;
	case VALUE_TEXT:
		write_text(file, value->text);
		break;
	case VALUE_U64:
		fprintf(file, "%" PRIu64, value->u64);
		break;
	case VALUE_I64:
		if (column->unit == UNIT_TIME_MS)
			fputs(wall_text_ms(value->i64, buf), file);
		else
			fprintf(file, "%" PRId64, value->i64);
		break;
	case VALUE_REAL:
		fprintf(file, "%.6g", value->real);
		break;
	case VALUE_BOOL:
		fputs(value->boolean ? "true" : "false", file);
		break;
	case VALUE_COUNTER:
		fprintf(file, "%" PRIu64 ",%" PRIu64, value->counter.packets,
		    value->counter.bytes);
		break;
	}
}

static void
csv_rows_begin(
    struct output *out, const char *key, const struct column *columns, size_t count)
{
	const char *comma = "";

	(void)key;
	out->columns = columns;
	out->column_count = count;
	if (out->headed == columns) /* the same table goes on, in another group */
		return;
	out->headed = columns;
	for (size_t i = 0; i < count; i++) {
		const char *name = columns[i].name;
		if (!name)
			continue;
		if (columns[i].unit == UNIT_COUNTER)
			fprintf(out->file, "%s%s_packets,%s_bytes", comma, name, name);
		else
			fprintf(out->file, "%s%s", comma, name);
		comma = ",";
	}
	fputc('\n', out->file);
}

static void
csv_row(struct output *out, const struct value *values)
{
	const char *comma = "";

	for (size_t i = 0; i < out->column_count; i++) {
		if (!out->columns[i].name)
			continue;
		fputs(comma, out->file);
		write_value(out->file, &out->columns[i], &values[i]);
		comma = ",";
	}
	fputc('\n', out->file);
	if (out->live)
		fflush(out->file);
}

static void
csv_nothing(struct output *out)
{
	(void)out;
}

static void
csv_list_begin(struct output *out, const char *key)
{
	(void)out;
	(void)key;
}

static void
csv_group_begin(struct output *out, const char *key, const char *heading)
{
	(void)out;
	(void)key;
	(void)heading;
}

static void
csv_rows_end(struct output *out, const struct value *totals)
{
	(void)out;
	(void)totals; /* a sum among the rows would be counted again */
}

static void
csv_fields(struct output *out, const char *key, const struct column *columns,
    const struct value *values, size_t count)
{
	(void)out;
	(void)key;
	(void)columns;
	(void)values;
	(void)count;
}

static void
csv_books(struct output *out, const char *key, const struct books *books)
{
	(void)out;
	(void)key;
	(void)books;
}

static void
csv_note(struct output *out, const char *text)
{
	(void)out;
	(void)text;
}

static void
csv_members(struct output *out, const msgpack_object *map)
{
	(void)out;
	(void)map;
}

const struct output_ops output_csv = {
    .name = "csv",
    .exact = true,
    .flat = true,
    .begin = csv_nothing,
    .end = csv_nothing,
    .list_begin = csv_list_begin,
    .list_end = csv_nothing,
    .group_begin = csv_group_begin,
    .group_end = csv_nothing,
    .rows_begin = csv_rows_begin,
    .row = csv_row,
    .rows_end = csv_rows_end,
    .fields = csv_fields,
    .books = csv_books,
    .note = csv_note,
    .members = csv_members,
};
