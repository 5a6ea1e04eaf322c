/* The runtime directory: the sockets, and the lock that keeps a second supervisor away.
 *
 *	RUNTIME/              root:client_group  0751
 *	RUNTIME/weir.lock     root               0600  holds the pid
 *	RUNTIME/control.sock  root:client_group  0660
 *	RUNTIME/worker/       root:worker group  0710  one socket per process, worker user 0600
 *	RUNTIME/store/        root               0711
 *	RUNTIME/records/      root               0700  when RUNTIME is on tmpfs, else
 *	/dev/shm/weir/NAME/   root               0700  NAME is RUNTIME with + for /
 *
 * RUNTIME may be passed through by everybody (not listed), since a worker is in no group
 * but its own; RUNTIME/store too, since the store's only group is that of the clients, who
 * shall have nothing there. Each socket in it is the store user's, 0600. */
#ifndef WEIR_SUPERVISOR_RUNTIME_H
#define WEIR_SUPERVISOR_RUNTIME_H

#include "supervisor/host/settings.h"

/* The longest path inside is RUNTIME/worker/NNNNNNNNNN.sock, in a socket's 107 bytes. */
#define RUNTIME_PATH_MAX 84

struct runtime {
	char path[RUNTIME_PATH_MAX + 1];
	char
	    control[RUNTIME_PATH_MAX + 16]; /* paths of sockets and their directories */
	char worker[RUNTIME_PATH_MAX + 16];
	char store[RUNTIME_PATH_MAX + 16];
	int lock_fd;
	int records_fd; /* directory of the record files */
	char records[PATH_MAX];
	bool records_chosen; /* made below /dev/shm, to be removed when empty */
	int store_fd; /* directory of the database */
	int errors_fd; /* directory of the error capture files; -1: none are kept */
};

/* Makes and checks all of it, takes the lock, then removes sockets that a dead supervisor
 * left. 0, or negative errno after having said why in the log; -EBUSY when another
 * supervisor holds the lock, whose sockets are left alone. */
int runtime_open(struct runtime *runtime, const struct config *config,
    const struct settings *settings);

/* Gives up the lock. The directories stay, but for an empty one of our own in /dev/shm. */
void runtime_close(struct runtime *runtime);

#endif
