#include "supervisor/control/relay.h"

#include <stdlib.h>
#include <string.h>

#include "common/capture_config.h"
#include "common/text.h"

#define RELAY_KEY_MAX 48

struct relay {
	struct pack *pack;
	unsigned members;
};

static bool
relay_key(const msgpack_object *key, char out[static RELAY_KEY_MAX])
{
	if (key->type != MSGPACK_OBJECT_STR || key->via.str.size == 0 ||
	    key->via.str.size >= RELAY_KEY_MAX)
		return false;
	text_escape(out, RELAY_KEY_MAX, key->via.str.ptr, key->via.str.size);
	return true;
}

static bool
relay_is_value(const msgpack_object *value, unsigned depth)
{
	switch (value->type) {
	case MSGPACK_OBJECT_NIL:
	case MSGPACK_OBJECT_BOOLEAN:
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_STR:
		return true;
	case MSGPACK_OBJECT_MAP:
		return depth < RELAY_DEPTH_MAX;
	default:
		return false;
	}
}

static void
relay_text(struct pack *pack, const char *key, const msgpack_object *value)
{
	/* A filter is the operator's own text; everything else is a word or a sentence. */
	size_t most = strcmp(key, "filter") == 0 ? CAPTURE_FILTER_SIZE : MSG_TEXT_MAX;
	size_t len = value->via.str.size < most ? value->via.str.size : most;
	char *text = malloc(4 * len + 1);

	if (!text) {
		pack_str(pack, "");
		return;
	}
	text_escape(text, 4 * len + 1, value->via.str.ptr, len);
	pack_str(pack, text);
	free(text);
}

static void
relay_members(struct relay *relay, const msgpack_object *map, unsigned depth)
{
	static const char *const every_message[] = {"weir", "type", "ok"};

	pack_map(relay->pack);
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object *value = &map->via.map.ptr[i].val;
		char key[RELAY_KEY_MAX];
		bool skip = false;

		if (!relay_key(&map->via.map.ptr[i].key, key) ||
		    !relay_is_value(value, depth) ||
		    relay->members >= RELAY_MEMBERS_MAX)
			continue;
		for (size_t j = 0; depth == 1 && j < 3; j++)
			skip = skip || strcmp(key, every_message[j]) == 0;
		if (skip)
			continue;
		relay->members++;
		pack_key(relay->pack, key);
		if (value->type == MSGPACK_OBJECT_MAP)
			relay_members(relay, value, depth + 1);
		else if (value->type == MSGPACK_OBJECT_STR)
			relay_text(relay->pack, key, value);
		else
			pack_object(relay->pack, value);
	}
	pack_end(relay->pack);
}

void
relay_map(struct pack *pack, const msgpack_object *body)
{
	struct relay relay = {.pack = pack};

	if (body->type != MSGPACK_OBJECT_MAP)
		pack_nil(pack);
	else
		relay_members(&relay, body, 1);
}
