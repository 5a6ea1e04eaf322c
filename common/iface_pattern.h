/* Patterns for interface names: those of fnmatch(3) in the C locale, so that `?` is one
 * byte and a range means bytes, whatever the locale of the program is. A text without any
 * of `*?[` is a name, in which a backslash is a backslash; in any other text a backslash
 * takes the next byte as it is. Safe from any thread. */
#ifndef WEIR_COMMON_IFACE_PATTERN_H
#define WEIR_COMMON_IFACE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/iface.h"

#define IFACE_PATTERN_WHY_SIZE 96

/* Whether one of `*?[` means something in it: else it is a name. */
bool iface_pattern_is(const char *text);

/* The name that a text stands for which is no pattern: `eth0`, `eth\*` (the device eth*).
 * 0, or -EINVAL when the kernel would not allow that name (out untouched). */
int iface_pattern_name(const char *text, struct iface_name *out);

/* 0 when a pattern is well-formed and there is a name it can match; else -EINVAL and the
 * rest of a sentence that begins with the pattern: "has a bracket [ that is not closed". */
int iface_pattern_check(const char *text, char why[static IFACE_PATTERN_WHY_SIZE]);

/* Whether the name is the one that the text stands for, or matches the pattern. */
bool iface_pattern_match(const char *text, const char *name);

#endif
