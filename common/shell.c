#include "common/shell.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void
shell_quote(char *out, size_t size, const char *text)
{
	bool plain = text[0] != '\0';
	bool printable = true;
	size_t used = 0;

	for (const char *at = text; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;
		plain = plain && c < 0x80 && (isalnum(c) || strchr("_-.@%+=:,/", c));
		printable = printable && c >= 0x20 && c < 0x7f;
	}
	if (plain) {
		snprintf(out, size, "%s", text);
		return;
	}
	used += (size_t)snprintf(out, size, "%s", printable ? "'" : "$'");
	for (const char *at = text; *at != '\0' && used + 6 < size; at++) {
		unsigned char c = (unsigned char)*at;
		if (printable && c == '\'')
			used += (size_t)snprintf(out + used, size - used, "'\\''");
		else if (printable || isalnum(c))
			out[used++] = *at;
		else
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", c);
	}
	snprintf(out + used, size - used, "'");
}
