/* Everything that makes a map durable happens between BEGIN IMMEDIATE and COMMIT: there
 * is no moment in which a map is stored without its name, or the other way round. */
#include "store/commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "store/columns.h"

static int
sql_failed(sqlite3 *db, char why[static SCHEMA_WHY_SIZE])
{
	snprintf(why, SCHEMA_WHY_SIZE, "the database: %s", sqlite3_errmsg(db));
	return schema_errno(db);
}

/* Runs a statement that gives no rows, and ends it. */
static int
finish(sqlite3 *db, sqlite3_stmt *statement, char why[static SCHEMA_WHY_SIZE])
{
	int step = sqlite3_step(statement);
	int rc = step == SQLITE_DONE ? 0 : sql_failed(db, why);

	sqlite3_finalize(statement);
	return rc;
}

int
commit_known(sqlite3 *db, uint64_t file_id, uint64_t rotation)
{
	sqlite3_stmt *statement = NULL;
	int rc;

	if (sqlite3_prepare_v2(db, "SELECT 1 FROM map WHERE file_id=?1 AND rotation=?2",
		-1, &statement, NULL) != SQLITE_OK)
		return schema_errno(db);
	sqlite3_bind_int64(statement, 1, (int64_t)file_id);
	sqlite3_bind_int64(statement, 2, (int64_t)rotation);
	int step = sqlite3_step(statement);
	rc = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : schema_errno(db);
	sqlite3_finalize(statement);
	return rc;
}

/* Takes the flow rows of a stored interval into the aggregate. 0; -EBADMSG when they
 * are damaged, nothing has been taken then; other negative errno. */
static int
merge_rows(sqlite3 *db, const struct store_interval *old, struct aggregate *rows,
    char why[static SCHEMA_WHY_SIZE])
{
	struct columns columns;
	enum block_column column;
	struct block block;
	const char *fault = "";

	int rc = columns_read(db, old->id, COLUMNS_ALL, &columns);
	if (rc < 0) {
		sql_failed(db, why);
		return rc;
	}
	block_init(&block, old->rows);
	rc = columns_decode(&columns, old->id, COLUMNS_ALL, &block, &column, &fault);
	columns_fini(&columns);
	if (rc == -EBADMSG)
		snprintf(why, SCHEMA_WHY_SIZE, "column %s %s",
		    block_column_name(column), fault);
	for (size_t i = 0; rc == 0 && i < block.rows; i++) {
		struct flow_record row;
		block_row(&block, i, &row);
		rc = aggregate_add(rows, &row, 1);
	}
	block_fini(&block);
	/* Memory, or sums that no longer fit. */
	if (rc < 0 && rc != -EBADMSG)
		snprintf(why, SCHEMA_WHY_SIZE,
		    "the flows cannot be merged with those of the same interval: %s",
		    strerror(-rc));
	return rc;
}

static void
merge_books(struct interval *sum, const struct interval *old)
{
	books_add(&sum->books, &old->books);
	sum->flows += old->flows;
	sum->cuts += old->cuts;
	sum->busy += old->busy;
	if (old->length_ns > sum->length_ns)
		sum->length_ns = old->length_ns;
	if (sum->clock_step_ms == 0)
		sum->clock_step_ms = old->clock_step_ms;
	/* Not known plus known is not known. */
	sum->kernel.known = sum->kernel.known && old->kernel.known;
	sum->kernel.received += old->kernel.received;
	sum->kernel.dropped += old->kernel.dropped;
	sum->link.known = sum->link.known && old->link.known;
	sum->link.packets += old->link.packets;
	sum->link.dropped += old->link.dropped;
	sum->link.missed += old->link.missed;
}

/* The rows of one map alone, for the log: those of the aggregate, or a copy of them from
 * before others were merged in. */
struct own_rows {
	const struct flow_record *rows;
	size_t count;
	struct flow_record *copy;
};

static int
own_rows_keep(
    struct own_rows *own, const struct commit *commit, char why[static SCHEMA_WHY_SIZE])
{
	int rc;

	if (!commit->flow_log || own->copy)
		return 0;
	rc = aggregate_copy(commit->rows, &own->copy, &own->count);
	if (rc < 0)
		snprintf(why, SCHEMA_WHY_SIZE, "no memory to copy the flows");
	own->rows = own->copy;
	return rc;
}

/* Looks for an interval with the same labels and merges it in. *id is its id, 0 when
 * there is none that can be read. */
static int
merge(sqlite3 *db, struct commit *commit, struct own_rows *own, int64_t *id,
    char why[static SCHEMA_WHY_SIZE])
{
	sqlite3_stmt *statement = NULL, *refused = NULL;
	struct store_interval old;
	int step, rc = 0;

	*id = 0;
	if (sqlite3_prepare_v2(db,
		"SELECT " COLUMNS_OF_INTERVAL " FROM interval"
		" WHERE iface=?1 AND begin_ms=?2 AND end_ms=?3 ORDER BY id",
		-1, &statement, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, COLUMNS_REFUSED, -1, &refused, NULL) != SQLITE_OK) {
		rc = sql_failed(db, why);
		goto out;
	}
	sqlite3_bind_text(statement, 1, commit->iface.s, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, commit->interval.begin_ms);
	sqlite3_bind_int64(statement, 3, commit->interval.end_ms);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		snprintf(why, SCHEMA_WHY_SIZE, "its row is damaged");
		rc = columns_interval(statement, &old);
		if (rc == 0)
			rc = columns_refused(refused, &old);
		if (rc == 0)
			rc = own_rows_keep(own, commit, why);
		if (rc == 0)
			rc = merge_rows(db, &old, commit->rows, why);
		if (rc == 0) {
			merge_books(&commit->interval, &old.interval);
			*id = old.id;
			goto out;
		}
		if (rc != -EBADMSG)
			goto out;
		log_iface_err("store", commit->iface.s,
		    "interval %lld cannot be merged with: %s", (long long)old.id, why);
		rc = 0;
	}
	if (step != SQLITE_DONE)
		rc = sql_failed(db, why);
out:
	sqlite3_finalize(statement);
	sqlite3_finalize(refused);
	return rc;
}

static int
write_columns(sqlite3 *db, struct block_encoder *encoder, int64_t id,
    const struct flow_record *rows, size_t count, uint64_t *bytes,
    char why[static SCHEMA_WHY_SIZE])
{
	sqlite3_stmt *statement = NULL;
	int rc = 0;

	*bytes = 0;
	if (sqlite3_prepare_v2(db, "REPLACE INTO column_data(id, data) VALUES(?1, ?2)",
		-1, &statement, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	for (int column = 0; column < COLUMN_MAX; column++) {
		const void *data;
		size_t len;
		rc = block_encode(
		    encoder, id, (enum block_column)column, rows, count, &data, &len);
		if (rc < 0) {
			snprintf(why, SCHEMA_WHY_SIZE,
			    "the flows cannot be encoded: %s", strerror(-rc));
			break;
		}
		sqlite3_bind_int64(statement, 1, id * STORE_COLUMN_STEP + column);
		sqlite3_bind_blob64(statement, 2, data, len, SQLITE_STATIC);
		if (sqlite3_step(statement) != SQLITE_DONE) {
			rc = sql_failed(db, why);
			break;
		}
		sqlite3_reset(statement);
		*bytes += len;
	}
	sqlite3_finalize(statement);
	return rc;
}

static int
write_refused(sqlite3 *db, int64_t id, const struct books *books,
    char why[static SCHEMA_WHY_SIZE])
{
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		const struct counter *count = &books->refused[class];
		sqlite3_stmt *statement = NULL;
		if (count->packets == 0 && count->bytes == 0)
			continue;
		if (sqlite3_prepare_v2(db,
			"REPLACE INTO refused(interval_id, class, packets, bytes)"
			" VALUES(?1, ?2, ?3, ?4)",
			-1, &statement, NULL) != SQLITE_OK)
			return sql_failed(db, why);
		sqlite3_bind_int64(statement, 1, id);
		sqlite3_bind_text(statement, 2, refusal_name((enum refusal) class), -1,
		    SQLITE_STATIC);
		sqlite3_bind_int64(statement, 3, (int64_t)count->packets);
		sqlite3_bind_int64(statement, 4, (int64_t)count->bytes);
		int rc = finish(db, statement, why);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Inserts the interval (id 0) or replaces it. The size of the columns is filled in
 * after they have been written, since their keys need the id. */
static int
write_interval(sqlite3 *db, const struct commit *commit, size_t rows, int64_t *id,
    char why[static SCHEMA_WHY_SIZE])
{
	const struct interval *iv = &commit->interval;
	sqlite3_stmt *statement = NULL;
	int n = 1;

	if (sqlite3_prepare_v2(db,
		"REPLACE INTO interval(" COLUMNS_OF_INTERVAL ")"
		" VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,?,?,?)",
		-1, &statement, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	if (*id != 0)
		sqlite3_bind_int64(statement, n, *id);
	n++;
	sqlite3_bind_text(statement, n++, commit->iface.s, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, n++, iv->begin_ms);
	sqlite3_bind_int64(statement, n++, iv->end_ms);
	sqlite3_bind_int64(statement, n++, iv->length_ns);
	sqlite3_bind_int64(statement, n++, iv->clock_step_ms);
	sqlite3_bind_int64(statement, n++, iv->cuts);
	sqlite3_bind_int64(statement, n++, iv->busy);
	if (iv->kernel.known) {
		sqlite3_bind_int64(statement, n, (int64_t)iv->kernel.received);
		sqlite3_bind_int64(statement, n + 1, (int64_t)iv->kernel.dropped);
	}
	n += 2;
	const uint64_t numbers[] = {iv->books.received.packets,
	    iv->books.received.bytes, iv->books.in_flows.packets,
	    iv->books.in_flows.bytes, iv->books.overflow.packets,
	    iv->books.overflow.bytes, iv->flows, aggregate_conversations(commit->rows),
	    rows};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sqlite3_bind_int64(statement, n++, (int64_t)numbers[i]);
	if (iv->link.known) {
		sqlite3_bind_int64(statement, n++, (int64_t)iv->link.packets);
		sqlite3_bind_int64(statement, n++, (int64_t)iv->link.dropped);
		sqlite3_bind_int64(statement, n++, (int64_t)iv->link.missed);
	}
	int rc = finish(db, statement, why);
	if (rc == 0 && *id == 0)
		*id = sqlite3_last_insert_rowid(db);
	return rc;
}

static int
write_rest(sqlite3 *db, const struct commit *commit, int64_t id, uint64_t bytes,
    char why[static SCHEMA_WHY_SIZE])
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, "UPDATE interval SET column_bytes=?2 WHERE id=?1",
		-1, &statement, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	sqlite3_bind_int64(statement, 1, id);
	sqlite3_bind_int64(statement, 2, (int64_t)bytes);
	int rc = finish(db, statement, why);
	if (rc < 0)
		return rc;

	statement = NULL;
	if (sqlite3_prepare_v2(db,
		"INSERT INTO map(file_id, rotation, interval_id) VALUES(?1, ?2, ?3)",
		-1, &statement, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	sqlite3_bind_int64(statement, 1, (int64_t)commit->file_id);
	sqlite3_bind_int64(statement, 2, (int64_t)commit->rotation);
	sqlite3_bind_int64(statement, 3, id);
	return finish(db, statement, why);
}

/* SQLite's integers are signed. The books of honest workers do not come near. */
static bool
books_fit(const struct interval *iv)
{
	const struct books *books = &iv->books;
	uint64_t all = books->received.packets | books->received.bytes |
	    books->in_flows.packets | books->in_flows.bytes | books->overflow.packets |
	    books->overflow.bytes | iv->flows | iv->kernel.received |
	    iv->kernel.dropped | iv->link.packets | iv->link.dropped | iv->link.missed;

	for (int class = 0; class < REFUSED_MAX; class ++)
		all |= books->refused[class].packets | books->refused[class].bytes;
	return all <= INT64_MAX;
}

static int
commit_inside(sqlite3 *db, struct block_encoder *encoder, struct commit *commit,
    struct own_rows *own, char why[static SCHEMA_WHY_SIZE])
{
	const struct flow_record *rows;
	size_t count;
	uint64_t bytes;
	int64_t id;

	int rc = commit_known(db, commit->file_id, commit->rotation);
	if (rc != 0)
		return rc > 0 ? 1 : sql_failed(db, why);
	/* Before and after: two numbers that fit cannot wrap around in their sum. */
	if (!books_fit(&commit->interval))
		goto range;
	rc = merge(db, commit, own, &id, why);
	if (rc < 0)
		return rc;
	if (!books_fit(&commit->interval))
		goto range;
	rc = aggregate_finish(commit->rows, &rows, &count);
	if (rc < 0) {
		snprintf(why, SCHEMA_WHY_SIZE, "no memory to sort the flows");
		return rc;
	}
	if (!own->copy)
		*own = (struct own_rows){.rows = rows, .count = count};
	rc = write_interval(db, commit, count, &id, why);
	if (rc == 0)
		rc = write_refused(db, id, &commit->interval.books, why);
	if (rc == 0)
		rc = write_columns(db, encoder, id, rows, count, &bytes, why);
	if (rc == 0)
		rc = write_rest(db, commit, id, bytes, why);
	return rc;
range:
	snprintf(why, SCHEMA_WHY_SIZE, "the books hold a number that is out of range");
	return -EOVERFLOW;
}

int
commit_map(sqlite3 *db, struct block_encoder *encoder, struct commit *commit,
    char why[static SCHEMA_WHY_SIZE])
{
	struct own_rows own = {.rows = NULL};

	why[0] = '\0';
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return sql_failed(db, why);
	int rc = commit_inside(db, encoder, commit, &own, why);
	if (rc == 0 && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		rc = sql_failed(db, why);
	/* Some failures (a full disk) have rolled back by themselves. */
	if (rc != 0 && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	if (rc == 0 && commit->flow_log)
		flow_log_rows(commit->flow_log, &commit->iface, &commit->interval,
		    own.rows, own.count);
	free(own.copy);
	return rc;
}
