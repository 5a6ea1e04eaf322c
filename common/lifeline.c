/* The parent-death signal needs nothing of this process any more, so it holds for one that
 * was taken over. But it is not sent for a parent that ended before it was asked for: that
 * is what the end of the pipe tells then.
 *
 * The thread does nothing but wait for that end. It leaves with _exit(): whatever the
 * process was doing is either in files already or not worth a second writer beside the
 * next supervisor's child. */
#include "common/lifeline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/child.h"

int
lifeline_bind(pid_t parent)
{
	struct pollfd fd = {CHILD_FD_PARENT, POLLIN, 0};
	int asked = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    prctl(PR_GET_PDEATHSIG, &asked, 0, 0, 0) != 0)
		return -errno;
	if (asked != SIGKILL)
		return -EPERM;
	if (getppid() != parent)
		return -ESRCH;
	return poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) ? -ESRCH : 0;
}

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
