/* Names and policies of the messages, and how a received one becomes a struct msg. The
 * walk of msg_check.c runs first, so that msgpack-c, which allocates what an array or a
 * map says it needs, only sees counts that the bytes can back. */
#include "proto/msg.h"

#include <errno.h>
#include <string.h>

#include "proto/view.h"

#define EVERYBODY (MSG_ROLE_SUPERVISOR | MSG_ROLE_WORKER | MSG_ROLE_STORE)

static const struct msg_policy policies[] = {
    [MSG_NONE] = {NULL, 0, false},
    [MSG_PING] = {"ping", EVERYBODY, false},
    [MSG_STATUS] = {"status", EVERYBODY, false},
    [MSG_ROTATE] = {"rotate", MSG_ROLE_SUPERVISOR | MSG_ROLE_WORKER, true},
    [MSG_UPDATE] = {"update", MSG_ROLE_SUPERVISOR | MSG_ROLE_WORKER, true},
    [MSG_DISABLE] = {"disable", MSG_ROLE_SUPERVISOR | MSG_ROLE_WORKER, true},
    [MSG_FETCH] = {"fetch", MSG_ROLE_WORKER, false},
    [MSG_RELEASE] = {"release", MSG_ROLE_WORKER, true},
    [MSG_APPEND] = {"append", MSG_ROLE_STORE, false},
    [MSG_FLUSH] = {"flush", MSG_ROLE_STORE, false},
    [MSG_MAP] = {"map", 0, false},
    [MSG_BOOKS] = {"books", 0, false},
    [MSG_ERRORS] = {"errors", MSG_ROLE_SUPERVISOR | MSG_ROLE_WORKER, false},
    [MSG_ENABLE] = {"enable", MSG_ROLE_SUPERVISOR, true},
    [MSG_RELOAD] = {"reload", MSG_ROLE_SUPERVISOR, true},
    [MSG_FLOWS] = {"flows", MSG_ROLE_SUPERVISOR | MSG_ROLE_WORKER, false},
    [MSG_CHECK] = {"check", 0, false},
};
_Static_assert(sizeof(policies) / sizeof(policies[0]) == MSG_TYPE_MAX,
    "every type of message has a policy");

static const char *const errors[] = {
    [MSG_OK] = "ok",
    [MSG_E_BAD_MESSAGE] = "bad_message",
    [MSG_E_VERSION] = "version",
    [MSG_E_UNKNOWN_TYPE] = "unknown_type",
    [MSG_E_UNKNOWN_IFACE] = "unknown_interface",
    [MSG_E_BUSY] = "busy",
    [MSG_E_SEQUENCE] = "sequence",
    [MSG_E_FAILED] = "failed",
    [MSG_E_TIMEOUT] = "timeout",
    [MSG_E_NO_CHILD] = "no_child",
};
_Static_assert(
    sizeof(errors) / sizeof(errors[0]) == MSG_ERROR_MAX, "every error has a name");

const struct msg_policy *
msg_policy(enum msg_type type)
{
	if ((unsigned)type >= MSG_TYPE_MAX || !policies[type].name)
		return NULL;
	return &policies[type];
}

enum msg_type
msg_type_from_name(const char *name, size_t len)
{
	for (int type = MSG_NONE + 1; type < MSG_TYPE_MAX; type++) {
		const char *known = policies[type].name;
		if (known && strlen(known) == len && memcmp(known, name, len) == 0)
			return (enum msg_type)type;
	}
	return MSG_NONE;
}

const char *
msg_error_name(enum msg_error error)
{
	return (unsigned)error < MSG_ERROR_MAX ? errors[error] : errors[MSG_E_FAILED];
}

enum msg_error
msg_error_from_name(const char *name)
{
	for (int error = MSG_OK + 1; error < MSG_ERROR_MAX; error++) {
		if (strcmp(name, errors[error]) == 0)
			return (enum msg_error)error;
	}
	/* A newer peer may know more reasons; all of them are failures. */
	return MSG_E_FAILED;
}

/* "ok" and "error" of an answer. */
static int
parse_outcome(struct msg *msg)
{
	char name[64];
	bool ok;
	int rc;

	msg->is_answer = view_get(msg->body, "ok") != NULL;
	msg->error = MSG_OK;
	if (!msg->is_answer)
		return 0;
	if (view_bool(msg->body, "ok", &ok) != 0)
		return -EPROTO;
	if (ok)
		return 0;
	rc = view_str(msg->body, "error", name, sizeof(name));
	if (rc != 0 && rc != -ERANGE)
		return -EPROTO;
	msg->error = rc == 0 ? msg_error_from_name(name) : MSG_E_FAILED;
	return 0;
}

static int
parse_envelope(struct msg *msg)
{
	const msgpack_object *type;
	uint64_t version;
	int rc;

	if (msg->body->type != MSGPACK_OBJECT_MAP)
		return -EPROTO;
	rc = view_u64(msg->body, "weir", UINT64_MAX, &version);
	if (rc != 0)
		return -EPROTO;
	if (version != PROTO_VERSION)
		return -EPROTONOSUPPORT;
	type = view_get(msg->body, "type");
	if (!type || type->type != MSGPACK_OBJECT_STR)
		return -EPROTO;
	msg->type = msg_type_from_name(type->via.str.ptr, type->via.str.size);
	rc = parse_outcome(msg);
	if (rc != 0)
		return rc;
	/* The refusal of something that was not understood has no type to repeat. */
	if (msg->type == MSG_NONE && msg->error == MSG_OK)
		return -ENOMSG;
	return 0;
}

int
msg_parse(struct msg *msg, const void *data, size_t len)
{
	msgpack_unpack_return unpacked;
	size_t at = 0;
	int rc;

	memset(msg, 0, sizeof(*msg));
	if (len > MSG_SIZE_MAX)
		return -EPROTO;
	rc = msg_check(data, len, MSG_DEPTH_MAX, MSG_OBJECTS_MAX);
	if (rc != 0)
		return rc;
	msgpack_unpacked_init(&msg->unpacked);
	unpacked = msgpack_unpack_next(&msg->unpacked, data, len, &at);
	if (unpacked != MSGPACK_UNPACK_SUCCESS) {
		msg_fini(msg);
		return unpacked == MSGPACK_UNPACK_NOMEM_ERROR ? -ENOMEM : -EPROTO;
	}
	msg->body = &msg->unpacked.data;
	rc = parse_envelope(msg);
	if (rc != 0)
		msg_fini(msg);
	return rc;
}

void
msg_fini(struct msg *msg)
{
	if (!msg)
		return;
	msgpack_unpacked_destroy(&msg->unpacked);
	msg->body = NULL;
}
