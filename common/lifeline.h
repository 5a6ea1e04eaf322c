/* The child's end of the lifelines (common/fdio.h): a thread that ends the process at
 * once (_exit) when the supervisor is gone. Start it after privileges are dropped. */
#ifndef WEIR_COMMON_LIFELINE_H
#define WEIR_COMMON_LIFELINE_H

/* 0 or negative errno; -EBADF when CHILD_FD_PARENT is not open (started by hand). */
int lifeline_watch(void);

#endif
