/* Network for the worker's live tests: a namespace of its own per test, with a pair of
 * veth devices, v0 (captured) and v1 (the other end), on which nothing speaks by itself.
 * Frames are put on either end with a packet socket. */
#ifndef WEIR_WORKER_TEST_NET_H
#define WEIR_WORKER_TEST_NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "worker/test_frame.h"

/* In a child of a test: it ends when the test does, also when that fails. */
static inline void
net_end_with_test(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static inline bool
net_run(const char *command)
{
	return system(command) == 0;
}

/* Leaves the old namespace, which ends with its last process. False when that is not
 * allowed here. */
static inline bool
net_new(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return false;
	/* Neighbour discovery would send packets that no test counts on. */
	(void)net_run(
	    "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null");
	return net_run("ip link add v0 type veth peer name v1 && "
		       "ip link set v0 up && ip link set v1 up");
}

/* A new namespace, or the end of the test. */
static inline void
net_require(void)
{
	if (net_new())
		return;
	print_message("skipped: needs root, to make a network namespace\n");
	skip();
}

/* A packet socket that only sends. */
static inline int
net_sender(const char *iface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	to.sll_ifindex = (int)if_nametoindex(iface);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A frame of `size` bytes with UDP over IPv4 to a port. */
static inline void
net_udp_frame(struct frame *frame, uint16_t dport, uint32_t size)
{
	frame_ethernet(frame);
	frame_put16(frame, 0x0800);
	frame_ipv4(frame, "10.9.0.1", "10.9.0.2", 17, 0, size - 14 - 20);
	frame_udp(frame, 40000, dport);
	frame_zero(frame, size - frame->len);
}

static inline bool
net_send(const char *iface, const struct frame *frame, unsigned count)
{
	int fd = net_sender(iface);
	unsigned sent = 0;

	while (fd >= 0 && sent < count) {
		if (send(fd, frame->data, frame->len, 0) == (ssize_t)frame->len)
			sent++;
		else if (errno != ENOBUFS && errno != EAGAIN)
			break;
	}
	if (fd >= 0)
		close(fd);
	return sent == count;
}

static inline bool
net_send_udp(const char *iface, uint16_t dport, unsigned count)
{
	struct frame frame;

	net_udp_frame(&frame, dport, 64);
	return net_send(iface, &frame, count);
}

/* A point-to-point device of that kind (ARPHRD_...), up; IP packets written to the
 * descriptor are received on it. -1 when the kernel has none. */
static inline int
net_tun(const char *iface, int kind)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	char command[64];
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	strncpy(request.ifr_name, iface, sizeof(request.ifr_name) - 1);
	snprintf(command, sizeof(command), "ip link set %s up", iface);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 &&
	    ioctl(fd, TUNSETLINK, kind) == 0 && net_run(command))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static inline void
net_wait_ms(long ms)
{
	const struct timespec wait = {ms / 1000, ms % 1000 * NS_PER_MS};

	(void)nanosleep(&wait, NULL);
}

#endif
