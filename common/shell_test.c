#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/shell.h"

/* What the shell makes of a quoted word is the word again, whatever is in it. */
static void
a_shell_takes_a_quoted_word_for_what_it_was(void **state)
{
	(void)state;
	static const char *const words[] = {"eth0", "eth0.100", "a@b\"c;\xc3\xa9$(",
	    "it's", "-x", "*", "$HOME", "\\", "a\\b'",
	    "\x01\x7f"
	    "f",
	    "!x", "#", "~", "`id`", "\xff'", "&", "a=b", "", "{a,b}", "'''''", "a\nb"};
	char quoted[128], command[256], back[128];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		shell_quote(quoted, sizeof(quoted), words[i]);
		for (const char *at = quoted; *at != '\0'; at++)
			assert_in_range(*at, 0x20, 0x7e);
		snprintf(
		    command, sizeof(command), "exec bash -c \"$WEIR_TEST_COMMAND\"");
		char script[160];
		snprintf(script, sizeof(script), "printf %%s %s", quoted);
		setenv("WEIR_TEST_COMMAND", script, 1);
		FILE *shell = popen(command, "r");
		assert_non_null(shell);
		size_t n = fread(back, 1, sizeof(back) - 1, shell);
		back[n] = '\0';
		assert_int_equal(pclose(shell), 0);
		assert_string_equal(back, words[i]);
	}
	shell_quote(quoted, sizeof(quoted), "eth0.100");
	assert_string_equal(quoted, "eth0.100"); /* no more than is needed */
	/* the longest that an interface's name can become fits as the header says */
	shell_quote(quoted, 15 * 4 + 8,
	    "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
	    "\x01\x01\x01");
	assert_int_equal(strlen(quoted), 15 * 4 + 3);
	assert_int_equal(quoted[strlen(quoted) - 1], '\'');
	shell_quote(quoted, 15 * 4 + 8, "'''''''''''''''");
	assert_int_equal(strlen(quoted), 15 * 4 + 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_shell_takes_a_quoted_word_for_what_it_was),
	};

	return cmocka_run_group_tests_name("shell", tests, NULL, NULL);
}
