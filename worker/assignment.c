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

/* 0 and an open message, whose bytes are *data. */
static int
read_update(const struct iface_name *iface, struct msg *msg, void **data)
{
	char name[IFACE_NAME_SIZE] = "";
	size_t len;
	int rc;

	rc = frame_read(CHILD_FD_START, data, &len);
	if (rc != 0)
		return rc;
	close(CHILD_FD_START);
	rc = msg_parse(msg, *data, len);
	if (rc == 0) {
		if (msg->type == MSG_UPDATE && !msg->is_answer &&
		    view_str(msg->body, "iface", name, sizeof(name)) == 0 &&
		    strcmp(name, iface->s) == 0)
			return 0;
		msg_fini(msg);
		rc = -EPROTO;
	}
	free(*data);
	return rc;
}

int
assignment_read(const struct iface_name *iface, struct assignment *out)
{
	struct msg msg;
	void *data;
	int rc;

	rc = read_update(iface, &msg, &data);
	if (rc != 0)
		return rc;
	if (view_u64(msg.body, "file_id", UINT64_MAX, &out->file_id) != 0 ||
	    view_i64(msg.body, "begin_ms", &out->begin_ms) != 0 ||
	    !meter_label_valid(out->begin_ms) ||
	    view_bool(msg.body, "enabled", &out->enabled) != 0 ||
	    view_config(msg.body, "config", &out->config) != 0)
		rc = -EPROTO;
	msg_fini(&msg);
	free(data);
	return rc;
}

int
assignment_read_config(const struct iface_name *iface, struct capture_config *out)
{
	struct msg msg;
	void *data;
	int rc;

	rc = read_update(iface, &msg, &data);
	if (rc != 0)
		return rc;
	if (view_config(msg.body, "config", out) != 0)
		rc = -EPROTO;
	msg_fini(&msg);
	free(data);
	return rc;
}
