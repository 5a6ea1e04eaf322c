/* Listening on a Unix socket that only one group may dial. */
#ifndef WEIR_SUPERVISOR_LISTEN_H
#define WEIR_SUPERVISOR_LISTEN_H

#include <nng/nng.h>
#include <sys/types.h>

#define LISTEN_PATH_SIZE 108 /* sun_path, with the NUL */

/* Listens at `path` with mode 0660 and group `gid` whatever the umask, for messages of
 * at most MSG_SIZE_MAX bytes, and looks that it is so. 0 or negative errno; -EPERM when the
 * socket's owner, group or mode came out otherwise. *out (may be NULL) is the listener. */
int listen_ipc(nng_socket socket, const char *path, gid_t gid, nng_listener *out);

#endif
