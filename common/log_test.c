#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define PIPE_SIZE (1 << 20)
#define OUTPUT_SIZE (2 * PIPE_SIZE)

static int saved = -1; /* the real descriptor 2 */
static int reader = -1; /* what comes out of the one in its place */
static char output[OUTPUT_SIZE];

static int
set_up(void **state)
{
	int fds[2];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	unsetenv("WEIR_DEBUG");
	unsetenv(LOG_PIPE_VARIABLE);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
	if (saved < 0 || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    dup2(fds[1], STDERR_FILENO) < 0)
		return -1;
	close(fds[1]);
	reader = fds[0];
	/* Room for what a test writes before it looks. */
	fcntl(reader, F_SETPIPE_SZ, PIPE_SIZE);
	log_init("weir-test", NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	return 0;
}

/* What has been written since the last call. */
static const char *
written(void)
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(reader, output + used, sizeof(output) - 1 - used)) > 0)
		used += (size_t)n;
	output[used] = '\0';
	return output;
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static size_t
lines(const char *text)
{
	return count(text, "\n");
}

/* The sum of all "N lines like these were left out". */
static unsigned long long
left_out(const char *text)
{
	unsigned long long sum = 0;

	for (const char *p = text; (p = strstr(p, " lines like these")) != NULL; p++) {
		const char *digits = p;

		while (digits > text && digits[-1] >= '0' && digits[-1] <= '9')
			digits--;
		sum += strtoull(digits, NULL, 10);
	}
	return sum;
}

static void
a_line_names_program_interface_and_topic(void **state)
{
	(void)state;
	log_err("start", "text %d", 7);
	assert_string_equal(written(), "weir-test: start: text 7\n");
	log_init("weir-worker", "eth0");
	log_warn("capture", "text");
	assert_string_equal(written(), "weir-worker[eth0]: capture: text\n");
}

static void
an_interface_is_a_field_of_a_line(void **state)
{
	(void)state;
	log_iface_info("worker", "eth1", "counting, process %d", 12);
	assert_string_equal(
	    written(), "weir-test[eth1]: worker: counting, process 12\n");
	log_iface_err("worker", "", "nothing");
	log_iface_warn("worker", NULL, "nothing");
	assert_string_equal(
	    written(), "weir-test: worker: nothing\nweir-test: worker: nothing\n");
}

static void
names_and_texts_forge_no_line_and_drive_no_terminal(void **state)
{
	(void)state;
	log_iface_err(
	    "worker", "a]b\x1b\xff%n", "one\ntwo\x1b[2J%s\xc2\x9b", "\x7f\xfe");
	assert_string_equal(written(),
	    "weir-test[a\\x5db\\x1b\\xff%n]: worker: "
	    "one\\x0atwo\\x1b[2J\\x7f\\xfe\\xc2\\x9b\n");
	log_err("topic", "%s", "gr\xc3\xbc\xc3\x9f");
	assert_string_equal(written(), "weir-test: topic: gr\xc3\xbc\xc3\x9f\n");
}

static void
the_head_of_a_line_can_be_had_without_the_line(void **state)
{
	char head[64];

	(void)state;
	log_init("weir-worker", "eth0");
	log_head(LOG_LEVEL_ERR, "sandbox", head, sizeof(head));
	assert_string_equal(head, "weir-worker[eth0]: sandbox: ");
	log_head(LOG_LEVEL_ERR, "sandbox", head, 12);
	assert_string_equal(head, "weir-worker");
	assert_string_equal(written(), "");
}

static void
a_name_of_fifteen_odd_bytes_stays_whole(void **state)
{
	(void)state;
	log_iface_err("t", "\x01\x02\x03\x04\x05\x06\x07\x08]]]]]]]", "x");
	assert_string_equal(written(),
	    "weir-test[\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08\\x5d\\x5d\\x5d\\x5d"
	    "\\x5d\\x5d\\x5d]: t: x\n");
	log_iface_err(
	    "t", "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x02", "x");
	assert_string_equal(written(),
	    "weir-test[\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01"
	    "\\x01\\x01\\x02]: t: x\n");
	/* And is told from the one that looks like it. */
	log_iface_err("t", "\xff", "x");
	log_iface_err("t", "\\xff", "x");
	assert_string_equal(
	    written(), "weir-test[\\xff]: t: x\nweir-test[\\x5cxff]: t: x\n");
}

static void
the_priority_stands_in_front_for_the_journal_alone(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:123", 1);
	log_init("weir-test", NULL);
	log_err("t", "e");
	log_warn("t", "w");
	log_info("t", "i");
	assert_string_equal(
	    written(), "<3>weir-test: t: e\n<4>weir-test: t: w\n<6>weir-test: t: i\n");
}

static void
in_a_pipe_to_the_supervisor_nobody_names_himself(void **state)
{
	(void)state;
	setenv(LOG_PIPE_VARIABLE, "1", 1);
	log_init("weir-worker", "eth0");
	log_warn("capture", "text");
	assert_string_equal(written(), "<4>capture: text\n");
	log_iface_warn("flow", "a]\\", "of another interface");
	assert_string_equal(written(), "<4>flow[a\\x5d\\x5c]: of another interface\n");
}

static void
debug_lines_are_for_those_who_ask_and_not_limited(void **state)
{
	(void)state;
	log_debug("t", "x");
	assert_string_equal(written(), "");
	setenv("WEIR_DEBUG", "1", 1);
	log_init("weir-test", NULL);
	for (int i = 0; i < 200; i++)
		log_debug("t", "x");
	assert_int_equal(lines(written()), 200);
}

static void
a_long_line_is_cut_between_characters(void **state)
{
	char text[3 * LOG_LINE_SIZE];
	const char *got;

	(void)state;
	for (int shift = 0; shift < 3; shift++) {
		size_t len;

		/* Characters of three bytes, at every position. */
		memset(text, 'x', (size_t)shift);
		for (size_t i = (size_t)shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[2 * LOG_LINE_SIZE] = '\0';
		log_err("t", "%s", text);
		got = written();
		len = strlen(got);
		assert_int_equal(lines(got), 1);
		assert_in_range(len, LOG_LINE_SIZE - 16, LOG_LINE_SIZE);
		assert_null(strstr(strstr(got, "\xe2") + 3, "\\x0a"));
		assert_int_equal(got[len - 1], '\n');
	}
}

static void
a_thousand_events_make_a_burst_and_one_line_with_the_rest(void **state)
{
	const char *got;
	size_t passed;

	(void)state;
	for (int i = 0; i < 1000; i++)
		log_iface_err("worker", "eth0", "event");
	got = written();
	passed = count(got, ": event\n");
	assert_in_range(passed, LOG_LIMIT_BURST, LOG_LIMIT_BURST + 10);
	assert_int_equal(lines(got), passed + count(got, "left out"));
	passed += left_out(got);
	log_flush_suppressed();
	got = written();
	assert_int_equal(lines(got), 1);
	assert_non_null(strstr(got, "weir-test: worker: "));
	assert_int_equal(passed + left_out(got), 1000);
	log_flush_suppressed();
	assert_string_equal(written(), "");
}

static void
the_next_line_that_passes_is_preceded_by_the_count(void **state)
{
	(void)state;
	log_set_limit(2, 20);
	for (int i = 0; i < 5; i++)
		log_warn("t", "event %d", i);
	assert_string_equal(
	    written(), "weir-test: t: event 0\nweir-test: t: event 1\n");
	usleep(70000);
	log_warn("t", "event 5");
	assert_string_equal(written(),
	    "weir-test: t: 3 lines like these were left out\n"
	    "weir-test: t: event 5\n");
}

static void
every_topic_and_level_has_a_limit_of_its_own(void **state)
{
	const char *got;

	(void)state;
	log_set_limit(3, 0);
	for (int i = 0; i < 10; i++) {
		log_err("one", "err");
		log_warn("one", "warn");
		log_err("two", "other");
	}
	got = written();
	assert_int_equal(count(got, "one: err"), 3);
	assert_int_equal(count(got, "one: warn"), 3);
	assert_int_equal(count(got, "two: other"), 3);
}

static void
more_topics_than_the_table_has_share_a_limit(void **state)
{
	const char *got;
	size_t passed;

	(void)state;
	log_set_limit(10, 0);
	for (int i = 0; i < 1000; i++) {
		char topic[32];

		snprintf(topic, sizeof(topic), "topic%d", i);
		log_err(topic, "event");
	}
	passed = count(written(), ": event\n");
	assert_in_range(passed, 20, 100);
	log_flush_suppressed();
	got = written();
	assert_non_null(strstr(got, "weir-test: other: "));
	assert_int_equal(passed + left_out(got), 1000);
}

static void
without_a_burst_there_is_no_limit(void **state)
{
	(void)state;
	log_set_limit(0, 0);
	for (int i = 0; i < 1000; i++)
		log_err("t", "answer %d", i);
	assert_int_equal(lines(written()), 1000);
}

static void
fill_stderr(void)
{
	char block[4096];

	memset(block, '.', sizeof(block));
	block[sizeof(block) - 1] = '\n';
	while (write(STDERR_FILENO, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

static void
a_full_pipe_loses_lines_at_once_and_tells_how_many(void **state)
{
	struct mono begin = mono_now();
	const char *got;

	(void)state;
	fill_stderr();
	for (int i = 0; i < 7; i++)
		log_err("t", "lost");
	assert_true(mono_ms_between(begin, mono_now()) < 2000);
	assert_null(strstr(written(), "lost"));
	log_err("t", "there again");
	got = written();
	assert_string_equal(got,
	    "weir-test: log: 7 lines were lost: nobody took them in time\n"
	    "weir-test: t: there again\n");
}

static void *
drain_later(void *arg)
{
	usleep(150000);
	written();
	*(struct mono *)arg = mono_now();
	return NULL;
}

static void
who_waits_gets_a_line_through_when_there_is_room(void **state)
{
	int64_t budget = 20000;
	struct mono drained;
	pthread_t thread;

	(void)state;
	fill_stderr();
	assert_int_equal(pthread_create(&thread, NULL, drain_later, &drained), 0);
	assert_int_equal(
	    log_iface_wait(LOG_LEVEL_INFO, "flow", NULL, &budget, "n=%d", 1), 0);
	pthread_join(thread, NULL);
	assert_in_range(budget, 1000, 19900);
	/* The drain may have taken it along. */
	if (!strstr(output, "flow: n=1"))
		assert_string_equal(written(), "weir-test: flow: n=1\n");
}

static void
who_waits_does_not_wait_longer_than_its_budget(void **state)
{
	int64_t budget = 200;
	struct mono begin = mono_now();

	(void)state;
	fill_stderr();
	assert_int_equal(
	    log_iface_wait(LOG_LEVEL_INFO, "flow", NULL, &budget, "x"), -ETIMEDOUT);
	assert_int_equal(budget, 0);
	assert_int_equal(
	    log_iface_wait(LOG_LEVEL_INFO, "flow", NULL, &budget, "x"), -ETIMEDOUT);
	assert_in_range(mono_ms_between(begin, mono_now()), 190, 5000);
}

static void
lines_that_wait_are_not_limited(void **state)
{
	int64_t budget = 1000;

	(void)state;
	log_set_limit(1, 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(
		    log_iface_wait(LOG_LEVEL_INFO, "flow", NULL, &budget, "n=%d", i),
		    0);
	assert_int_equal(lines(written()), 300);
	assert_int_equal(budget, 1000);
}

static char seen[256];
static atomic_uint_fast64_t seen_lines;
static atomic_uint_fast64_t seen_left_out;

static void
sink(void *arg, const struct log_record *record)
{
	assert_ptr_equal(arg, seen);
	snprintf(seen, sizeof(seen), "%d %d %s %s %s %s", (int)record->level,
	    record->pid == (int)getpid(), record->program, record->iface, record->topic,
	    record->text);
}

static void
a_sink_gets_the_fields_instead_of_stderr(void **state)
{
	struct log_record foreign = {.level = LOG_LEVEL_WARNING,
	    .pid = 1,
	    .program = "weir-worker",
	    .iface = "eth7",
	    .topic = "capture",
	    .text = "text"};

	(void)state;
	log_set_sink(sink, seen);
	log_iface_warn("worker", "eth\x01", "died\n");
	/* Its bytes are the sink's to escape, the text is safe. */
	assert_string_equal(seen, "4 1 weir-test eth\x01 worker died\\x0a");
	log_relay(&foreign);
	assert_string_equal(seen, "4 0 weir-worker eth7 capture text");
	assert_string_equal(written(), "");
	log_set_sink(NULL, NULL);
	log_relay(&foreign);
	assert_string_equal(written(), "weir-worker[eth7]: capture: text\n");
}

static void
counting_sink(void *arg, const struct log_record *record)
{
	(void)arg;
	if (strcmp(record->text, "event") == 0)
		atomic_fetch_add(&seen_lines, 1);
	else
		atomic_fetch_add(&seen_left_out, strtoull(record->text, NULL, 10));
}

static void *
log_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++)
		log_err("thread", "event");
	return NULL;
}

static void
of_many_threads_no_line_is_counted_twice_or_not_at_all(void **state)
{
	pthread_t threads[4];

	(void)state;
	log_set_sink(counting_sink, NULL);
	log_set_limit(10, 1000);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	log_flush_suppressed();
	assert_true(seen_lines >= 10);
	assert_int_equal(seen_lines + seen_left_out, 4 * 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_line_names_program_interface_and_topic),
	    TEST(an_interface_is_a_field_of_a_line),
	    TEST(names_and_texts_forge_no_line_and_drive_no_terminal),
	    TEST(the_head_of_a_line_can_be_had_without_the_line),
	    TEST(a_name_of_fifteen_odd_bytes_stays_whole),
	    TEST(the_priority_stands_in_front_for_the_journal_alone),
	    TEST(in_a_pipe_to_the_supervisor_nobody_names_himself),
	    TEST(debug_lines_are_for_those_who_ask_and_not_limited),
	    TEST(a_long_line_is_cut_between_characters),
	    TEST(a_thousand_events_make_a_burst_and_one_line_with_the_rest),
	    TEST(the_next_line_that_passes_is_preceded_by_the_count),
	    TEST(every_topic_and_level_has_a_limit_of_its_own),
	    TEST(more_topics_than_the_table_has_share_a_limit),
	    TEST(without_a_burst_there_is_no_limit),
	    TEST(a_full_pipe_loses_lines_at_once_and_tells_how_many),
	    TEST(who_waits_gets_a_line_through_when_there_is_room),
	    TEST(who_waits_does_not_wait_longer_than_its_budget),
	    TEST(lines_that_wait_are_not_limited),
	    TEST(a_sink_gets_the_fields_instead_of_stderr),
	    TEST(of_many_threads_no_line_is_counted_twice_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
