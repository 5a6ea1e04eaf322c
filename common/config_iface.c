/* What an entry of `interfaces` means for a given interface. Apart from the reader of the
 * file, so that whoever has entries from elsewhere needs no libyaml. */
#include "common/config.h"

#include <string.h>

#include "common/iface_pattern.h"

const char *
config_iface_text(const struct config_iface *entry)
{
	switch (entry->kind) {
	case CONFIG_IFACE_PATTERN:
		return entry->pattern;
	case CONFIG_IFACE_ANY_UP:
		return CONFIG_ANY_UP;
	case CONFIG_IFACE_NAMED:
		break;
	}
	return entry->name.s;
}

static bool
is_excluded(const struct config_iface *entry, const char *name)
{
	for (size_t i = 0; i < entry->not_count; i++) {
		if (iface_pattern_match(entry->not [i], name))
			return true;
	}
	return false;
}

const struct config_iface *
config_iface_for(const struct config_iface *entries, size_t count, const char *name,
    bool up, bool loopback)
{
	for (size_t i = 0; i < count; i++) {
		if (entries[i].kind == CONFIG_IFACE_NAMED &&
		    strcmp(entries[i].name.s, name) == 0)
			return &entries[i];
	}
	for (size_t i = 0; i < count; i++) {
		const struct config_iface *entry = &entries[i];
		bool takes = entry->kind == CONFIG_IFACE_PATTERN
		    ? iface_pattern_match(entry->pattern, name)
		    : entry->kind == CONFIG_IFACE_ANY_UP && up && !loopback;
		if (takes && !is_excluded(entry, name))
			return entry;
	}
	return NULL;
}
