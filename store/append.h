/* Taking in flow maps, part by part. The state lives in memory only: what is not
 * complete when the process ends is sent again from the beginning. One thread. */
#ifndef WEIR_STORE_APPEND_H
#define WEIR_STORE_APPEND_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/iface.h"
#include "common/interval.h"
#include "store/schema.h"

struct append;

/* Maps in work at the same time, and the memory they may take together. The map that
 * was begun first may go beyond the memory limit, so that there is always one that can
 * be finished. */
#define APPEND_MAPS_MAX 2048
#define APPEND_BYTES_MAX (UINT64_C(1) << 30)

/* A map of which no part came for so long may be forgotten when room is needed. */
#define APPEND_STALE_MS 60000

struct append_part {
	struct iface_name iface;
	uint64_t file_id;
	uint64_t rotation;
	uint64_t part;
	bool last;
	const struct interval *interval; /* part 0: must be there; later: ignored */
	const void *chunk;
	size_t len;
};

enum append_result {
	APPEND_MORE,
	APPEND_DURABLE,
	APPEND_KNOWN
};

/* NULL without memory. The limits are parameters for tests. */
struct append *append_new(size_t maps_max, uint64_t bytes_max);

/* From now on the flows of a map are logged when it has been stored (flow_log.h). */
void append_log_flows(struct append *append);
void append_free(struct append *append);

/* Takes a part in; the last one commits the map to `db`. 0 and *result; -ESTALE the part
 * is not the one expected (begin again at 0); other negative errno and a sentence: not
 * stored, the map is forgotten (begin again at 0, later). A map is only committed when
 * its records agree with its books. */
int append_part(struct append *append, sqlite3 *db, const struct append_part *part,
    enum append_result *result, char why[static SCHEMA_WHY_SIZE]);

/* Maps in work. */
size_t append_maps(const struct append *append);

#endif
