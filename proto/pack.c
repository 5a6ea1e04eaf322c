/* Writing of messages. An open map or array has its header written with a count of 0 in
 * the long form (map 32, array 32) that pack_end() patches, so nobody has to know the
 * count before. For a map the count runs over keys and values alike: an even number
 * means that a key is due, which finds a value without key and a key without value.
 *
 * After the first mistake or lack of memory nothing is written any more; the failure is
 * told once, at the end. What would be deeper than a receiver reads cannot be written. */
#include "proto/pack.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEAD_ARRAY32 0xdd
#define LEAD_MAP32 0xdf

void
pack_init(struct pack *pack)
{
	memset(pack, 0, sizeof(*pack));
	msgpack_sbuffer_init(&pack->buffer);
	msgpack_packer_init(&pack->packer, &pack->buffer, msgpack_sbuffer_write);
}

void
pack_fini(struct pack *pack)
{
	if (!pack)
		return;
	msgpack_sbuffer_destroy(&pack->buffer);
	memset(pack, 0, sizeof(*pack));
}

void
pack_clear(struct pack *pack)
{
	msgpack_sbuffer_clear(&pack->buffer);
	pack->depth = 0;
	pack->failed = false;
}

/* Keeps the outcome of a msgpack_pack_ function, or of a check. */
static void
note(struct pack *pack, bool good)
{
	if (!good)
		pack->failed = true;
}

/* Counts the value that is about to be written; false when none may stand here. */
static bool
begin_value(struct pack *pack)
{
	if (pack->failed)
		return false;
	if (pack->depth == 0)
		return true;
	if (pack->open[pack->depth - 1].map &&
	    pack->open[pack->depth - 1].count % 2 == 0)
		pack->failed = true; /* a value without key */
	pack->open[pack->depth - 1].count++;
	return !pack->failed;
}

static void
open_container(struct pack *pack, bool map)
{
	const char header[5] = {(char)(map ? LEAD_MAP32 : LEAD_ARRAY32), 0, 0, 0, 0};

	if (!begin_value(pack))
		return;
	if (pack->depth == MSG_DEPTH_MAX) {
		pack->failed = true;
		return;
	}
	pack->open[pack->depth].at = pack->buffer.size + 1;
	pack->open[pack->depth].count = 0;
	pack->open[pack->depth].map = map;
	pack->depth++;
	note(pack, msgpack_sbuffer_write(&pack->buffer, header, sizeof(header)) == 0);
}

void
pack_map(struct pack *pack)
{
	open_container(pack, true);
}

void
pack_array(struct pack *pack)
{
	open_container(pack, false);
}

void
pack_end(struct pack *pack)
{
	uint32_t count;
	uint8_t *at;

	if (pack->failed)
		return;
	if (pack->depth == 0) {
		pack->failed = true;
		return;
	}
	pack->depth--;
	count = pack->open[pack->depth].count;
	if (pack->open[pack->depth].map) {
		if (count % 2 != 0) {
			pack->failed = true; /* a key without value */
			return;
		}
		count /= 2;
	}
	at = (uint8_t *)pack->buffer.data + pack->open[pack->depth].at;
	at[0] = (uint8_t)(count >> 24);
	at[1] = (uint8_t)(count >> 16);
	at[2] = (uint8_t)(count >> 8);
	at[3] = (uint8_t)count;
}

void
pack_u64(struct pack *pack, uint64_t value)
{
	if (begin_value(pack))
		note(pack, msgpack_pack_uint64(&pack->packer, value) == 0);
}

void
pack_i64(struct pack *pack, int64_t value)
{
	if (begin_value(pack))
		note(pack, msgpack_pack_int64(&pack->packer, value) == 0);
}

void
pack_bool(struct pack *pack, bool value)
{
	if (!begin_value(pack))
		return;
	if (value)
		note(pack, msgpack_pack_true(&pack->packer) == 0);
	else
		note(pack, msgpack_pack_false(&pack->packer) == 0);
}

void
pack_nil(struct pack *pack)
{
	if (begin_value(pack))
		note(pack, msgpack_pack_nil(&pack->packer) == 0);
}

static void
write_str(struct pack *pack, const char *text, size_t len)
{
	note(pack,
	    msgpack_pack_str(&pack->packer, len) == 0 &&
		msgpack_pack_str_body(&pack->packer, text, len) == 0);
}

static void
write_bin(struct pack *pack, const void *data, size_t len)
{
	note(pack,
	    msgpack_pack_bin(&pack->packer, len) == 0 &&
		(len == 0 || msgpack_pack_bin_body(&pack->packer, data, len) == 0));
}

void
pack_str(struct pack *pack, const char *text)
{
	if (!begin_value(pack))
		return;
	if (text)
		write_str(pack, text, strlen(text));
	else
		pack->failed = true;
}

void
pack_bin(struct pack *pack, const void *data, size_t len)
{
	if (!begin_value(pack))
		return;
	if (len <= UINT32_MAX)
		write_bin(pack, data, len);
	else
		pack->failed = true;
}

/* Copies an object that lies `depth` containers deep in what is written. Containers at
 * the limit become nil: a child that nests its answer as deep as it may must not make
 * the answer it is copied into unreadable. */
static void
copy_object(struct pack *pack, const msgpack_object *object, unsigned depth)
{
	msgpack_packer *packer = &pack->packer;

	if (pack->failed)
		return;
	switch (object->type) {
	case MSGPACK_OBJECT_ARRAY:
		if (depth == MSG_DEPTH_MAX)
			break;
		note(pack, msgpack_pack_array(packer, object->via.array.size) == 0);
		for (uint32_t i = 0; i < object->via.array.size; i++)
			copy_object(pack, &object->via.array.ptr[i], depth + 1);
		return;
	case MSGPACK_OBJECT_MAP:
		if (depth == MSG_DEPTH_MAX)
			break;
		note(pack, msgpack_pack_map(packer, object->via.map.size) == 0);
		for (uint32_t i = 0; i < object->via.map.size; i++) {
			copy_object(pack, &object->via.map.ptr[i].key, depth + 1);
			copy_object(pack, &object->via.map.ptr[i].val, depth + 1);
		}
		return;
	case MSGPACK_OBJECT_STR:
		write_str(pack, object->via.str.ptr, object->via.str.size);
		return;
	case MSGPACK_OBJECT_BIN:
		write_bin(pack, object->via.bin.ptr, object->via.bin.size);
		return;
	case MSGPACK_OBJECT_EXT: /* no message has any */
		pack->failed = true;
		return;
	default:
		note(pack, msgpack_pack_object(packer, *object) == 0);
		return;
	}
	note(pack, msgpack_pack_nil(packer) == 0);
}

void
pack_object(struct pack *pack, const msgpack_object *object)
{
	if (begin_value(pack))
		copy_object(pack, object, pack->depth);
}

void
pack_key(struct pack *pack, const char *key)
{
	if (pack->failed)
		return;
	if (pack->depth == 0 || !pack->open[pack->depth - 1].map ||
	    pack->open[pack->depth - 1].count % 2 != 0) {
		pack->failed = true;
		return;
	}
	pack->open[pack->depth - 1].count++;
	write_str(pack, key, strlen(key));
}

void
pack_key_map(struct pack *pack, const char *key)
{
	pack_key(pack, key);
	pack_map(pack);
}

void
pack_key_array(struct pack *pack, const char *key)
{
	pack_key(pack, key);
	pack_array(pack);
}

void
pack_key_u64(struct pack *pack, const char *key, uint64_t value)
{
	pack_key(pack, key);
	pack_u64(pack, value);
}

void
pack_key_i64(struct pack *pack, const char *key, int64_t value)
{
	pack_key(pack, key);
	pack_i64(pack, value);
}

void
pack_key_bool(struct pack *pack, const char *key, bool value)
{
	pack_key(pack, key);
	pack_bool(pack, value);
}

void
pack_key_nil(struct pack *pack, const char *key)
{
	pack_key(pack, key);
	pack_nil(pack);
}

void
pack_key_str(struct pack *pack, const char *key, const char *text)
{
	pack_key(pack, key);
	pack_str(pack, text);
}

void
pack_key_bin(struct pack *pack, const char *key, const void *data, size_t len)
{
	pack_key(pack, key);
	pack_bin(pack, data, len);
}

struct pack_place
pack_here(const struct pack *pack)
{
	return (struct pack_place){.size = pack->buffer.size,
	    .count = pack->depth > 0 ? pack->open[pack->depth - 1].count : 0,
	    .depth = pack->depth};
}

void
pack_back(struct pack *pack, const struct pack_place *place)
{
	if (pack->failed) /* told at the end, as always */
		return;
	pack->buffer.size = place->size;
	pack->depth = place->depth;
	if (place->depth > 0)
		pack->open[place->depth - 1].count = place->count;
}

static void
start_message(struct pack *pack, enum msg_type type)
{
	const struct msg_policy *policy = msg_policy(type);

	pack_clear(pack);
	pack_map(pack);
	pack_key_u64(pack, "weir", PROTO_VERSION);
	/* "none": the refusal of something whose type was not understood */
	pack_key_str(pack, "type", policy ? policy->name : "none");
}

void
pack_request(struct pack *pack, enum msg_type type)
{
	start_message(pack, type);
}

void
pack_answer(struct pack *pack, enum msg_type type)
{
	start_message(pack, type);
	pack_key_bool(pack, "ok", true);
}

void
pack_error(struct pack *pack, enum msg_type type, enum msg_error error,
    const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	start_message(pack, type);
	pack_key_bool(pack, "ok", false);
	pack_key_str(pack, "error", msg_error_name(error));
	pack_key_str(pack, "text", text);
}

int
pack_finish(struct pack *pack)
{
	if (pack->depth == 1)
		pack_end(pack);
	else if (pack->depth != 0 || pack->buffer.size == 0)
		pack->failed = true;
	return pack->failed ? -ENOMEM : 0;
}
