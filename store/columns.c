#include "store/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
columns_interval(sqlite3_stmt *statement, struct store_interval *out)
{
	int n = 0;

	memset(out, 0, sizeof(*out));
	out->id = sqlite3_column_int64(statement, n++);
	const char *iface = (const char *)sqlite3_column_text(statement, n++);
	if (!iface || iface_name_set(&out->iface, iface) < 0)
		return -EBADMSG;

	struct interval *iv = &out->interval;
	iv->begin_ms = sqlite3_column_int64(statement, n++);
	iv->end_ms = sqlite3_column_int64(statement, n++);
	iv->length_ns = sqlite3_column_int64(statement, n++);
	iv->clock_step_ms = sqlite3_column_int64(statement, n++);
	iv->cuts = (uint32_t)sqlite3_column_int64(statement, n++);
	iv->busy = (uint32_t)sqlite3_column_int64(statement, n++);
	iv->kernel.known = sqlite3_column_type(statement, n) != SQLITE_NULL;
	iv->kernel.received = (uint64_t)sqlite3_column_int64(statement, n++);
	iv->kernel.dropped = (uint64_t)sqlite3_column_int64(statement, n++);

	uint64_t *const numbers[] = {&iv->books.received.packets,
	    &iv->books.received.bytes, &iv->books.in_flows.packets,
	    &iv->books.in_flows.bytes, &iv->books.overflow.packets,
	    &iv->books.overflow.bytes, &iv->flows, &out->conversations, &out->rows,
	    &out->bytes};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int64_t number = sqlite3_column_int64(statement, n++);
		if (number < 0)
			return -EBADMSG;
		*numbers[i] = (uint64_t)number;
	}
	iv->link.known = sqlite3_column_type(statement, n) != SQLITE_NULL;
	iv->link.packets = (uint64_t)sqlite3_column_int64(statement, n++);
	iv->link.dropped = (uint64_t)sqlite3_column_int64(statement, n++);
	iv->link.missed = (uint64_t)sqlite3_column_int64(statement, n++);
	return 0;
}

int
columns_refused(sqlite3_stmt *statement, struct store_interval *out)
{
	int rc = 0, step;

	sqlite3_bind_int64(statement, 1, out->id);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);
		enum refusal class = name ? refusal_from_name(name) : REFUSED_NONE;
		if (class == REFUSED_NONE) {
			rc = -EBADMSG;
			break;
		}
		out->interval.books.refused[class] =
		    (struct counter){(uint64_t)sqlite3_column_int64(statement, 1),
			(uint64_t)sqlite3_column_int64(statement, 2)};
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = step == SQLITE_CORRUPT ? -EBADMSG : -EIO;
	sqlite3_reset(statement);
	return rc;
}

int
columns_read(sqlite3 *db, int64_t interval, uint64_t mask, struct columns *out)
{
	sqlite3_stmt *statement = NULL;
	int rc = -EIO;

	memset(out, 0, sizeof(*out));
	if (sqlite3_prepare_v2(db, "SELECT data FROM column_data WHERE id=?1", -1,
		&statement, NULL) != SQLITE_OK)
		goto out;
	for (int column = 0; column < COLUMN_MAX; column++) {
		if (!(mask & COLUMN_BIT(column)))
			continue;
		sqlite3_bind_int64(statement, 1, interval * STORE_COLUMN_STEP + column);
		int step = sqlite3_step(statement);
		if (step == SQLITE_ROW) {
			const void *data = sqlite3_column_blob(statement, 0);
			size_t len = (size_t)sqlite3_column_bytes(statement, 0);
			out->data[column] = malloc(len + 1);
			if (!out->data[column]) {
				rc = -ENOMEM;
				goto out;
			}
			if (len > 0)
				memcpy(out->data[column], data, len);
			out->len[column] = len;
		} else if (step != SQLITE_DONE) {
			rc = step == SQLITE_CORRUPT ? -EBADMSG
			    : step == SQLITE_BUSY   ? -EBUSY
						    : -EIO;
			goto out;
		}
		sqlite3_reset(statement);
	}
	rc = 0;
out:
	sqlite3_finalize(statement);
	if (rc < 0)
		columns_fini(out);
	return rc;
}

void
columns_fini(struct columns *columns)
{
	if (!columns)
		return;
	for (int column = 0; column < COLUMN_MAX; column++)
		free(columns->data[column]);
	memset(columns, 0, sizeof(*columns));
}

int
columns_decode(const struct columns *columns, int64_t interval, uint64_t mask,
    struct block *block, enum block_column *column, const char **why)
{
	for (int n = 0; n < COLUMN_MAX; n++) {
		if (!(mask & COLUMN_BIT(n)))
			continue;
		*column = (enum block_column)n;
		if (!columns->data[n]) {
			*why = "is missing";
			return -EBADMSG;
		}
		int rc = block_decode(
		    block, interval, *column, columns->data[n], columns->len[n], why);
		if (rc < 0)
			return rc;
	}
	return 0;
}
