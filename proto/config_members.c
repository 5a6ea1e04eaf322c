#include "proto/config_members.h"

#include <errno.h>
#include <string.h>

#include "proto/parts.h"

#define AT(field) \
	offsetof(struct capture_config, field), \
	    sizeof(((struct capture_config *)0)->field)

const struct config_member config_members[CAPTURE_CONFIG_KEYS] = {
    {"buffer", MEMBER_U64, AT(buffer), CAPTURE_BUFFER_MIN, CAPTURE_BUFFER_MAX},
    {"flows", MEMBER_U64, AT(flows), CAPTURE_FLOWS_MIN, CAPTURE_FLOWS_MAX},
    {"error_threshold", MEMBER_U64, AT(error_threshold), 0,
	CAPTURE_ERROR_THRESHOLD_MAX},
    {"snaplen", MEMBER_U32, AT(snaplen), CAPTURE_SNAPLEN_MIN, CAPTURE_SNAPLEN_MAX},
    {"timeout_ms", MEMBER_U32, AT(timeout_ms), CAPTURE_TIMEOUT_MS_MIN,
	CAPTURE_TIMEOUT_MS_MAX},
    {"promiscuous", MEMBER_BOOL, AT(promiscuous), 0, 0},
    {"filter", MEMBER_STR, AT(filter), 0, 0},
};

static const void *
member_at(const struct config_member *member, const struct capture_config *config)
{
	return (const char *)config + member->offset;
}

static void *
member_of(const struct config_member *member, struct capture_config *config)
{
	return (char *)config + member->offset;
}

bool
config_member_equal(const struct config_member *member, const struct capture_config *a,
    const struct capture_config *b)
{
	const void *x = member_at(member, a);
	const void *y = member_at(member, b);

	/* What stands behind the end of a text does not count. */
	return member->kind == MEMBER_STR ? strcmp(x, y) == 0
					  : memcmp(x, y, member->size) == 0;
}

void
config_member_copy(const struct config_member *member, struct capture_config *to,
    const struct capture_config *from)
{
	memmove(member_of(member, to), member_at(member, from), member->size);
}

static void
member_pack(struct pack *pack, const struct config_member *member,
    const struct capture_config *config)
{
	const void *at = member_at(member, config);

	switch (member->kind) {
	case MEMBER_U64:
		pack_key_u64(pack, member->key, *(const uint64_t *)at);
		break;
	case MEMBER_U32:
		pack_key_u64(pack, member->key, *(const uint32_t *)at);
		break;
	case MEMBER_BOOL:
		pack_key_bool(pack, member->key, *(const bool *)at);
		break;
	case MEMBER_STR:
		pack_key_str(pack, member->key, at);
		break;
	}
}

/* Without what is as in `base`, when there is one. */
static void
members_pack(struct pack *pack, const struct capture_config *config,
    const struct capture_config *base)
{
	for (size_t i = 0; i < CAPTURE_CONFIG_KEYS; i++) {
		const struct config_member *member = &config_members[i];

		if (!base || !config_member_equal(member, config, base))
			member_pack(pack, member, config);
	}
}

void
pack_key_config(struct pack *pack, const char *key, const struct capture_config *c)
{
	pack_key_map(pack, key);
	members_pack(pack, c, NULL);
	pack_end(pack);
}

void
pack_key_config_over(struct pack *pack, const char *key, const struct capture_config *c,
    const struct capture_config *base)
{
	if (capture_config_compare(c, base) == CAPTURE_SAME)
		return;
	pack_key_map(pack, key);
	members_pack(pack, c, base);
	pack_end(pack);
}

static int
member_view(const msgpack_object *map, const struct config_member *member,
    struct capture_config *out)
{
	void *at = member_of(member, out);

	switch (member->kind) {
	case MEMBER_U64:
		return view_u64(map, member->key, member->high, at);
	case MEMBER_U32:
		return view_u32(map, member->key, (uint32_t)member->high, at);
	case MEMBER_BOOL:
		return view_bool(map, member->key, at);
	case MEMBER_STR:
		return view_str(map, member->key, at, member->size);
	}
	return -EPROTO;
}

static bool
member_is_low(const struct config_member *member, const struct capture_config *config)
{
	const void *at = member_at(member, config);

	switch (member->kind) {
	case MEMBER_U64:
		return *(const uint64_t *)at < member->low;
	case MEMBER_U32:
		return *(const uint32_t *)at < member->low;
	default:
		return false;
	}
}

/* With `some`, a key may be missing. Low values are looked for when all keys are read: that
 * a key is missing or of another type is told first. */
static int
members_view(const msgpack_object *map, struct capture_config *out, bool some)
{
	for (size_t i = 0; i < CAPTURE_CONFIG_KEYS; i++) {
		int rc = member_view(map, &config_members[i], out);

		if (rc != 0 && !(some && rc == -ENOENT))
			return rc;
	}
	for (size_t i = 0; i < CAPTURE_CONFIG_KEYS; i++) {
		if (member_is_low(&config_members[i], out))
			return -ERANGE;
	}
	return 0;
}

int
view_config(const msgpack_object *map, const char *key, struct capture_config *out)
{
	const msgpack_object *inner;
	int rc = view_map(map, key, &inner);

	if (rc != 0)
		return rc;
	memset(out, 0, sizeof(*out));
	return members_view(inner, out, false);
}

int
view_config_over(
    const msgpack_object *map, const char *key, struct capture_config *config)
{
	const msgpack_object *inner;
	int rc = view_map(map, key, &inner);

	if (rc != 0)
		return rc == -ENOENT ? 0 : rc;
	return members_view(inner, config, true);
}
