/* Frames for the worker's tests, written as a reader thinks of them. */
#ifndef WEIR_WORKER_TEST_FRAME_H
#define WEIR_WORKER_TEST_FRAME_H

#include <arpa/inet.h>
#include <pcap/dlt.h>
#include <string.h>

#include "worker/packet.h"

struct frame {
	uint8_t data[2048];
	uint32_t len;
};

static inline void
frame_put(struct frame *f, const void *data, size_t len)
{
	memcpy(f->data + f->len, data, len);
	f->len += (uint32_t)len;
}

static inline void
frame_put8(struct frame *f, unsigned value)
{
	f->data[f->len++] = (uint8_t)value;
}

static inline void
frame_put16(struct frame *f, unsigned value)
{
	frame_put8(f, value >> 8);
	frame_put8(f, value);
}

static inline void
frame_zero(struct frame *f, size_t len)
{
	memset(f->data + f->len, 0, len);
	f->len += (uint32_t)len;
}

/* An Ethernet header without the type. */
static inline void
frame_ethernet(struct frame *f)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	f->len = 0;
	frame_put(f, macs, sizeof(macs));
}

/* IPv4 header with `options` bytes of options; total length covers `payload` bytes. */
static inline void
frame_ipv4(struct frame *f, const char *src, const char *dst, unsigned proto,
    unsigned options, unsigned payload)
{
	struct in_addr address;

	frame_put8(f, 0x40 | (5 + options / 4));
	frame_put8(f, 0);
	frame_put16(f, 20 + options + payload);
	frame_zero(f, 4);
	frame_put8(f, 64);
	frame_put8(f, proto);
	frame_put16(f, 0);
	inet_pton(AF_INET, src, &address);
	frame_put(f, &address, 4);
	inet_pton(AF_INET, dst, &address);
	frame_put(f, &address, 4);
	for (unsigned i = 0; i < options; i++)
		frame_put8(f, 1); /* no-operation option */
}

static inline void
frame_ipv6(
    struct frame *f, const char *src, const char *dst, unsigned next, unsigned payload)
{
	struct in6_addr address;

	frame_put8(f, 0x60);
	frame_zero(f, 3);
	frame_put16(f, payload);
	frame_put8(f, next);
	frame_put8(f, 64);
	inet_pton(AF_INET6, src, &address);
	frame_put(f, &address, 16);
	inet_pton(AF_INET6, dst, &address);
	frame_put(f, &address, 16);
}

static inline void
frame_ports(struct frame *f, unsigned sport, unsigned dport)
{
	frame_put16(f, sport);
	frame_put16(f, dport);
}

/* The rest of a UDP header. */
static inline void
frame_udp(struct frame *f, unsigned sport, unsigned dport)
{
	frame_ports(f, sport, dport);
	frame_put16(f, 8);
	frame_put16(f, 0);
}

static inline void
frame_tcp(struct frame *f, unsigned sport, unsigned dport, unsigned flags)
{
	frame_ports(f, sport, dport);
	frame_zero(f, 8);
	frame_put8(f, 0x50);
	frame_put8(f, flags);
	frame_zero(f, 6);
}

static inline struct packet
frame_packet(const struct frame *f, int64_t ts_ns)
{
	return (struct packet){.ts_ns = ts_ns,
	    .wire_len = f->len,
	    .caplen = f->len,
	    .data = f->data,
	    .link_type = DLT_EN10MB,
	    .observed = RECEIVED};
}

/* Whole Ethernet frames. */
static inline struct packet
frame_tcp4(struct frame *f, const char *src, unsigned sport, const char *dst,
    unsigned dport, unsigned flags, int64_t ts_ns)
{
	frame_ethernet(f);
	frame_put16(f, 0x0800);
	frame_ipv4(f, src, dst, 6, 0, 20);
	frame_tcp(f, sport, dport, flags);
	return frame_packet(f, ts_ns);
}

static inline struct packet
frame_udp4(struct frame *f, const char *src, unsigned sport, const char *dst,
    unsigned dport, int64_t ts_ns)
{
	frame_ethernet(f);
	frame_put16(f, 0x0800);
	frame_ipv4(f, src, dst, 17, 0, 8);
	frame_udp(f, sport, dport);
	return frame_packet(f, ts_ns);
}

#endif
