/* Where packets come from: a live interface (source_live.c) or a capture file
 * (source_file.c). Both hand packets to the same sink, so that everything after the
 * source is one path.
 *
 * Threads: one at a time; the opening may be done by another thread than the reading. */
#ifndef WEIR_WORKER_SOURCE_H
#define WEIR_WORKER_SOURCE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/capture_config.h"
#include "proto/msg.h"
#include "worker/packet.h"

/* Most packet handles of one source; also most descriptors to poll. */
#define SOURCE_HANDLES_MAX 2

/* Why a source cannot be opened or read. Kept as a number beside the answer of a command
 * in the record file, so append only; the names go into messages. */
enum source_reason {
	SOURCE_OK = 0,
	SOURCE_NO_SUCH_DEVICE, /* no interface of that name */
	SOURCE_DOWN, /* it is there, and down */
	SOURCE_PERMISSION, /* not allowed to capture on it */
	SOURCE_FILTER, /* the filter does not compile for its link type */
	SOURCE_LINK_TYPE, /* its link type is not decoded */
	SOURCE_GONE, /* it vanished while it was read */
	SOURCE_READ_FAILED,
	SOURCE_OPEN_FAILED, /* anything else */
	SOURCE_UNDECODABLE, /* nothing but undecodable packets for too long */
	SOURCE_REASON_MAX
};

/* "no_such_device", ...; "" for SOURCE_OK and for numbers out of range. */
const char *source_reason_name(enum source_reason reason);

struct source_fault {
	enum source_reason reason;
	char text[MSG_TEXT_MAX + 1]; /* pcap's own words, or ours; for people */
};

/* Sets both; the text is cut to fit. */
void source_fault_set(struct source_fault *fault, enum source_reason reason,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

struct source_options {
	const char *iface; /* live */
	const struct capture_config *config; /* live; copied */
	int fd; /* file: read from here; stays open */
};

/* What is in force, which is not always what was asked for. */
struct source_facts {
	int link_type; /* DLT_ value; asked after activation */
	unsigned handles;
	uint64_t buffer; /* bytes, all handles together */
	uint32_t snaplen;
	uint32_t timeout_ms;
	bool promiscuous;
};

/* The kernel's own count of packets. `received` includes dropped ones. Zero is where the
 * filter came into force; what a handle had taken before that is `early`: of these,
 * only some are handed over (those that fit the filter and the direction). */
struct source_kernel {
	bool known;
	bool
	    exact; /* it counts what is handed over, and nothing that is filtered later */
	uint64_t received;
	uint64_t dropped;
	uint64_t early;
};

typedef void source_sink(void *arg, const struct packet *packet);

/* The beginning of every source; the rest belongs to its own file. */
struct source {
	const struct source_ops *ops;
};

/* All return 0 or negative errno and fill the fault on failure, unless said otherwise. */
struct source_ops {
	/* UNINITIALIZED to INITIALIZED: takes the options, looks whether there is such a
	 * thing. Does not block. On success the source is freed by close(). */
	int (*open)(struct source **out, const struct source_options *options,
	    struct source_fault *fault);

	/* INITIALIZED to ACTIVE, once. Live: needs CAP_NET_RAW, waits some 10 ms per
	 * handle for the kernel. After a failure only close() may follow. */
	int (*activate)(struct source *source, struct source_fault *fault);

	/* Descriptors to poll before the next dispatch(); answers how many. *wait_ms is
	 * lowered when the source must be dispatched by then in any case. */
	unsigned (*poll)(
	    struct source *source, struct pollfd fds[SOURCE_HANDLES_MAX], int *wait_ms);

	/* Hands what is there to the sink, at most `most` packets of each handle. Never
	 * blocks on a live source; a file blocks as its descriptor does. Answers how many
	 * (live: 0 means none now), -ENODATA at the end of a file, -ENODEV when the
	 * interface is gone, -EIO when reading failed. Packets handed over before a
	 * failure are not told: the sink counts. May be called again after a failure. */
	int (*dispatch)(struct source *source, unsigned most, source_sink *sink,
	    void *arg, struct source_fault *fault);

	/* Another filter from now on, without opening anything and without losing a
	 * packet that fits both. On failure the old one stays. */
	int (*set_filter)(
	    struct source *source, const char *text, struct source_fault *fault);

	/* Nothing more comes in; what came in can still be read. */
	int (*stop)(struct source *source);

	/* Reads the kernel's counters. Counters of 32 bits are widened here, so call it
	 * more often than they wrap (1 s is enough for any link). */
	struct source_kernel (*kernel)(struct source *source);

	/* Whether the interface is down at the moment (it is still being captured). */
	bool (*down)(const struct source *source);

	/* What is in force; after activate(). */
	struct source_facts (*facts)(const struct source *source);

	/* Frees everything; NULL is allowed. Live: waits some 10 ms per handle. */
	void (*close)(struct source *source);
};

extern const struct source_ops source_live;
extern const struct source_ops source_file;

#endif
