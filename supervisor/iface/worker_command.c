/* Commands to a worker change its state, so they go one at a time, each with the next
 * number. A command stays until it is answered; when the answer is lost it is sent again
 * with its number, which either carries it out or only answers (PROTOCOL.md, "Sequence
 * numbers"). So nothing here needs to know whether it had been carried out. */
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

static int64_t
command_wall_ms(void)
{
	return wall_now().ns / NS_PER_MS;
}

static bool
command_has_queued_wait(const struct worker *worker)
{
	const struct rotate_wait *wait;

	TAILQ_FOREACH(wait, &worker->waits, entry) {
		if (!wait->attached)
			return true;
	}
	return false;
}

static void
command_set(struct worker *worker, enum msg_type type)
{
	worker->command = (struct command){.active = true,
	    .type = type,
	    .seq = worker->seq + 1,
	    .file_id = worker->file_id};
}

static void
command_set_rotate(struct worker *worker, int64_t end_ms)
{
	struct rotate_wait *wait;

	command_set(worker, MSG_ROTATE);
	worker->command.end_ms = end_ms;
	worker->boundary_due = false;
	if (worker->handover.rotation != 0)
		return; /* will be answered busy: who waits for a rotation goes on */
	TAILQ_FOREACH(wait, &worker->waits, entry) {
		wait->attached = true;
	}
}

/* The next command, if any: what makes room first, the end of the capture before the last
 * rotation, so that nothing is counted after it. */
static bool
command_choose(struct worker *worker)
{
	const struct handover *handover = &worker->handover;
	bool drained = worker->state == WORKER_UNINITIALIZED;
	bool wanted = worker->enabled && !worker->leaving && !worker->link.lost;
	bool frozen = handover->rotation != 0;

	if (frozen && handover->durable) {
		command_set(worker, MSG_RELEASE);
		worker->command.rotation = handover->rotation;
		return true;
	}
	if (frozen && !handover->has_interval && handover->rotation == worker->seq) {
		/* Frozen for a supervisor that is gone; the repeat only answers. */
		command_set(worker, MSG_ROTATE);
		worker->command.seq = worker->seq;
		worker->command.repeat = true;
		worker->command.end_ms = command_wall_ms();
		return true;
	}
	if (!wanted && !drained) {
		command_set(worker, MSG_DISABLE);
		return true;
	}
	if (wanted && worker->state == WORKER_ACTIVE &&
	    capture_config_compare(&worker->config, &worker->applied) != CAPTURE_SAME) {
		if (capture_config_compare(&worker->config, &worker->applied) ==
		    CAPTURE_REOPEN) {
			/* Drained first: what the ring holds has been sent already. */
			command_set(worker, MSG_DISABLE);
			return true;
		}
		command_set(worker, MSG_UPDATE);
		worker->command.config = worker->config;
		return true;
	}
	if (worker->leaving && drained && !frozen && !worker->last_rotation_done) {
		command_set_rotate(worker, command_wall_ms());
		worker->command.last = true;
		worker->command.cut = worker->link.cut_due;
		return true;
	}
	/* The interval of an interface that is gone ends with it. It stays due until it is
	 * answered: a successor must not count before. */
	if (worker->link.cut_due && !worker->leaving && drained) {
		command_set_rotate(worker, command_wall_ms());
		worker->command.cut = true;
		return true;
	}
	/* At a boundary also while a generation waits: the worker answers busy and the
	 * books tell that the interval grew. */
	if (worker->boundary_due && !worker->leaving) {
		command_set_rotate(worker, worker->boundary_ms);
		return true;
	}
	if (!frozen && command_has_queued_wait(worker)) {
		command_set_rotate(worker, command_wall_ms());
		return true;
	}
	return false;
}

static void
command_rotated(struct worker *worker, const struct msg *answer)
{
	struct interval interval;
	uint64_t file_id;

	if (view_interval(answer->body, "interval", &interval) != 0 ||
	    view_u64(answer->body, "file_id", UINT64_MAX, &file_id) != 0 ||
	    file_id != worker->file_id) {
		child_kill(worker->child, "its answer to rotate is malformed");
		worker_fail_waits(
		    worker, false, MSG_E_FAILED, "the worker's answer is malformed");
		return;
	}
	if (!books_close(&interval.books))
		log_iface_err("books", worker->iface.s,
		    "the books of rotation %" PRIu64 " do not close",
		    worker->command.seq);
	/* Not any rotation that is answered by a drained worker: one whose answer was lost
	 * with its worker is repeated, and there may be an interval after it. */
	if (worker->leaving && worker->command.last)
		worker->last_rotation_done = true;
	if (worker->command.cut)
		worker->link.cut_due = false;
	/* Asked again, it may have been done the first time; of a drained worker that makes
	 * no difference. */
	if (!worker->command.repeat)
		interval.link = worker_link_cut(worker, interval.books.received.packets,
		    worker->command.sent <= 1 || worker->command.cut);
	handover_begin(worker, worker->command.seq, file_id, &interval);
}

static void
command_disabled(struct worker *worker, const struct msg *answer)
{
	const msgpack_object *witness;
	bool agrees = true;

	worker->state = WORKER_UNINITIALIZED;
	worker->reason[0] = worker->reason_text[0] = '\0';
	worker_link_pause(worker);
	if (view_map(answer->body, "witness", &witness) != 0)
		return;
	if (view_bool(witness, "agrees", &agrees) == 0 && !agrees) {
		uint64_t kernel = 0;
		uint64_t handed_over = 0;

		view_u64(witness, "kernel", UINT64_MAX, &kernel);
		view_u64(witness, "handed_over", UINT64_MAX, &handed_over);
		log_iface_warn("books", worker->iface.s,
		    "the kernel counted %" PRIu64 " packets, the worker %" PRIu64,
		    kernel, handed_over);
	}
}

static void
command_updated(struct worker *worker, const struct msg *answer)
{
	char result[16] = "";

	if (view_str(answer->body, "result", result, sizeof(result)) != 0) {
		child_kill(worker->child, "its answer to update is malformed");
	} else if (strcmp(result, "successor") == 0) {
		worker_renew(worker);
	} else {
		worker->applied = worker->command.config;
		worker_resync(worker); /* the new filter may not have compiled */
	}
}

static void
command_refused(struct worker *worker, const struct msg *answer)
{
	char text[4 * MSG_TEXT_MAX + 1];
	enum msg_type type = worker->command.type;

	view_text(answer->body, "text", text, sizeof(text));
	worker->command.active = false;
	/* Counting what is there now is worth more than telling it from what was there. */
	if (worker->command.cut && answer->error != MSG_E_SEQUENCE)
		worker->link.cut_due = false;
	if (type == MSG_ROTATE && answer->error == MSG_E_BUSY) {
		log_iface_info(
		    "handover", worker->iface.s, "the interval grows: %s", text);
		/* Who waits, waits for the one that is frozen, if we know of it. */
		if (worker->handover.rotation == 0) {
			worker_fail_waits(worker, false, MSG_E_BUSY, "%s", text);
			worker_resync(worker);
		}
		return;
	}
	log_iface_warn("worker", worker->iface.s, "%s was refused: %s: %s",
	    msg_policy(type)->name, msg_error_name(answer->error), text);
	if (type == MSG_ROTATE)
		worker_fail_waits(worker, false, MSG_E_FAILED, "%s", text);
	worker_resync(worker);
}

static void
command_on_answer(void *arg, int rc, struct reply *reply)
{
	struct worker *worker = arg;
	struct command *command = &worker->command;

	command->ask = NULL;
	if (rc != 0) {
		worker_resync(worker);
		return;
	}
	if (reply->msg.error != MSG_OK) {
		command_refused(worker, &reply->msg);
	} else {
		command->active = false;
		worker->seq = command->seq;
		switch (command->type) {
		case MSG_ROTATE:
			command_rotated(worker, &reply->msg);
			break;
		case MSG_RELEASE:
			handover_end(worker);
			break;
		case MSG_DISABLE:
			command_disabled(worker, &reply->msg);
			break;
		default:
			command_updated(worker, &reply->msg);
			break;
		}
	}
	reply_free(reply);
	worker_step(worker);
}

static void
command_send(struct worker *worker)
{
	struct command *command = &worker->command;
	/* A drain lasts as long as the kernel may hold packets back. */
	int64_t allowance = WORKER_COMMAND_MS + worker->applied.timeout_ms;
	struct pack request;
	int rc;

	pack_init(&request);
	pack_request(&request, command->type);
	pack_key_u64(&request, "seq", command->seq);
	if (command->type == MSG_ROTATE)
		pack_key_i64(&request, "end_ms", command->end_ms);
	else if (command->type == MSG_RELEASE)
		pack_key_u64(&request, "rotation", command->rotation);
	else if (command->type == MSG_UPDATE)
		pack_key_config(&request, "config", &command->config);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = child_ask(&command->ask, worker->child, command->type, &request,
		    allowance, command_on_answer, worker);
	pack_fini(&request);
	if (rc != 0)
		worker_resync(worker);
	else
		command->sent++;
}

void
worker_command_step(struct worker *worker)
{
	bool wanted = worker->enabled && !worker->leaving;

	if (worker->command.ask)
		return;
	if (worker->command.active || command_choose(worker)) {
		command_send(worker);
		return;
	}
	if (worker->leaving && worker->last_rotation_done &&
	    worker->handover.rotation == 0) {
		worker->finished = true;
		worker->ending = true;
		child_close(worker->child);
	} else if (wanted && worker->state == WORKER_UNINITIALIZED &&
	    (!worker->link.lost ||
		links_find(worker->supervisor->links, worker->iface.s))) {
		worker_renew(worker);
	} else {
		worker_link_take(worker);
	}
}

void
worker_command_drop_foreign(struct worker *worker)
{
	struct command *command = &worker->command;

	if (!command->active || command->file_id == worker->file_id)
		return;
	command->active = false;
	if (command->type == MSG_ROTATE)
		worker_fail_waits(worker, false, MSG_E_FAILED,
		    "the worker that was asked is gone, and its records with it");
}

void
worker_boundary(struct worker *worker, int64_t end_ms)
{
	worker->boundary_due = true;
	worker->boundary_ms = end_ms;
	worker_step(worker);
}

void
worker_rotate(struct worker *worker, struct rotate_wait *wait)
{
	struct rotate_result result = {.error = MSG_OK};
	const struct handover *handover = &worker->handover;

	if (handover->step == HANDOVER_WAITS) {
		result.error = MSG_E_BUSY;
		snprintf(result.text, sizeof(result.text),
		    "rotation %" PRIu64 " waits for the store: %.120s",
		    handover->rotation, handover->why);
	} else if (worker_is_backed_off(worker)) {
		result.error = MSG_E_NO_CHILD;
		snprintf(result.text, sizeof(result.text),
		    "the worker is not running; last: %s", worker->last_exit);
	}
	if (result.error != MSG_OK) {
		wait->done(wait->arg, &result);
		return;
	}
	wait->worker = worker;
	wait->attached = false;
	TAILQ_INSERT_TAIL(&worker->waits, wait, entry);
	worker_step(worker);
}

void
rotate_wait_cancel(struct rotate_wait *wait)
{
	if (!wait->worker)
		return;
	TAILQ_REMOVE(&wait->worker->waits, wait, entry);
	wait->worker = NULL;
}

void
worker_answer_waits(struct worker *worker, bool all, const struct rotate_result *result)
{
	struct rotate_wait *wait = TAILQ_FIRST(&worker->waits);

	while (wait) {
		struct rotate_wait *next = TAILQ_NEXT(wait, entry);

		if (all || wait->attached) {
			rotate_wait_cancel(wait);
			wait->done(wait->arg, result);
		}
		wait = next;
	}
}

void
worker_fail_waits(
    struct worker *worker, bool all, enum msg_error error, const char *format, ...)
{
	struct rotate_result result = {.error = error};
	va_list ap;

	va_start(ap, format);
	vsnprintf(result.text, sizeof(result.text), format, ap);
	va_end(ap);
	worker_answer_waits(worker, all, &result);
}
