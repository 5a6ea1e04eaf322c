/* A request is parsed when its turn has come, handed to its handler, and lives until that has
 * answered it. */
#include "supervisor/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/control/clients.h"

#define CONTROL_PATH_SIZE 108 /* sun_path, with the NUL */

_Static_assert(
    CONTROL_REQUESTS == CLIENTS_ASKS_MAX, "the handlers' limits build on it");

struct control {
	struct clients *clients;
	char path[CONTROL_PATH_SIZE];
	request_handler *table[MSG_TYPE_MAX];
	void *ctx;
};

/* What the client cannot read becomes a sentence that it can; false when there is no
 * memory even for that. */
static bool
request_finish(struct request *request)
{
	struct pack *answer = &request->answer;

	if (pack_finish(answer) == 0 && answer->buffer.size <= MSG_SIZE_MAX &&
	    msg_check(answer->buffer.data, answer->buffer.size, MSG_DEPTH_MAX,
		MSG_OBJECTS_MAX) == 0)
		return true;
	pack_error(answer, request->msg.type, MSG_E_FAILED,
	    "the answer is larger than a message may be; ask for fewer interfaces");
	if (pack_finish(answer) == 0)
		return true;
	log_err("control", "no memory for an answer");
	return false;
}

void
request_answer(struct request *request)
{
	struct client *client = request->private;
	bool whole = request_finish(request);

	client_answer(client, whole ? request->answer.buffer.data : NULL,
	    request->answer.buffer.size);
	pack_fini(&request->answer);
	msg_fini(&request->msg);
	free(request);
}

static int
control_parse(struct request *request, const void *message, size_t len)
{
	int rc = message ? msg_parse(&request->msg, message, len) : -EPROTO;

	if (rc != 0)
		memset(&request->msg, 0, sizeof(request->msg));
	return rc;
}

static void
control_refuse(struct request *request, int rc)
{
	struct pack *answer = &request->answer;

	if (rc == -EPROTONOSUPPORT)
		pack_error(answer, MSG_NONE, MSG_E_VERSION,
		    "this daemon speaks version %d", PROTO_VERSION);
	else if (rc == -ENOMSG)
		pack_error(
		    answer, MSG_NONE, MSG_E_UNKNOWN_TYPE, "no such type of message");
	else if (rc == -ENOMEM)
		pack_error(answer, MSG_NONE, MSG_E_FAILED, "out of memory");
	else
		pack_error(answer, MSG_NONE, MSG_E_BAD_MESSAGE,
		    "not one msgpack map with weir and type, of at most %u KiB",
		    (unsigned)(MSG_REQUEST_SIZE_MAX / 1024));
	request_answer(request);
}

static void
control_on_arrival(void *arg, struct client *client, const void *message, size_t len)
{
	const struct control *control = arg;
	struct request *request = calloc(1, sizeof(*request));
	const struct msg_policy *policy;
	request_handler *handler;
	int rc;

	if (!request) {
		client_answer(client, NULL, 0);
		return;
	}
	request->ctx = control->ctx;
	request->held = client_held(client);
	request->private = client;
	pack_init(&request->answer);
	rc = control_parse(request, message, len);
	if (rc != 0) {
		control_refuse(request, rc);
		return;
	}
	policy = msg_policy(request->msg.type);
	handler = control->table[request->msg.type];
	if (request->msg.is_answer) {
		pack_error(&request->answer, request->msg.type, MSG_E_BAD_MESSAGE,
		    "an answer where a request was expected");
		request_answer(request);
	} else if (request->msg.type == MSG_PING) {
		pack_answer(&request->answer, MSG_PING);
		request_answer(request);
	} else if (!handler || !policy || !(policy->roles & MSG_ROLE_SUPERVISOR)) {
		pack_error(&request->answer, request->msg.type, MSG_E_UNKNOWN_TYPE,
		    "not served on this socket");
		request_answer(request);
	} else {
		handler(request);
	}
}

int
control_new(struct control **out, struct loop *loop, const char *path, gid_t gid,
    request_handler *const table[MSG_TYPE_MAX], void *ctx)
{
	struct control *control = calloc(1, sizeof(*control));
	int rc;

	if (!control)
		return -ENOMEM;
	control->ctx = ctx;
	memcpy(control->table, table, sizeof(control->table));
	if (strlen(path) >= sizeof(control->path)) {
		free(control);
		return -ENAMETOOLONG;
	}
	strcpy(control->path, path);
	rc = clients_new(&control->clients,
	    &(struct clients_options){.loop = loop,
		.path = path,
		.gid = gid,
		.message_max = MSG_REQUEST_SIZE_MAX,
		.message_end = MSG_SIZE_MAX,
		.arrived = control_on_arrival,
		.arg = control});
	if (rc != 0) {
		free(control);
		return rc;
	}
	*out = control;
	return 0;
}

void
control_end(struct control *control)
{
	if (control)
		unlink(control->path);
}
