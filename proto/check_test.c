#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/frame.h"
#include "proto/parts.h"

static void
the_question_names_the_interface_and_its_settings(void **state)
{
	struct capture_config config;
	struct capture_config seen;
	char iface[16];
	struct msg msg;
	void *data;
	size_t len;
	int ends[2];

	(void)state;
	capture_config_default(&config);
	config.snaplen = 99;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(check_ask(ends[1], "eth0", &config), 0);
	assert_int_equal(frame_read(ends[0], &data, &len), 0);
	assert_int_equal(msg_parse(&msg, data, len), 0);
	assert_int_equal(msg.type, MSG_UPDATE);
	assert_int_equal(view_str(msg.body, "iface", iface, sizeof(iface)), 0);
	assert_string_equal(iface, "eth0");
	assert_int_equal(view_config(msg.body, "config", &seen), 0);
	assert_int_equal(capture_config_compare(&config, &seen), CAPTURE_SAME);
	msg_fini(&msg);
	free(data);
	close(ends[0]);
	close(ends[1]);
}

/* What is read of an answer with this state, reason and text; NULL leaves a key out. */
static int
read_answer(enum msg_type type, const char *state, const char *reason, const char *text,
    char reason_out[static CHECK_REASON_SIZE], char text_out[static CHECK_TEXT_SIZE])
{
	struct pack pack;
	int ends[2];
	int rc;

	pack_init(&pack);
	pack_answer(&pack, type);
	if (state)
		pack_key_str(&pack, "state", state);
	if (reason)
		pack_key_str(&pack, "reason", reason);
	if (text)
		pack_key_str(&pack, "reason_text", text);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(frame_write(ends[1], &pack), 0);
	close(ends[1]);
	pack_fini(&pack);
	reason_out[0] = text_out[0] = '\0';
	rc = check_read_answer(ends[0], reason_out, text_out);
	close(ends[0]);
	return rc;
}

static void
an_answer_is_a_reason_and_the_words_for_it(void **state)
{
	char reason[CHECK_REASON_SIZE];
	char text[CHECK_TEXT_SIZE];

	(void)state;
	assert_int_equal(read_answer(MSG_CHECK, "active", "", "", reason, text), 0);
	assert_string_equal(reason, "");
	assert_int_equal(
	    read_answer(MSG_CHECK, "error", "filter", "syntax\nerror", reason, text),
	    0);
	assert_string_equal(reason, "filter");
	assert_null(strchr(text, '\n'));
	assert_non_null(strstr(text, "syntax"));
}

static void
what_is_no_answer_is_refused(void **state)
{
	char reason[CHECK_REASON_SIZE];
	char text[CHECK_TEXT_SIZE];
	int ends[2];

	(void)state;
	/* neither open nor a reason why not */
	assert_int_equal(
	    read_answer(MSG_CHECK, "error", "", "", reason, text), -EPROTO);
	assert_int_equal(
	    read_answer(MSG_STATUS, "active", "", "", reason, text), -EPROTO);
	assert_int_equal(
	    read_answer(MSG_CHECK, NULL, "filter", "", reason, text), -EPROTO);
	assert_int_equal(
	    read_answer(MSG_CHECK, "active", NULL, "", reason, text), -EPROTO);
	assert_int_equal(pipe(ends), 0);
	close(ends[1]);
	assert_int_equal(check_read_answer(ends[0], reason, text), -ENODATA);
	close(ends[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_question_names_the_interface_and_its_settings),
	    cmocka_unit_test(an_answer_is_a_reason_and_the_words_for_it),
	    cmocka_unit_test(what_is_no_answer_is_refused),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
