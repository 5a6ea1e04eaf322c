/* The entries of a configuration's `interfaces` in a message: what a client sends with
 * `update`, after it has read and checked the file itself (the daemon reads no YAML that
 * is not its own). */
#ifndef WEIR_PROTO_ENTRIES_H
#define WEIR_PROTO_ENTRIES_H

#include "common/config.h"
#include "proto/pack.h"
#include "proto/view.h"

/* An array under the key, and what most entries have in common, once, under "defaults". */
void pack_key_entries(struct pack *pack, const char *key,
    const struct config_iface *entries, size_t count);

/* Reads and checks both; without "defaults" each entry must have a whole configuration.
 * Names are valid and each only once, ranges of the capture keys. *out is
 * malloc'ed. 0, -ENOMEM, or -EPROTO and a sentence for people in `why`. */
#define ENTRIES_WHY_SIZE 200
int view_entries(const msgpack_object *map, const char *key, struct config_iface **out,
    size_t *count, char why[static ENTRIES_WHY_SIZE]);

#endif
