/* A live interface, through the stock libpcap.
 *
 * Direction comes from the kernel: one handle takes what is received, another what is
 * sent. The filter of a handle is `inbound and (USER)` or `outbound and (USER)`,
 * attached with SO_ATTACH_FILTER on its descriptor. pcap_setfilter() will not do: after
 * it libpcap filters the blocks already in the ring a second time in user space, where
 * its interpreter does not know the packet type that `inbound` looks at, answers "no
 * match", and the packets are gone without a trace in any counter. Nor is it called with
 * USER alone: its second filter lasts until the first block is full, so a filter changed
 * before that would lose what fits only the new one.
 *
 * Between the activation and the attaching a handle takes everything in both directions.
 * The counter read right after the attaching says how many packets that were (`early`).
 * pcap_setdirection() makes libpcap leave out the wrong direction of these, and the
 * callback leaves out what USER does not match, for as many packets as were early.
 *
 * The loopback device passes each packet twice to packet sockets, going out and coming
 * in: it has the inbound handle only. Cooked link types carry the direction in each
 * header: one handle, and there pcap_setfilter() is right. */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/iface.h"
#include "worker/decode.h"
#include "worker/filter.h"
#include "worker/source.h"

/* What libpcap makes a ring of; it rounds a buffer down to these. */
#define RING_BLOCK (UINT64_C(256) * 1024)
#define RING_BLOCKS_MIN 2 /* one to be filled while the other is read */

/* How often a handle whose interface is down is asked whether it is up again or gone:
 * neither wakes a poll. */
#define DOWN_POLL_MS 50

struct live_handle {
	pcap_t *pcap;
	int fd;
	enum observed observed;
	enum filter_direction direction;
	int64_t ts_unit; /* ns per unit of the time stamps' fraction */
	struct pcap_stat last; /* as read, 32 bits */
	uint64_t received;     /* since the filter is in force */
	uint64_t dropped;
	uint64_t early;
	uint64_t early_left; /* handed over packets among which there may be early ones */
	bool stats_failed;
};

struct live {
	struct source source;
	struct iface_name iface;
	struct capture_config config;
	bool loopback;
	bool cooked;
	int link_type;
	uint64_t handle_buffer;
	unsigned wanted;  /* handles */
	unsigned handles; /* that are open */
	struct live_handle handle[SOURCE_HANDLES_MAX];
	struct bpf_program early_filter; /* USER for frames in memory */
	bool exact; /* the kernel counts just what is handed over, early ones apart */
};

static struct live *
live_of(struct source *source)
{
	return (struct live *)source;
}

static const struct live *
live_of_const(const struct source *source)
{
	return (const struct live *)source;
}

/* libpcap's status of an activation as a fault, and as negative errno. */
static int
live_fault(struct live *live, struct source_fault *fault, pcap_t *pcap, int status)
{
	const char *text = pcap ? pcap_geterr(pcap) : "";

	if (text[0] == '\0')
		text = pcap_statustostr(status);
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		source_fault_set(fault, SOURCE_NO_SUCH_DEVICE, "%s", text);
		return -ENODEV;
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		source_fault_set(fault, SOURCE_PERMISSION, "%s", text);
		return -EPERM;
	case PCAP_ERROR_IFACE_NOT_UP:
		source_fault_set(fault, SOURCE_DOWN, "%s", text);
		return -ENETDOWN;
	default:
		/* It may vanish between two steps of libpcap, which is then vague. */
		if (if_nametoindex(live->iface.s) == 0 && errno == ENODEV) {
			source_fault_set(fault, SOURCE_NO_SUCH_DEVICE, "%s", text);
			return -ENODEV;
		}
		source_fault_set(fault, SOURCE_OPEN_FAILED, "%s", text);
		return -EIO;
	}
}

static int
live_open(struct source **out, const struct source_options *options,
    struct source_fault *fault)
{
	struct ifreq request;
	struct live *live;
	int fd;
	int rc;

	if (strcmp(options->iface, "any") == 0) {
		source_fault_set(fault, SOURCE_OPEN_FAILED,
		    "the pseudo-device \"any\" is not captured: name each interface");
		return -EOPNOTSUPP;
	}
	live = calloc(1, sizeof(*live));
	if (!live) {
		source_fault_set(fault, SOURCE_OPEN_FAILED, "out of memory");
		return -ENOMEM;
	}
	live->source.ops = &source_live;
	live->config = *options->config;
	if (iface_name_set(&live->iface, options->iface) != 0) {
		source_fault_set(fault, SOURCE_NO_SUCH_DEVICE, "not an interface's name");
		rc = -ENODEV;
		goto fail;
	}

	/* Asked here, since without rights libpcap says "not allowed" of interfaces that
	 * do not exist, too. */
	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, live->iface.s, sizeof(live->iface.s));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = -errno;
		source_fault_set(fault, SOURCE_OPEN_FAILED, "socket: %s", strerror(-rc));
		goto fail;
	}
	rc = ioctl(fd, SIOCGIFHWADDR, &request) == 0 ? 0 : -errno;
	close(fd);
	if (rc != 0) {
		source_fault_set(fault,
		    rc == -ENODEV ? SOURCE_NO_SUCH_DEVICE : SOURCE_OPEN_FAILED, "%s",
		    rc == -ENODEV ? "no interface of this name" : strerror(-rc));
		goto fail;
	}
	live->loopback = request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	live->wanted = live->loopback ? 1 : 2;
	*out = &live->source;
	return 0;
fail:
	free(live);
	return rc;
}

/* Opens one handle up to its activation. On failure nothing stays open. */
static int
live_activate_handle(struct live *live, struct live_handle *handle, bool promiscuous,
    struct source_fault *fault)
{
	char text[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(live->iface.s, text);
	int status;
	int rc;

	if (!pcap) {
		source_fault_set(fault, SOURCE_OPEN_FAILED, "%s", text);
		return -EIO;
	}
	/* These fail only on an activated handle. Never immediate mode: it costs one
	 * wake-up per packet and the rings of blocks. */
	(void)pcap_set_snaplen(pcap, (int)live->config.snaplen);
	(void)pcap_set_promisc(pcap, promiscuous);
	(void)pcap_set_timeout(pcap, (int)live->config.timeout_ms);
	(void)pcap_set_buffer_size(pcap, (int)live->handle_buffer);
	/* Where it is not available, pcap_get_tstamp_precision() says so below. */
	(void)pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	status = pcap_activate(pcap);
	if (status < 0) {
		rc = live_fault(live, fault, pcap, status);
		goto fail;
	}
	if (pcap_setnonblock(pcap, 1, text) != 0) {
		source_fault_set(fault, SOURCE_OPEN_FAILED, "%s", text);
		rc = -EIO;
		goto fail;
	}
	handle->pcap = pcap;
	handle->fd = pcap_get_selectable_fd(pcap);
	handle->ts_unit =
	    pcap_get_tstamp_precision(pcap) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	return 0;
fail:
	pcap_close(pcap);
	return rc;
}

/* Adds what was counted since the last reading; differences of 32 bits are right across
 * a wrap. */
static void
live_read_counters(struct live_handle *handle)
{
	struct pcap_stat now;

	if (pcap_stats(handle->pcap, &now) != 0) {
		handle->stats_failed = true;
		return;
	}
	handle->received += (uint32_t)(now.ps_recv - handle->last.ps_recv);
	handle->dropped += (uint32_t)(now.ps_drop - handle->last.ps_drop);
	handle->last = now;
}

/* The user's filter from now on. The old one stays on failure. */
static int
live_attach(struct live *live, struct live_handle *handle, const char *text,
    struct source_fault *fault)
{
	struct bpf_program program;
	int rc = filter_compile(handle->pcap, handle->direction, text, &program, fault);

	if (rc != 0)
		return rc;
	if (!live->cooked) {
		rc = filter_attach(handle->fd, &program, fault);
	} else if (pcap_setfilter(handle->pcap, &program) != 0) {
		source_fault_set(fault, SOURCE_FILTER, "%s", pcap_geterr(handle->pcap));
		rc = -EINVAL;
	}
	pcap_freecode(&program);
	return rc;
}

/* Puts the user's filter in force on a fresh handle and finds its zero point. */
static int
live_start_handle(
    struct live *live, struct live_handle *handle, struct source_fault *fault)
{
	int rc;

	if (!live->cooked &&
	    pcap_setdirection(handle->pcap,
		handle->direction == FILTER_INBOUND ? PCAP_D_IN : PCAP_D_OUT) != 0) {
		source_fault_set(fault, SOURCE_OPEN_FAILED, "%s",
		    pcap_geterr(handle->pcap));
		return -EIO;
	}
	rc = live_attach(live, handle, live->config.filter, fault);
	if (rc != 0)
		return rc;
	live_read_counters(handle);
	/* A dropped one is not in the ring, so it cannot be mistaken either. */
	handle->early = handle->received - handle->dropped;
	handle->early_left = handle->early;
	handle->received = 0;
	handle->dropped = 0;
	return 0;
}

static void
live_close_handles(struct live *live)
{
	for (unsigned i = 0; i < live->handles; i++)
		pcap_close(live->handle[i].pcap);
	live->handles = 0;
}

/* The ring of one handle. */
static uint64_t
live_ring_size(uint64_t buffer, unsigned handles)
{
	uint64_t blocks = (buffer / handles + RING_BLOCK - 1) / RING_BLOCK;

	return (blocks < RING_BLOCKS_MIN ? RING_BLOCKS_MIN : blocks) * RING_BLOCK;
}

/* The first handle, with whose help everything about the link is found out. */
static int
live_open_first(struct live *live, struct source_fault *fault)
{
	struct live_handle *first = &live->handle[0];
	int rc;

	for (;;) {
		*first = (struct live_handle){
		    .observed = RECEIVED, .direction = FILTER_INBOUND};
		live->handle_buffer = live_ring_size(live->config.buffer, live->wanted);
		rc = live_activate_handle(live, first, live->config.promiscuous, fault);
		if (rc != 0)
			return rc;
		live->handles = 1;
		/* Only now: an unknown kind of device makes libpcap turn to cooked mode
		 * while it activates. */
		live->link_type = pcap_datalink(first->pcap);
		live->cooked = live->link_type == DLT_LINUX_SLL ||
			       live->link_type == DLT_LINUX_SLL2;
		if (!live->cooked || live->wanted == 1)
			break;
		live_close_handles(live); /* once more, with the whole buffer */
		live->wanted = 1;
	}
	if (live->cooked)
		first->direction = FILTER_BOTH;
	if (!decode_knows_link_type(live->link_type)) {
		const char *name = pcap_datalink_val_to_name(live->link_type);

		source_fault_set(fault, SOURCE_LINK_TYPE, "link type %d (%s) is not supported",
		    live->link_type, name ? name : "no name");
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/* USER for the early packets: compiled for frames in memory, where the tags that the
 * kernel keeps beside a frame have been put back. A filter that only makes sense in the
 * kernel may not compile for that; then the early packets count. */
static void
live_compile_early(struct live *live)
{
	pcap_t *dead = pcap_open_dead(live->link_type, (int)live->config.snaplen);
	struct source_fault fault;

	if (!dead || filter_compile(dead, FILTER_BOTH, live->config.filter,
			 &live->early_filter, &fault) != 0) {
		live->handle[0].early_left = 0;
		live->handle[1].early_left = 0;
	}
	if (dead)
		pcap_close(dead);
}

static int
live_activate(struct source *source, struct source_fault *fault)
{
	struct live *live = live_of(source);
	int rc;

	rc = live_open_first(live, fault);
	if (rc != 0)
		return rc;
	rc = live_start_handle(live, &live->handle[0], fault);
	if (rc != 0)
		return rc;
	if (live->wanted == 2) {
		live->handle[1] =
		    (struct live_handle){.observed = SENT, .direction = FILTER_OUTBOUND};
		/* Promiscuous mode is about receiving. */
		rc = live_activate_handle(live, &live->handle[1], false, fault);
		if (rc != 0)
			return rc;
		live->handles = 2;
		rc = live_start_handle(live, &live->handle[1], fault);
		if (rc != 0)
			return rc;
	}
	/* libpcap may have to run a filter for cooked frames in user space, and then the
	 * kernel counts what it leaves out. */
	live->exact = !live->cooked || live->config.filter[0] == '\0';
	if (live->cooked)
		live->handle[0].early_left = 0; /* libpcap has seen to them */
	else
		live_compile_early(live);
	return 0;
}

static unsigned
live_poll(struct source *source, struct pollfd fds[SOURCE_HANDLES_MAX], int *wait_ms)
{
	struct live *live = live_of(source);

	for (unsigned i = 0; i < live->handles; i++)
		fds[i] = (struct pollfd){live->handle[i].fd, POLLIN, 0};
	if (source->ops->down(source) && *wait_ms > DOWN_POLL_MS)
		*wait_ms = DOWN_POLL_MS;
	return live->handles;
}

struct delivery {
	struct live *live;
	struct live_handle *handle;
	source_sink *sink;
	void *arg;
};

static void
live_packet(u_char *user, const struct pcap_pkthdr *header, const u_char *data)
{
	struct delivery *to = (struct delivery *)(void *)user;
	struct packet packet = {
	    .ts_ns = (int64_t)header->ts.tv_sec * NS_PER_S +
		     (int64_t)header->ts.tv_usec * to->handle->ts_unit,
	    .wire_len = header->len,
	    .caplen = header->caplen,
	    .data = data,
	    .link_type = to->live->link_type,
	    .observed = to->handle->observed,
	};

	/* The early ones are the first in the ring, so once as many packets as were early
	 * have come by, none is left. Later ones match anyway. */
	if (to->handle->early_left > 0) {
		to->handle->early_left--;
		if (pcap_offline_filter(&to->live->early_filter, header, data) == 0)
			return;
	}
	to->sink(to->arg, &packet);
}

static int
live_dispatch(struct source *source, unsigned most, source_sink *sink, void *arg,
    struct source_fault *fault)
{
	struct live *live = live_of(source);
	int sum = 0;

	for (unsigned i = 0; i < live->handles; i++) {
		struct delivery to = {live, &live->handle[i], sink, arg};
		pcap_t *pcap = live->handle[i].pcap;
		int n = pcap_dispatch(pcap, (int)most, live_packet, (u_char *)(void *)&to);

		if (n >= 0) {
			sum += n;
			continue;
		}
		/* libpcap has no code for it, and this text in all versions. */
		if (strstr(pcap_geterr(pcap), "disappeared")) {
			source_fault_set(fault, SOURCE_GONE, "%s", pcap_geterr(pcap));
			return -ENODEV;
		}
		source_fault_set(fault, SOURCE_READ_FAILED, "%s", pcap_geterr(pcap));
		return -EIO;
	}
	return sum;
}

static int
live_set_filter(struct source *source, const char *text, struct source_fault *fault)
{
	struct live *live = live_of(source);

	for (unsigned i = 0; i < live->handles; i++) {
		int rc = live_attach(live, &live->handle[i], text, fault);

		if (rc != 0) {
			struct source_fault second;

			while (i-- > 0)
				(void)live_attach(live, &live->handle[i],
				    live->config.filter, &second);
			return rc;
		}
		/* Whether an early packet fits the new filter is not known; there are at
		 * most a handful, and only within the first timeout. */
		live->handle[i].early_left = 0;
	}
	if (live->cooked)
		live->exact = false; /* what waits in the ring is filtered once more */
	snprintf(live->config.filter, sizeof(live->config.filter), "%s", text);
	return 0;
}

static int
live_stop(struct source *source)
{
	struct live *live = live_of(source);
	int failed = 0;

	for (unsigned i = 0; i < live->handles; i++) {
		int rc = filter_attach_nothing(live->handle[i].fd);

		if (rc != 0)
			failed = rc;
	}
	return failed;
}

static struct source_kernel
live_kernel(struct source *source)
{
	struct live *live = live_of(source);
	struct source_kernel sum = {.known = live->handles > 0};

	for (unsigned i = 0; i < live->handles; i++) {
		struct live_handle *handle = &live->handle[i];

		live_read_counters(handle);
		sum.received += handle->received;
		sum.dropped += handle->dropped;
		sum.early += handle->early;
		if (handle->stats_failed)
			sum.known = false;
	}
	sum.exact = live->exact;
	return sum;
}

/* libpcap wants to be called often when, and as long as, it has seen the interface go
 * down. */
static bool
live_down(const struct source *source)
{
	const struct live *live = live_of_const(source);

	for (unsigned i = 0; i < live->handles; i++) {
		if (pcap_get_required_select_timeout(live->handle[i].pcap))
			return true;
	}
	return false;
}

static struct source_facts
live_facts(const struct source *source)
{
	const struct live *live = live_of_const(source);

	return (struct source_facts){
	    .link_type = live->link_type,
	    .handles = live->handles,
	    .buffer = live->handle_buffer * live->handles,
	    .snaplen = live->config.snaplen,
	    .timeout_ms = live->config.timeout_ms,
	    .promiscuous = live->config.promiscuous,
	};
}

static void
live_close(struct source *source)
{
	struct live *live;

	if (!source)
		return;
	live = live_of(source);
	live_close_handles(live);
	pcap_freecode(&live->early_filter);
	free(live);
}

const struct source_ops source_live = {
    .open = live_open,
    .activate = live_activate,
    .poll = live_poll,
    .dispatch = live_dispatch,
    .set_filter = live_set_filter,
    .stop = live_stop,
    .kernel = live_kernel,
    .down = live_down,
    .facts = live_facts,
    .close = live_close,
};
