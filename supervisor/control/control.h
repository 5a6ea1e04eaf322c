/* The control socket: requests of clients, answered in any order. A request is handled on
 * the loop's thread and may be kept as long as it takes; others are served meanwhile. */
#ifndef WEIR_SUPERVISOR_CONTROL_H
#define WEIR_SUPERVISOR_CONTROL_H

#include <sys/types.h>

#include "proto/pack.h"
#include "proto/view.h"
#include "supervisor/control/clients.h"
#include "supervisor/loop/loop.h"

#define CONTROL_REQUESTS 64 /* at the same time; more wait */

struct control;

struct request {
	void *ctx; /* as given to control_new */
	struct msg msg;
	struct pack answer; /* empty; the handler makes it a whole answer */
	size_t *held; /* by enum client_held, those of who asks */
	void *private;
};

/* Fills request->answer (pack_answer ... or pack_error, without pack_finish) and calls
 * request_answer(), now or later. */
typedef void request_handler(struct request *request);

/* Sends the answer; the request is gone. */
void request_answer(struct request *request);

/* Listens at `path`, for group gid. `table` has MSG_TYPE_MAX entries; ping is served
 * without one. 0 or negative errno. */
int control_new(struct control **out, struct loop *loop, const char *path, gid_t gid,
    request_handler *const table[MSG_TYPE_MAX], void *ctx);

/* Takes the socket's path away; the process must end now. Requests may still be under way,
 * and with them this memory, and the loop's, stay in use. */
void control_end(struct control *control);

#endif
