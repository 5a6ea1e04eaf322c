/* Reading of received messages. Nothing here allocates or recurses; what a message may
 * be in depth and size has been settled by msg_parse(). */
#include "proto/view.h"

#include <errno.h>
#include <string.h>

#include "common/text.h"

const msgpack_object *
view_get(const msgpack_object *map, const char *key)
{
	size_t len = strlen(key);

	if (!map || map->type != MSGPACK_OBJECT_MAP)
		return NULL;
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object_kv *kv = &map->via.map.ptr[i];
		if (kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == len &&
		    memcmp(kv->key.via.str.ptr, key, len) == 0)
			return &kv->val;
	}
	return NULL;
}

static int
get_typed(const msgpack_object *map, const char *key, msgpack_object_type type,
    const msgpack_object **out)
{
	const msgpack_object *value = view_get(map, key);

	if (!value)
		return -ENOENT;
	if (value->type != type)
		return -EPROTO;
	*out = value;
	return 0;
}

int
view_u64(const msgpack_object *map, const char *key, uint64_t max, uint64_t *out)
{
	const msgpack_object *value = view_get(map, key);

	if (!value)
		return -ENOENT;
	if (value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return -ERANGE;
	if (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return -EPROTO;
	if (value->via.u64 > max)
		return -ERANGE;
	*out = value->via.u64;
	return 0;
}

int
view_u32(const msgpack_object *map, const char *key, uint32_t max, uint32_t *out)
{
	uint64_t value;
	int rc = view_u64(map, key, max, &value);

	if (rc == 0)
		*out = (uint32_t)value;
	return rc;
}

int
view_i64(const msgpack_object *map, const char *key, int64_t *out)
{
	const msgpack_object *value = view_get(map, key);

	if (!value)
		return -ENOENT;
	if (value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
		*out = value->via.i64;
		return 0;
	}
	if (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return -EPROTO;
	if (value->via.u64 > INT64_MAX)
		return -ERANGE;
	*out = (int64_t)value->via.u64;
	return 0;
}

int
view_bool(const msgpack_object *map, const char *key, bool *out)
{
	const msgpack_object *value;
	int rc = get_typed(map, key, MSGPACK_OBJECT_BOOLEAN, &value);

	if (rc == 0)
		*out = value->via.boolean;
	return rc;
}

int
view_str(const msgpack_object *map, const char *key, char *out, size_t size)
{
	const msgpack_object *value;
	int rc = get_typed(map, key, MSGPACK_OBJECT_STR, &value);

	if (rc != 0)
		return rc;
	if (value->via.str.size >= size)
		return -ERANGE;
	if (memchr(value->via.str.ptr, '\0', value->via.str.size))
		return -ERANGE;
	memcpy(out, value->via.str.ptr, value->via.str.size);
	out[value->via.str.size] = '\0';
	return 0;
}

void
view_text(const msgpack_object *map, const char *key, char *out, size_t size)
{
	const msgpack_object *value;

	if (size == 0)
		return;
	out[0] = '\0';
	if (get_typed(map, key, MSGPACK_OBJECT_STR, &value) == 0)
		text_escape(out, size, value->via.str.ptr, value->via.str.size);
}

int
view_bin(const msgpack_object *map, const char *key, const void **out, size_t *len)
{
	const msgpack_object *value;
	int rc = get_typed(map, key, MSGPACK_OBJECT_BIN, &value);

	if (rc != 0)
		return rc;
	*out = value->via.bin.ptr;
	*len = value->via.bin.size;
	return 0;
}

int
view_map(const msgpack_object *map, const char *key, const msgpack_object **out)
{
	return get_typed(map, key, MSGPACK_OBJECT_MAP, out);
}

int
view_array(const msgpack_object *map, const char *key, const msgpack_object **out)
{
	return get_typed(map, key, MSGPACK_OBJECT_ARRAY, out);
}
