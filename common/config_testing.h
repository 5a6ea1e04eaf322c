/* For tests of the configuration reader: texts that must be taken, and texts about which
 * exactly this must be said. */
#ifndef WEIR_COMMON_CONFIG_TESTING_H
#define WEIR_COMMON_CONFIG_TESTING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/config_private.h"

/* All faults of one run, each with a newline. */
struct faults {
	char text[65536];
	size_t used;
	size_t count;
};

static inline void
fault_take(void *arg, const char *line)
{
	struct faults *faults = arg;
	size_t room = sizeof(faults->text) - faults->used;
	int n = snprintf(faults->text + faults->used, room, "%s\n", line);

	assert_true(n > 0 && (size_t)n < room);
	faults->used += (size_t)n;
	faults->count++;
}

static inline int
parse(const char *text, size_t len, struct config *config, struct faults *faults)
{
	memset(faults, 0, sizeof(*faults));
	return config_parse("f", text, len, config, fault_take, faults);
}

static inline struct config *
good(const char *text)
{
	static struct config config;
	static struct faults faults;
	int rc = parse(text, strlen(text), &config, &faults);

	assert_string_equal(faults.text, "");
	assert_int_equal(rc, 0);
	return &config;
}

static inline void
bad(const char *text, const char *expected)
{
	static struct config config;
	static struct faults faults;

	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(parse(text, strlen(text), &config, &faults), -EINVAL);
	assert_string_equal(faults.text, expected);
	assert_int_equal(((unsigned char *)&config)[0], 0x5a); /* untouched */
	assert_int_equal(((unsigned char *)&config)[sizeof(config) - 1], 0x5a);
}

#define ETH0 "interfaces:\n  - name: eth0\n" /* two lines */

#endif
