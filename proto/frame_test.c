#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/frame.h"

static int ends[2];

static int
make_pipe(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return pipe(ends);
}

static int
close_pipe(void **state)
{
	(void)state;
	if (ends[0] >= 0)
		close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	return 0;
}

static void
close_end(int which)
{
	close(ends[which]);
	ends[which] = -1;
}

static int
read_bytes(const void *bytes, size_t len)
{
	void *data = NULL;
	size_t size = 42;
	int rc;

	assert_int_equal(write(ends[1], bytes, len), len);
	close_end(1);
	rc = frame_read(ends[0], &data, &size);
	assert_null(data);
	assert_int_equal(size, 42);
	return rc;
}

static void
two_frames_arrive_as_they_were_written(void **state)
{
	struct pack pack;
	void *data;
	size_t len;

	(void)state;
	pack_init(&pack);
	pack_request(&pack, MSG_UPDATE);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(frame_write(ends[1], &pack), 0);
	assert_int_equal(frame_write(ends[1], &pack), 0);
	close_end(1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_read(ends[0], &data, &len), 0);
		assert_int_equal(len, pack.buffer.size);
		assert_memory_equal(data, pack.buffer.data, len);
		free(data);
	}
	assert_int_equal(frame_read(ends[0], &data, &len), -ENODATA);
	pack_fini(&pack);
}

static void *
write_pack(void *arg)
{
	static int rc;

	rc = frame_write(ends[1], arg);
	return &rc;
}

static void
a_frame_larger_than_the_pipe_arrives(void **state)
{
	uint8_t *chunk = malloc(MSG_CHUNK_MAX);
	struct pack pack;
	pthread_t writer;
	void *data, *rc;
	size_t len;

	(void)state;
	assert_non_null(chunk);
	for (size_t i = 0; i < MSG_CHUNK_MAX; i++)
		chunk[i] = (uint8_t)(i * 7);
	pack_init(&pack);
	pack_request(&pack, MSG_MAP);
	pack_key_bin(&pack, "chunk", chunk, MSG_CHUNK_MAX);
	assert_int_equal(pack_finish(&pack), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_pack, &pack), 0);
	assert_int_equal(frame_read(ends[0], &data, &len), 0);
	assert_int_equal(pthread_join(writer, &rc), 0);
	assert_int_equal(*(int *)rc, 0);
	assert_int_equal(len, pack.buffer.size);
	assert_memory_equal(data, pack.buffer.data, len);
	free(data);
	free(chunk);
	pack_fini(&pack);
}

static void
an_end_within_the_length_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("\0\0", 2), -EPROTO);
}

static void
an_end_before_the_message_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("\0\0\0\5", 4), -EPROTO);
}

static void
an_end_within_the_message_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("\0\0\0\5abc", 7), -EPROTO);
}

static void
an_empty_frame_is_malformed(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("\0\0\0\0", 4), -EPROTO);
}

static void
a_length_over_the_limit_is_refused_at_once(void **state)
{
	(void)state;
	/* MSG_SIZE_MAX + 1 */
	assert_int_equal(read_bytes("\0\x20\0\1", 4), -EPROTO);
}

static void
the_largest_length_there_is_is_refused(void **state)
{
	(void)state;
	assert_int_equal(read_bytes("\xff\xff\xff\xff", 4), -EPROTO);
}

static void
half_a_message_is_not_written(void **state)
{
	struct pack pack;

	(void)state;
	pack_init(&pack);
	assert_int_equal(frame_write(ends[1], &pack), -EMSGSIZE);
	pack_request(&pack, MSG_UPDATE);
	assert_int_equal(frame_write(ends[1], &pack), -EINVAL);
	pack_fini(&pack);
}

static void
a_reader_that_is_gone_is_told(void **state)
{
	struct pack pack;

	(void)state;
	pack_init(&pack);
	pack_request(&pack, MSG_UPDATE);
	assert_int_equal(pack_finish(&pack), 0);
	close_end(0);
	assert_int_equal(frame_write(ends[1], &pack), -EPIPE);
	pack_fini(&pack);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_pipe, close_pipe)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(two_frames_arrive_as_they_were_written),
	    TEST(a_frame_larger_than_the_pipe_arrives),
	    TEST(an_end_within_the_length_is_malformed),
	    TEST(an_end_before_the_message_is_malformed),
	    TEST(an_end_within_the_message_is_malformed),
	    TEST(an_empty_frame_is_malformed),
	    TEST(a_length_over_the_limit_is_refused_at_once),
	    TEST(the_largest_length_there_is_is_refused),
	    TEST(half_a_message_is_not_written),
	    TEST(a_reader_that_is_gone_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
