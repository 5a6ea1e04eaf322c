/* What matches is fnmatch(3)'s business. Whether anything can match is found out by
 * taking a pattern apart, into stars and parts that stand for one byte each, and asking
 * fnmatch which bytes a part takes: so the two cannot disagree about a bracket. */
#include "common/iface_pattern.h"

#include <errno.h>
#include <fnmatch.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#define WILD "*?["
#define PART_SIZE 256

static bool
matches(const char *pattern, const char *name)
{
	/* Never freed and never fails: it is one static object. */
	locale_t here = uselocale(newlocale(LC_ALL_MASK, "C", NULL));
	bool match = fnmatch(pattern, name, 0) == 0;

	uselocale(here);
	return match;
}

bool
iface_pattern_is(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		else if (strchr(WILD, *text))
			return true;
	}
	return false;
}

int
iface_pattern_name(const char *text, struct iface_name *out)
{
	char plain[IFACE_NAME_SIZE + 1];
	size_t used = 0;

	if (!strpbrk(text, WILD))
		return iface_name_set(out, text);
	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			text++;
		if (used == sizeof(plain) - 1)
			return -EINVAL;
		plain[used++] = *text;
	}
	plain[used] = '\0';
	return iface_name_set(out, plain);
}

bool
iface_pattern_match(const char *text, const char *name)
{
	return strpbrk(text, WILD) ? matches(text, name) : strcmp(text, name) == 0;
}

/* The bytes of a bracket at `text` up to and with its end; 0 when it has none. */
static size_t
bracket_length(const char *text)
{
	size_t at = 1;

	if (text[at] == '!' || text[at] == '^')
		at++;
	for (bool first = true; text[at] != '\0'; first = false) {
		char kind = text[at] == '[' ? text[at + 1] : '\0';
		char end[3] = {kind, ']', '\0'};
		const char *close = NULL;

		if (text[at] == ']' && !first)
			return at + 1;
		if (kind == ':' || kind == '.' || kind == '=')
			close = strstr(text + at + 2, end);
		if (close)
			at = (size_t)(close - text) + 2;
		else
			at += text[at] == '\\' && text[at + 1] != '\0' ? 2 : 1;
	}
	return 0;
}

/* Which bytes of a name one part of a pattern takes: none, the dot alone, or others. */
enum part {
	PART_NOTHING,
	PART_DOT,
	PART_SOME,
};

static enum part
part_kind(const char *part)
{
	enum part kind = PART_NOTHING;

	for (int c = 1; c < 256; c++) {
		char byte[2] = {(char)c, '\0'};
		char name[3] = {(char)c, 'x', '\0'};

		if (!iface_name_valid(name) || !matches(part, byte))
			continue;
		if (c != '.')
			return PART_SOME;
		kind = PART_DOT;
	}
	return kind;
}

int
iface_pattern_check(const char *text, char why[static IFACE_PATTERN_WHY_SIZE])
{
	bool star = false;
	bool only_dots = true;
	size_t bytes = 0;

	while (*text != '\0') {
		char part[PART_SIZE];
		size_t len = 1;

		if (*text == '*') {
			star = true;
			text++;
			continue;
		}
		if (*text == '[')
			len = bracket_length(text);
		else if (*text == '\\')
			len = text[1] != '\0' ? 2 : 0;
		if (len == 0) {
			snprintf(why, IFACE_PATTERN_WHY_SIZE, "%s",
			    *text == '[' ? "has a bracket [ that is not closed"
					 : "ends with a backslash");
			return -EINVAL;
		}
		if (len >= sizeof(part)) {
			snprintf(why, IFACE_PATTERN_WHY_SIZE,
			    "has a bracket of %zu bytes", len);
			return -EINVAL;
		}
		memcpy(part, text, len);
		part[len] = '\0';
		enum part kind = part_kind(part);
		if (kind == PART_NOTHING) {
			snprintf(why, IFACE_PATTERN_WHY_SIZE,
			    "matches no interface: names have no '/', ':' or white space");
			if (*text == '[')
				snprintf(why, IFACE_PATTERN_WHY_SIZE,
				    "matches no interface: nothing fits one of its brackets");
			return -EINVAL;
		}
		only_dots = only_dots && kind == PART_DOT;
		bytes++;
		text += len;
	}
	if (bytes >= IFACE_NAME_SIZE) {
		snprintf(why, IFACE_PATTERN_WHY_SIZE,
		    "matches no interface: names have at most %d bytes",
		    IFACE_NAME_SIZE - 1);
		return -EINVAL;
	}
	/* "" is no name, and neither are "." and "..". */
	if (!star && only_dots && bytes <= 2) {
		snprintf(why, IFACE_PATTERN_WHY_SIZE, "matches no interface");
		return -EINVAL;
	}
	return 0;
}
