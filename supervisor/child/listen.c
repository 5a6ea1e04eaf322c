/* The directory is root's, so nobody can put another file in the place of the socket
 * between its making and the chown. Until that has happened the group is the
 * supervisor's own: too few may dial, never too many. */
#include "supervisor/child/listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/msg.h"
#include "proto/nng_errno.h"

int
listen_ipc(nng_socket socket, const char *path, gid_t gid, nng_listener *out)
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
		rc = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, 0660);
	if (rc == 0)
		rc = nng_listener_start(listener, 0);
	if (rc != 0) {
		nng_listener_close(listener);
		return nng_errno(rc);
	}
	if (lchown(path, (uid_t)-1, gid) < 0 || lstat(path, &st) < 0)
		rc = -errno;
	else if (!S_ISSOCK(st.st_mode) || (st.st_mode & 07777) != 0660 ||
	    st.st_uid != geteuid() || st.st_gid != gid)
		rc = -EPERM;
	if (rc != 0)
		nng_listener_close(listener);
	else if (out)
		*out = listener;
	return rc;
}
