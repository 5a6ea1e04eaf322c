/* Steps are small because the writer does them between two appends. Deleting only marks
 * pages free; a second short transaction gives them back to the disk. */
#include "store/expire.h"

#include <stdbool.h>
#include <stdio.h>

#include "store/format.h"

uint64_t
expire_bytes(sqlite3 *db)
{
	int64_t pages = schema_number(db, "PRAGMA page_count", 0);
	int64_t unused = schema_number(db, "PRAGMA freelist_count", 0);
	int64_t size = schema_number(db, "PRAGMA page_size", 0);

	return (uint64_t)((pages - unused) * size);
}

static int
sql_failed(sqlite3 *db, char why[static SCHEMA_WHY_SIZE])
{
	snprintf(why, SCHEMA_WHY_SIZE, "retention: %s", sqlite3_errmsg(db));
	return schema_errno(db);
}

static int
run_with_id(sqlite3 *db, const char *sql, int64_t id, char why[static SCHEMA_WHY_SIZE])
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	sqlite3_bind_int64(statement, 1, id);
	int step = sqlite3_step(statement);
	int rc = step == SQLITE_DONE ? 0 : sql_failed(db, why);
	sqlite3_finalize(statement);
	return rc;
}

static int
interval_delete(sqlite3 *db, int64_t id, char why[static SCHEMA_WHY_SIZE])
{
	/* The last map of each record file stays known: its sender may not have heard
	 * yet that it is durable. Earlier ones have been released for sure. */
	static const char *const statements[] = {
	    "DELETE FROM column_data WHERE id>=?1*64 AND id<(?1+1)*64",
	    "DELETE FROM refused WHERE interval_id=?1",
	    "DELETE FROM map WHERE interval_id=?1 AND rotation<"
	    "(SELECT max(m.rotation) FROM map m WHERE m.file_id=map.file_id)",
	    "DELETE FROM interval WHERE id=?1",
	};
	_Static_assert(STORE_COLUMN_STEP == 64, "the first statement says so");

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		int rc = run_with_id(db, statements[i], id, why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The oldest interval, unless it is also the newest. 1, or 0 when there is none. */
static int
oldest(sqlite3 *db, int64_t *id, int64_t *end_ms, char why[static SCHEMA_WHY_SIZE])
{
	sqlite3_stmt *statement = NULL;
	int rc;

	if (sqlite3_prepare_v2(db,
		"SELECT id, end_ms FROM interval WHERE id<>"
		"(SELECT id FROM interval ORDER BY begin_ms DESC, id DESC LIMIT 1)"
		" ORDER BY begin_ms, id LIMIT 1",
		-1, &statement, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	int step = sqlite3_step(statement);
	if (step == SQLITE_ROW) {
		*id = sqlite3_column_int64(statement, 0);
		*end_ms = sqlite3_column_int64(statement, 1);
		rc = 1;
	} else {
		rc = step == SQLITE_DONE ? 0 : sql_failed(db, why);
	}
	sqlite3_finalize(statement);
	return rc;
}

static bool
is_due(sqlite3 *db, const struct retention *retention, int64_t now_ms, int64_t end_ms)
{
	if (retention->keep_ms > 0 && now_ms > end_ms &&
	    (uint64_t)now_ms - (uint64_t)end_ms > retention->keep_ms)
		return true;
	return retention->keep_bytes > 0 && expire_bytes(db) > retention->keep_bytes;
}

static int
delete_due(sqlite3 *db, const struct retention *retention, int64_t now_ms,
    uint64_t *deleted, char why[static SCHEMA_WHY_SIZE])
{
	int64_t id = 0, end_ms = 0;
	int rc = 0;

	*deleted = 0;
	if (retention->keep_ms == 0 && retention->keep_bytes == 0)
		return 0;
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	while (*deleted < EXPIRE_INTERVALS_MAX) {
		rc = oldest(db, &id, &end_ms, why);
		if (rc <= 0 || !is_due(db, retention, now_ms, end_ms))
			break;
		rc = interval_delete(db, id, why);
		if (rc < 0)
			break;
		++*deleted;
	}
	if (rc >= 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	if (rc >= 0)
		rc = sql_failed(db, why);
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	*deleted = 0;
	return rc;
}

int
expire_step(sqlite3 *db, const struct retention *retention, int64_t now_ms,
    uint64_t *expired, char why[static SCHEMA_WHY_SIZE])
{
	uint64_t deleted;
	char sql[64];

	why[0] = '\0';
	int rc = delete_due(db, retention, now_ms, &deleted, why);
	if (rc < 0)
		return rc;
	*expired += deleted;
	if (schema_number(db, "PRAGMA freelist_count", 0) == 0)
		return 0;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", EXPIRE_PAGES_MAX);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	return deleted == EXPIRE_INTERVALS_MAX ||
	    schema_number(db, "PRAGMA freelist_count", 0) > 0;
}
