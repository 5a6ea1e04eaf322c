/* Writing messages. A pack is a growing buffer with a msgpack packer; maps and arrays
 * are counted while they are written, so that no count can be wrong. Memory errors are
 * kept and told once, by pack_finish(). One thread per pack. */
#ifndef WEIR_PROTO_PACK_H
#define WEIR_PROTO_PACK_H

#include "proto/msg.h"

struct pack {
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	struct {
		size_t at; /* offset of the 4 bytes that take the count */
		uint32_t count;
		bool map;
	} open[MSG_DEPTH_MAX + 1];
	unsigned depth;
	bool failed;
};

void pack_init(struct pack *pack);
void pack_fini(struct pack *pack);

/* An empty pack again, its memory kept. */
void pack_clear(struct pack *pack);

/* Values. Inside an array they are members; inside a map use the _key forms. */
void pack_map(struct pack *pack); /* opens a map; ends with pack_end() */
void pack_array(struct pack *pack); /* opens an array; ends with pack_end() */
void pack_end(struct pack *pack);
void pack_u64(struct pack *pack, uint64_t value);
void pack_i64(struct pack *pack, int64_t value);
void pack_bool(struct pack *pack, bool value);
void pack_nil(struct pack *pack);
void pack_str(struct pack *pack, const char *text);
void pack_bin(struct pack *pack, const void *data, size_t len);
void pack_object(struct pack *pack, const msgpack_object *object); /* a deep copy */

/* The key of the next value of a map. */
void pack_key(struct pack *pack, const char *key);

/* key and value at once */
void pack_key_map(struct pack *pack, const char *key);
void pack_key_array(struct pack *pack, const char *key);
void pack_key_u64(struct pack *pack, const char *key, uint64_t value);
void pack_key_i64(struct pack *pack, const char *key, int64_t value);
void pack_key_bool(struct pack *pack, const char *key, bool value);
void pack_key_nil(struct pack *pack, const char *key);
void pack_key_str(struct pack *pack, const char *key, const char *text);
void pack_key_bin(struct pack *pack, const char *key, const void *data, size_t len);

/* A place to go back to: pack_back() takes away what was written since. In between, the
 * container that was open must not have been ended. */
struct pack_place {
	size_t size;
	uint32_t count; /* in the open container */
	unsigned depth;
};
struct pack_place pack_here(const struct pack *pack);
void pack_back(struct pack *pack, const struct pack_place *place);

/* Starts a request: a map with "weir" and "type". Add keys, then pack_finish(). */
void pack_request(struct pack *pack, enum msg_type type);

/* Starts an answer that went well: also "ok": true. */
void pack_answer(struct pack *pack, enum msg_type type);

/* A whole answer that did not: "ok": false, "error", "text". Replaces what the pack
 * holds; pack_finish() still has to follow. */
void pack_error(struct pack *pack, enum msg_type type, enum msg_error error,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Closes the outermost map. 0 or -ENOMEM; then buffer.data and buffer.size are the
 * message, owned by the pack. */
int pack_finish(struct pack *pack);

#endif
