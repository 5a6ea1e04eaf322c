/* The walk over bytes from outside, before anything is unpacked. It keeps how many
 * objects each open container still expects on a small stack of its own, so neither its
 * time nor its memory depends on what a sender claims: a container is refused at its
 * header when it promises more members than there are bytes, or than are allowed. */
#include "proto/msg.h"

#include <errno.h>

/* msgpack-c unpacks at most 32 levels. */
#define CHECK_DEPTH_CAP 32

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

/* What stands behind a leading byte. */
struct object {
	uint64_t payload; /* bytes to skip */
	uint64_t members; /* objects inside, keys and values counted one by one */
	bool container;
};

static bool
take_number(struct cursor *cursor, unsigned width, uint64_t *out)
{
	uint64_t value = 0;

	if ((size_t)(cursor->end - cursor->at) < width)
		return false;
	for (unsigned i = 0; i < width; i++)
		value = value << 8 | *cursor->at++;
	*out = value;
	return true;
}

static bool
take_header(struct cursor *cursor, struct object *object)
{
	uint64_t count;
	uint8_t lead;

	if (cursor->at == cursor->end)
		return false;
	lead = *cursor->at++;
	*object = (struct object){0, 0, false};
	switch (lead) {
	case 0x80 ... 0x8f: /* fixmap */
		object->container = true;
		object->members = 2 * (uint64_t)(lead & 0x0f);
		return true;
	case 0x90 ... 0x9f: /* fixarray */
		object->container = true;
		object->members = lead & 0x0f;
		return true;
	case 0xa0 ... 0xbf: /* fixstr */
		object->payload = lead & 0x1f;
		return true;
	case 0xc4 ... 0xc6: /* bin 8, 16, 32 */
		return take_number(cursor, 1U << (lead - 0xc4), &object->payload);
	case 0xd9 ... 0xdb: /* str 8, 16, 32 */
		return take_number(cursor, 1U << (lead - 0xd9), &object->payload);
	case 0xca: /* float 32, 64 */
	case 0xcb:
		object->payload = UINT64_C(4) << (lead - 0xca);
		return true;
	case 0xcc ... 0xcf: /* uint 8, 16, 32, 64 */
		object->payload = UINT64_C(1) << (lead - 0xcc);
		return true;
	case 0xd0 ... 0xd3: /* int 8, 16, 32, 64 */
		object->payload = UINT64_C(1) << (lead - 0xd0);
		return true;
	case 0xdc: /* array 16, 32 */
	case 0xdd:
		object->container = true;
		return take_number(cursor, lead == 0xdc ? 2 : 4, &object->members);
	case 0xde: /* map 16, 32 */
	case 0xdf:
		object->container = true;
		if (!take_number(cursor, lead == 0xde ? 2 : 4, &count))
			return false;
		object->members = 2 * count;
		return true;
	case 0xc1: /* never used */
	case 0xc7 ... 0xc9: /* ext: no message has any */
	case 0xd4 ... 0xd8:
		return false;
	default: /* fixints, nil, false, true */
		return true;
	}
}

int
msg_check_one(const void *data, size_t len, unsigned depth_max, size_t *objects_left,
    size_t *used)
{
	struct cursor cursor = {data, (const uint8_t *)data + len};
	uint64_t expected[CHECK_DEPTH_CAP];
	size_t budget = *objects_left;
	unsigned depth = 0;

	if (depth_max > CHECK_DEPTH_CAP)
		depth_max = CHECK_DEPTH_CAP;
	do {
		struct object object;
		size_t left;

		if (!take_header(&cursor, &object))
			return -EPROTO;
		left = (size_t)(cursor.end - cursor.at);
		if (object.payload > left)
			return -EPROTO;
		cursor.at += object.payload;
		if (object.container) {
			/* Each member takes at least one byte. */
			if (depth == depth_max || object.members > left ||
			    object.members > budget)
				return -EPROTO;
			budget -= object.members;
			expected[depth++] = object.members;
		}
		while (depth > 0 && expected[depth - 1] == 0)
			depth--;
		if (depth > 0)
			expected[depth - 1]--;
		else
			break;
	} while (true);
	*objects_left = budget;
	*used = (size_t)(cursor.at - (const uint8_t *)data);
	return 0;
}

int
msg_check(const void *data, size_t len, unsigned depth_max, size_t objects_max)
{
	size_t used;
	int rc = msg_check_one(data, len, depth_max, &objects_max, &used);

	if (rc != 0)
		return rc;
	return used == len ? 0 : -EPROTO;
}
