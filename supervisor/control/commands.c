#include "supervisor/control/commands.h"

#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/iface.h"
#include "common/text.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"
#include "supervisor/iface/worker.h"

request_handler *const commands_table[MSG_TYPE_MAX] = {
    [MSG_STATUS] = command_status,
    [MSG_ERRORS] = command_errors,
    [MSG_ROTATE] = command_rotate,
    [MSG_ENABLE] = command_enable,
    [MSG_DISABLE] = command_disable,
    [MSG_UPDATE] = command_update,
    [MSG_RELOAD] = command_reload,
    [MSG_FLOWS] = command_flows,
};

static void
commands_refuse(struct request *request, enum msg_error error, const char *format,
    const char *name, size_t len)
{
	char text[4 * IFACE_NAME_SIZE + 1];

	text_escape(text, sizeof(text), name, len < 4 * IFACE_NAME_SIZE ? len : 64);
	if (error == MSG_E_UNKNOWN_IFACE)
		pack_error(&request->answer, request->msg.type, error,
		    "no interface '%s' is configured", text);
	else
		pack_error(&request->answer, request->msg.type, error, "%s", format);
	request_answer(request);
}

static bool
commands_is_name(const msgpack_object *object, struct iface_name *out)
{
	char name[IFACE_NAME_SIZE];

	if (object->type != MSGPACK_OBJECT_STR || object->via.str.size >= sizeof(name))
		return false;
	memcpy(name, object->via.str.ptr, object->via.str.size);
	name[object->via.str.size] = '\0';
	return strlen(name) == object->via.str.size && iface_name_set(out, name) == 0;
}

static bool
commands_named(struct request *request, const msgpack_object *list,
    struct iface_name *names, size_t *count)
{
	bool again = false;

	(void)view_bool(request->msg.body, "again", &again);
	*count = 0;
	/* Each is looked for among all, and among those before it. */
	if (list->via.array.size > CONFIG_IFACES_MAX) {
		commands_refuse(request, MSG_E_BAD_MESSAGE,
		    "ifaces: more names than there may be interfaces", "", 0);
		return false;
	}
	for (uint32_t i = 0; i < list->via.array.size; i++) {
		const msgpack_object *object = &list->via.array.ptr[i];
		bool twice = false;

		if (object->type != MSGPACK_OBJECT_STR) {
			commands_refuse(request, MSG_E_BAD_MESSAGE,
			    "ifaces: an array of names is expected", "", 0);
			return false;
		}
		if (!commands_is_name(object, &names[*count]) ||
		    !manager_find(request->ctx, names[*count].s)) {
			if (again)
				continue;
			commands_refuse(request, MSG_E_UNKNOWN_IFACE, NULL,
			    object->via.str.ptr, object->via.str.size);
			return false;
		}
		for (size_t j = 0; j < *count && !twice; j++)
			twice = strcmp(names[j].s, names[*count].s) == 0;
		if (!twice)
			(*count)++;
	}
	return true;
}

bool
commands_ifaces(struct request *request, struct iface_name **out, size_t *count)
{
	struct supervisor *supervisor = request->ctx;
	const msgpack_object *list = view_get(request->msg.body, "ifaces");
	struct iface_name *names;
	struct worker *worker;
	size_t most = 1; /* calloc(0) may answer NULL */

	if (list && list->type == MSGPACK_OBJECT_NIL)
		list = NULL;
	if (list && list->type != MSGPACK_OBJECT_ARRAY) {
		commands_refuse(request, MSG_E_BAD_MESSAGE,
		    "ifaces: an array of names is expected", "", 0);
		return false;
	}
	if (list)
		most += list->via.array.size;
	else
		TAILQ_FOREACH(worker, &supervisor->workers, entry) {
			most++;
		}
	names = calloc(most, sizeof(*names));
	if (!names) {
		commands_refuse(request, MSG_E_FAILED, "out of memory", "", 0);
		return false;
	}
	*count = 0;
	if (list) {
		if (!commands_named(request, list, names, count)) {
			free(names);
			return false;
		}
	} else {
		TAILQ_FOREACH(worker, &supervisor->workers, entry) {
			names[(*count)++] = worker->iface;
		}
	}
	*out = names;
	return true;
}
