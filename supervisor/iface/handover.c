#include "supervisor/iface/handover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "proto/parts.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

/* More than the largest map has: records of at most 192 bytes, chunks of at least 1 MiB less
 * one record, but for the last. */
#define HANDOVER_PARTS_MAX 4096
#define HANDOVER_PATIENCE 3 /* failures that a waiting client waits through */

static void
handover_slot_give_back(struct worker *worker)
{
	struct handover *handover = &worker->handover;

	if (!handover->has_slot)
		return;
	handover->has_slot = false;
	worker->supervisor->store.handovers--;
}

/* Back to the first chunk, nothing under way. */
static void
handover_rewind(struct worker *worker)
{
	struct handover *handover = &worker->handover;

	child_ask_cancel(handover->ask);
	handover->ask = NULL;
	loop_timer_clear(worker->supervisor->loop, &handover->timer);
	handover->step = HANDOVER_IDLE;
	handover->cursor = 0;
	handover->part = 0;
	handover_slot_give_back(worker);
}

static void __attribute__((format(printf, 2, 3)))
handover_wait(struct worker *worker, const char *format, ...)
{
	struct handover *handover = &worker->handover;
	char why[HANDOVER_WHY_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	handover_rewind(worker);
	handover->step = HANDOVER_WAITS;
	if (strcmp(why, handover->why) != 0) {
		memcpy(handover->why, why, sizeof(why));
		log_iface_warn("handover", worker->iface.s,
		    "rotation %" PRIu64 " waits: %s", handover->rotation,
		    handover->why);
	}
	loop_timer_set(worker->supervisor->loop, &handover->timer,
	    backoff_next(&handover->backoff, 0));
	/* A store that is just being started again is worth waiting for, but no longer. */
	if (++handover->failures == HANDOVER_PATIENCE)
		worker_fail_waits(worker, false, MSG_E_BUSY,
		    "frozen, but not stored yet (it is tried again): %.120s",
		    handover->why);
}

static void
handover_on_timer(void *arg)
{
	struct worker *worker = arg;

	if (worker->handover.step == HANDOVER_WAITS)
		worker->handover.step = HANDOVER_IDLE;
	worker_step(worker);
}

static void
handover_is_durable(struct worker *worker)
{
	struct handover *handover = &worker->handover;
	struct rotate_result result = {.error = MSG_OK, .interval = handover->interval};

	handover_rewind(worker);
	handover->durable = true;
	handover->count++;
	handover->failures = 0;
	handover->why[0] = '\0';
	backoff_init(&handover->backoff, 1000, 30000, INT64_MAX, false);
	log_iface_debug("handover", worker->iface.s,
	    "rotation %" PRIu64 " is durable: %" PRIu64 " flows", handover->rotation,
	    handover->interval.flows);
	worker_answer_waits(worker, false, &result);
	worker_step(worker);
	manager_handover_slot_free(worker->supervisor);
}

static void
handover_on_appended(void *arg, int rc, struct reply *reply)
{
	struct worker *worker = arg;
	struct handover *handover = &worker->handover;
	char result[16] = "";
	char text[4 * MSG_TEXT_MAX + 1];

	handover->ask = NULL;
	if (rc != 0) {
		handover_wait(worker,
		    rc == -ETIMEDOUT        ? "the store does not answer"
			: rc == -ECONNRESET ? "the store has died"
					    : "the store's answer is malformed");
		goto out;
	}
	if (reply->msg.error != MSG_OK) {
		view_text(reply->msg.body, "text", text, sizeof(text));
		handover_wait(worker, "the store says %s: %s",
		    msg_error_name(reply->msg.error), text);
		/* The store has decided; a client that waits need not wait longer. */
		worker_fail_waits(worker, false, MSG_E_FAILED,
		    "frozen, but not stored yet (it is tried again): %s", text);
		goto out;
	}
	if (view_str(reply->msg.body, "result", result, sizeof(result)) != 0)
		result[0] = '\0';
	if (strcmp(result, "durable") == 0 || strcmp(result, "known") == 0) {
		handover_is_durable(worker);
	} else if (strcmp(result, "more") == 0 && !handover->last) {
		handover->cursor = handover->next;
		handover->part++;
		handover->step = HANDOVER_IDLE;
		handover_step(worker);
	} else {
		handover_wait(worker, "the store's answer is malformed");
	}
out:
	reply_free(reply);
}

static void
handover_append(struct worker *worker, const void *chunk, size_t len)
{
	struct handover *handover = &worker->handover;
	struct store_link *store = &worker->supervisor->store;
	struct pack request;
	int rc;

	if (!store_link_ready(store)) {
		handover_wait(worker, "the store is not running");
		return;
	}
	pack_init(&request);
	pack_request(&request, MSG_APPEND);
	pack_key_str(&request, "iface", worker->iface.s);
	pack_key_u64(&request, "file_id", handover->file_id);
	pack_key_u64(&request, "rotation", handover->rotation);
	pack_key_u64(&request, "part", handover->part);
	pack_key_bool(&request, "last", handover->last);
	if (handover->part == 0)
		pack_key_interval(&request, "interval", &handover->interval);
	pack_key_bin(&request, "chunk", chunk, len);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = child_ask(&handover->ask, store->child, MSG_APPEND, &request,
		    STORE_APPEND_MS, handover_on_appended, worker);
	pack_fini(&request);
	if (rc != 0)
		handover_wait(worker, "%s", strerror(-rc));
	else
		handover->step = HANDOVER_APPENDS;
}

/* The header of the chunk is checked here, its flows only by the store. */
static int
handover_read_chunk(struct handover *handover, const struct msg *answer,
    const void **chunk, size_t *len)
{
	uint64_t cursor;
	int rc;

	rc = view_u64(answer->body, "cursor", UINT64_MAX, &cursor);
	if (rc == 0)
		rc = view_u64(answer->body, "next", UINT64_MAX, &handover->next);
	if (rc == 0)
		rc = view_bool(answer->body, "last", &handover->last);
	if (rc == 0)
		rc = view_bin(answer->body, "chunk", chunk, len);
	if (rc != 0)
		return rc;
	if (cursor != handover->cursor || *len > MSG_CHUNK_MAX)
		return -EPROTO;
	/* Else a worker that was taken over could keep the hand-over going for ever. */
	if (!handover->last &&
	    (handover->next <= cursor || *len == 0 ||
		handover->part >= HANDOVER_PARTS_MAX))
		return -EPROTO;
	return 0;
}

static void
handover_on_fetched(void *arg, int rc, struct reply *reply)
{
	struct worker *worker = arg;
	struct handover *handover = &worker->handover;
	const void *chunk;
	size_t len;

	handover->ask = NULL;
	if (rc == -ECONNRESET) {
		handover_rewind(worker); /* the successor's status brings it back */
	} else if (rc != 0) {
		handover_wait(worker, "the worker did not answer");
	} else if (reply->msg.error != MSG_OK) {
		handover_wait(
		    worker, "the worker says %s", msg_error_name(reply->msg.error));
		worker_resync(worker);
	} else if (handover_read_chunk(handover, &reply->msg, &chunk, &len) != 0) {
		handover_wait(worker, "the worker's answer is malformed");
		child_kill(worker->child, "its answer to fetch is malformed");
	} else {
		handover_append(worker, chunk, len);
	}
	reply_free(reply);
}

static bool
handover_take_slot(struct worker *worker)
{
	struct handover *handover = &worker->handover;
	struct store_link *store = &worker->supervisor->store;

	if (handover->has_slot)
		return true;
	if (store->handovers >= STORE_HANDOVERS)
		return false;
	store->handovers++;
	handover->has_slot = true;
	return true;
}

void
handover_step(struct worker *worker)
{
	struct handover *handover = &worker->handover;
	struct pack request;
	int rc;

	if (handover->rotation == 0 || handover->durable || !handover->has_interval ||
	    handover->step != HANDOVER_IDLE || !worker->child || !worker->synced ||
	    worker->ending)
		return;
	if (!store_link_ready(&worker->supervisor->store)) {
		handover_wait(worker, "the store is not running");
		return;
	}
	if (!handover_take_slot(worker))
		return;
	pack_init(&request);
	pack_request(&request, MSG_FETCH);
	pack_key_u64(&request, "rotation", handover->rotation);
	pack_key_u64(&request, "cursor", handover->cursor);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = child_ask(&handover->ask, worker->child, MSG_FETCH, &request,
		    HANDOVER_FETCH_MS, handover_on_fetched, worker);
	pack_fini(&request);
	if (rc != 0)
		handover_wait(worker, "%s", strerror(-rc));
	else
		handover->step = HANDOVER_FETCHES;
}

void
handover_begin(struct worker *worker, uint64_t rotation, uint64_t file_id,
    const struct interval *interval)
{
	struct handover *handover = &worker->handover;

	if (handover->rotation != rotation || handover->file_id != file_id) {
		handover_rewind(worker);
		handover->rotation = rotation;
		handover->file_id = file_id;
		handover->durable = false;
		handover->failures = 0;
		handover->has_interval = false;
		handover->since_ms = wall_now().ns / NS_PER_MS;
		handover->why[0] = '\0';
	}
	if (interval && !handover->has_interval) {
		handover->interval = *interval;
		handover->has_interval = true;
	}
}

void
handover_end(struct worker *worker)
{
	handover_rewind(worker);
	worker->handover.rotation = 0;
	worker->handover.durable = false;
	worker->handover.has_interval = false;
	worker->handover.why[0] = '\0';
}

void
handover_worker_lost(struct worker *worker)
{
	/* A release that was under way is asked for again; what the store has is kept. */
	handover_rewind(worker);
}

void
handover_store_ready(struct worker *worker)
{
	struct handover *handover = &worker->handover;

	if (handover->step != HANDOVER_WAITS)
		return;
	handover_rewind(worker);
	worker_step(worker);
}

void
handover_init(struct worker *worker)
{
	worker->handover.timer =
	    (struct loop_timer){.fire = handover_on_timer, .arg = worker};
	backoff_init(&worker->handover.backoff, 1000, 30000, INT64_MAX, false);
}

void
handover_fini(struct worker *worker)
{
	handover_rewind(worker);
}
