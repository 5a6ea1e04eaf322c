#include "supervisor/control/gather.h"

#include <errno.h>
#include <stdlib.h>

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
	if (part->reply && part->reply->msg.error == MSG_OK) {
		pack_key(pack, key);
		relay_map(pack, part->reply->msg.body);
		return;
	}
	pack_key_nil(pack, key);
	if (error_key)
		pack_key_str(pack, error_key, gather_why_not(part, child));
}
