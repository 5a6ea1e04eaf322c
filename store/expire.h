/* Retention: what is older than allowed, or more than fits, goes; oldest first. */
#ifndef WEIR_STORE_EXPIRE_H
#define WEIR_STORE_EXPIRE_H

#include <sqlite3.h>
#include <stdint.h>

#include "store/schema.h"

struct retention {
	uint64_t keep_ms; /* after an interval's end; 0: for ever */
	uint64_t keep_bytes; /* of pages in use; 0: no limit */
};

/* One small step: at most EXPIRE_INTERVALS_MAX intervals leave, and at most
 * EXPIRE_PAGES_MAX free pages go back to the disk. The newest interval never leaves.
 * 1: there is more to do; 0: done for now; negative errno and a sentence. *expired is
 * increased by the intervals that left. */
#define EXPIRE_INTERVALS_MAX 16
#define EXPIRE_PAGES_MAX 512
int expire_step(sqlite3 *db, const struct retention *retention, int64_t now_ms,
    uint64_t *expired, char why[static SCHEMA_WHY_SIZE]);

/* Bytes of the pages in use: what keep_bytes is compared with. */
uint64_t expire_bytes(sqlite3 *db);

#endif
