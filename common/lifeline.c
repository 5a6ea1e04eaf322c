/* One thread that does nothing but wait for the end of a pipe. It leaves with _exit():
 * whatever the process was doing is either in shared memory already or not worth a
 * second writer beside the next supervisor's child. */
#include "common/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#include "common/child.h"

static void *
lifeline_main(void *arg)
{
	char byte;

	(void)arg;
	for (;;) {
		/* The supervisor never writes; a byte from it changes nothing. */
		ssize_t n = read(CHILD_FD_PARENT, &byte, 1);

		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			_exit(CHILD_EXIT_FAILED);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd fd = {CHILD_FD_PARENT, POLLIN, 0};

			(void)poll(&fd, 1, -1);
		}
	}
	return NULL;
}

int
lifeline_watch(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (fcntl(CHILD_FD_PARENT, F_GETFD) < 0)
		return -errno;
	rc = pthread_attr_init(&attr);
	if (rc != 0)
		return -rc;
	rc = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (rc == 0)
		rc = pthread_create(&thread, &attr, lifeline_main, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}
