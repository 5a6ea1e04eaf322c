#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/log/log_pipe.h"

#define SEEN_MAX 64

static struct loop *loop;
static struct log_pipe *pipe_log;
static int child = -1; /* what a child has as its descriptor 2 */

static struct seen {
	enum log_level level;
	int pid;
	char program[32], iface[32], topic[32], text[LOG_LINE_SIZE];
} seen[SEEN_MAX];
static size_t seen_count; /* may be more than are kept */
static size_t seen_flows;
static unsigned long long left_out;

static void
sink(void *arg, const struct log_record *record)
{
	struct seen *s = &seen[seen_count % SEEN_MAX];

	(void)arg;
	if (strstr(record->text, " lines of this process were left out")) {
		assert_string_equal(record->topic, "log");
		left_out += strtoull(record->text, NULL, 10);
		return;
	}
	if (strcmp(record->topic, "flow") == 0)
		seen_flows++;
	s->level = record->level;
	s->pid = record->pid;
	snprintf(s->program, sizeof(s->program), "%s", record->program);
	snprintf(s->iface, sizeof(s->iface), "%s", record->iface);
	snprintf(s->topic, sizeof(s->topic), "%s", record->topic);
	snprintf(s->text, sizeof(s->text), "%s", record->text);
	seen_count++;
}

static void
make_for(const char *iface, bool flows)
{
	assert_int_equal(
	    log_pipe_new(&pipe_log, loop, "weir-worker", iface, flows, &child), 0);
	log_pipe_set_pid(pipe_log, 4711);
}

static void
make(bool flows)
{
	make_for("eth0", flows);
}

static int
set_up(void **state)
{
	(void)state;
	seen_count = seen_flows = 0;
	left_out = 0;
	log_set_sink(sink, NULL);
	return loop_new(&loop);
}

static int
tear_down(void **state)
{
	(void)state;
	log_pipe_free(pipe_log);
	pipe_log = NULL;
	if (child >= 0)
		close(child);
	child = -1;
	loop_turn(loop, 0);
	loop_free(loop);
	log_set_sink(NULL, NULL);
	return 0;
}

static void
say(const char *data, size_t len)
{
	assert_int_equal(write(child, data, len), (ssize_t)len);
}

#define SAY(text) say(text, sizeof(text) - 1)

static void
turn(int64_t ms)
{
	struct mono end = mono_plus_ms(mono_now(), ms);

	do {
		assert_int_equal(loop_turn(loop, 5), 0);
	} while (mono_ms_between(mono_now(), end) > 0);
}

static void
assert_line(size_t i, enum log_level level, const char *topic, const char *text)
{
	assert_true(i < seen_count);
	assert_int_equal(seen[i].level, level);
	assert_int_equal(seen[i].pid, 4711);
	assert_string_equal(seen[i].program, "weir-worker");
	assert_string_equal(seen[i].iface, "eth0");
	assert_string_equal(seen[i].topic, topic);
	assert_string_equal(seen[i].text, text);
}

static void
a_line_gets_its_priority_and_topic_from_the_text_and_its_names_from_us(void **state)
{
	(void)state;
	make(false);
	SAY("<3>capture: one: two\n<4>decode: x\n<6>serve: y\n<7>books: z\n");
	turn(10);
	assert_int_equal(seen_count, 4);
	assert_line(0, LOG_LEVEL_ERR, "capture", "one: two");
	assert_line(1, LOG_LEVEL_WARNING, "decode", "x");
	assert_line(2, LOG_LEVEL_INFO, "serve", "y");
	assert_line(3, LOG_LEVEL_DEBUG, "books", "z");
}

static void
a_child_of_all_interfaces_names_the_one_that_a_line_is_about(void **state)
{
	(void)state;
	make_for("", false);
	SAY("<6>flow[a\\x5d\\x5c\\xff]: x\n<6>flow: y\n<6>flow[eth0: z\n<6>[eth0]: w\n"
	    "<6>flow[0123456789abcdefghi]: v\n");
	turn(10);
	assert_int_equal(seen_count, 5);
	assert_string_equal(seen[0].iface, "a]\\\xff");
	assert_string_equal(seen[0].topic, "flow");
	assert_string_equal(seen[0].text, "x");
	assert_string_equal(seen[1].iface, "");
	assert_string_equal(seen[1].text, "y");
	assert_string_equal(seen[2].topic, "stderr");
	assert_string_equal(seen[2].text, "flow[eth0: z");
	assert_string_equal(seen[3].topic, "stderr");
	assert_string_equal(seen[3].iface, "");
	assert_string_equal(seen[4].iface, "0123456789abcde");
}

static void
a_child_of_one_interface_speaks_for_no_other(void **state)
{
	(void)state;
	make(false);
	SAY("<6>flow[eth1]: x\n");
	turn(10);
	assert_int_equal(seen_count, 1);
	assert_line(0, LOG_LEVEL_INFO, "stderr", "flow[eth1]: x");
}

static void
what_is_no_line_of_ours_is_told_as_it_is(void **state)
{
	(void)state;
	make(false);
	SAY("==77==ERROR: AddressSanitizer\n"
	    "<3>weir-supervisor[eth9]: capture: forged\n"
	    "<9>capture: x\n"
	    "<31>x\n"
	    "<3\n"
	    "<3>\n"
	    "<3>capture:\n"
	    "<0>a_topic_longer_than_any_of_ours: x\n"
	    "\n\n");
	turn(10);
	assert_int_equal(seen_count, 8);
	assert_line(0, LOG_LEVEL_WARNING, "stderr", "==77==ERROR: AddressSanitizer");
	assert_line(
	    1, LOG_LEVEL_ERR, "stderr", "weir-supervisor[eth9]: capture: forged");
	assert_line(2, LOG_LEVEL_WARNING, "stderr", "<9>capture: x");
	assert_line(3, LOG_LEVEL_WARNING, "stderr", "<31>x");
	assert_line(4, LOG_LEVEL_WARNING, "stderr", "<3");
	assert_line(5, LOG_LEVEL_ERR, "stderr", "");
	assert_line(6, LOG_LEVEL_ERR, "stderr", "capture:");
	assert_line(7, LOG_LEVEL_ERR, "stderr", "a_topic_longer_than_any_of_ours: x");
}

static void
a_line_may_come_in_pieces(void **state)
{
	(void)state;
	make(false);
	SAY("<3>cap");
	turn(10);
	assert_int_equal(seen_count, 0);
	SAY("ture: te");
	turn(10);
	SAY("xt\n<4>decode: half");
	turn(10);
	assert_int_equal(seen_count, 1);
	assert_line(0, LOG_LEVEL_ERR, "capture", "text");
}

static void
last_words_need_no_newline(void **state)
{
	(void)state;
	make(false);
	SAY("<3>start: no rights\n<3>start: end");
	close(child);
	child = -1;
	log_pipe_finish(pipe_log);
	assert_int_equal(seen_count, 2);
	assert_line(1, LOG_LEVEL_ERR, "start", "end");
	log_pipe_finish(pipe_log);
	turn(10);
	assert_int_equal(seen_count, 2);
}

static void
the_end_does_not_wait_for_whoever_else_holds_the_pipe(void **state)
{
	(void)state;
	make(false);
	SAY("<3>start: text\n");
	log_pipe_finish(pipe_log);
	assert_int_equal(seen_count, 1);
	/* Nobody reads any more: that is the writer's loss. */
	assert_int_equal(write(child, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
}

static void
bytes_that_are_no_text_are_escaped(void **state)
{
	(void)state;
	make(false);
	SAY("<3>capture: a\0b\x1b[2J\r\xff\xc2\x80\n");
	turn(10);
	assert_int_equal(seen_count, 1);
	assert_line(0, LOG_LEVEL_ERR, "capture", "a\\x00b\\x1b[2J\\x0d\\xff\\xc2\\x80");
}

static void
a_line_without_end_is_one_line_that_is_cut(void **state)
{
	char block[4096];

	(void)state;
	make(false);
	memset(block, 'x', sizeof(block));
	SAY("<3>capture: ");
	for (int i = 0; i < 50; i++) {
		say(block, sizeof(block));
		turn(1);
	}
	SAY("\n<3>capture: next\n");
	turn(10);
	assert_int_equal(seen_count, 2);
	assert_in_range(strlen(seen[0].text), 900, LOG_LINE_SIZE);
	assert_line(1, LOG_LEVEL_ERR, "capture", "next");
}

static void
a_line_of_just_the_longest_length_is_whole(void **state)
{
	char line[LOG_LINE_SIZE + 1];

	(void)state;
	make(false);
	memset(line, 'x', sizeof(line));
	memcpy(line, "<3>capture: ", 12);
	line[LOG_LINE_SIZE] = '\n';
	say(line, sizeof(line));
	SAY("<3>capture: next\n");
	turn(10);
	assert_int_equal(seen_count, 2);
	assert_int_equal(strlen(seen[0].text), LOG_LINE_SIZE - 12);
	assert_line(1, LOG_LEVEL_ERR, "capture", "next");
}

static void
a_flood_of_lines_becomes_some_and_a_count(void **state)
{
	size_t wrote = 0;

	(void)state;
	make(false);
	for (int i = 0; i < 10000; i++) {
		if (write(child, "<3>capture: x\n", 14) == 14)
			wrote++;
		if (i % 100 == 0)
			turn(1);
	}
	turn(50);
	log_pipe_finish(pipe_log);
	assert_in_range(seen_count, LOG_PIPE_LINES_BURST, LOG_PIPE_LINES_BURST + 100);
	assert_int_equal(seen_count + left_out, wrote);
}

static void
the_count_is_told_also_when_nothing_follows(void **state)
{
	(void)state;
	make(false);
	for (int i = 0; i < LOG_PIPE_LINES_BURST + 50; i++)
		SAY("<3>capture: x\n");
	turn(10);
	assert_int_equal(left_out, 0);
	turn(5200);
	assert_in_range(left_out, 40, 50);
	assert_int_equal(seen_count + left_out, LOG_PIPE_LINES_BURST + 50);
}

/* As fast as it can, for half a second, with the loop turning. */
static size_t
flood(void)
{
	struct mono end = mono_plus_ms(mono_now(), 500);
	char block[1400];
	size_t bytes = 0;

	memset(block, 'x', sizeof(block));
	memcpy(block, "<3>flow: ", 9);
	block[199] = '\n';
	while (mono_ms_between(mono_now(), end) > 0) {
		ssize_t n;

		while ((n = write(child, block, 200)) > 0)
			bytes += (size_t)n;
		assert_int_equal(errno, EAGAIN); /* it never waits */
		loop_turn(loop, 1);
	}
	return bytes;
}

static void
of_a_flood_so_many_bytes_are_read_in_a_second(void **state)
{
	(void)state;
	make(false);
	/* The credit of a second, what comes in half a second, a full pipe, one turn. */
	assert_in_range(flood(), 100000, 2 * LOG_PIPE_BYTES_PER_SECOND);
	assert_in_range(seen_count, LOG_PIPE_LINES_BURST, LOG_PIPE_LINES_BURST + 100);
}

static void
lines_of_flows_are_all_passed_on_where_they_are_expected(void **state)
{
	size_t bytes;

	(void)state;
	make(true);
	bytes = flood();
	for (int i = 0; i < 20; i++)
		turn(1);
	turn(200);
	assert_true(bytes > 1000000);
	assert_int_equal(seen_flows, bytes / 200);
	assert_int_equal(left_out, 0);
	/* Other lines of the same process are limited all the same. */
	for (int i = 0; i < LOG_PIPE_LINES_BURST + 50; i++)
		SAY("<3>capture: x\n");
	turn(20);
	log_pipe_finish(pipe_log);
	assert_in_range(left_out, 30, 50);
}

static void
debug_lines_that_somebody_asks_for_are_all_passed_on(void **state)
{
	(void)state;
	setenv("WEIR_DEBUG", "1", 1);
	log_init("weir-supervisor", NULL);
	unsetenv("WEIR_DEBUG");
	make(false);
	for (int i = 0; i < LOG_PIPE_LINES_BURST + 50; i++)
		SAY("<7>capture: x\n");
	turn(20);
	log_init("weir-supervisor", NULL);
	log_pipe_finish(pipe_log);
	assert_int_equal(seen_count, LOG_PIPE_LINES_BURST + 50);
	assert_int_equal(left_out, 0);
}

/* The bytes of `fd` that are there. */
static size_t
take_all(int fd, char *out, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, out + used, size - used)) > 0)
		used += (size_t)n;
	return used;
}

static void
where_the_log_goes_to_stderr_nobody_waits_for_its_reader(void **state)
{
	static char out[200000];
	const char *line = "weir-worker[eth0]: flow: ";
	int own = dup(STDERR_FILENO);
	struct mono begin = mono_now();
	size_t lines = 0;
	size_t used;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_true(own >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
	log_set_sink(NULL, NULL);
	make(true);
	/* More than both pipes hold, and nobody reads. */
	for (int i = 0; i < 2000; i++) {
		char text[101];

		memset(text, 'x', sizeof(text));
		memcpy(text, "<6>flow: ", 9);
		text[100] = '\n';
		if (write(child, text, sizeof(text)) == (ssize_t)sizeof(text))
			lines++;
		loop_turn(loop, 0);
	}
	assert_in_range(lines, 1000, 1999);
	/* From now on somebody does. */
	used = take_all(fds[0], out, sizeof(out));
	for (int i = 0; i < 10; i++) {
		turn(60);
		used += take_all(fds[0], out + used, sizeof(out) - used);
	}
	dup2(own, STDERR_FILENO);
	close(own);
	close(fds[0]);
	close(fds[1]);
	assert_true(mono_ms_between(begin, mono_now()) < 3000);
	assert_int_equal(used, lines * (strlen(line) + 101 - strlen("<6>flow: ")));
	for (size_t at = 0; at < used; at += used / lines)
		assert_memory_equal(out + at, line, strlen(line));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(
		a_line_gets_its_priority_and_topic_from_the_text_and_its_names_from_us),
	    TEST(a_child_of_all_interfaces_names_the_one_that_a_line_is_about),
	    TEST(a_child_of_one_interface_speaks_for_no_other),
	    TEST(what_is_no_line_of_ours_is_told_as_it_is),
	    TEST(a_line_may_come_in_pieces),
	    TEST(last_words_need_no_newline),
	    TEST(the_end_does_not_wait_for_whoever_else_holds_the_pipe),
	    TEST(bytes_that_are_no_text_are_escaped),
	    TEST(a_line_without_end_is_one_line_that_is_cut),
	    TEST(a_line_of_just_the_longest_length_is_whole),
	    TEST(a_flood_of_lines_becomes_some_and_a_count),
	    TEST(the_count_is_told_also_when_nothing_follows),
	    TEST(of_a_flood_so_many_bytes_are_read_in_a_second),
	    TEST(lines_of_flows_are_all_passed_on_where_they_are_expected),
	    TEST(debug_lines_that_somebody_asks_for_are_all_passed_on),
	    TEST(where_the_log_goes_to_stderr_nobody_waits_for_its_reader),
	};

	signal(SIGPIPE, SIG_IGN);
	unsetenv("JOURNAL_STREAM");
	unsetenv(LOG_PIPE_VARIABLE);
	log_init("weir-supervisor", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
