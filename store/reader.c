/* The reader goes through SQLite like any other tool would, without the writer's file
 * layer: a client names the directory by an ordinary path. */
#include "store/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/block.h"
#include "store/columns.h"
#include "store/format.h"

#define BUSY_TIMEOUT_MS 5000

struct store_reader {
	sqlite3 *db;
	char why[STORE_WHY_SIZE];
};

static int
sql_failed(sqlite3 *db, char why[static STORE_WHY_SIZE])
{
	int code = sqlite3_errcode(db);

	switch (code & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		snprintf(why, STORE_WHY_SIZE, "the store is damaged: %s",
		    sqlite3_errmsg(db));
		return -EBADMSG;
	case SQLITE_BUSY:
		snprintf(why, STORE_WHY_SIZE, "the store is busy: %s; try again",
		    sqlite3_errmsg(db));
		return -EBUSY;
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		snprintf(why, STORE_WHY_SIZE,
		    "the store cannot be read (%s): its files " STORE_DB_NAME
		    "-wal and -shm must be there and readable for you",
		    sqlite3_errmsg(db));
		return -EACCES;
	case SQLITE_NOMEM:
		snprintf(why, STORE_WHY_SIZE, "out of memory");
		return -ENOMEM;
	default:
		snprintf(why, STORE_WHY_SIZE, "the store cannot be read: %s",
		    sqlite3_errmsg(db));
		return -EIO;
	}
}

/* SQLite has one code for all that can go wrong when a file is opened. */
static int
try_file(const char *directory, const char *path, char why[static STORE_WHY_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err = errno;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (err == ENOENT || err == ENOTDIR)
		snprintf(why, STORE_WHY_SIZE,
		    "there is no store in %s: nothing has been recorded there yet",
		    directory);
	else if (err == EACCES || err == EPERM)
		snprintf(why, STORE_WHY_SIZE,
		    "not allowed to read %s: be root or a member of the store's group",
		    path);
	else
		snprintf(why, STORE_WHY_SIZE, "%s cannot be opened: %s", path,
		    strerror(err));
	if (err == EPERM)
		err = EACCES;
	return err == ENOTDIR ? -ENOENT : -err;
}

static int
number(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement = NULL;
	int step = SQLITE_ERROR;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
		step = sqlite3_step(statement);
		if (step == SQLITE_ROW)
			*out = sqlite3_column_int64(statement, 0);
	}
	sqlite3_finalize(statement);
	return step == SQLITE_ROW ? 0 : -1;
}

static int
check_version(sqlite3 *db, const char *directory, const char *path,
    char why[static STORE_WHY_SIZE])
{
	int64_t version, id, tables;

	if (number(db, "PRAGMA user_version", &version) < 0 ||
	    number(db, "PRAGMA application_id", &id) < 0 ||
	    number(db, "SELECT count(*) FROM sqlite_schema", &tables) < 0)
		return sql_failed(db, why);
	if (version == 0 && id == 0 && tables == 0) {
		snprintf(why, STORE_WHY_SIZE,
		    "there is no store in %s: " STORE_DB_NAME " is empty", directory);
		return -ENOENT;
	}
	if (id != STORE_APPLICATION_ID || version < 1) {
		snprintf(why, STORE_WHY_SIZE, "%s is not a store of weir", path);
		return -EBADMSG;
	}
	if (version > STORE_FORMAT_VERSION) {
		snprintf(why, STORE_WHY_SIZE,
		    "%s has format version %lld, this program reads up to %d: it needs "
		    "the weir that wrote it",
		    path, (long long)version, STORE_FORMAT_VERSION);
		return -EPROTONOSUPPORT;
	}
	return 0;
}

int
store_reader_open(
    const char *directory, struct store_reader **out, char why[static STORE_WHY_SIZE])
{
	char path[PATH_MAX];
	struct store_reader *reader;
	int rc;

	why[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", directory, STORE_DB_NAME) >=
	    (int)sizeof(path)) {
		snprintf(why, STORE_WHY_SIZE, "the store's path is too long");
		return -ENAMETOOLONG;
	}
	rc = try_file(directory, path, why);
	if (rc < 0)
		return rc;
	reader = calloc(1, sizeof(*reader));
	if (!reader) {
		snprintf(why, STORE_WHY_SIZE, "out of memory");
		return -ENOMEM;
	}
	if (sqlite3_open_v2(path, &reader->db, SQLITE_OPEN_READONLY, NULL) !=
	    SQLITE_OK) {
		rc = reader->db ? sql_failed(reader->db, why) : -ENOMEM;
		goto fail;
	}
	sqlite3_busy_timeout(reader->db, BUSY_TIMEOUT_MS);
	rc = check_version(reader->db, directory, path, why);
	if (rc < 0)
		goto fail;
	*out = reader;
	return 0;
fail:
	store_reader_close(reader);
	return rc;
}

void
store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	sqlite3_close(reader->db);
	free(reader);
}

const char *
store_reader_why(const struct store_reader *reader)
{
	return reader->why;
}

static bool
is_wanted(const char *iface, const char *const *ifaces, size_t iface_count)
{
	for (size_t i = 0; i < iface_count; i++) {
		if (strcmp(iface, ifaces[i]) == 0)
			return true;
	}
	return iface_count == 0;
}

static int
row_damaged(struct store_reader *reader, int64_t id)
{
	snprintf(reader->why, sizeof(reader->why),
	    "the row of interval %lld holds what no weir of this version writes",
	    (long long)id);
	return -EBADMSG;
}

/* Inside a transaction: the writer may be bringing an older database to this version, or
 * may not have come to it yet. Returns a code of SQLite's. */
static int
select_intervals(struct store_reader *reader, const char *where, sqlite3_stmt **out)
{
	char sql[512];
	int64_t version;

	if (number(reader->db, "PRAGMA user_version", &version) < 0)
		return SQLITE_ERROR;
	snprintf(sql, sizeof(sql), "SELECT %s FROM interval %s",
	    version < 2 ? COLUMNS_OF_INTERVAL_1 : COLUMNS_OF_INTERVAL, where);
	return sqlite3_prepare_v2(reader->db, sql, -1, out, NULL);
}

int
store_reader_list(struct store_reader *reader, const char *const *ifaces,
    size_t iface_count, int64_t first_ms, int64_t last_ms, struct store_interval **out,
    size_t *count)
{
	sqlite3_stmt *statement = NULL, *refused = NULL;
	struct store_interval *list = NULL;
	size_t n = 0, room = 0;
	int step, rc = 0;

	reader->why[0] = '\0';
	if (sqlite3_exec(reader->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return sql_failed(reader->db, reader->why);
	if (select_intervals(reader,
		"WHERE begin_ms>=?1 AND begin_ms<?2 ORDER BY begin_ms, iface, id",
		&statement) != SQLITE_OK ||
	    sqlite3_prepare_v2(reader->db, COLUMNS_REFUSED, -1, &refused, NULL) !=
		SQLITE_OK) {
		rc = sql_failed(reader->db, reader->why);
		goto out;
	}
	sqlite3_bind_int64(statement, 1, first_ms);
	sqlite3_bind_int64(statement, 2, last_ms);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_interval interval;
		rc = columns_interval(statement, &interval);
		if (rc == 0 && !is_wanted(interval.iface.s, ifaces, iface_count))
			continue;
		if (rc == 0)
			rc = columns_refused(refused, &interval);
		if (rc == -EBADMSG)
			row_damaged(reader, interval.id);
		else if (rc < 0)
			sql_failed(reader->db, reader->why);
		if (rc < 0)
			goto out;
		if (n == room) {
			size_t more = room ? room * 2 : 64;
			struct store_interval *grown =
			    reallocarray(list, more, sizeof(*list));
			if (!grown) {
				snprintf(
				    reader->why, sizeof(reader->why), "out of memory");
				rc = -ENOMEM;
				goto out;
			}
			list = grown;
			room = more;
		}
		list[n++] = interval;
	}
	if (step != SQLITE_DONE)
		rc = sql_failed(reader->db, reader->why);
out:
	sqlite3_finalize(statement);
	sqlite3_finalize(refused);
	sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL);
	if (rc < 0) {
		free(list);
		return rc;
	}
	*out = list;
	*count = n;
	return 0;
}

/* Inside a transaction: the interval as it is now, and its blobs. */
static int
read_interval(struct store_reader *reader, int64_t id, uint64_t mask,
    struct store_interval *interval, struct columns *columns)
{
	sqlite3_stmt *statement = NULL, *refused = NULL;
	int rc;

	if (select_intervals(reader, "WHERE id=?1", &statement) != SQLITE_OK ||
	    sqlite3_prepare_v2(reader->db, COLUMNS_REFUSED, -1, &refused, NULL) !=
		SQLITE_OK) {
		rc = sql_failed(reader->db, reader->why);
		goto out;
	}
	sqlite3_bind_int64(statement, 1, id);
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		break;
	case SQLITE_DONE:
		snprintf(reader->why, sizeof(reader->why),
		    "the interval has been expired meanwhile");
		rc = -ENOENT;
		goto out;
	default:
		rc = sql_failed(reader->db, reader->why);
		goto out;
	}
	rc = columns_interval(statement, interval);
	if (rc == 0)
		rc = columns_refused(refused, interval);
	if (rc < 0) {
		if (rc == -EBADMSG)
			row_damaged(reader, id);
		else
			sql_failed(reader->db, reader->why);
		goto out;
	}
	rc = columns_read(reader->db, id, mask, columns);
	if (rc < 0)
		sql_failed(reader->db, reader->why);
out:
	sqlite3_finalize(statement);
	sqlite3_finalize(refused);
	return rc;
}

int
store_reader_block(struct store_reader *reader, int64_t id, uint64_t mask,
    struct block *block, struct store_interval *now)
{
	struct store_interval interval;
	struct columns columns;
	enum block_column column = COLUMN_SRC;
	const char *fault = "";

	block_init(block, 0);
	reader->why[0] = '\0';
	if (sqlite3_exec(reader->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		return sql_failed(reader->db, reader->why);
	int rc = read_interval(reader, id, mask, &interval, &columns);
	sqlite3_exec(reader->db, "COMMIT", NULL, NULL, NULL);
	if (rc < 0)
		return rc;

	/* Outside of the transaction: decoding takes longer than copying. */
	block_init(block, interval.rows);
	rc = columns_decode(&columns, id, mask, block, &column, &fault);
	columns_fini(&columns);
	if (rc < 0) {
		block_fini(block);
		if (rc == -EBADMSG)
			snprintf(reader->why, sizeof(reader->why), "column %s %s",
			    block_column_name(column), fault);
		else
			snprintf(reader->why, sizeof(reader->why), "out of memory");
		return rc;
	}
	if (now)
		*now = interval;
	return 0;
}
