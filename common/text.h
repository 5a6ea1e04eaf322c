/* Numbers and times as people write them. */
#ifndef WEIR_COMMON_TEXT_H
#define WEIR_COMMON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"

/* Decimal digits and nothing else to a number. 0, -EINVAL, or -ERANGE on overflow; out
 * untouched on failure. */
int text_to_number(const char *text, uint64_t *out);

/* "8MiB", "64 KiB", "1024", "1GiB", "10B" to bytes. Same returns. */
int text_to_bytes(const char *text, uint64_t *out);

/* "100ms", "5m", "30d", "12h", "300s" to milliseconds; a plain number is refused, since
 * nobody could say its unit. Same returns. */
int text_to_ms(const char *text, uint64_t *out);

/* A point in time: "2026-01-31", "2026-01-31T23:59", "2026-01-31T23:59:59[.123][Z|+01:00]"
 * (UTC when no zone is given), "@1767225600" or a bare number (seconds since 1970),
 * "-4h", "-90m", "-15d" (before `now`), "now". To milliseconds since 1970 UTC. Same
 * returns. */
int text_to_time_ms(const char *text, struct wall now, int64_t *out);

/* Human units, 4 significant characters at most and a unit: "1.5 GiB", "12.3 k".
 * Returns buf. */
char *text_bytes(uint64_t bytes, char buf[static 16]);
char *text_count(uint64_t count, char buf[static 16]);
/* "3d 4h", "12m 5s", "250ms" */
char *text_duration_ms(int64_t ms, char buf[static 32]);

/* Copies at most size - 1 bytes of `from` and makes it safe to print: control
 * characters and bytes that are not UTF-8 become \xNN. Always terminated. Text that was
 * escaped before stays as it is. */
void text_escape(char *out, size_t size, const char *from, size_t len);

/* The same for names, which may hold any byte: a backslash becomes \x5c, so two names
 * never read the same, and text_unescape_name() gives the name back. Once only. */
void text_escape_name(char *out, size_t size, const char *from, size_t len);

/* \xNN become bytes, all else stays. Copies at most size - 1 bytes, always terminated. */
void text_unescape_name(char *out, size_t size, const char *from, size_t len);

#endif
