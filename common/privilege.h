/* How a child gives up what it was started with. All functions apply to the calling
 * thread, so they come before any other thread exists (nng starts its threads at the
 * first call). Each reads the result back from the kernel: libcap-ng fails quietly where
 * CAP_SETPCAP is missing. capabilities(7), prctl(2) PR_SET_NO_NEW_PRIVS. */
#ifndef WEIR_COMMON_PRIVILEGE_H
#define WEIR_COMMON_PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/* Becomes uid:gid without supplementary groups, clears the bounding set, sets
 * no_new_privs, is not dumpable (no process of the same user may trace it or look into
 * it), and keeps CAP_NET_RAW alone (permitted and effective) when keep_net_raw,
 * else nothing. Started as root (or with the capabilities for it); 0 or negative errno;
 * after a failure the process must exit. */
int privilege_become(uid_t uid, gid_t gid, bool keep_net_raw);

/* For a process started without rights (file mode by an ordinary user): sets
 * no_new_privs, is not dumpable, and drops whatever there is; the bounding set stays
 * where it cannot be changed. 0 or negative errno. */
int privilege_drop_unprivileged(void);

/* Drops the last capability. */
int privilege_drop_all(void);

/* 0 when the kernel says: no capability in any set (the bounding set only when
 * bounding_too), no_new_privs set, not dumpable, uid and gid not 0 unless allow_root.
 * Else -EPERM. */
int privilege_verify_none(bool bounding_too, bool allow_root);

#endif
