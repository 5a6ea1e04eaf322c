/* For tests: a process with the descriptors of a worker, which gives up what a worker gives
 * up, step by step. */
#ifndef WEIR_WORKER_TEST_CONFINE_H
#define WEIR_WORKER_TEST_CONFINE_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/child.h"
#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_testing.h"
#include "worker/confine.h"
#include "worker/records.h"
#include "worker/refusals.h"

#define FLOWS 65536
#define FILE_FREE 20 /* a file that the worker has nothing to do with */
#define PACKETS 21 /* a packet socket, when root */
#define PIPE_READ 22
#define PIPE_WRITE 23
#define EPOLL 24
#define EVENT 25

static inline void
place(int fd, int at)
{
	if (fd >= 0 && fd != at && (dup2(fd, at) != at || close(fd) != 0))
		_exit(210);
}

/* The descriptors of a worker. */
static inline void
place_all(void)
{
	int fds[2];

	place(memfd_create("records", 0), CHILD_FD_DATA);
	place(memfd_create("errors", 0), CHILD_FD_ERRORS);
	place(memfd_create("free", 0), FILE_FREE);
	place(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), PACKETS);
	place(epoll_create1(0), EPOLL);
	place(eventfd(0, 0), EVENT);
	if (pipe(fds) != 0)
		_exit(211);
	place(fds[0], PIPE_READ);
	place(fds[1], PIPE_WRITE);
	signal(SIGXFSZ, SIG_IGN);
}

/* Step by step, what it gives up: before it opens its capture, before it looks at its
 * records, before it serves. */
static inline void
open_up(void)
{
	place_all();
	if (confine_opening(FLOWS) != 0)
		_exit(212);
}

static inline void
start(void)
{
	open_up();
	if (confine_files() != 0 || confine_starting() != 0)
		_exit(213);
}

static inline void
serve(void)
{
	start();
	if (confine_serving() != 0)
		_exit(214);
}

#endif
