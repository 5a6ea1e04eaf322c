/* The text is compiled alone first: a text like `udp) or (tcp` is a syntax error, and
 * must not become a filter when it is put between brackets. */
#include "worker/filter.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel takes the same instructions under another name. */
_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter),
    "libpcap's and the kernel's instructions have one layout");

static int
compile(pcap_t *pcap, const char *text, struct bpf_program *out,
    struct source_fault *fault)
{
	if (pcap_compile(pcap, out, text, 1, PCAP_NETMASK_UNKNOWN) == 0)
		return 0;
	source_fault_set(fault, SOURCE_FILTER, "%s", pcap_geterr(pcap));
	return -EINVAL;
}

int
filter_compile(pcap_t *pcap, enum filter_direction direction, const char *text,
    struct bpf_program *out, struct source_fault *fault)
{
	const char *word = direction == FILTER_INBOUND ? "inbound" : "outbound";
	char joined[CAPTURE_FILTER_SIZE + sizeof("outbound and ()")];
	struct bpf_program alone;
	int rc;

	if (text[strspn(text, " \t\r\n")] == '\0')
		text = "";
	rc = compile(pcap, text, &alone, fault);
	if (rc != 0)
		return rc;
	if (direction == FILTER_BOTH) {
		*out = alone;
		return 0;
	}
	pcap_freecode(&alone);
	if (text[0] == '\0')
		snprintf(joined, sizeof(joined), "%s", word);
	else
		snprintf(joined, sizeof(joined), "%s and (%s)", word, text);
	return compile(pcap, joined, out, fault);
}

int
filter_attach(int fd, const struct bpf_program *program, struct source_fault *fault)
{
	struct sock_fprog kernel = {0, NULL};
	int rc;

	if (program->bf_len > USHRT_MAX) {
		source_fault_set(fault, SOURCE_FILTER, "the filter is too long: %u steps",
		    program->bf_len);
		return -E2BIG;
	}
	kernel.len = (unsigned short)program->bf_len;
	kernel.filter = (struct sock_filter *)(void *)program->bf_insns;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &kernel, sizeof(kernel)) == 0)
		return 0;
	rc = -errno;
	source_fault_set(fault, SOURCE_FILTER, "the kernel refuses the filter (%u steps): %s",
	    program->bf_len, strerror(-rc));
	return rc;
}

int
filter_attach_nothing(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog kernel = {1, &nothing};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &kernel, sizeof(kernel)) == 0)
		return 0;
	return -errno;
}
