/* Reading a live interface whose handles source_live_open.c has opened. Nothing in here
 * needs a capability: packets, counters, another filter, the end. */
#include "worker/source_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* How often a handle whose interface is down is asked whether it is up again or gone:
 * neither wakes a poll, only packets do. Often at first, since down is how an interface
 * begins to vanish, or to be set up anew; then seldom, as it may be so for years. */
#define DOWN_POLL_FIRST_MS 10
#define DOWN_POLL_DOUBLED 6 /* times: to 640 ms */

/* Differences of 32 bits are right across a wrap. */
void
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

int
live_attach(struct live_source *live, struct live_handle *handle, const char *text,
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

void
live_close_handles(struct live_source *live)
{
	for (unsigned i = 0; i < live->handles; i++)
		pcap_close(live->handle[i].pcap);
	live->handles = 0;
}

static unsigned
live_poll(struct source *source, struct pollfd fds[SOURCE_HANDLES_MAX], int *wait_ms)
{
	struct live_source *live = live_of(source);
	int down_ms;

	for (unsigned i = 0; i < live->handles; i++)
		fds[i] = (struct pollfd){live->handle[i].fd, POLLIN, 0};
	if (!source->ops->down(source)) {
		live->down_polls = 0;
		return live->handles;
	}
	down_ms = DOWN_POLL_FIRST_MS << live->down_polls;
	if (*wait_ms > down_ms)
		*wait_ms = down_ms;
	if (live->down_polls < DOWN_POLL_DOUBLED)
		live->down_polls++;
	return live->handles;
}

struct delivery {
	struct live_source *live;
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
	struct live_source *live = live_of(source);
	int failed = 0;
	int sum = 0;

	/* Also behind one that fails: what the others hold was received, and when the
	 * interface is gone all of them fail, each after its last packet. */
	for (unsigned i = 0; i < live->handles; i++) {
		struct delivery to = {live, &live->handle[i], sink, arg};
		pcap_t *pcap = live->handle[i].pcap;
		int n =
		    pcap_dispatch(pcap, (int)most, live_packet, (u_char *)(void *)&to);

		if (n >= 0) {
			sum += n;
			continue;
		}
		if (failed != 0)
			continue;
		/* libpcap has no code for it, and this text in all versions. */
		failed = strstr(pcap_geterr(pcap), "disappeared") ? -ENODEV : -EIO;
		source_fault_set(fault,
		    failed == -ENODEV ? SOURCE_GONE : SOURCE_READ_FAILED, "%s",
		    pcap_geterr(pcap));
	}
	return failed != 0 ? failed : sum;
}

static int
live_set_filter(struct source *source, const char *text, struct source_fault *fault)
{
	struct live_source *live = live_of(source);

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
	struct live_source *live = live_of(source);
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
	struct live_source *live = live_of(source);
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
	const struct live_source *live = live_of_const(source);

	for (unsigned i = 0; i < live->handles; i++) {
		if (pcap_get_required_select_timeout(live->handle[i].pcap))
			return true;
	}
	return false;
}

static struct source_facts
live_facts(const struct source *source)
{
	const struct live_source *live = live_of_const(source);

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
	struct live_source *live;

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
