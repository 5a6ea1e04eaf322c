/* What an entry of `interfaces` is for: a name, a pattern, or any-up, and what of these is
 * left out. Names are bytes, as the kernel has them: control characters may stand in them
 * (written as "\x01" in the file), and are escaped in what is said about them. */
#include "common/config_private.h"

#include <stdio.h>
#include <string.h>

#include "common/iface_pattern.h"
#include "common/text.h"

#define SHOWN_SIZE 128

/* A name as it is or a pattern that can match; *pattern tells which. */
static bool
check_text(const char *text, size_t len, bool *pattern, struct iface_name *name,
    char why[static CONFIG_WHY_SIZE])
{
	char shown[SHOWN_SIZE];
	char reason[IFACE_PATTERN_WHY_SIZE];

	text_escape(shown, sizeof(shown), text, len);
	if (len == 0) {
		snprintf(why, CONFIG_WHY_SIZE, "must not be empty");
		return false;
	}
	*pattern = iface_pattern_is(text);
	if (*pattern && len >= CONFIG_PATTERN_SIZE) {
		snprintf(why, CONFIG_WHY_SIZE,
		    "a pattern of %zu bytes is too long: at most %d", len,
		    CONFIG_PATTERN_SIZE - 1);
		return false;
	}
	if (*pattern && iface_pattern_check(text, reason) != 0) {
		snprintf(why, CONFIG_WHY_SIZE, "\"%s\" %s", shown, reason);
		return false;
	}
	if (!*pattern && iface_pattern_name(text, name) != 0) {
		snprintf(why, CONFIG_WHY_SIZE,
		    "\"%s\" is not an interface name: 1 to %d bytes without '/', ':' or "
		    "white space",
		    shown, IFACE_NAME_SIZE - 1);
		return false;
	}
	return true;
}

bool
config_entry_set_name(const char *text, size_t len, struct config_iface *entry,
    char why[static CONFIG_WHY_SIZE])
{
	struct iface_name name = {""};
	bool pattern = false;

	if (strcmp(text, "any") == 0) {
		snprintf(why, CONFIG_WHY_SIZE,
		    "\"any\" is not supported: packets would count once per device they "
		    "pass; write any-up for every interface that is up, or name them");
		return false;
	}
	if (strcmp(text, CONFIG_ANY_UP) == 0) {
		entry->kind = CONFIG_IFACE_ANY_UP;
		return true;
	}
	if (!check_text(text, len, &pattern, &name, why))
		return false;
	entry->kind = pattern ? CONFIG_IFACE_PATTERN : CONFIG_IFACE_NAMED;
	if (pattern)
		memcpy(entry->pattern, text, len + 1);
	else
		entry->name = name;
	return true;
}

bool
config_entry_add_not(const char *text, size_t len, struct config_iface *entry,
    char why[static CONFIG_WHY_SIZE])
{
	struct iface_name name;
	bool pattern;

	if (!check_text(text, len, &pattern, &name, why))
		return false;
	if (len >= CONFIG_PATTERN_SIZE) {
		snprintf(why, CONFIG_WHY_SIZE, "%zu bytes are too long: at most %d",
		    len, CONFIG_PATTERN_SIZE - 1);
		return false;
	}
	if (entry->not_count == CONFIG_NOT_MAX) {
		snprintf(
		    why, CONFIG_WHY_SIZE, "one too many: at most %d", CONFIG_NOT_MAX);
		return false;
	}
	memcpy(entry->not [entry->not_count++], text, len + 1);
	return true;
}
