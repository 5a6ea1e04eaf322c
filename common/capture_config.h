/* The settings of one capture: what `update` carries, what the configuration file gives
 * per interface. Every key is compared when the question is "equal configuration?". */
#ifndef WEIR_COMMON_CAPTURE_CONFIG_H
#define WEIR_COMMON_CAPTURE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_BUFFER_MIN UINT64_C(1024)
#define CAPTURE_BUFFER_MAX (UINT64_C(1024) * 1024 * 1024)
#define CAPTURE_BUFFER_DEFAULT (UINT64_C(8) * 1024 * 1024)
#define CAPTURE_SNAPLEN_MIN 64
#define CAPTURE_SNAPLEN_MAX 262144
#define CAPTURE_SNAPLEN_DEFAULT 128 /* QinQ + IPv6 + extension headers + TCP fit */
#define CAPTURE_TIMEOUT_MS_MIN 1 /* 0 would mean "never deliver" to libpcap */
#define CAPTURE_TIMEOUT_MS_MAX 10000
#define CAPTURE_TIMEOUT_MS_DEFAULT 100
#define CAPTURE_FLOWS_MIN 16
#define CAPTURE_FLOWS_MAX UINT64_C(16777216) /* records of one generation */
#define CAPTURE_FLOWS_DEFAULT UINT64_C(1000000)
#define CAPTURE_ERROR_THRESHOLD_MAX UINT64_C(1000000000)
#define CAPTURE_ERROR_THRESHOLD_DEFAULT UINT64_C(10000)
#define CAPTURE_FILTER_SIZE 4096 /* with the NUL */

struct capture_config {
	uint64_t
	    buffer; /* bytes of kernel ring per interface, split over its handles */
	uint64_t flows; /* most flows of one interval; more go to overflow flows */
	uint64_t
	    error_threshold; /* undecodable packets in a row, over 10 s at least, after
				     which the capture is opened again; 0: never */
	uint32_t snaplen;
	uint32_t timeout_ms; /* how long the kernel may hold packets back; never 0 */
	bool promiscuous;
	char filter[CAPTURE_FILTER_SIZE]; /* pcap-filter(7); "" takes everything */
};

void capture_config_default(struct capture_config *config);

/* Which keys differ. */
enum capture_config_change {
	CAPTURE_SAME = 0,
	CAPTURE_FILTER_CHANGED, /* the filter alone: applied in place */
	CAPTURE_REOPEN, /* anything else: a successor must open the capture */
};
enum capture_config_change capture_config_compare(
    const struct capture_config *a, const struct capture_config *b);

/* The names of the keys that differ, as they stand in the configuration file, in that
 * order. Returns how many. */
#define CAPTURE_CONFIG_KEYS 7
size_t capture_config_differences(const struct capture_config *a,
    const struct capture_config *b, const char *names[static CAPTURE_CONFIG_KEYS]);

#endif
