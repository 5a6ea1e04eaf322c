/* Loaded in front of libc into weir-store by a test (LD_PRELOAD): dies at a numbered step, or
 * makes a disk slow. A step is a call that leaves something behind outside of the process:
 * in a file (pwrite64, ftruncate, fsync, fdatasync) or with the other side (an answer sent,
 * a request received). The test counts and orders by a page that both have mapped, so that
 * nothing is needed here, once the process serves, but what its list of system calls has. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As in faults.py. */
struct control {
	_Atomic uint32_t steps; /* up to now, over all processes */
	_Atomic uint32_t die_at; /* in front of the step of this number; 0: never */
	_Atomic uint32_t slow; /* so many calls of fsync and fdatasync take ... */
	uint32_t slow_ms; /* ... so long */
	_Atomic uint32_t deaths;
};

static struct control nobody; /* never told anything */
static struct control *control = &nobody;

__attribute__((constructor)) static void
control_open(void)
{
	const char *path = getenv("WEIR_FAULT_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page != MAP_FAILED)
		control = page;
	close(fd);
}

static void
step(void)
{
	uint32_t number = atomic_fetch_add(&control->steps, 1) + 1;

	if (number != atomic_load(&control->die_at))
		return;
	atomic_store(&control->die_at, 0);
	atomic_fetch_add(&control->deaths, 1);
	/* As abrupt as SIGKILL: nobody catches it, nothing is tidied up. */
	__builtin_trap();
}

static void
be_slow(void)
{
	uint32_t left = atomic_load(&control->slow);
	struct timespec ts;

	if (left == 0)
		return;
	atomic_store(&control->slow, left - 1);
	ts.tv_sec = control->slow_ms / 1000;
	ts.tv_nsec = (long)(control->slow_ms % 1000) * 1000000;
	nanosleep(&ts, NULL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	step();
	return NEXT(pwrite64)(fd, data, len, at);
}

int
ftruncate64(int fd, off64_t len)
{
	step();
	return NEXT(ftruncate64)(fd, len);
}

int
fsync(int fd)
{
	step();
	be_slow();
	return NEXT(fsync)(fd);
}

int
fdatasync(int fd)
{
	step();
	be_slow();
	return NEXT(fdatasync)(fd);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	step();
	return NEXT(sendmsg)(fd, message, flags);
}

ssize_t
readv(int fd, const struct iovec *parts, int count)
{
	ssize_t n = NEXT(readv)(fd, parts, count);

	if (n > 0)
		step();
	return n;
}
