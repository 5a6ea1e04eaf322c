/* One scalar of the file becomes one value, or a sentence about what is wrong with it.
 * Sentences repeat the text as it stands there, escaped and cut, and name the range. */
#include "common/config_private.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define SHOWN_SIZE 64

static bool
has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	}
	return false;
}

static bool
number_set(const struct config_key *key, const char *text, bool plain, void *object,
    char why[static CONFIG_WHY_SIZE])
{
	const char *expected = "";
	char range[96];
	char shown[SHOWN_SIZE];
	uint64_t value;
	int rc = -EINVAL;

	switch (key->type) {
	case CONFIG_INTEGER:
		expected = "a whole number";
		rc = plain ? text_to_number(text, &value) : -EINVAL;
		break;
	case CONFIG_SIZE:
		expected = "a size (bytes, or with B, KiB, MiB, GiB)";
		rc = text_to_bytes(text, &value);
		break;
	case CONFIG_DURATION:
		expected = "a duration (with ms, s, m, h or d)";
		rc = text_to_ms(text, &value);
		if (rc != 0 &&
		    strcmp(text, "0") == 0) { /* the one that needs no unit */
			value = 0;
			rc = 0;
		}
		break;
	default:
		break;
	}
	config_key_range(key, range);
	text_escape(shown, sizeof(shown), text, strlen(text));
	if (rc == -EINVAL) {
		snprintf(why, CONFIG_WHY_SIZE, "%s%s%s is not %s; %s",
		    plain ? "" : "\"", shown, plain ? "" : "\"", expected, range);
		return false;
	}
	if (rc != 0 || value < key->low || value > key->high) {
		bool never = key->type == CONFIG_DURATION && rc == 0 && value == 0;
		snprintf(why, CONFIG_WHY_SIZE, "%s is out of range: %s%s", shown, range,
		    never ? " (0 would mean that packets are never delivered)" : "");
		if (never && key->section != CONFIG_CAPTURE)
			snprintf(why, CONFIG_WHY_SIZE, "%s is out of range: %s", shown,
			    range);
		return false;
	}
	if (key->check && !key->check(shown, value, why))
		return false;
	char *field = (char *)object + key->offset;
	if (key->size == sizeof(uint32_t)) {
		uint32_t narrow = (uint32_t)value;
		memcpy(field, &narrow, sizeof(narrow));
	} else {
		memcpy(field, &value, sizeof(value));
	}
	return true;
}

static bool
bool_set(const struct config_key *key, const char *text, bool plain, void *object,
    char why[static CONFIG_WHY_SIZE])
{
	bool value = plain && strcmp(text, "true") == 0;
	char shown[SHOWN_SIZE];

	if (!value && (!plain || strcmp(text, "false") != 0)) {
		text_escape(shown, sizeof(shown), text, strlen(text));
		snprintf(why, CONFIG_WHY_SIZE, "%s%s%s is neither true nor false",
		    plain ? "" : "\"", shown, plain ? "" : "\"");
		return false;
	}
	memcpy((char *)object + key->offset, &value, sizeof(value));
	return true;
}

static bool
account_valid(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c >= 0x80 || (!isalnum(c) && !strchr("_.-$@\\", c)))
			return false;
	}
	return true;
}

static bool
text_set(const struct config_key *key, const char *text, size_t len, void *object,
    char why[static CONFIG_WHY_SIZE])
{
	char shown[SHOWN_SIZE];

	text_escape(shown, sizeof(shown), text, len);
	if (len < key->low) {
		snprintf(why, CONFIG_WHY_SIZE, "must not be empty");
		return false;
	}
	if (len > key->high || len >= key->size) {
		snprintf(why, CONFIG_WHY_SIZE,
		    "%zu bytes are too long: at most %" PRIu64, len, key->high);
		return false;
	}
	if (key->type == CONFIG_PATH && len > 0 && text[0] != '/') {
		snprintf(why, CONFIG_WHY_SIZE,
		    "\"%s\" is not an absolute path: it must begin with /", shown);
		return false;
	}
	if (key->type == CONFIG_ACCOUNT && !account_valid(text)) {
		snprintf(why, CONFIG_WHY_SIZE, "\"%s\" is neither a name nor a number",
		    shown);
		return false;
	}
	if (key->check && !key->check(text, 0, why))
		return false;
	char *field = (char *)object + key->offset;
	memset(field, 0, key->size);
	memcpy(field, text, len);
	return true;
}

bool
config_value_set(const struct config_key *key, const char *text, size_t len, bool plain,
    void *object, char why[static CONFIG_WHY_SIZE])
{
	bool of_iface = key->type == CONFIG_IFACE || key->type == CONFIG_PATTERNS;

	if (of_iface ? memchr(text, '\0', len) != NULL : has_control(text, len)) {
		snprintf(why, CONFIG_WHY_SIZE, "control characters are not allowed");
		return false;
	}
	/* YAML's null, and a key with nothing behind it */
	if (plain &&
	    (len == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0)) {
		char range[96];
		config_key_range(key, range);
		snprintf(why, CONFIG_WHY_SIZE, "has no value; %s", range);
		return false;
	}
	switch (key->type) {
	case CONFIG_BOOL:
		return bool_set(key, text, plain, object, why);
	case CONFIG_INTEGER:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
		return number_set(key, text, plain, object, why);
	case CONFIG_IFACE:
		return config_entry_set_name(text, len, object, why);
	case CONFIG_PATTERNS:
		return config_entry_add_not(text, len, object, why);
	default:
		return text_set(key, text, len, object, why);
	}
}
