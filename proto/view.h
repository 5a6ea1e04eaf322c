/* Reading messages: one key of a map at a time, type and range checked. All return 0;
 * -ENOENT when the key is missing, -EPROTO when its type is another, -ERANGE when its
 * value does not fit. On failure `out` is untouched. When a key stands twice the first
 * counts. */
#ifndef WEIR_PROTO_VIEW_H
#define WEIR_PROTO_VIEW_H

#include "proto/msg.h"

/* The value of a key, or NULL. `map` may be NULL or no map: NULL. */
const msgpack_object *view_get(const msgpack_object *map, const char *key);

int view_u64(const msgpack_object *map, const char *key, uint64_t max, uint64_t *out);
int view_u32(const msgpack_object *map, const char *key, uint32_t max, uint32_t *out);
int view_i64(const msgpack_object *map, const char *key, int64_t *out);
int view_bool(const msgpack_object *map, const char *key, bool *out);

/* A string of at most size - 1 bytes without NUL inside. */
int view_str(const msgpack_object *map, const char *key, char *out, size_t size);

/* Free text from a child: cut to size - 1, escaped (text_escape). Missing: "". */
void view_text(const msgpack_object *map, const char *key, char *out, size_t size);

/* A bin; *out points into the message. */
int view_bin(const msgpack_object *map, const char *key, const void **out, size_t *len);

/* A map or array inside. */
int view_map(const msgpack_object *map, const char *key, const msgpack_object **out);
int view_array(const msgpack_object *map, const char *key, const msgpack_object **out);

#endif
