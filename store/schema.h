/* Opening the database for writing: settings, tables, version. FORMAT.md draws it. */
#ifndef WEIR_STORE_SCHEMA_H
#define WEIR_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Any text about a failure fits. */
#define SCHEMA_WHY_SIZE 512

/* Opens (and makes, or brings to this version, if need be) the database `name` relative to
 * the working directory.
 * 0; -EPROTONOSUPPORT it was written by a newer version, and is untouched; -EBADMSG it
 * is damaged or some other database; -ENOSPC; -EACCES; other negative errno. On failure
 * *out is untouched and `why` is a sentence without a full stop. */
int schema_open(const char *name, sqlite3 **out, char why[static SCHEMA_WHY_SIZE]);

/* Moves what is in the log to the main file. 0, or -EBUSY when a reader still needs a
 * part of it (everything is durable nevertheless). */
int schema_checkpoint(sqlite3 *db);

/* Checkpoint and close; the files -wal and -shm stay for readers. NULL is fine. */
void schema_close(sqlite3 *db);

/* Whether the open file is no longer the one under its name (deleted or replaced). */
bool schema_moved(sqlite3 *db);

/* The negative errno that comes nearest to what SQLite said last on this handle. */
int schema_errno(sqlite3 *db);

/* One integer from a statement without parameters, e.g. a pragma; `fallback` when there
 * is none. */
int64_t schema_number(sqlite3 *db, const char *sql, int64_t fallback);

#endif
