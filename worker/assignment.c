/* The message is checked like any other: it comes from the privileged side, but a fault
 * there should be told as one. */
#include "worker/assignment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/view.h"
#include "worker/meter.h"

/* Gives the checked message to `take`, and answers what that does. */
static int
read_update(const struct iface_name *iface,
    int (*take)(const msgpack_object *body, void *out), void *out)
{
	char name[IFACE_NAME_SIZE] = "";
	struct msg msg;
	void *data;
	size_t len;
	int rc;

	rc = frame_read(CHILD_FD_START, &data, &len);
	if (rc != 0)
		return rc;
	close(CHILD_FD_START);
	rc = msg_parse(&msg, data, len);
	if (rc == 0) {
		if (msg.type != MSG_UPDATE || msg.is_answer ||
		    view_str(msg.body, "iface", name, sizeof(name)) != 0 ||
		    strcmp(name, iface->s) != 0)
			rc = -EPROTO;
		else
			rc = take(msg.body, out);
		msg_fini(&msg);
	}
	free(data);
	return rc;
}

static int
take_config(const msgpack_object *body, void *out)
{
	return view_config(body, "config", out) == 0 ? 0 : -EPROTO;
}

static int
take_assignment(const msgpack_object *body, void *arg)
{
	struct assignment *out = arg;

	if (view_u64(body, "file_id", UINT64_MAX, &out->file_id) != 0 ||
	    view_i64(body, "begin_ms", &out->begin_ms) != 0 ||
	    !meter_label_valid(out->begin_ms) ||
	    view_bool(body, "enabled", &out->enabled) != 0)
		return -EPROTO;
	return take_config(body, &out->config);
}

int
assignment_read(const struct iface_name *iface, struct assignment *out)
{
	return read_update(iface, take_assignment, out);
}

int
assignment_read_config(const struct iface_name *iface, struct capture_config *out)
{
	return read_update(iface, take_config, out);
}
