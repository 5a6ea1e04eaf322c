/* What must be set before the first table (page size, auto_vacuum) is set first, then
 * WAL, which writes the header; the tables, application_id and user_version follow in
 * one transaction, so a file is either not set up at all or completely. */
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/format.h"
#include "store/vfs.h"

#define BUSY_TIMEOUT_MS 5000

static const char tables[] =
    "CREATE TABLE interval("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " iface TEXT NOT NULL,"
    " begin_ms INTEGER NOT NULL,"
    " end_ms INTEGER NOT NULL,"
    " length_ns INTEGER NOT NULL,"
    " clock_step_ms INTEGER NOT NULL,"
    " cuts INTEGER NOT NULL,"
    " busy INTEGER NOT NULL,"
    " kernel_received INTEGER,"
    " kernel_dropped INTEGER,"
    " packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " in_flows_packets INTEGER NOT NULL,"
    " in_flows_bytes INTEGER NOT NULL,"
    " overflow_packets INTEGER NOT NULL,"
    " overflow_bytes INTEGER NOT NULL,"
    " flows INTEGER NOT NULL,"
    " conversations INTEGER NOT NULL,"
    " rows INTEGER NOT NULL,"
    " column_bytes INTEGER NOT NULL,"
    " link_packets INTEGER,"
    " link_dropped INTEGER,"
    " link_missed INTEGER"
    ") STRICT;"
    "CREATE INDEX interval_label ON interval(iface, begin_ms, end_ms);"
    "CREATE INDEX interval_begin ON interval(begin_ms);"
    "CREATE TABLE refused("
    " interval_id INTEGER NOT NULL,"
    " class TEXT NOT NULL,"
    " packets INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " PRIMARY KEY(interval_id, class)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE column_data("
    " id INTEGER PRIMARY KEY,"
    " data BLOB NOT NULL"
    ") STRICT;"
    "CREATE TABLE map("
    " file_id INTEGER NOT NULL,"
    " rotation INTEGER NOT NULL,"
    " interval_id INTEGER NOT NULL,"
    " PRIMARY KEY(file_id, rotation)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX map_interval ON map(interval_id);";

/* What makes a database of the version before one of this version. */
static const char *const upgrades[STORE_FORMAT_VERSION + 1] = {
    [2] = "ALTER TABLE interval ADD COLUMN link_packets INTEGER;"
	  "ALTER TABLE interval ADD COLUMN link_dropped INTEGER;"
	  "ALTER TABLE interval ADD COLUMN link_missed INTEGER;",
};

int
schema_errno(sqlite3 *db)
{
	switch (sqlite3_errcode(db)) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : -ENOENT;
	default:
		return -EIO;
	}
}

int64_t
schema_number(sqlite3 *db, const char *sql, int64_t fallback)
{
	sqlite3_stmt *statement = NULL;
	int64_t number = fallback;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW &&
	    sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return number;
}

static int
run(sqlite3 *db, const char *sql, char why[static SCHEMA_WHY_SIZE])
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	snprintf(why, SCHEMA_WHY_SIZE, "the database cannot be set up: %s",
	    sqlite3_errmsg(db));
	return schema_errno(db);
}

/* All steps in one transaction: the database is of one version or of the other. */
static int
upgrade(sqlite3 *db, char why[static SCHEMA_WHY_SIZE])
{
	char version[40];
	int rc = run(db, "BEGIN IMMEDIATE", why);

	if (rc < 0)
		return rc;
	for (int64_t next = schema_number(db, "PRAGMA user_version", 0) + 1;
	     rc == 0 && next <= STORE_FORMAT_VERSION; next++)
		rc = run(db, upgrades[next], why);
	snprintf(
	    version, sizeof(version), "PRAGMA user_version=%d", STORE_FORMAT_VERSION);
	if (rc == 0)
		rc = run(db, version, why);
	if (rc == 0)
		rc = run(db, "COMMIT", why);
	if (rc < 0 && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static int
create(sqlite3 *db, char why[static SCHEMA_WHY_SIZE])
{
	char *sql = sqlite3_mprintf("BEGIN IMMEDIATE;%s"
				    "PRAGMA application_id=%d;"
				    "PRAGMA user_version=%d;"
				    "COMMIT;",
	    tables, STORE_APPLICATION_ID, STORE_FORMAT_VERSION);

	if (!sql)
		return -ENOMEM;
	int rc = run(db, sql, why);
	sqlite3_free(sql);
	if (rc < 0 && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* 1: nothing has been set up yet; 0: ours, of this version or of one before. */
static int
version_check(sqlite3 *db, char why[static SCHEMA_WHY_SIZE])
{
	int64_t version = schema_number(db, "PRAGMA user_version", -1);
	int64_t id = schema_number(db, "PRAGMA application_id", -1);
	int64_t count = schema_number(db, "SELECT count(*) FROM sqlite_schema", -1);

	if (version < 0 || id < 0 || count < 0) {
		snprintf(why, SCHEMA_WHY_SIZE, "the database cannot be read: %s",
		    sqlite3_errmsg(db));
		return schema_errno(db);
	}
	if (version == 0 && id == 0 && count == 0)
		return 1;
	if (id != STORE_APPLICATION_ID) {
		snprintf(why, SCHEMA_WHY_SIZE, "the file is not a database of weir");
		return -EBADMSG;
	}
	if (version > STORE_FORMAT_VERSION) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the database has format version %lld, this program knows up to %d: "
		    "install the newer weir again, or move the file away",
		    (long long)version, STORE_FORMAT_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (version < 1) {
		snprintf(why, SCHEMA_WHY_SIZE, "the database has no format version");
		return -EBADMSG;
	}
	return 0;
}

int
schema_open(const char *name, sqlite3 **out, char why[static SCHEMA_WHY_SIZE])
{
	sqlite3 *db = NULL;
	int persist = 1;
	int rc;

	snprintf(why, SCHEMA_WHY_SIZE, "out of memory");
	rc = store_vfs_register();
	if (rc < 0)
		return rc;
	if (sqlite3_open_v2(name, &db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
		STORE_VFS_NAME) != SQLITE_OK) {
		rc = -ENOMEM;
		if (db) {
			snprintf(why, SCHEMA_WHY_SIZE, "%s cannot be opened: %s", name,
			    sqlite3_errmsg(db));
			rc = schema_errno(db);
		}
		goto out;
	}
	/* On a file system that is read-only SQLite opens all the same, for reading. */
	if (sqlite3_db_readonly(db, "main") == 1) {
		snprintf(why, SCHEMA_WHY_SIZE, "%s cannot be written: read-only", name);
		rc = -EROFS;
		goto out;
	}
	sqlite3_extended_result_codes(db, 0);
	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	rc = version_check(db, why);
	if (rc < 0)
		goto out;
	if (rc == 1) {
		rc = run(
		    db, "PRAGMA page_size=8192;PRAGMA auto_vacuum=INCREMENTAL;", why);
		if (rc < 0)
			goto out;
		rc = 1;
	}
	int missing = rc;
	rc = run(db,
	    "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA temp_store=MEMORY;"
	    "PRAGMA cell_size_check=ON;PRAGMA trusted_schema=OFF;"
	    "PRAGMA journal_size_limit=67108864;",
	    why);
	if (rc < 0)
		goto out;
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	if (missing) {
		rc = create(db, why);
	} else if (schema_number(db, "PRAGMA user_version", 0) < STORE_FORMAT_VERSION) {
		rc = upgrade(db, why);
	}
	if (rc < 0)
		goto out;
	if (schema_number(db, "PRAGMA auto_vacuum", 0) != 2) {
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the database was made without auto_vacuum=INCREMENTAL");
		rc = -EBADMSG;
		goto out;
	}
	*out = db;
	db = NULL;
	rc = 0;
out:
	sqlite3_close(db);
	return rc;
}

int
schema_checkpoint(sqlite3 *db)
{
	int rc = sqlite3_wal_checkpoint_v2(
	    db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (rc == SQLITE_OK)
		return 0;
	return rc == SQLITE_BUSY ? -EBUSY : schema_errno(db);
}

void
schema_close(sqlite3 *db)
{
	if (!db)
		return;
	schema_checkpoint(db);
	sqlite3_close(db);
}

bool
schema_moved(sqlite3 *db)
{
	int moved = 0;

	return sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
	    SQLITE_OK &&
	    moved;
}
