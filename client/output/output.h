/* What commands say, apart from how it is written. A command gives rows with typed
 * columns, single fields and books; one of three modules writes them: a table for
 * people (human units, fits the terminal), CSV or JSON (exact). Messages about faults
 * never go through here: they go to stderr.
 *
 * One thread. Errors of the file are kept by stdio and told by output_close(). */
#ifndef WEIR_CLIENT_OUTPUT_OUTPUT_H
#define WEIR_CLIENT_OUTPUT_OUTPUT_H

#include <msgpack.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/books.h"

#define OUTPUT_COLUMNS_MAX 40

enum unit {
	UNIT_NONE,
	UNIT_COUNT, /* tables: "1.23 k" */
	UNIT_BYTES, /* tables: "1.23 MiB" */
	UNIT_TIME_MS, /* ms since 1970: ISO 8601 in UTC in every format */
	UNIT_TIME_NS, /* ns since 1970: the number; ISO 8601 in tables */
	UNIT_DURATION_MS, /* tables: "3h 4m" */
	UNIT_SHARE, /* percent: tables "12.3%" */
	UNIT_COUNTER, /* exact formats only: two numbers, VALUE_COUNTER */
};

struct column {
	const char *name; /* key in exact formats; NULL: only in tables */
	const char *title; /* head in tables; NULL: only in exact formats */
	enum unit unit;
	bool left; /* tables: aligned left */
	unsigned width; /* tables: at least so wide */
	unsigned shrink; /* tables: may be cut to this width when it must; 0: never */
	unsigned drop; /* tables: left out when it must, 1 first, from 4 on only after
			  others have been cut; 0: never */
};

enum value_kind {
	VALUE_NONE, /* not known: "-", empty, null */
	VALUE_TEXT, /* any bytes */
	VALUE_U64,
	VALUE_I64,
	VALUE_REAL,
	VALUE_BOOL,
	VALUE_COUNTER,
};

struct value {
	enum value_kind kind;
	union {
		const char *text; /* the caller's, until the call returns */
		uint64_t u64;
		int64_t i64;
		double real;
		bool boolean;
		struct counter counter;
	};
};

#define VALUE_OF_TEXT(t) ((struct value){.kind = VALUE_TEXT, .text = (t)})
#define VALUE_OF_U64(n) ((struct value){.kind = VALUE_U64, .u64 = (n)})
#define VALUE_OF_I64(n) ((struct value){.kind = VALUE_I64, .i64 = (n)})
#define VALUE_OF_REAL(x) ((struct value){.kind = VALUE_REAL, .real = (x)})
#define VALUE_OF_BOOL(b) ((struct value){.kind = VALUE_BOOL, .boolean = (b)})
#define VALUE_OF_COUNTER(c) ((struct value){.kind = VALUE_COUNTER, .counter = (c)})
#define VALUE_UNKNOWN ((struct value){.kind = VALUE_NONE})

struct output;

/* No slot is NULL. Keys are those of JSON objects; NULL within a list. */
struct output_ops {
	const char *name;
	bool exact; /* for programs, not for people */
	bool
	    flat; /* groups do not show: rows must say themselves what they belong to */
	void (*begin)(struct output *out);
	void (*end)(struct output *out);
	/* A list of groups; groups may have a heading for people (or NULL). */
	void (*list_begin)(struct output *out, const char *key);
	void (*list_end)(struct output *out);
	void (*group_begin)(struct output *out, const char *key, const char *heading);
	void (*group_end)(struct output *out);
	/* Rows: `columns` must live until rows_end. `totals` is a last line of tables
	 * (or NULL), values as in a row. */
	void (*rows_begin)(struct output *out, const char *key,
	    const struct column *columns, size_t count);
	void (*row)(struct output *out, const struct value *values);
	void (*rows_end)(struct output *out, const struct value *totals);
	/* Named values, one by one, of the group or (with a key) of one inside it. */
	void (*fields)(struct output *out, const char *key,
	    const struct column *columns, const struct value *values, size_t count);
	void (*books)(struct output *out, const char *key, const struct books *books);
	/* A line of text for people. */
	void (*note)(struct output *out, const char *text);
	/* All members of a message's map, without the keys that every message has. */
	void (*members)(struct output *out, const msgpack_object *map);
};

extern const struct output_ops output_table;
extern const struct output_ops output_csv;
extern const struct output_ops output_json;

struct table_state;

struct output {
	const struct output_ops *ops;
	FILE *file;
	unsigned width; /* of the terminal; 0: no limit */
	bool utf8; /* the terminal's encoding */
	bool
	    live; /* rows appear one by one, at once, and the head comes again and again */

	/* private to the modules */
	const struct column *columns;
	size_t column_count;
	const struct column *headed; /* csv: whose head has been written */
	struct {
		bool list;
		bool used;
	} open[8]; /* json */
	unsigned depth;
	struct table_state *table;
};

/* "table", "csv" or "json"; NULL for anything else. */
const struct output_ops *output_find(const char *name);

/* Begins a document on `file`; the width of its terminal, when it is one, is asked for
 * (COLUMNS in the environment goes before it). */
void output_open(struct output *out, const struct output_ops *ops, FILE *file);

/* Ends the document and flushes. 0 or negative errno: -EPIPE when the reader is gone. */
int output_close(struct output *out);

/* A note made of a format. */
void output_note(struct output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
