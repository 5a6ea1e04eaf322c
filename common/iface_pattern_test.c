#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/iface_pattern.h"

static void
patterns_match_as_a_table_says(void **state)
{
	static const struct {
		const char *pattern;
		const char *yes; /* names apart by spaces, which none has */
		const char *no;
	} rows[] = {
	    {"*", "lo eth0 ... .x", ""},
	    {"eth*", "eth eth0 eth0.100", "veth0 Eth0 et"},
	    {"*.*", "eth0.100 lacp20.84 .x", "eth0"},
	    {"eth?", "eth0 eth. eth*", "eth eth10"},
	    {"eth[0-3]", "eth0 eth3", "eth4 eth03 eth"},
	    {"eth[!0-3]", "eth4 ethx", "eth0"},
	    {"eth[^0-3]", "eth4", "eth0"},
	    {"[]x]", "] x", "a []x]"},
	    {"[a-]", "a -", "b"},
	    {"[[:digit:]]*", "0a 9", "a0"},
	    {"[[:alpha:]-]*", "a- -", "0"},
	    {"[\\]]", "]", "\\ \\]"},
	    {"a\\*[b]", "a*b", "aab a\\*b axb"},
	    {"a\\b*", "ab abc", "a\\b"},
	    {"any-u[p]", "any-up", "any-uq"},
	    /* names */
	    {"eth0", "eth0", "eth00 eth"},
	    {"a\\b", "a\\b", "ab"},
	    {"a\\*b", "a*b", "a\\*b aab"},
	    {"a@b\"c;\xc3\xa9$(", "a@b\"c;\xc3\xa9$(", "a@b\"c;\xc3\xaa$("},
	    /* bytes, not characters */
	    {"\xc3?", "\xc3\xa9", "\xc3 \xc3\xa9x"},
	    {"??", "\xc3\xa9 ab \xff\xfe", "\xc3\xa9\xc3\xa9"},
	    {"[\x80-\xff]*", "\xff \xc3\xa9", "a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int yes = 0; yes < 2; yes++) {
			char names[128];
			char *save = NULL;
			snprintf(
			    names, sizeof(names), "%s", yes ? rows[i].yes : rows[i].no);
			for (char *name = strtok_r(names, " ", &save); name;
			     name = strtok_r(NULL, " ", &save)) {
				if (iface_pattern_match(rows[i].pattern, name) != yes)
					fail_msg("%s and %s", rows[i].pattern, name);
			}
		}
	}
}

static void
the_locale_of_the_program_changes_nothing(void **state)
{
	(void)state;
	if (!setlocale(LC_ALL, "C.UTF-8"))
		skip();
	patterns_match_as_a_table_says(state);
	assert_false(iface_pattern_match("?", "\xc3\xa9"));
	/* and is left as it was */
	assert_string_equal(setlocale(LC_CTYPE, NULL), "C.UTF-8");
	assert_int_equal(MB_CUR_MAX, 6);
	setlocale(LC_ALL, "C");
}

static void
what_has_no_wild_byte_is_a_name(void **state)
{
	static const struct {
		const char *text;
		const char *name; /* NULL: none that the kernel allows */
	} rows[] = {
	    {"eth0", "eth0"},
	    {"eth0.100", "eth0.100"},
	    {"a\\b", "a\\b"},
	    {"a\\", "a\\"},
	    {"\\*", "*"},
	    {"a\\[\\b", "a[b"},
	    {"\\*23456789012345", "*23456789012345"},
	    {"\\*234567890123456", NULL},
	    {"", NULL},
	    {"a/b", NULL},
	    {"..", NULL},
	    {"a b", NULL},
	    {"\\*\\\\/", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct iface_name name = {"before"};
		assert_false(iface_pattern_is(rows[i].text));
		assert_int_equal(iface_pattern_name(rows[i].text, &name),
		    rows[i].name ? 0 : -EINVAL);
		assert_string_equal(name.s, rows[i].name ? rows[i].name : "before");
		if (rows[i].name)
			assert_true(iface_pattern_match(rows[i].text, rows[i].name));
	}
}

static void
patterns_that_can_match_are_good(void **state)
{
	static const char *const good[] = {"*", "?", ".?", "..?", "*.", "[.]*", "eth*",
	    "[!a]", "[!.]", "[[:digit:]]", "[]]", "[]-a]", "[[=a=]]", "***",
	    "???????\\*???????", "[\xa0x]"};
	char why[IFACE_PATTERN_WHY_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		strcpy(why, "");
		if (!iface_pattern_is(good[i]) ||
		    iface_pattern_check(good[i], why) != 0)
			fail_msg("%s %s", good[i], why);
	}
}

static void
those_that_cannot_are_not(void **state)
{
	static const struct {
		const char *pattern;
		const char *why;
	} rows[] = {
	    {"[", "bracket"},
	    {"eth[0-9", "bracket"},
	    {"[]", "bracket"},
	    {"[!]", "bracket"},
	    {"[[:digit:]", "bracket"},
	    {"[\\]", "bracket"},
	    {"*\\", "backslash"},
	    {"a/*", "white space"},
	    {"*:*", "white space"},
	    {"* ", "white space"},
	    {"*\xa0", "white space"},
	    {"*\\/", "white space"},
	    {"[9-0]*", "brackets"},
	    {"[[:nonsense:]]", "brackets"},
	    {"[/:]", "brackets"},
	    {"[[:space:]]", "brackets"},
	    {"????????????????", "15 bytes"},
	    {"[.]", "no interface"},
	    {"[.].", "no interface"},
	};
	char why[IFACE_PATTERN_WHY_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(why, "");
		assert_true(iface_pattern_is(rows[i].pattern));
		assert_int_equal(iface_pattern_check(rows[i].pattern, why), -EINVAL);
		if (!strstr(why, rows[i].why))
			fail_msg("%s: %s", rows[i].pattern, why);
	}
}

/* A name that matches is proof that there is one; so no pattern of four bytes may be
 * refused for matching nothing when one of some short names does. */
static void
none_is_refused_that_matches_a_short_name(void **state)
{
	static const char alphabet[] = "*?[]!-a.b/\\";
	size_t n = sizeof(alphabet) - 1;
	char why[IFACE_PATTERN_WHY_SIZE];

	(void)state;
	for (size_t p = 0; p < n * n * n * n; p++) {
		const char pattern[5] = {alphabet[p % n], alphabet[p / n % n],
		    alphabet[p / n / n % n], alphabet[p / n / n / n], '\0'};
		bool some = false;
		if (!iface_pattern_is(pattern))
			continue;
		for (int a = 1; a < 256 && !some; a++) {
			for (int b = 0; b < 3 && !some; b++) {
				const char name[4] = {
				    (char)a, "\0a."[b], b == 2 ? 'b' : '\0', '\0'};
				some = iface_name_valid(name) &&
				    iface_pattern_match(pattern, name);
			}
		}
		if (some && iface_pattern_check(pattern, why) != 0 &&
		    !strstr(why, "not closed") && !strstr(why, "backslash"))
			fail_msg("%s %s", pattern, why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_match_as_a_table_says),
	    cmocka_unit_test(the_locale_of_the_program_changes_nothing),
	    cmocka_unit_test(what_has_no_wild_byte_is_a_name),
	    cmocka_unit_test(patterns_that_can_match_are_good),
	    cmocka_unit_test(those_that_cannot_are_not),
	    cmocka_unit_test(none_is_refused_that_matches_a_short_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
