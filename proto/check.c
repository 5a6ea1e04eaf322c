#include "proto/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/parts.h"
#include "proto/view.h"

int
check_ask(int fd, const char *iface, const struct capture_config *config)
{
	struct pack pack;
	int rc;

	pack_init(&pack);
	pack_request(&pack, MSG_UPDATE);
	pack_key_str(&pack, "iface", iface);
	pack_key_config(&pack, "config", config);
	rc = pack_finish(&pack);
	if (rc == 0)
		rc = frame_write(fd, &pack);
	pack_fini(&pack);
	return rc;
}

static int
check_view(const struct msg *msg, char reason[static CHECK_REASON_SIZE],
    char text[static CHECK_TEXT_SIZE])
{
	char state[16];

	if (msg->type != MSG_CHECK || !msg->is_answer || msg->error != MSG_OK ||
	    view_str(msg->body, "state", state, sizeof(state)) != 0 ||
	    view_str(msg->body, "reason", reason, CHECK_REASON_SIZE) != 0)
		return -EPROTO;
	/* Neither open nor a reason why not. */
	if (reason[0] == '\0' && strcmp(state, "active") != 0)
		return -EPROTO;
	view_text(msg->body, "reason_text", text, CHECK_TEXT_SIZE);
	return 0;
}

int
check_read_answer(
    int fd, char reason[static CHECK_REASON_SIZE], char text[static CHECK_TEXT_SIZE])
{
	struct msg msg;
	void *data;
	size_t len;
	int rc = frame_read(fd, &data, &len);

	if (rc != 0)
		return rc;
	rc = msg_parse(&msg, data, len);
	if (rc == 0) {
		rc = check_view(&msg, reason, text);
		msg_fini(&msg);
	}
	free(data);
	return rc;
}
