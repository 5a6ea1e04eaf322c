/* Messages that are none, frames that are none, silence, too many words, and processes that do
 * not end as they should. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/child.h"
#include "supervisor/testing/hostile.h"

#define LATE_MS 2600 /* a status has 2,000 */
#define HELD_S 15 /* how long descriptors are held by a child of its own */

static uint8_t scratch[4 * MEGABYTE];

static void
answer_bytes(struct hostile *hostile, const void *data, size_t len)
{
	hostile_send(hostile, hostile->id, data, len);
}

struct pack *
hostile_begin_again(struct hostile *hostile, enum msg_type type)
{
	pack_clear(&hostile->answer);
	pack_answer(&hostile->answer, type);
	return &hostile->answer;
}

/*
 * Not a message.
 */

static bool
play_array_of_4g(struct hostile *hostile)
{
	answer_bytes(hostile, "\xdd\xff\0\0\0", 5);
	return false;
}

static bool
play_map_of_4g(struct hostile *hostile)
{
	answer_bytes(hostile, "\xdf\xff\xff\xff\xff\xa4weir\1", 11);
	return false;
}

static bool
play_deep(struct hostile *hostile)
{
	memset(scratch, 0x91, 40);
	scratch[40] = 1;
	answer_bytes(hostile, scratch, 41);
	return false;
}

/* A whole answer, but for one value. */
static bool
play_deep_inside(struct hostile *hostile)
{
	static const char head[] = "\x84\xa4weir\1\xa4type\xa6status\xa2ok\xc3\xa1x";
	size_t len = sizeof(head) - 1;

	memcpy(scratch, head, len);
	memset(scratch + len, 0x91, 40);
	scratch[len + 40] = 0xc0;
	answer_bytes(hostile, scratch, len + 41);
	return false;
}

static bool
play_empty(struct hostile *hostile)
{
	answer_bytes(hostile, "", 0);
	return false;
}

static bool
play_random(struct hostile *hostile)
{
	uint32_t x = (uint32_t)getpid();

	for (size_t i = 0; i < 4096; i++) {
		x = x * 1664525 + 1013904223;
		scratch[i] = (uint8_t)(x >> 24);
	}
	answer_bytes(hostile, scratch, 4096);
	return false;
}

static bool
play_other_type(struct hostile *hostile)
{
	hostile_begin_again(
	    hostile, hostile->request->type == MSG_ROTATE ? MSG_STATUS : MSG_ROTATE);
	return true;
}

static bool
play_request(struct hostile *hostile)
{
	pack_clear(&hostile->answer);
	pack_request(&hostile->answer, hostile->request->type);
	return true;
}

static bool
play_other_version(struct hostile *hostile)
{
	answer_bytes(hostile, "\x83\xa4weir\2\xa4type\xa6status\xa2ok\xc3", 22);
	return false;
}

/*
 * Not a frame.
 */

static bool
play_too_long(struct hostile *hostile)
{
	hostile_put_head(hostile, 3 * MEGABYTE);
	hostile_put(hostile, hostile->id, 4);
	hostile_put(hostile, scratch, 3 * MEGABYTE - 4);
	return false;
}

static bool
play_endless_length(struct hostile *hostile)
{
	hostile_put_head(hostile, UINT64_MAX);
	hostile_put(hostile, scratch, MEGABYTE);
	return false;
}

static bool
play_too_short(struct hostile *hostile)
{
	hostile_put_head(hostile, 2);
	hostile_put(hostile, scratch, 2);
	return false;
}

static bool
play_other_kind(struct hostile *hostile)
{
	scratch[0] = 2;
	hostile_put(hostile, scratch, 64);
	return false;
}

static bool
play_half(struct hostile *hostile)
{
	hostile_put_head(hostile, MEGABYTE);
	hostile_put(hostile, hostile->id, 4);
	hostile_put(hostile, scratch, MEGABYTE / 2);
	return false;
}

static bool
play_half_and_exit(struct hostile *hostile)
{
	play_half(hostile);
	_exit(0);
}

/*
 * Time.
 */

static bool
play_mute(struct hostile *hostile)
{
	(void)hostile;
	return false;
}

static bool
play_ping_only(struct hostile *hostile)
{
	return hostile->request->type == MSG_PING;
}

static bool
play_late(struct hostile *hostile)
{
	(void)hostile;
	usleep(LATE_MS * 1000);
	return true;
}

/*
 * More than was asked.
 */

static void
send_unasked(struct hostile *hostile, unsigned times, size_t len)
{
	for (unsigned i = 0; i < times; i++) {
		uint8_t id[4] = {0x80, 0, (uint8_t)(i >> 8), (uint8_t)i};

		hostile_send(hostile, id, scratch, len);
	}
}

static bool
play_unasked(struct hostile *hostile)
{
	send_unasked(hostile, 50, 100);
	return true;
}

static bool
play_twice(struct hostile *hostile)
{
	struct pack *answer = &hostile->answer;

	if (pack_finish(answer) == 0) {
		answer_bytes(hostile, answer->buffer.data, answer->buffer.size);
		answer_bytes(hostile, answer->buffer.data, answer->buffer.size);
	}
	return false;
}

static bool
play_unasked_megabytes(struct hostile *hostile)
{
	send_unasked(hostile, 30, MEGABYTE);
	return true;
}

/*
 * Processes and descriptors.
 */

/* Goes on as before when it is hung up on. */
static bool
play_second_pipe(struct hostile *hostile)
{
	static bool tried;
	struct hostile second = *hostile;
	uint8_t byte;

	if (tried)
		return true;
	tried = true;
	hostile_dial(&second, hostile->path);
	if (recv(second.fd, &byte, 1, 0) != 0 && errno != ECONNRESET)
		_exit(9);
	close(second.fd);
	return true;
}

static bool
play_close(struct hostile *hostile)
{
	close(hostile->fd);
	sleep(UINT32_MAX);
	return false;
}

static bool
play_lifeline_written(struct hostile *hostile)
{
	(void)hostile;
	for (;;) {
		if (write(CHILD_FD_ALIVE, scratch, 4096) < 0)
			return true;
	}
}

static bool
play_lifeline_closed(struct hostile *hostile)
{
	(void)hostile;
	close(CHILD_FD_ALIVE);
	return true;
}

static bool
play_exit(struct hostile *hostile)
{
	(void)hostile;
	_exit(3);
}

static bool
play_abort(struct hostile *hostile)
{
	(void)hostile;
	raise(SIGABRT); /* which no sanitizer turns into an exit code */
	return false;
}

static bool
play_answer_and_exit(struct hostile *hostile)
{
	play_twice(hostile);
	_exit(0);
}

/* Its death shows neither at the lifeline nor at the pipe. */
static bool
play_heir(struct hostile *hostile)
{
	(void)hostile;
	if (fork() == 0) {
		sleep(HELD_S);
		_exit(0);
	}
	_exit(0);
}

static bool
play_heir_that_talks(struct hostile *hostile)
{
	if (fork() == 0) {
		struct mono end = mono_plus_ms(mono_now(), HELD_S * MS_PER_S);

		while (mono_ms_between(mono_now(), end) > 0) {
			send_unasked(hostile, 100, 1000);
			usleep(20000);
		}
		_exit(0);
	}
	_exit(0);
}

static bool
play_loud(struct hostile *hostile)
{
	static bool loud;

	(void)hostile;
	if (!loud && fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < sizeof(scratch); i++)
			scratch[i] = (uint8_t)(i * 31 % 251);
		for (;;) {
			/* Where it goes, nobody has to wait. */
			if (write(STDERR_FILENO, scratch, MEGABYTE) < 0)
				usleep(100);
		}
	}
	loud = true;
	return true;
}

const struct trick wire_tricks[] = {
    {"dd", MSG_NONE, play_array_of_4g, false},
    {"df", MSG_NONE, play_map_of_4g, false},
    {"deep", MSG_NONE, play_deep, false},
    {"deepin", MSG_STATUS, play_deep_inside, false},
    {"empty", MSG_NONE, play_empty, false},
    {"random", MSG_NONE, play_random, false},
    {"type", MSG_NONE, play_other_type, false},
    {"request", MSG_NONE, play_request, false},
    {"version", MSG_STATUS, play_other_version, false},
    {"toolong", MSG_NONE, play_too_long, false},
    {"length", MSG_NONE, play_endless_length, false},
    {"tooshort", MSG_NONE, play_too_short, false},
    {"kind", MSG_NONE, play_other_kind, false},
    {"half", MSG_NONE, play_half, false},
    {"halfexit", MSG_NONE, play_half_and_exit, false},
    {"mute", MSG_NONE, play_mute, false},
    {"silent", MSG_NONE, play_mute, true},
    {"pingonly", MSG_NONE, play_ping_only, false},
    {"late", MSG_STATUS, play_late, false},
    {"unasked", MSG_NONE, play_unasked, false},
    {"twice", MSG_NONE, play_twice, false},
    {"mbytes", MSG_NONE, play_unasked_megabytes, false},
    {"close", MSG_NONE, play_close, false},
    {"second", MSG_NONE, play_second_pipe, false},
    {"linewr", MSG_NONE, play_lifeline_written, false},
    {"lineend", MSG_NONE, play_lifeline_closed, false},
    {"exit0", MSG_NONE, play_exit, true},
    {"exit", MSG_NONE, play_exit, false},
    {"abort", MSG_NONE, play_abort, false},
    {"exitrot", MSG_ROTATE, play_exit, false},
    {"exitfet", MSG_FETCH, play_exit, false},
    {"exitans", MSG_NONE, play_answer_and_exit, false},
    {"heir", MSG_NONE, play_heir, false},
    {"heirtalk", MSG_NONE, play_heir_that_talks, false},
    {"loud", MSG_NONE, play_loud, true},
    {NULL, MSG_NONE, NULL, false},
};
