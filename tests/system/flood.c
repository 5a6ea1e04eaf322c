/* UDP packets as fast as a test asks for: flood IFACE FLOWS SIZE PPS COUNT. SIZE is that of
 * the frame; PPS 0: as fast as it goes; COUNT 0: until the standard input ends. Each flow has
 * a source of its own, 10.0.0.0 + number, and all go to 10.255.0.1:53. In the end it says how
 * many went out. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32
#define SIZE_MIN 60
#define SIZE_MAX_FRAME 1514

static int
socket_on(const char *iface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET};
	int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	at.sll_ifindex = (int)if_nametoindex(iface);
	/* No captures on the sending side, no queue. */
	if (fd < 0 || at.sll_ifindex == 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0) {
		perror(iface);
		exit(1);
	}
	return fd;
}

static void
frame_make(uint8_t *frame, size_t size)
{
	static const uint8_t head[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45,
	    0, 0, 0, 0, 7, 0, 0, 64, 17, 0, 0, 10, 0, 0, 0, 10, 255, 0, 1, 0x9c, 0x40,
	    0, 53};
	uint16_t ip_len = htons((uint16_t)(size - 14));
	uint16_t udp_len = htons((uint16_t)(size - 34));

	memset(frame, 'x', size);
	memcpy(frame, head, sizeof(head));
	memcpy(frame + 16, &ip_len, 2);
	memcpy(frame + 38, &udp_len, 2);
	memset(frame + 40, 0, 2);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static uint8_t frames[BATCH][SIZE_MAX_FRAME];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint64_t flows, size, pps, count, sent = 0;
	double start;
	int fd;

	if (argc != 6)
		return 2;
	fd = socket_on(argv[1]);
	flows = strtoull(argv[2], NULL, 10);
	size = strtoull(argv[3], NULL, 10);
	pps = strtoull(argv[4], NULL, 10);
	count = strtoull(argv[5], NULL, 10);
	if (flows == 0 || size < SIZE_MIN || size > SIZE_MAX_FRAME)
		return 2;
	memset(messages, 0, sizeof(messages));
	for (size_t i = 0; i < BATCH; i++) {
		frame_make(frames[i], size);
		parts[i] = (struct iovec){frames[i], size};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	start = now();
	while (count == 0 || sent < count) {
		uint64_t due =
		    pps ? (uint64_t)((now() - start) * (double)pps) : sent + BATCH;
		unsigned n = BATCH;
		int done;

		if (count == 0 && sent % (BATCH * 64) == 0) {
			struct pollfd in = {.fd = 0, .events = POLLIN};
			if (poll(&in, 1, 0) > 0)
				break;
		}
		if (due < sent + BATCH && !(count != 0 && due >= count)) {
			usleep(500);
			continue;
		}
		if (count != 0 && count - sent < n)
			n = (unsigned)(count - sent);
		for (unsigned i = 0; i < n; i++) {
			uint32_t source =
			    htonl((uint32_t)(0x0a000000 + (sent + i) % flows));
			memcpy(frames[i] + 26, &source, 4);
		}
		done = sendmmsg(fd, messages, n, 0);
		if (done > 0)
			sent += (uint64_t)done;
	}
	printf("%llu %.3f\n", (unsigned long long)sent, now() - start);
	return 0;
}
