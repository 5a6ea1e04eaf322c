/* libmnl walks messages and attributes and checks their lengths; the socket is read
 * with recvmsg(2) instead, because only the sender's address tells the kernel from a
 * process that may send here too. */
#include "supervisor/link/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* The kernel fills 32 KiB at most with one part of a list. */
#define RTNL_BUF_SIZE (64 * 1024)

/* An event takes some 4 KiB with the kernel's overhead; a thousand links made at
 * once are several thousand events. What does not fit costs reading the list again. */
#define RTNL_QUEUE_SIZE (8 * 1024 * 1024)

static void
rtnl_widen(int fd)
{
	int size = RTNL_QUEUE_SIZE;

	/* The first needs CAP_NET_ADMIN, the second goes as far as
	 * net.core.rmem_max. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

int
rtnl_open(struct rtnl *rtnl, bool follow)
{
	struct rtnl opened = {.buf = malloc(RTNL_BUF_SIZE)};
	int rc;

	if (!opened.buf)
		return -ENOMEM;
	opened.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!opened.socket) {
		rc = -errno;
		goto fail;
	}
	if (follow)
		rtnl_widen(rtnl_fd(&opened));
	if (mnl_socket_bind(
		opened.socket, follow ? RTMGRP_LINK : 0, MNL_SOCKET_AUTOPID) < 0) {
		rc = -errno;
		goto fail;
	}
	*rtnl = opened;
	return 0;
fail:
	rtnl_close(&opened);
	return rc;
}

void
rtnl_close(struct rtnl *rtnl)
{
	if (rtnl->socket)
		mnl_socket_close(rtnl->socket);
	free(rtnl->buf);
	*rtnl = (struct rtnl){0};
}

int
rtnl_fd(const struct rtnl *rtnl)
{
	return mnl_socket_get_fd(rtnl->socket);
}

static int
rtnl_ask(struct rtnl *rtnl, uint16_t flags, int index)
{
	char buf[NLMSG_SPACE(sizeof(struct ifinfomsg))] = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	/* Never 0: that is what events have. */
	if (++rtnl->seq == 0)
		rtnl->seq = 1;
	header->nlmsg_seq = rtnl->seq;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = index;
	return mnl_socket_sendto(rtnl->socket, header, header->nlmsg_len) < 0 ? -errno
									      : 0;
}

int
rtnl_ask_all(struct rtnl *rtnl)
{
	return rtnl_ask(rtnl, NLM_F_DUMP, 0);
}

int
rtnl_ask_one(struct rtnl *rtnl, int index)
{
	return rtnl_ask(rtnl, 0, index);
}

int
rtnl_receive(struct rtnl *rtnl)
{
	struct sockaddr_nl from = {0};
	struct iovec part = {.iov_base = rtnl->buf, .iov_len = RTNL_BUF_SIZE};
	struct msghdr msg = {.msg_name = &from,
	    .msg_namelen = sizeof(from),
	    .msg_iov = &part,
	    .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(rtnl_fd(rtnl), &msg, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid != 0)
		return 0;
	return msg.msg_flags & MSG_TRUNC ? -ENOBUFS : (int)n;
}

static int
rtnl_take_kind(const struct nlattr *attr, void *data)
{
	struct link *link = data;
	size_t len;

	if (mnl_attr_get_type(attr) != IFLA_INFO_KIND ||
	    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
		return MNL_CB_OK;
	len = strnlen(mnl_attr_get_str(attr), sizeof(link->kind) - 1);
	memcpy(link->kind, mnl_attr_get_str(attr), len);
	link->kind[len] = '\0';
	return MNL_CB_OK;
}

/* The struct has grown with the kernel: what is there is taken. */
static void
rtnl_take_counts(const struct nlattr *attr, struct link *link)
{
	struct rtnl_link_stats64 stats = {0};
	size_t len = mnl_attr_get_payload_len(attr);

	if (len < offsetof(struct rtnl_link_stats64, rx_missed_errors) +
		sizeof(stats.rx_missed_errors))
		return;
	memcpy(&stats, mnl_attr_get_payload(attr),
	    len < sizeof(stats) ? len : sizeof(stats));
	link->rx_packets = stats.rx_packets;
	link->tx_packets = stats.tx_packets;
	link->counts = (struct link_counts){.known = true,
	    .packets = stats.rx_packets + stats.tx_packets,
	    .dropped = stats.rx_dropped,
	    .missed = stats.rx_missed_errors};
}

static int
rtnl_take_attribute(const struct nlattr *attr, void *data)
{
	struct link *link = data;
	uint16_t type = mnl_attr_get_type(attr);
	bool number = mnl_attr_validate(attr, MNL_TYPE_U32) >= 0;

	if (type == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		(void)iface_name_set(&link->name, mnl_attr_get_str(attr));
	else if (type == IFLA_MTU && number)
		link->mtu = mnl_attr_get_u32(attr);
	else if (type == IFLA_PROMISCUITY && number)
		link->promiscuity = mnl_attr_get_u32(attr);
	else if (type == IFLA_MASTER && number)
		link->master = (int)mnl_attr_get_u32(attr);
	else if (type == IFLA_LINK && number)
		link->lower = (int)mnl_attr_get_u32(attr);
	else if (type == IFLA_LINK_NETNSID)
		link->lower_elsewhere = true;
	else if (type == IFLA_STATS64)
		rtnl_take_counts(attr, link);
	else if (type == IFLA_LINKINFO)
		mnl_attr_parse_nested(attr, rtnl_take_kind, link);
	return MNL_CB_OK;
}

/* Whether it says what a link is. A bridge tells of its ports with the same types (its
 * RTM_DELLINK is a port that leaves), and wireless devices of events without a name. */
static bool
rtnl_take_link(const struct nlmsghdr *header, struct link *link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*info) ||
	    info->ifi_family != AF_UNSPEC || info->ifi_index <= 0)
		return false;
	*link = (struct link){.index = info->ifi_index, .flags = info->ifi_flags};
	mnl_attr_parse(header, sizeof(*info), rtnl_take_attribute, link);
	if (link->lower == link->index && !link->lower_elsewhere)
		link->lower = 0;
	return link->name.s[0] != '\0';
}

/* NLMSG_DONE has the result of a list, NLMSG_ERROR that of a request. */
static int
rtnl_take_error(const struct nlmsghdr *header)
{
	int error;

	if (mnl_nlmsg_get_payload_len(header) < sizeof(error))
		return header->nlmsg_type == NLMSG_DONE ? 0 : -EPROTO;
	memcpy(&error, mnl_nlmsg_get_payload(header), sizeof(error));
	return error < 0 ? error : 0;
}

void
rtnl_walk(const struct rtnl *rtnl, int len,
    void (*each)(void *arg, const struct rtnl_message *message), void *arg)
{
	uint32_t port = mnl_socket_get_portid(rtnl->socket);

	for (const struct nlmsghdr *header = (const void *)rtnl->buf;
	     mnl_nlmsg_ok(header, len); header = mnl_nlmsg_next(header, &len)) {
		struct rtnl_message message = {.answer = header->nlmsg_pid == port &&
			header->nlmsg_seq == rtnl->seq,
		    .interrupted = header->nlmsg_flags & NLM_F_DUMP_INTR};
		bool told = true;

		if (header->nlmsg_type == NLMSG_DONE ||
		    header->nlmsg_type == NLMSG_ERROR) {
			message.kind = RTNL_END;
			message.error = rtnl_take_error(header);
		} else if (header->nlmsg_type == RTM_NEWLINK) {
			message.kind = RTNL_LINK;
			told = rtnl_take_link(header, &message.link);
		} else if (header->nlmsg_type == RTM_DELLINK) {
			message.kind = RTNL_GONE;
			told = rtnl_take_link(header, &message.link);
		} else {
			told = false;
		}
		if (told)
			each(arg, &message);
	}
}
