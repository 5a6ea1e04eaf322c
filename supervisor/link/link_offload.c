/* The ioctls of ethtool(8) that need no right and that every device answers. The
 * socket only says which network namespace is meant, so a Unix one does: a service
 * that may not have AF_INET sockets still knows. */
#include "supervisor/link/links.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum link_offload_question {
	OFFLOAD_GRO,
	OFFLOAD_GSO,
	OFFLOAD_TSO,
	OFFLOAD_FLAGS,
	OFFLOAD_QUESTIONS
};

static const uint32_t link_offload_commands[OFFLOAD_QUESTIONS] = {
    [OFFLOAD_GRO] = ETHTOOL_GGRO,
    [OFFLOAD_GSO] = ETHTOOL_GGSO,
    [OFFLOAD_TSO] = ETHTOOL_GTSO,
    [OFFLOAD_FLAGS] = ETHTOOL_GFLAGS,
};

static const struct link_offload {
	enum link_offload_question question;
	uint32_t mask; /* of its answer */
	const char *word;
} link_offloads[] = {
    {OFFLOAD_GRO, UINT32_MAX, "gro"},
    {OFFLOAD_FLAGS, ETH_FLAG_LRO, "lro"},
    {OFFLOAD_GSO, UINT32_MAX, "gso"},
    {OFFLOAD_TSO, UINT32_MAX, "tso"},
    {OFFLOAD_FLAGS, ETH_FLAG_RXVLAN, "rx-vlan"},
    {OFFLOAD_FLAGS, ETH_FLAG_TXVLAN, "tx-vlan"},
};

static int
link_offload_ask(int fd, const char *name, uint32_t command, uint32_t *out)
{
	struct ethtool_value value = {.cmd = command};
	struct ifreq request = {.ifr_data = (void *)&value};

	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return -errno;
	*out = value.data;
	return 0;
}

int
link_offload(const char *name, char out[static LINK_OFFLOAD_SIZE])
{
	uint32_t values[OFFLOAD_QUESTIONS] = {0};
	char words[LINK_OFFLOAD_SIZE] = "";
	size_t used = 0;
	int rc = 0;
	int fd;

	if (!iface_name_valid(name))
		return -EINVAL;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Each waits for the lock that the making of links holds: not one more than needed. */
	for (size_t i = 0; i < OFFLOAD_QUESTIONS; i++) {
		rc = link_offload_ask(fd, name, link_offload_commands[i], &values[i]);
		if (rc < 0)
			goto out;
	}
	for (size_t i = 0; i < sizeof(link_offloads) / sizeof(link_offloads[0]); i++) {
		const struct link_offload *offload = &link_offloads[i];

		if ((values[offload->question] & offload->mask) == 0)
			continue;
		if (used > 0)
			words[used++] = ' ';
		memcpy(words + used, offload->word, strlen(offload->word));
		used += strlen(offload->word);
	}
	memcpy(out, words, sizeof(words));
out:
	close(fd);
	return rc;
}
