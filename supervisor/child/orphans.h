/* Processes that a child has started and left behind. A worker cannot do that once it has
 * shut itself in; one that was taken over before would leave its descriptors to somebody: the
 * pipe, which then never ends, and on which messages may come at any moment (child_socket.c
 * says what nng makes of that), the lifelines, the lock of its records. So they become this
 * process's own children when theirs has died, and are killed.
 *
 * What is kept here is of the process, like its children. Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_ORPHANS_H
#define WEIR_SUPERVISOR_ORPHANS_H

#include <sys/types.h>

/* From now on they come to this process. 0 or negative errno. */
int orphans_adopt(void);

/* This one was started by us, and is waited for by whoever did. */
void orphans_expect(pid_t pid);

/* Kills and reaps those that nobody has started. Nothing before orphans_adopt(). */
void orphans_end(void);

#endif
