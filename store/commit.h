/* Writing one whole map into the database, once. */
#ifndef WEIR_STORE_COMMIT_H
#define WEIR_STORE_COMMIT_H

#include <sqlite3.h>
#include <stdint.h>

#include "common/iface.h"
#include "common/interval.h"
#include "store/aggregate.h"
#include "store/block.h"
#include "store/flow_log.h"
#include "store/schema.h"

struct commit {
	struct iface_name iface;
	uint64_t
	    file_id; /* of the worker's record file; with rotation the map's name */
	uint64_t rotation;
	struct interval interval;
	struct aggregate *rows; /* not finished; used up, whatever the result */
	struct flow_log *flow_log; /* where its rows are told of when stored, or NULL */
};

/* 1 when that map is stored already, 0 when not, or negative errno. */
int commit_known(sqlite3 *db, uint64_t file_id, uint64_t rotation);

/* In one transaction: the interval with its books, refusals and columns (merged with an
 * interval of the same labels) and the map's name. 1 when the map was known and nothing
 * was done; 0 when it is on disk; negative errno and a sentence when nothing was
 * changed. */
int commit_map(sqlite3 *db, struct block_encoder *encoder, struct commit *commit,
    char why[static SCHEMA_WHY_SIZE]);

#endif
