/* Entries in messages. What comes in is held to the rules of the configuration file,
 * apart from where a file has quotes and lists: whoever sends it may have read no file. */
#include "proto/entries.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/iface_pattern.h"
#include "common/text.h"
#include "proto/config_members.h"
#include "proto/parts.h"

#define SHOWN_SIZE 80

/* What more than half of the entries have, of one key, when there is such a value: the one
 * that is left when each pair of different values is struck out. (Else it is one of
 * theirs, which is right too.) A filter of the file's `defaults` is in every entry and would
 * not fit into a request a thousand times. */
static void
common_member(struct capture_config *out, const struct config_member *member,
    const struct config_iface *entries, size_t count)
{
	const struct capture_config *common = out;
	size_t votes = 0;

	for (size_t i = 0; i < count; i++) {
		if (votes == 0)
			common = &entries[i].capture;
		if (config_member_equal(member, common, &entries[i].capture))
			votes++;
		else
			votes--;
	}
	config_member_copy(member, out, common);
}

static void
common_config(
    struct capture_config *out, const struct config_iface *entries, size_t count)
{
	capture_config_default(out);
	for (size_t i = 0; i < CAPTURE_CONFIG_KEYS; i++)
		common_member(out, &config_members[i], entries, count);
}

void
pack_key_entries(struct pack *pack, const char *key, const struct config_iface *entries,
    size_t count)
{
	struct capture_config common;

	common_config(&common, entries, count);
	pack_key_config(pack, "defaults", &common);
	pack_key_array(pack, key);
	for (size_t i = 0; i < count; i++) {
		const struct config_iface *entry = &entries[i];

		pack_map(pack);
		if (entry->kind == CONFIG_IFACE_NAMED)
			pack_key_str(pack, "name", entry->name.s);
		else if (entry->kind == CONFIG_IFACE_PATTERN)
			pack_key_str(pack, "pattern", entry->pattern);
		else
			pack_key_bool(pack, "any_up", true);
		if (entry->not_count > 0) {
			pack_key_array(pack, "not");
			for (size_t j = 0; j < entry->not_count; j++)
				pack_str(pack, entry->not [j]);
			pack_end(pack);
		}
		pack_key_config_over(pack, "config", &entry->capture, &common);
		pack_end(pack);
	}
	pack_end(pack);
}

static int __attribute__((format(printf, 2, 3)))
refuse(char why[static ENTRIES_WHY_SIZE], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, ENTRIES_WHY_SIZE, format, ap);
	va_end(ap);
	return -EPROTO;
}

/* A configuration, or (with `base`) what is different from that. */
static int
view_capture(const msgpack_object *map, const char *key,
    const struct capture_config *base, struct capture_config *out, const char *whose,
    char why[static ENTRIES_WHY_SIZE])
{
	int rc;

	if (base) {
		*out = *base;
		rc = view_config_over(map, key, out);
	} else {
		rc = view_config(map, key, out);
	}
	if (rc == 0)
		return 0;
	return refuse(why, "%s\"%s\" %s", whose, key,
	    rc == -ERANGE       ? "has a value out of range"
		: rc == -ENOENT ? "is missing or lacks a key"
				: "or a key of it is of another type");
}

/* A pattern, or (with a name as well) what an interface can be called. */
static int
check_pattern(const char *text, bool name_will_do, char why[static ENTRIES_WHY_SIZE])
{
	char reason[IFACE_PATTERN_WHY_SIZE];
	char shown[SHOWN_SIZE];
	struct iface_name name;

	text_escape(shown, sizeof(shown), text, strlen(text));
	if (iface_pattern_is(text)) {
		if (iface_pattern_check(text, reason) != 0)
			return refuse(why, "\"%s\" %s", shown, reason);
		return 0;
	}
	if (!name_will_do)
		return refuse(why, "\"%s\" is not a pattern", shown);
	if (iface_pattern_name(text, &name) != 0)
		return refuse(why, "\"%s\" is not an interface name", shown);
	return 0;
}

static int
view_not(const msgpack_object *map, struct config_iface *out,
    char why[static ENTRIES_WHY_SIZE])
{
	const msgpack_object *list;
	int rc = view_array(map, "not", &list);

	if (rc == -ENOENT)
		return 0;
	if (rc != 0 || out->kind == CONFIG_IFACE_NAMED)
		return refuse(
		    why, "\"not\" is a list, and only with a pattern or any_up");
	if (list->via.array.size > CONFIG_NOT_MAX)
		return refuse(why, "\"not\" has %" PRIu32 " members; at most %d",
		    list->via.array.size, CONFIG_NOT_MAX);
	for (uint32_t i = 0; i < list->via.array.size; i++) {
		const msgpack_object *text = &list->via.array.ptr[i];

		if (text->type != MSGPACK_OBJECT_STR ||
		    text->via.str.size >= CONFIG_PATTERN_SIZE ||
		    memchr(text->via.str.ptr, '\0', text->via.str.size))
			return refuse(why,
			    "a member of \"not\" is no text of at most %d bytes",
			    CONFIG_PATTERN_SIZE - 1);
		memcpy(out->not [i], text -> via.str.ptr, text->via.str.size);
		out->not [i][text->via.str.size] = '\0';
		rc = check_pattern(out->not [i], true, why);
		if (rc != 0)
			return rc;
	}
	out->not_count = list->via.array.size;
	return 0;
}

static int
view_kind(const msgpack_object *map, struct config_iface *out,
    char why[static ENTRIES_WHY_SIZE])
{
	const bool name = view_get(map, "name") != NULL;
	const bool pattern = view_get(map, "pattern") != NULL;
	const bool any_up = view_get(map, "any_up") != NULL;
	char text[IFACE_NAME_SIZE];
	bool yes = false;

	if (name + pattern + any_up != 1)
		return refuse(
		    why, "an entry has one of \"name\", \"pattern\", \"any_up\"");
	if (pattern) {
		out->kind = CONFIG_IFACE_PATTERN;
		if (view_str(map, "pattern", out->pattern, sizeof(out->pattern)) != 0)
			return refuse(why, "\"pattern\" is a text of at most %d bytes",
			    CONFIG_PATTERN_SIZE - 1);
		return check_pattern(out->pattern, false, why);
	}
	if (any_up) {
		out->kind = CONFIG_IFACE_ANY_UP;
		if (view_bool(map, "any_up", &yes) != 0 || !yes)
			return refuse(why, "\"any_up\" can only be true");
		return 0;
	}
	out->kind = CONFIG_IFACE_NAMED;
	if (view_str(map, "name", text, sizeof(text)) != 0 ||
	    iface_name_set(&out->name, text) != 0)
		return refuse(why, "\"name\" is not an interface name");
	if (strcmp(text, "any") == 0)
		return refuse(why, "\"any\" is not supported; any_up takes what is up");
	return 0;
}

static int
view_entry(const msgpack_object *map, const struct capture_config *base,
    struct config_iface *out, char why[static ENTRIES_WHY_SIZE])
{
	char shown[SHOWN_SIZE];
	char whose[SHOWN_SIZE + 2];
	int rc;

	if (map->type != MSGPACK_OBJECT_MAP)
		return refuse(why, "an entry is a map");
	rc = view_kind(map, out, why);
	if (rc == 0)
		rc = view_not(map, out, why);
	if (rc != 0)
		return rc;
	text_escape(shown, sizeof(shown), config_iface_text(out),
	    strlen(config_iface_text(out)));
	snprintf(whose, sizeof(whose), "%s: ", shown);
	return view_capture(map, "config", base, &out->capture, whose, why);
}

static const struct config_iface *
find_same(const struct config_iface *entries, size_t count)
{
	const struct config_iface *last = &entries[count];

	for (size_t i = 0; i < count; i++) {
		if (entries[i].kind == last->kind &&
		    strcmp(config_iface_text(&entries[i]), config_iface_text(last)) ==
			0)
			return &entries[i];
	}
	return NULL;
}

int
view_entries(const msgpack_object *map, const char *key, struct config_iface **out,
    size_t *count, char why[static ENTRIES_WHY_SIZE])
{
	const bool has_base = view_get(map, "defaults") != NULL;
	const msgpack_object *list;
	struct capture_config base;
	struct config_iface *entries;
	char shown[SHOWN_SIZE];
	uint32_t n;
	int rc = 0;

	if (view_array(map, key, &list) != 0)
		return refuse(why, "\"%s\" is missing or no list", key);
	if (has_base)
		rc = view_capture(map, "defaults", NULL, &base, "", why);
	if (rc != 0)
		return rc;
	n = list->via.array.size;
	if (n > CONFIG_IFACES_MAX)
		return refuse(
		    why, "%" PRIu32 " entries; at most %d", n, CONFIG_IFACES_MAX);
	entries = calloc(n > 0 ? n : 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = view_entry(
		    &list->via.array.ptr[i], has_base ? &base : NULL, &entries[i], why);
		if (rc != 0 || !find_same(entries, i))
			continue;
		text_escape(shown, sizeof(shown), config_iface_text(&entries[i]),
		    strlen(config_iface_text(&entries[i])));
		rc = refuse(why, "two entries for \"%s\"", shown);
	}
	if (rc != 0) {
		free(entries);
		return rc;
	}
	*out = entries;
	*count = n;
	return 0;
}
