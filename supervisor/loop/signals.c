#include "supervisor/loop/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void
signals_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
}

int
signals_block(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;

	signals_set(&set);
	if (sigaction(SIGPIPE, &ignore, NULL) < 0)
		return -errno;
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
signals_on_ready(void *arg)
{
	struct signals *signals = arg;
	struct signalfd_siginfo info;

	while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signals->caught(signals->arg, (int)info.ssi_signo);
}

int
signals_watch(struct signals *signals, struct loop *loop,
    void (*caught)(void *arg, int signal), void *arg)
{
	sigset_t set;
	int rc;

	*signals = (struct signals){.loop = loop, .caught = caught, .arg = arg};
	signals_set(&set);
	signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return -errno;
	rc = loop_watch_fd(
	    loop, signals->fd, signals_on_ready, signals, &signals->watch);
	if (rc != 0)
		signals_fini(signals);
	return rc;
}

void
signals_fini(struct signals *signals)
{
	if (!signals->loop)
		return;
	loop_unwatch(signals->loop, signals->watch);
	if (signals->fd >= 0)
		close(signals->fd);
	*signals = (struct signals){.fd = -1};
}
