/* A child does not outlive its supervisor: the kernel kills it, whatever has become of
 * it; and where the kernel was not told in time, a thread that waits for the end of the
 * lifeline (common/child.h) ends it. Both at once, with no work to finish: what was
 * counted or acknowledged is in files by then. */
#ifndef WEIR_COMMON_LIFELINE_H
#define WEIR_COMMON_LIFELINE_H

#include <sys/types.h>

/* Has the kernel kill this process when the thread that started it ends. After the last
 * change of user, which takes this back. `parent`: getppid() of the beginning. 0; -ESRCH
 * when it has ended meanwhile, then the process must exit; negative errno. */
int lifeline_bind(pid_t parent);

/* The thread. After privileges are dropped. 0 or negative errno; -EBADF when CHILD_FD_PARENT is not open (started by hand). */
int lifeline_watch(void);

#endif
