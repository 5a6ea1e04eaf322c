/* JSON: one document, every integer exact (readers that keep numbers as doubles lose
 * digits above 2^53; that is theirs to choose). Text of any bytes becomes valid JSON:
 * bytes that are not UTF-8 appear as \xNN, as in tables. */
#include "client/output/output.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static void
write_plain(FILE *file, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			fputc('\\', file);
		fputc(text[i], file);
	}
}

static void
write_string(FILE *file, const char *text, size_t len)
{
	size_t i = 0;

	fputc('"', file);
	while (i < len) {
		size_t run = 0;
		bool ascii = true;
		for (; i + run < len; run++) {
			unsigned char c = (unsigned char)text[i + run];
			if (c < 0x20 || c == 0x7f)
				break;
			ascii = ascii && c < 0x80;
		}
		if (ascii) {
			write_plain(file, text + i, run);
		} else {
			size_t size = run * 4 + 1; /* \xNN for each byte */
			char *safe = malloc(size);
			if (safe) {
				text_escape(safe, size, text + i, run);
				write_plain(file, safe, strlen(safe));
			}
			free(safe);
		}
		i += run;
		if (i < len)
			fprintf(file, "\\u%04x", (unsigned char)text[i++]);
	}
	fputc('"', file);
}

/* A key is a word of ours or a name, and two names must not become one key. */
static void
write_key(FILE *file, const char *key, size_t len)
{
	size_t size = len * 4 + 1;
	char *safe = malloc(size);

	if (safe) {
		text_escape_name(safe, size, key, len);
		write_string(file, safe, strlen(safe));
	}
	free(safe);
}

/* The comma and the key before a value. */
static void
value_begin(struct output *out, const char *key)
{
	if (out->open[out->depth].used)
		fputc(',', out->file);
	if (out->depth > 0 && out->open[out->depth].list)
		fputs("\n", out->file);
	out->open[out->depth].used = true;
	if (key) {
		write_string(out->file, key, strlen(key));
		fputc(':', out->file);
	}
}

static void
open_value(struct output *out, const char *key, bool list)
{
	value_begin(out, key);
	fputc(list ? '[' : '{', out->file);
	if (out->depth + 1 < sizeof(out->open) / sizeof(out->open[0]))
		out->depth++;
	out->open[out->depth].list = list;
	out->open[out->depth].used = false;
}

static void
close_value(struct output *out)
{
	fputc(out->open[out->depth].list ? ']' : '}', out->file);
	if (out->depth > 0)
		out->depth--;
}

static void
write_counter(FILE *file, const struct counter *counter)
{
	fprintf(file, "{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 "}",
	    counter->packets, counter->bytes);
}

static void
write_value(FILE *file, const struct column *column, const struct value *value)
{
	char buf[32];

	switch (value->kind) {
	case VALUE_NONE:
		fputs("null", file);
		break;
	case VALUE_TEXT:
		write_string(file, value->text, strlen(value->text));
		break;
	case VALUE_U64:
		fprintf(file, "%" PRIu64, value->u64);
		break;
	case VALUE_I64:
		if (column->unit == UNIT_TIME_MS)
			fprintf(file, "\"%s\"", wall_text_ms(value->i64, buf));
		else
			fprintf(file, "%" PRId64, value->i64);
		break;
	case VALUE_REAL:
		if (isfinite(value->real))
			fprintf(file, "%.6g", value->real);
		else
			fputs("null", file);
		break;
	case VALUE_BOOL:
		fputs(value->boolean ? "true" : "false", file);
		break;
	case VALUE_COUNTER:
		write_counter(file, &value->counter);
		break;
	}
}

static void
json_begin(struct output *out)
{
	fputc('{', out->file);
}

static void
json_end(struct output *out)
{
	fputs("}\n", out->file);
}

static void
json_list_begin(struct output *out, const char *key)
{
	open_value(out, key, true);
}

static void
json_group_begin(struct output *out, const char *key, const char *heading)
{
	(void)heading;
	open_value(out, key, false);
}

static void
json_rows_begin(
    struct output *out, const char *key, const struct column *columns, size_t count)
{
	out->columns = columns;
	out->column_count = count;
	open_value(out, key, true);
}

static void
write_members(struct output *out, const struct column *columns,
    const struct value *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!columns[i].name)
			continue;
		value_begin(out, columns[i].name);
		write_value(out->file, &columns[i], &values[i]);
	}
}

static void
json_row(struct output *out, const struct value *values)
{
	open_value(out, NULL, false);
	write_members(out, out->columns, values, out->column_count);
	close_value(out);
	if (out->live)
		fflush(out->file);
}

static void
json_rows_end(struct output *out, const struct value *totals)
{
	(void)totals; /* commands give them as fields */
	close_value(out);
}

static void
json_fields(struct output *out, const char *key, const struct column *columns,
    const struct value *values, size_t count)
{
	if (key)
		open_value(out, key, false);
	write_members(out, columns, values, count);
	if (key)
		close_value(out);
}

static void
json_books(struct output *out, const char *key, const struct books *books)
{
	open_value(out, key, false);
	value_begin(out, "packets");
	fprintf(out->file, "%" PRIu64, books->received.packets);
	value_begin(out, "bytes");
	fprintf(out->file, "%" PRIu64, books->received.bytes);
	value_begin(out, "in_flows");
	write_counter(out->file, &books->in_flows);
	open_value(out, "refused", false);
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		value_begin(out, refusal_name((enum refusal) class));
		write_counter(out->file, &books->refused[class]);
	}
	close_value(out);
	close_value(out);
}

static void
json_note(struct output *out, const char *text)
{
	(void)out;
	(void)text;
}

/* Depth is bounded by msg_parse(). */
static void
write_object(FILE *file, const msgpack_object *object)
{
	switch (object->type) {
	case MSGPACK_OBJECT_BOOLEAN:
		fputs(object->via.boolean ? "true" : "false", file);
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		fprintf(file, "%" PRIu64, object->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		fprintf(file, "%" PRId64, object->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (isfinite(object->via.f64))
			fprintf(file, "%.17g", object->via.f64);
		else
			fputs("null", file);
		break;
	case MSGPACK_OBJECT_STR:
		write_string(file, object->via.str.ptr, object->via.str.size);
		break;
	case MSGPACK_OBJECT_ARRAY:
		fputc('[', file);
		for (uint32_t i = 0; i < object->via.array.size; i++) {
			if (i > 0)
				fputc(',', file);
			write_object(file, &object->via.array.ptr[i]);
		}
		fputc(']', file);
		break;
	case MSGPACK_OBJECT_MAP: {
		bool used = false;
		fputc('{', file);
		for (uint32_t i = 0; i < object->via.map.size; i++) {
			const msgpack_object_kv *kv = &object->via.map.ptr[i];
			if (kv->key.type != MSGPACK_OBJECT_STR)
				continue;
			if (used)
				fputc(',', file);
			used = true;
			write_key(file, kv->key.via.str.ptr, kv->key.via.str.size);
			fputc(':', file);
			write_object(file, &kv->val);
		}
		fputc('}', file);
		break;
	}
	default: /* nil, and what no message has */
		fputs("null", file);
		break;
	}
}

static bool
is_envelope(const msgpack_object *key)
{
	static const char *const names[] = {"weir", "type", "ok"};

	if (key->type != MSGPACK_OBJECT_STR)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (key->via.str.size == strlen(names[i]) &&
		    memcmp(key->via.str.ptr, names[i], key->via.str.size) == 0)
			return true;
	}
	return false;
}

static void
json_members(struct output *out, const msgpack_object *map)
{
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];
		if (kv->key.type != MSGPACK_OBJECT_STR || is_envelope(&kv->key))
			continue;
		value_begin(out, NULL);
		write_key(out->file, kv->key.via.str.ptr, kv->key.via.str.size);
		fputc(':', out->file);
		write_object(out->file, &kv->val);
	}
}

const struct output_ops output_json = {
    .name = "json",
    .exact = true,
    .flat = false,
    .begin = json_begin,
    .end = json_end,
    .list_begin = json_list_begin,
    .list_end = close_value,
    .group_begin = json_group_begin,
    .group_end = close_value,
    .rows_begin = json_rows_begin,
    .row = json_row,
    .rows_end = json_rows_end,
    .fields = json_fields,
    .books = json_books,
    .note = json_note,
    .members = json_members,
};
