/* Answers that are well-formed, and lies. */
#include <string.h>

#include "supervisor/testing/hostile.h"

static uint8_t scratch[2 * MEGABYTE];

static bool
play_absurd(struct hostile *hostile)
{
	const msgpack_object nan = {
	    .type = MSGPACK_OBJECT_FLOAT64, .via.f64 = __builtin_nan("")};
	const msgpack_object infinite = {
	    .type = MSGPACK_OBJECT_FLOAT64, .via.f64 = __builtin_inf()};
	struct pack *answer = hostile_begin_again(hostile, MSG_STATUS);
	struct interval interval = {.begin_ms = -1,
	    .end_ms = -1,
	    .flows = UINT64_MAX,
	    .cuts = UINT32_MAX,
	    .busy = UINT32_MAX,
	    .kernel = {true, UINT64_MAX, UINT64_MAX}};

	memset(&interval.books, 0xff, sizeof(interval.books));
	memset(scratch, 'x', MEGABYTE);
	for (size_t i = 0; i + 8 < MEGABYTE; i += 8)
		memcpy(scratch + i, "\x1b[2J\xff\xc0\x80\n", 8);
	scratch[MEGABYTE - 1] = '\0';
	for (size_t i = 0; i < MEGABYTE - 1; i++)
		scratch[i] = scratch[i] == '\0' ? 'z' : scratch[i];
	pack_key_str(answer, "state", "active");
	pack_key_str(answer, "reason", "");
	pack_key_str(answer, "reason_text", (const char *)scratch);
	pack_key_u64(answer, "file_id", hostile->file_id);
	pack_key_u64(answer, "seq", hostile->seq);
	pack_key_u64(answer, "flows", UINT64_MAX);
	pack_key_i64(answer, "flow_limit", INT64_MIN);
	pack_key_interval(answer, "interval", &interval);
	pack_key_map(answer, "total");
	pack_key(answer, "packets");
	pack_object(answer, &nan);
	pack_key(answer, "bytes");
	pack_object(answer, &infinite);
	pack_end(answer);
	pack_key_map(answer, "\x1b[31m");
	pack_key_str(answer, "\xff\xfe", "\xff\xfe\x1b]0;owned\x07");
	pack_end(answer);
	return true;
}

static bool
play_error_text(struct hostile *hostile)
{
	struct pack *answer = hostile_begin_again(hostile, MSG_STATUS);

	memset(scratch, 0x1b, MEGABYTE);
	scratch[MEGABYTE - 1] = '\0';
	pack_key_str(answer, "state", "error");
	pack_key_str(answer, "reason", "read_failed");
	pack_key_str(answer, "reason_text", (const char *)scratch);
	pack_key_u64(answer, "file_id", hostile->file_id);
	pack_key_u64(answer, "seq", hostile->seq);
	return true;
}

static bool
play_other_state(struct hostile *hostile)
{
	struct pack *answer = hostile_begin_again(hostile, MSG_STATUS);

	pack_key_str(answer, "state", "../../etc/passwd");
	return true;
}

/*
 * Numbers.
 */

static bool
play_last_number(struct hostile *hostile)
{
	hostile->seq = UINT64_MAX;
	hostile_begin_again(hostile, MSG_STATUS);
	pack_key_str(&hostile->answer, "state", "active");
	pack_key_str(&hostile->answer, "reason", "");
	pack_key_u64(&hostile->answer, "file_id", hostile->file_id);
	pack_key_u64(&hostile->answer, "seq", hostile->seq);
	return true;
}

static bool
play_refuse_numbers(struct hostile *hostile)
{
	if (msg_policy(hostile->request->type)->changes_state)
		pack_error(&hostile->answer, hostile->request->type, MSG_E_SEQUENCE,
		    "the last was %u", 4000000000U);
	return true;
}

static bool
play_always_busy(struct hostile *hostile)
{
	pack_error(&hostile->answer, MSG_ROTATE, MSG_E_BUSY, "not now");
	return true;
}

/*
 * Rotations.
 */

static bool
play_no_interval(struct hostile *hostile)
{
	hostile_begin_again(hostile, MSG_ROTATE);
	pack_key_u64(&hostile->answer, "file_id", hostile->file_id);
	return true;
}

static bool
play_other_file(struct hostile *hostile)
{
	hostile_begin_again(hostile, MSG_ROTATE);
	pack_key_interval(&hostile->answer, "interval", &hostile->interval);
	pack_key_u64(&hostile->answer, "file_id", hostile->file_id + 1);
	return true;
}

static bool
answer_interval(struct hostile *hostile)
{
	hostile_begin_again(hostile, MSG_ROTATE);
	pack_key_interval(&hostile->answer, "interval", &hostile->interval);
	pack_key_u64(&hostile->answer, "file_id", hostile->file_id);
	return true;
}

static bool
play_open_books(struct hostile *hostile)
{
	hostile->interval.books.received.packets += 1000000;
	return answer_interval(hostile);
}

static bool
play_overflowing_books(struct hostile *hostile)
{
	hostile->interval.books.received.packets = HOSTILE_PACKETS - 1;
	hostile->interval.books.refused[REFUSED_NOT_IP].packets = UINT64_MAX;
	return answer_interval(hostile);
}

static bool
play_many_flows(struct hostile *hostile)
{
	hostile->interval.flows = UINT64_MAX;
	return answer_interval(hostile);
}

static bool
play_labels(struct hostile *hostile)
{
	hostile->interval.begin_ms = INT64_C(1) << 52;
	hostile->interval.end_ms = -(INT64_C(1) << 52);
	return answer_interval(hostile);
}

/*
 * Chunks.
 */

static bool
answer_chunk(struct hostile *hostile, uint64_t cursor, uint64_t next, bool last,
    const void *chunk, size_t len)
{
	struct pack *answer = hostile_begin_again(hostile, MSG_FETCH);

	pack_key_u64(answer, "cursor", cursor);
	pack_key_u64(answer, "next", next);
	pack_key_bool(answer, "last", last);
	pack_key_u64(answer, "flows", 1);
	pack_key_bin(answer, "chunk", chunk, len);
	return true;
}

static uint64_t
asked_cursor(const struct hostile *hostile)
{
	uint64_t cursor = 0;

	(void)view_u64(hostile->request->body, "cursor", UINT64_MAX, &cursor);
	return cursor;
}

static bool
play_stuck_cursor(struct hostile *hostile)
{
	uint64_t cursor = asked_cursor(hostile);

	return answer_chunk(hostile, cursor, cursor, false, "", 0);
}

static bool
play_other_cursor(struct hostile *hostile)
{
	return answer_chunk(hostile, asked_cursor(hostile) + 1, 5, false, "", 0);
}

static bool
play_endless_chunks(struct hostile *hostile)
{
	uint64_t cursor = asked_cursor(hostile);

	return answer_chunk(hostile, cursor, cursor + 1, false, "", 0);
}

static bool
play_large_chunk(struct hostile *hostile)
{
	return answer_chunk(
	    hostile, asked_cursor(hostile), 1, true, scratch, MSG_CHUNK_MAX + 1);
}

static bool
play_no_chunk(struct hostile *hostile)
{
	hostile_begin_again(hostile, MSG_FETCH);
	return true;
}

static bool
play_trash(struct hostile *hostile)
{
	return answer_chunk(hostile, 0, 1, true, "\xdd\xff\0\0\0 no flow records", 21);
}

static bool
play_other_sums(struct hostile *hostile)
{
	struct pack chunk;

	pack_init(&chunk);
	hostile_pack_chunk(&chunk, HOSTILE_PACKETS * 1000);
	answer_chunk(hostile, 0, 1, true, chunk.buffer.data, chunk.buffer.size);
	pack_fini(&chunk);
	return true;
}

static bool
play_more_flows(struct hostile *hostile)
{
	struct pack chunk;

	pack_init(&chunk);
	for (int i = 0; i < HOSTILE_PACKETS; i++)
		hostile_pack_chunk(&chunk, 1);
	answer_chunk(hostile, 0, 1, true, chunk.buffer.data, chunk.buffer.size);
	pack_fini(&chunk);
	return true;
}

const struct trick answer_tricks[] = {
    {"absurd", MSG_STATUS, play_absurd, false},
    {"errtext", MSG_STATUS, play_error_text, false},
    {"state", MSG_STATUS, play_other_state, false},
    {"lastnum", MSG_STATUS, play_last_number, true},
    {"refuse", MSG_NONE, play_refuse_numbers, false},
    {"busy", MSG_ROTATE, play_always_busy, false},
    {"noint", MSG_ROTATE, play_no_interval, false},
    {"file", MSG_ROTATE, play_other_file, false},
    {"books", MSG_ROTATE, play_open_books, false},
    {"obooks", MSG_ROTATE, play_overflowing_books, false},
    {"flows", MSG_ROTATE, play_many_flows, false},
    {"labels", MSG_ROTATE, play_labels, false},
    {"stuck", MSG_FETCH, play_stuck_cursor, false},
    {"cursor", MSG_FETCH, play_other_cursor, false},
    {"endless", MSG_FETCH, play_endless_chunks, false},
    {"large", MSG_FETCH, play_large_chunk, false},
    {"nochunk", MSG_FETCH, play_no_chunk, false},
    {"trash", MSG_FETCH, play_trash, false},
    {"sums", MSG_FETCH, play_other_sums, false},
    {"more", MSG_FETCH, play_more_flows, false},
    {NULL, MSG_NONE, NULL, false},
};
