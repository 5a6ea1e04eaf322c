/* A ring, so that what is forgotten when there are too many is the oldest. */
#include "supervisor/manager/disabled.h"

#include <string.h>

static struct iface_name *
disabled_at(struct disabled *disabled, size_t i)
{
	return &disabled->names[(disabled->oldest + i) % DISABLED_MAX];
}

void
disabled_remember(struct disabled *disabled, const struct iface_name *name)
{
	disabled_take(disabled, name);
	if (disabled->count == DISABLED_MAX) {
		disabled->oldest = (disabled->oldest + 1) % DISABLED_MAX;
		disabled->count--;
	}
	*disabled_at(disabled, disabled->count++) = *name;
}

bool
disabled_take(struct disabled *disabled, const struct iface_name *name)
{
	size_t at = 0;

	while (
	    at < disabled->count && strcmp(disabled_at(disabled, at)->s, name->s) != 0)
		at++;
	if (at == disabled->count)
		return false;
	for (size_t i = at; i + 1 < disabled->count; i++)
		*disabled_at(disabled, i) = *disabled_at(disabled, i + 1);
	disabled->count--;
	return true;
}

void
disabled_forget(struct disabled *disabled)
{
	disabled->count = 0;
}
