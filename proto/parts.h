/* Parts that several messages share, each with its writer and its checked reader. The
 * readers return 0, or a negative errno as in proto/view.h with the output undefined. */
#ifndef WEIR_PROTO_PARTS_H
#define WEIR_PROTO_PARTS_H

#include "common/capture_config.h"
#include "common/interval.h"
#include "proto/pack.h"
#include "proto/view.h"

/* {"packets": N, "bytes": N} under a key */
void pack_key_counter(struct pack *pack, const char *key, const struct counter *value);
int view_counter(const msgpack_object *map, const char *key, struct counter *out);

/* "books": {"packets", "bytes" (of received), "in_flows": {}, "overflow": {},
 * "refused": {class: {}}}; classes that are 0 may be left out, unknown ones are an
 * error (the sum would not close). */
void pack_key_books(struct pack *pack, const char *key, const struct books *books);
int view_books(const msgpack_object *map, const char *key, struct books *out);

/* "link counts": {"packets", "dropped", "missed"}, nil when not known; read, a missing key
 * is not known either. */
void pack_key_link_counts(
    struct pack *pack, const char *key, const struct link_counts *link);
int view_link_counts(
    const msgpack_object *map, const char *key, struct link_counts *out);

/* "interval": all of struct interval; "kernel" and "link" are nil when not known, and
 * "link" may be missing then: workers leave it out. */
void pack_key_interval(struct pack *pack, const char *key, const struct interval *iv);
int view_interval(const msgpack_object *map, const char *key, struct interval *out);

/* "config": all of struct capture_config, ranges checked. */
void pack_key_config(
    struct pack *pack, const char *key, const struct capture_config *c);
int view_config(const msgpack_object *map, const char *key, struct capture_config *out);

/* The same, without the keys that are as in `base`: what is read over that `base`, which
 * *config holds before, is the whole again. The key itself may be missing. */
void pack_key_config_over(struct pack *pack, const char *key,
    const struct capture_config *c, const struct capture_config *base);
int view_config_over(
    const msgpack_object *map, const char *key, struct capture_config *config);

#endif
