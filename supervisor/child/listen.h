/* Listening on a Unix socket that only one user may dial. nng accepts whoever connects, keeps
 * a descriptor of those who have gone before their greeting was answered, and may stop
 * listening because of them: a socket of nng is for no stranger. */
#ifndef WEIR_SUPERVISOR_LISTEN_H
#define WEIR_SUPERVISOR_LISTEN_H

#include <nng/nng.h>
#include <sys/types.h>

#define LISTEN_PATH_SIZE 108 /* sun_path, with the NUL */

/* Listens at `path` with mode 0600 and owner `uid` whatever the umask, for messages of
 * at most MSG_SIZE_MAX bytes, and looks that it is so. 0 or negative errno; -EPERM when the
 * socket's owner or mode came out otherwise. */
int listen_ipc(nng_socket socket, const char *path, uid_t uid);

#endif
