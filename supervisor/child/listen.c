/* The directory is root's, so nobody can put another file in the place of the socket
 * between its making and the chown. Until that has happened the owner is the supervisor:
 * too few may dial, never too many (nng sets the mode before it listens). */
#include "supervisor/child/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/msg.h"
#include "proto/nng_errno.h"

int
listen_ipc(nng_socket socket, const char *path, uid_t uid)
{
	char url[LISTEN_PATH_SIZE + sizeof("ipc://")];
	nng_listener listener;
	struct stat st;
	int rc;

	if (strlen(path) >= LISTEN_PATH_SIZE)
		return -ENAMETOOLONG;
	snprintf(url, sizeof(url), "ipc://%s", path);
	rc = nng_listener_create(&listener, socket, url);
	if (rc != 0)
		return nng_errno(rc);
	rc = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, NNG_RECEIVE_MAX);
	if (rc == 0)
		rc = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, 0600);
	if (rc == 0)
		rc = nng_listener_start(listener, 0);
	if (rc != 0) {
		nng_listener_close(listener);
		return nng_errno(rc);
	}
	if (lchown(path, uid, (gid_t)-1) < 0 || lstat(path, &st) < 0)
		rc = -errno;
	else if (!S_ISSOCK(st.st_mode) || (st.st_mode & 07777) != 0600 ||
	    st.st_uid != uid)
		rc = -EPERM;
	if (rc != 0)
		nng_listener_close(listener);
	return rc;
}
