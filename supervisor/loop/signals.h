/* Signals as descriptors: nothing is done in a handler. */
#ifndef WEIR_SUPERVISOR_SIGNALS_H
#define WEIR_SUPERVISOR_SIGNALS_H

#include "supervisor/loop/loop.h"

struct signals {
	struct loop *loop;
	struct loop_watch *watch;
	int fd;
	void (*caught)(void *arg, int signal);
	void *arg;
};

/* Blocks TERM, INT, HUP and CHLD for this thread and those it will start, ignores PIPE.
 * 0 or negative errno. */
int signals_block(void);

/* Calls `caught` on the loop for each that comes. 0 or negative errno. */
int signals_watch(struct signals *signals, struct loop *loop,
    void (*caught)(void *arg, int signal), void *arg);
void signals_fini(struct signals *signals);

#endif
