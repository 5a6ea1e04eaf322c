/* What the supervisor keeps of root's rights once everything is open. */
#ifndef WEIR_SUPERVISOR_RIGHTS_H
#define WEIR_SUPERVISOR_RIGHTS_H

/* Keeps CAP_CHOWN (the group of sockets) and CAP_KILL (children of other users) for
 * itself; in the bounding set also what children need in order to become what they must
 * be: CAP_SETUID, CAP_SETGID, CAP_SETPCAP and, for workers, CAP_NET_RAW. Applies to the
 * calling thread, so it comes before the first nng call. 0, or -EPERM when the kernel
 * says that it is not so. */
int rights_reduce(void);

#endif
