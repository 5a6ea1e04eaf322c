#include "common/iface.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

bool
iface_name_valid(const char *name)
{
	size_t len = strnlen(name, IFACE_NAME_SIZE);

	if (len == 0 || len >= IFACE_NAME_SIZE)
		return false;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		/* dev_valid_name() in the kernel; its isspace() knows 0xa0 too */
		unsigned char c = (unsigned char)name[i];
		if (c == '/' || c == ':' || c == 0xa0 || (c < 0x80 && isspace(c)))
			return false;
	}
	return true;
}

int
iface_name_set(struct iface_name *out, const char *name)
{
	if (!iface_name_valid(name))
		return -EINVAL;
	memset(out->s, 0, sizeof(out->s));
	memcpy(out->s, name, strlen(name));
	return 0;
}

void
iface_file_name(const char *name, char out[static IFACE_FILE_NAME_SIZE])
{
	char *to = out;

	for (size_t i = 0; name[i] != '\0' && i < IFACE_NAME_SIZE - 1; i++) {
		unsigned char c = (unsigned char)name[i];
		bool plain = (c < 0x80 && isalnum(c)) || c == '-' || c == '_' ||
		    (c == '.' && i > 0);
		if (plain)
			*to++ = (char)c;
		else
			to += snprintf(to, 4, "%%%02X", c);
	}
	*to = '\0';
}

char *
iface_shown(const char *name, char out[static IFACE_SHOWN_SIZE])
{
	text_escape_name(out, IFACE_SHOWN_SIZE, name, strlen(name));
	return out;
}
