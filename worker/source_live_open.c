/* Opening a live interface, through the stock libpcap.
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
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/decode.h"
#include "worker/source_live.h"

/* What libpcap makes a ring of; it rounds a buffer down to these. */
#define RING_BLOCK (UINT64_C(256) * 1024)
#define RING_BLOCKS_MIN 2 /* one to be filled while the other is read */

/* libpcap's status of an activation as a fault, and as negative errno. */
static int
live_fault(
    struct live_source *live, struct source_fault *fault, pcap_t *pcap, int status)
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

int
live_open(struct source **out, const struct source_options *options,
    struct source_fault *fault)
{
	struct ifreq request;
	struct live_source *live;
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
		source_fault_set(
		    fault, SOURCE_NO_SUCH_DEVICE, "not an interface's name");
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
		source_fault_set(
		    fault, SOURCE_OPEN_FAILED, "socket: %s", strerror(-rc));
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
live_activate_handle(struct live_source *live, struct live_handle *handle,
    bool promiscuous, struct source_fault *fault)
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

/* Puts the user's filter in force on a fresh handle and finds its zero point. */
static int
live_start_handle(
    struct live_source *live, struct live_handle *handle, struct source_fault *fault)
{
	int rc;

	if (!live->cooked &&
	    pcap_setdirection(handle->pcap,
		handle->direction == FILTER_INBOUND ? PCAP_D_IN : PCAP_D_OUT) != 0) {
		source_fault_set(
		    fault, SOURCE_OPEN_FAILED, "%s", pcap_geterr(handle->pcap));
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

/* The ring of one handle. */
static uint64_t
live_ring_size(uint64_t buffer, unsigned handles)
{
	uint64_t step = handles * RING_BLOCK;
	uint64_t blocks = (buffer + step - 1) / step;

	return (blocks < RING_BLOCKS_MIN ? RING_BLOCKS_MIN : blocks) * RING_BLOCK;
}

/* The first handle, with whose help everything about the link is found out. */
static int
live_open_first(struct live_source *live, struct source_fault *fault)
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

		source_fault_set(fault, SOURCE_LINK_TYPE,
		    "link type %d (%s) is not supported", live->link_type,
		    name ? name : "no name");
		return -EPROTONOSUPPORT;
	}
	return 0;
}

/* USER for the early packets: compiled for frames in memory, where the tags that the
 * kernel keeps beside a frame have been put back. A filter that only makes sense in the
 * kernel may not compile for that; then the early packets count. */
static void
live_compile_early(struct live_source *live)
{
	pcap_t *dead = pcap_open_dead(live->link_type, (int)live->config.snaplen);
	struct source_fault fault;

	if (!dead ||
	    filter_compile(dead, FILTER_BOTH, live->config.filter, &live->early_filter,
		&fault) != 0) {
		live->handle[0].early_left = 0;
		live->handle[1].early_left = 0;
	}
	if (dead)
		pcap_close(dead);
}

int
live_activate(struct source *source, struct source_fault *fault)
{
	struct live_source *live = live_of(source);
	int rc;

	rc = live_open_first(live, fault);
	if (rc != 0)
		return rc;
	rc = live_start_handle(live, &live->handle[0], fault);
	if (rc != 0)
		return rc;
	if (live->wanted == 2) {
		live->handle[1] = (struct live_handle){
		    .observed = SENT, .direction = FILTER_OUTBOUND};
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
