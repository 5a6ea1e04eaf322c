#include "common/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* The digits at *at, at least one; *at is behind them afterwards. */
static int
take_digits(const char **at, uint64_t *out)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	for (; isdigit((unsigned char)**at); (*at)++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
			return -ERANGE;
	}
	*out = value;
	return 0;
}

int
text_to_number(const char *text, uint64_t *out)
{
	uint64_t value;
	int rc = take_digits(&text, &value);

	if (rc != 0)
		return rc;
	if (*text != '\0')
		return -EINVAL;
	*out = value;
	return 0;
}

/* A decimal number, white space, then one of the units. */
static int
number_with_unit(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t value;
	const char *at = text;
	int rc = take_digits(&at, &value);

	if (rc != 0)
		return rc;
	while (*at == ' ')
		at++;
	for (; units->name; units++) {
		if (strcmp(at, units->name) != 0)
			continue;
		if (__builtin_mul_overflow(value, units->factor, &value))
			return -ERANGE;
		*out = value;
		return 0;
	}
	return -EINVAL;
}

int
text_to_bytes(const char *text, uint64_t *out)
{
	static const struct unit units[] = {{"", 1}, {"B", 1},
	    {"KiB", UINT64_C(1) << 10}, {"MiB", UINT64_C(1) << 20},
	    {"GiB", UINT64_C(1) << 30}, {"TiB", UINT64_C(1) << 40}, {NULL, 0}};

	return number_with_unit(text, units, out);
}

int
text_to_ms(const char *text, uint64_t *out)
{
	static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000},
	    {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

	return number_with_unit(text, units, out);
}

/* The digits at *at as a number of exactly `digits` digits within [low, high]. */
static bool
field(const char **at, int digits, int low, int high, int *out)
{
	int value = 0;

	for (int i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return false;
		value = value * 10 + ((*at)[i] - '0');
	}
	if (value < low || value > high)
		return false;
	*at += digits;
	*out = value;
	return true;
}

static bool
skip(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* ".123" or nothing; digits after the third are dropped. */
static bool
fraction(const char **at, int *ms)
{
	int scale = 100;

	*ms = 0;
	if (!skip(at, '.'))
		return true;
	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); (*at)++, scale /= 10)
		*ms += (**at - '0') * scale;
	return true;
}

static int
days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static bool
calendar_ms(const char *at, int64_t *out)
{
	struct tm tm = {0};
	int year, month, ms = 0, zone_hours = 0, zone_minutes = 0, sign = 1;
	time_t seconds;

	if (!field(&at, 4, 1970, 9999, &year) || !skip(&at, '-') ||
	    !field(&at, 2, 1, 12, &month) || !skip(&at, '-') ||
	    !field(&at, 2, 1, days_of(year, month), &tm.tm_mday))
		return false;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	if (*at == 'T' || *at == ' ') {
		at++;
		if (!field(&at, 2, 0, 23, &tm.tm_hour) || !skip(&at, ':') ||
		    !field(&at, 2, 0, 59, &tm.tm_min))
			return false;
		if (skip(&at, ':')) {
			if (!field(&at, 2, 0, 60, &tm.tm_sec) || !fraction(&at, &ms))
				return false;
		}
		if (*at == '+' || *at == '-') {
			sign = *at++ == '+' ? 1 : -1;
			if (!field(&at, 2, 0, 14, &zone_hours))
				return false;
			(void)skip(&at, ':');
			if (!field(&at, 2, 0, 59, &zone_minutes))
				return false;
		} else {
			(void)skip(&at, 'Z');
		}
	}
	if (*at != '\0')
		return false;
	seconds = timegm(&tm);
	*out = ((int64_t)seconds - sign * (zone_hours * 3600 + zone_minutes * 60)) *
		MS_PER_S +
	    ms;
	return true;
}

int
text_to_time_ms(const char *text, struct wall now, int64_t *out)
{
	uint64_t value;
	int rc;

	if (strcmp(text, "now") == 0) {
		*out = now.ns / NS_PER_MS;
		return 0;
	}
	if (text[0] == '-') {
		rc = text_to_ms(text + 1, &value);
		if (rc != 0)
			return rc;
		if (value > INT64_MAX / 2)
			return -ERANGE;
		*out = now.ns / NS_PER_MS - (int64_t)value;
		return 0;
	}
	if (calendar_ms(text, out))
		return 0;
	static const struct unit seconds[] = {{"", 1000}, {NULL, 0}};
	rc = number_with_unit(text[0] == '@' ? text + 1 : text, seconds, &value);
	if (rc != 0)
		return rc;
	if (value > INT64_MAX)
		return -ERANGE;
	*out = (int64_t)value;
	return 0;
}

/* "999", "9.99 k", "99.9 k", "999 k": three digits that mean something. */
static char *
scaled(uint64_t value, unsigned step, const char *const *units, char buf[static 16])
{
	double scaled_value = (double)value;
	int unit = 0;

	while (scaled_value >= 999.5 && units[unit + 1]) {
		scaled_value /= step;
		unit++;
	}
	if (unit == 0)
		snprintf(buf, 16, "%llu%s", (unsigned long long)value, units[0]);
	else
		snprintf(buf, 16, "%.*f%s",
		    scaled_value < 9.995       ? 2
			: scaled_value < 99.95 ? 1
					       : 0,
		    scaled_value, units[unit]);
	return buf;
}

char *
text_bytes(uint64_t bytes, char buf[static 16])
{
	static const char *const units[] = {
	    " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB", NULL};

	return scaled(bytes, 1024, units, buf);
}

char *
text_count(uint64_t count, char buf[static 16])
{
	static const char *const units[] = {
	    "", " k", " M", " G", " T", " P", " E", NULL};

	return scaled(count, 1000, units, buf);
}

char *
text_duration_ms(int64_t ms, char buf[static 32])
{
	long long s = (long long)(ms / MS_PER_S);

	if (ms < 0)
		snprintf(buf, 32, "-");
	else if (s < 1)
		snprintf(buf, 32, "%lldms", (long long)ms);
	else if (s < 60)
		snprintf(buf, 32, "%llds", s);
	else if (s < 3600)
		snprintf(buf, 32, "%lldm %llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, 32, "%lldh %lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 32, "%lldd %lldh", s / 86400, s / 3600 % 24);
	return buf;
}

/* The length of the UTF-8 sequence at s (RFC 3629), or 0 when there is none. */
static size_t
utf8_length(const unsigned char *s, size_t left)
{
	size_t len = s[0] < 0x80 ? 1
	    : s[0] < 0xc2        ? 0
	    : s[0] < 0xe0        ? 2
	    : s[0] < 0xf0        ? 3
	    : s[0] < 0xf5        ? 4
				 : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0; /* overlong, surrogate, beyond U+10FFFF */
	return len;
}

/* Whether the character of n bytes (0: no UTF-8) must not be printed as it is. */
static bool
is_unsafe(const unsigned char *s, size_t n)
{
	if (n == 1)
		return *s < 0x20 || *s == 0x7f;
	/* C1 controls, U+0080 to U+009F, drive terminals too */
	return n == 0 || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

static void
escape(char *out, size_t size, const char *from, size_t len, bool name)
{
	size_t used = 0;

	if (size == 0)
		return;
	for (size_t i = 0; i < len;) {
		const unsigned char *s = (const unsigned char *)from + i;
		size_t n = utf8_length(s, len - i);
		if (is_unsafe(s, n) || (name && *s == '\\')) {
			if (used + 4 >= size)
				break;
			used +=
			    (size_t)snprintf(out + used, size - used, "\\x%02x", *s);
			i++;
		} else {
			if (used + n >= size)
				break;
			memcpy(out + used, s, n);
			used += n;
			i += n;
		}
	}
	out[used] = '\0';
}

void
text_escape(char *out, size_t size, const char *from, size_t len)
{
	escape(out, size, from, len, false);
}

void
text_escape_name(char *out, size_t size, const char *from, size_t len)
{
	escape(out, size, from, len, true);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void
text_unescape_name(char *out, size_t size, const char *from, size_t len)
{
	size_t used = 0;

	for (size_t i = 0; i < len && used + 1 < size; used++) {
		if (len - i >= 4 && from[i] == '\\' && from[i + 1] == 'x' &&
		    hex_digit(from[i + 2]) >= 0 && hex_digit(from[i + 3]) >= 0) {
			out[used] = (char)(hex_digit(from[i + 2]) * 16 +
			    hex_digit(from[i + 3]));
			i += 4;
		} else {
			out[used] = from[i++];
		}
	}
	if (size > 0)
		out[used] = '\0';
}
