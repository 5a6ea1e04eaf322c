/* The text is compiled alone first: a text like `udp) or (tcp` is a syntax error, and
 * must not become a filter when it is put between brackets.
 *
 * A plain filter also looks inside VLAN tags. Without that, `udp port 53` would count
 * other packets received than sent: the kernel takes the outer tag out of a frame that
 * is received, and leaves it in one that is sent. So the compiled program is put three
 * times behind a head that looks for tags in the frame:
 *
 *	type at 12 is a tag? - no: program
 *	type at 16 is a tag? - no: program, 4 bytes further
 *			       yes: program, 8 bytes further
 *
 * Each copy ends in a return, so they only have to follow one another. A filter that
 * speaks of vlan, mpls or pppoe itself is left to libpcap's own rules. */
#include "worker/filter.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel takes the same instructions under another name. */
_Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter),
    "libpcap's and the kernel's instructions have one layout");

static int
compile(
    pcap_t *pcap, const char *text, struct bpf_program *out, struct source_fault *fault)
{
	if (pcap_compile(pcap, out, text, 1, PCAP_NETMASK_UNKNOWN) == 0)
		return 0;
	source_fault_set(fault, SOURCE_FILTER, "%s", pcap_geterr(pcap));
	return -EINVAL;
}

#define TAG_SIZE 4
#define TYPE_AT 12 /* in an Ethernet frame; the addresses before it never move */

/* Whether the text has one of the words after which offsets are libpcap's business. */
static bool
speaks_of_tags(const char *text)
{
	static const char *const words[] = {
	    "vlan", "mpls", "pppoe", "pppoed", "pppoes"};

	while (*text != '\0') {
		size_t len = 0;

		while (isalnum((unsigned char)text[len]) || text[len] == '_')
			len++;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (strlen(words[i]) == len && memcmp(text, words[i], len) == 0)
				return true;
		}
		text += len > 0 ? len : 1;
	}
	return false;
}

/* One instruction of the program as it has to be for a frame that is `shift` bytes
 * longer before its type. */
static struct bpf_insn
shifted(struct bpf_insn insn, unsigned shift)
{
	const bool load =
	    BPF_CLASS(insn.code) == BPF_LD || BPF_CLASS(insn.code) == BPF_LDX;
	const unsigned mode = BPF_MODE(insn.code);

	/* From INT32_MAX on an offset means something that is not in the frame. */
	if (load && (mode == BPF_ABS || mode == BPF_IND || mode == BPF_MSH) &&
	    insn.k >= TYPE_AT && insn.k < INT32_MAX)
		insn.k += shift;
	return insn;
}

/* Appends: load the type at `at`, go on `yes` instructions further when it is a tag,
 * else `no` instructions further. */
static unsigned
put_tag_test(struct bpf_insn *out, unsigned at, unsigned yes, unsigned no)
{
	const struct bpf_insn test[] = {
	    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, at),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x8100, 3, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88a8, 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x9100, 1, 0),
	    BPF_STMT(BPF_JMP | BPF_JA, no + 1), /* a copy may be longer than a jump */
	    BPF_STMT(BPF_JMP | BPF_JA, yes),
	};

	memcpy(out, test, sizeof(test));
	return sizeof(test) / sizeof(test[0]);
}

#define TAG_TEST_LEN 6

/* Replaces the program by one that applies inside up to two tags. */
static int
join_tags(struct bpf_program *program, struct source_fault *fault)
{
	const unsigned len = program->bf_len;
	struct bpf_insn *joined;
	unsigned used = 0;

	if (len > BPF_MAXINSNS || 2 * TAG_TEST_LEN + 3 * len > BPF_MAXINSNS) {
		source_fault_set(fault, SOURCE_FILTER,
		    "the filter is too long: %u steps, thrice for VLAN tags", len);
		return -E2BIG;
	}
	joined = calloc(2 * TAG_TEST_LEN + 3 * len, sizeof(*joined));
	if (!joined) {
		source_fault_set(fault, SOURCE_FILTER, "out of memory");
		return -ENOMEM;
	}
	used += put_tag_test(joined + used, TYPE_AT, 0, TAG_TEST_LEN);
	used += put_tag_test(joined + used, TYPE_AT + TAG_SIZE, 2 * len, len);
	for (unsigned tags = 0; tags <= 2; tags++) {
		for (unsigned i = 0; i < len; i++)
			joined[used++] = shifted(program->bf_insns[i], tags * TAG_SIZE);
	}
	pcap_freecode(program);
	program->bf_insns = joined; /* freed by pcap_freecode(), with free() */
	program->bf_len = used;
	return 0;
}

int
filter_compile(pcap_t *pcap, enum filter_direction direction, const char *text,
    struct bpf_program *out, struct source_fault *fault)
{
	const char *word = direction == FILTER_INBOUND ? "inbound" : "outbound";
	char joined[CAPTURE_FILTER_SIZE + sizeof("outbound and ()")];
	struct bpf_program program;
	int rc;

	if (text[strspn(text, " \t\r\n")] == '\0')
		text = "";
	rc = compile(pcap, text, &program, fault);
	if (rc != 0)
		return rc;
	if (direction != FILTER_BOTH) {
		pcap_freecode(&program);
		if (text[0] == '\0')
			snprintf(joined, sizeof(joined), "%s", word);
		else
			snprintf(joined, sizeof(joined), "%s and (%s)", word, text);
		rc = compile(pcap, joined, &program, fault);
		if (rc != 0)
			return rc;
	}
	if (text[0] != '\0' && pcap_datalink(pcap) == DLT_EN10MB &&
	    !speaks_of_tags(text)) {
		rc = join_tags(&program, fault);
		if (rc != 0) {
			pcap_freecode(&program);
			return rc;
		}
	}
	*out = program;
	return 0;
}

int
filter_attach(int fd, const struct bpf_program *program, struct source_fault *fault)
{
	struct sock_fprog kernel = {0, NULL};
	int rc;

	if (program->bf_len > USHRT_MAX) {
		source_fault_set(fault, SOURCE_FILTER,
		    "the filter is too long: %u steps", program->bf_len);
		return -E2BIG;
	}
	kernel.len = (unsigned short)program->bf_len;
	kernel.filter = (struct sock_filter *)(void *)program->bf_insns;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &kernel, sizeof(kernel)) == 0)
		return 0;
	rc = -errno;
	source_fault_set(fault, SOURCE_FILTER,
	    "the kernel refuses the filter (%u steps): %s", program->bf_len,
	    strerror(-rc));
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
