/* Private to source_live.c (reading) and source_live_open.c (opening). */
#ifndef WEIR_WORKER_SOURCE_LIVE_H
#define WEIR_WORKER_SOURCE_LIVE_H

#include <pcap/pcap.h>

#include "common/iface.h"
#include "worker/filter.h"
#include "worker/source.h"

struct live_handle {
	pcap_t *pcap;
	int fd;
	enum observed observed;
	enum filter_direction direction;
	int64_t ts_unit; /* ns per unit of the time stamps' fraction */
	struct pcap_stat last; /* as read, 32 bits */
	uint64_t received; /* since the filter is in force */
	uint64_t dropped;
	uint64_t early;
	uint64_t early_left; /* packets to come among which may be early ones */
	bool stats_failed;
};

struct live_source {
	struct source source;
	struct iface_name iface;
	struct capture_config config;
	bool loopback;
	bool cooked;
	int link_type;
	uint64_t handle_buffer;
	unsigned wanted; /* handles */
	unsigned handles; /* that are open */
	struct live_handle handle[SOURCE_HANDLES_MAX];
	struct bpf_program early_filter; /* USER for frames in memory */
	unsigned down_polls; /* since the interface is down, up to a limit */
	bool exact; /* the kernel counts just what is handed over, early ones apart */
};

static inline struct live_source *
live_of(struct source *source)
{
	return (struct live_source *)source;
}

static inline const struct live_source *
live_of_const(const struct source *source)
{
	return (const struct live_source *)source;
}

/* source_live_open.c: the first two slots of source_live. */
int live_open(struct source **out, const struct source_options *options,
    struct source_fault *fault);
int live_activate(struct source *source, struct source_fault *fault);

/* The user's filter from now on, with the handle's direction. The old one stays on
 * failure. */
int live_attach(struct live_source *live, struct live_handle *handle, const char *text,
    struct source_fault *fault);

/* Adds what the kernel counted since the last reading. */
void live_read_counters(struct live_handle *handle);

void live_close_handles(struct live_source *live);

#endif
