/* The listener behind the control socket, kept alive. In nng 1.5.2 a client that hangs up
 * between its connect() and the greeting silences a listener for good (proto/listener.h):
 * one that is killed at the wrong moment is enough, and the daemon must not be. So once a
 * second it is looked at, and a silenced one gets a successor.
 *
 * Each listener binds a path of its own, PATH.N, which is then renamed to PATH: there is
 * no moment without a socket, and a listener that is closed later removes only a name
 * that is not there any more. A silenced one is closed when its last client has gone,
 * since closing it would cut their connections, and may stand still while a message
 * arrives. Main thread, except for nng's callbacks inside. */
#ifndef WEIR_SUPERVISOR_CONTROL_LISTENER_H
#define WEIR_SUPERVISOR_CONTROL_LISTENER_H

#include <nng/nng.h>
#include <sys/types.h>

#include "supervisor/loop/loop.h"

struct control_listener;

/* Listens at `path` for group gid and watches over it. 0 or negative errno. */
int control_listener_new(struct control_listener **out, struct loop *loop,
    nng_socket socket, const char *path, gid_t gid);

/* Stops watching; before the socket is closed or the process ends. NULL is allowed. */
void control_listener_free(struct control_listener *listener);

#endif
