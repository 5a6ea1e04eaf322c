/* A worker without a process around it, for tests of its commands: one record file in
 * memory, one capture, and a supervisor's side that packs requests and reads answers. */
#ifndef WEIR_WORKER_TEST_COMMANDS_H
#define WEIR_WORKER_TEST_COMMANDS_H

#include <stdio.h>
#include <sys/mman.h>

#include "proto/parts.h"
#include "proto/view.h"
#include "worker/commands.h"
#include "worker/test_net.h"

struct worker {
	struct commands commands;
	struct capture_config config;
	struct pack request;
	struct pack answer;
	struct msg parsed; /* the last answer */
	bool has_answer;
	int records;
	uint64_t flow_limit;
	void (*fill)(struct meter *meter); /* before packets come; may be NULL */
};

static inline void
worker_open(struct worker *worker, const char *iface)
{
	const struct source_options source = {
	    .iface = iface, .config = &worker->config};
	const struct meter_options meter = {.fd = worker->records,
	    .iface = "v0",
	    .file_id = 99,
	    .begin_ms = 1000,
	    .flow_limit = worker->flow_limit};

	assert_int_equal(
	    capture_new(&worker->commands.capture, &source_live, &source), 0);
	capture_enable(worker->commands.capture);
	assert_int_equal(meter_open(&worker->commands.meter, &meter), 0);
	worker->commands.adoption = meter_adoption(worker->commands.meter);
	if (worker->fill)
		worker->fill(worker->commands.meter);
	assert_int_equal(
	    capture_start(worker->commands.capture, worker->commands.meter), 0);
}

/* Also called by itself where a test changes something before. */
static inline void
worker_prepare(struct worker *worker)
{
	memset(worker, 0, sizeof(*worker));
	capture_config_default(&worker->config);
	worker->flow_limit = 1000;
	worker->records = memfd_create("records", MFD_CLOEXEC);
	pack_init(&worker->request);
	pack_init(&worker->answer);
}

static inline void
worker_start(struct worker *worker, const char *iface)
{
	worker_prepare(worker);
	worker_open(worker, iface);
}

static inline void
worker_close(struct worker *worker)
{
	capture_free(worker->commands.capture);
	meter_free(worker->commands.meter);
}

static inline void
worker_end(struct worker *worker)
{
	worker_close(worker);
	if (worker->has_answer)
		msg_fini(&worker->parsed);
	pack_fini(&worker->request);
	pack_fini(&worker->answer);
	close(worker->records);
}

static inline struct pack *
begin(struct worker *worker, enum msg_type type)
{
	pack_clear(&worker->request);
	pack_request(&worker->request, type);
	return &worker->request;
}

/* Sends what begin() began; answers the error it was answered with. */
static inline enum msg_error
ask(struct worker *worker)
{
	assert_int_equal(pack_finish(&worker->request), 0);
	if (worker->has_answer)
		msg_fini(&worker->parsed);
	serve_request(worker->request.buffer.data, worker->request.buffer.size,
	    MSG_ROLE_WORKER, commands_table, &worker->commands, &worker->answer);
	assert_int_equal(msg_parse(&worker->parsed, worker->answer.buffer.data,
			     worker->answer.buffer.size),
	    0);
	worker->has_answer = true;
	assert_true(worker->parsed.is_answer);
	return worker->parsed.error;
}

static inline uint64_t
number(const struct worker *worker, const char *key)
{
	uint64_t value = UINT64_MAX;

	assert_int_equal(view_u64(worker->parsed.body, key, UINT64_MAX, &value), 0);
	return value;
}

static inline const char *
string(const struct worker *worker, const char *key)
{
	static char text[256];

	assert_int_equal(view_str(worker->parsed.body, key, text, sizeof(text)), 0);
	return text;
}

static inline enum msg_error
ask_rotate(struct worker *worker, uint64_t seq, int64_t end_ms)
{
	pack_key_u64(begin(worker, MSG_ROTATE), "seq", seq);
	pack_key_i64(&worker->request, "end_ms", end_ms);
	return ask(worker);
}

static inline enum msg_error
ask_fetch(struct worker *worker, uint64_t rotation, uint64_t cursor)
{
	pack_key_u64(begin(worker, MSG_FETCH), "rotation", rotation);
	pack_key_u64(&worker->request, "cursor", cursor);
	return ask(worker);
}

#endif
