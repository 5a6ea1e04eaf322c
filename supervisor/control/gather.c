#include "supervisor/control/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/child/child.h"
#include "supervisor/control/commands.h"
#include "supervisor/manager/manager.h"
#include "supervisor/control/relay.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

static void
gather_finish(struct gather *gather)
{
	struct request *request = gather->request;

	gather->finish(gather);
	for (size_t i = 0; i < gather->count; i++)
		reply_free(gather->parts[i].reply);
	reply_free(gather->store.reply);
	free(gather);
	request_answer(request);
}

static void
gather_on_answer(void *arg, int rc, struct reply *reply)
{
	struct gather_part *part = arg;

	part->rc = rc;
	part->reply = reply;
	if (--part->gather->pending == 0)
		gather_finish(part->gather);
}

static void
gather_ask(struct gather_part *part, struct child *child, enum msg_type type,
    const struct pack *question, int64_t allowance_ms)
{
	int rc = -ECONNRESET;

	if (child)
		rc = child_ask(
		    NULL, child, type, question, allowance_ms, gather_on_answer, part);
	if (rc == 0)
		part->gather->pending++;
	else
		part->rc = rc;
}

void
gather_start(struct request *request, struct pack *question, int64_t allowance_ms,
    bool and_store, void (*finish)(struct gather *gather))
{
	struct supervisor *supervisor = request->ctx;
	enum msg_type type = request->msg.type;
	struct gather *gather = NULL;
	struct iface_name *names;
	struct pack plain;
	size_t count;

	if (!commands_ifaces(request, &names, &count))
		return;
	pack_init(&plain);
	if (!question) {
		pack_request(&plain, type);
		question = &plain;
	}
	if (pack_finish(question) == 0)
		gather = calloc(1, sizeof(*gather) + count * sizeof(gather->parts[0]));
	if (!gather) {
		pack_error(&request->answer, type, MSG_E_FAILED, "out of memory");
		request_answer(request);
		goto out;
	}
	gather->request = request;
	gather->finish = finish;
	gather->count = count;
	gather->store.gather = gather;
	gather->pending = 1; /* this function, so that no answer ends it before */
	if (and_store && store_link_ready(&supervisor->store))
		gather_ask(&gather->store, supervisor->store.child, type, question,
		    allowance_ms);
	for (size_t i = 0; i < count; i++) {
		const struct worker *worker = manager_find(supervisor, names[i].s);

		gather->parts[i].gather = gather;
		gather->parts[i].iface = names[i];
		gather_ask(&gather->parts[i], worker ? worker->child : NULL, type,
		    question, allowance_ms);
	}
	if (--gather->pending == 0)
		gather_finish(gather);
out:
	pack_fini(&plain);
	free(names);
}

const char *
gather_why_not(const struct gather_part *part, const struct child *child)
{
	if (!child)
		return "the worker is not running";
	if (part->rc == -ETIMEDOUT)
		return "the worker did not answer in time";
	if (part->rc == -EPROTO)
		return "the worker's answer was malformed";
	if (part->rc != 0 || !part->reply)
		return "the worker has just ended";
	return msg_error_name(part->reply->msg.error);
}

void
gather_pack(struct pack *pack, const char *key, const char *error_key,
    const struct gather_part *part, const struct child *child)
{
	const struct pack_place before = pack_here(pack);
	const char *why_not;

	if (part->reply && part->reply->msg.error == MSG_OK) {
		pack_key(pack, key);
		relay_map(pack, part->reply->msg.body);
		if (pack->buffer.size - before.size <= GATHER_REPLY_MAX)
			return;
		pack_back(pack, &before);
		why_not = "the worker's answer is too large";
	} else {
		why_not = gather_why_not(part, child);
	}
	pack_key_nil(pack, key);
	if (error_key)
		pack_key_str(pack, error_key, why_not);
}

/*
 * As many interfaces as fit.
 */

/* Of the limits of a message, for the head of the answer (a reply of the store is in it)
 * and the list of what is left out. */
#define GATHER_HEAD_BYTES (GATHER_REPLY_MAX + 16 * 1024)
#define GATHER_HEAD_OBJECTS 2048
#define GATHER_NAME_BYTES (IFACE_NAME_SIZE + 2)

struct gather_room {
	size_t bytes;
	size_t objects;
};

static struct gather_room
gather_room_of(const struct gather *gather)
{
	struct gather_room room = {
	    MSG_SIZE_MAX - GATHER_HEAD_BYTES, MSG_OBJECTS_MAX - GATHER_HEAD_OBJECTS};

	/* Tens of thousands of names would be needed to leave none. */
	if (gather->count > room.objects / 4)
		return (struct gather_room){0, 0};
	room.bytes -= gather->count * GATHER_NAME_BYTES;
	room.objects -= gather->count;
	return room;
}

/* Takes the room of a key and a value that were written at `at`; false when there is not
 * enough, or when a client could not read them. */
static bool
gather_take_room(struct gather_room *room, const struct pack *pack, size_t at)
{
	const unsigned depth = MSG_DEPTH_MAX - 2; /* in the map of the message's map */
	size_t objects = room->objects;
	size_t size = pack->buffer.size - at;
	size_t used;

	if (pack->failed)
		return true; /* told at the end */
	if (size > room->bytes || objects < 2)
		return false;
	objects -= 2;
	for (int i = 0; i < 2; i++) {
		if (msg_check_one(pack->buffer.data + at, pack->buffer.size - at, depth,
			&objects, &used) != 0)
			return false;
		at += used;
	}
	room->bytes -= size;
	room->objects = objects;
	return true;
}

void
gather_pack_ifaces(struct gather *gather, struct pack *pack,
    void (*pack_one)(
	struct pack *pack, const struct gather_part *part, const struct worker *worker))
{
	struct gather_room room = gather_room_of(gather);
	bool full = false;

	pack_key_map(pack, "ifaces");
	for (size_t i = 0; i < gather->count; i++) {
		struct gather_part *part = &gather->parts[i];
		const struct pack_place before = pack_here(pack);
		/* It may have been removed while the others were asked. */
		const struct worker *worker =
		    manager_find(gather->request->ctx, part->iface.s);

		if (!worker)
			continue;
		/* All after the first that does not fit, so that they stay in order. */
		part->left_out = full;
		if (full)
			continue;
		pack_key_map(pack, part->iface.s);
		pack_one(pack, part, worker);
		pack_end(pack);
		if (gather_take_room(&room, pack, before.size))
			continue;
		pack_back(pack, &before);
		part->left_out = full = true;
	}
	pack_end(pack);
	if (!full)
		return;
	pack_key_array(pack, "left_out");
	for (size_t i = 0; i < gather->count; i++) {
		if (gather->parts[i].left_out)
			pack_str(pack, gather->parts[i].iface.s);
	}
	pack_end(pack);
}
