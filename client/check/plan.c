#include "client/check/plan.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int
check_links(struct check_link **out, size_t *count)
{
	struct if_nameindex *names = if_nameindex();
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct check_link *links = NULL;
	size_t n = 0;
	int rc = 0;

	if (!names || fd < 0) {
		rc = -errno;
		goto out;
	}
	while (names[n].if_index != 0)
		n++;
	links = calloc(n > 0 ? n : 1, sizeof(*links));
	if (!links) {
		rc = -ENOMEM;
		goto out;
	}
	n = 0;
	for (size_t i = 0; names[i].if_index != 0; i++) {
		struct check_link *link = &links[n];
		struct ifreq request = {0};

		/* One that goes at this moment is not there any more. */
		if (iface_name_set(&link->name, names[i].if_name) != 0)
			continue;
		memcpy(request.ifr_name, link->name.s, sizeof(link->name.s));
		if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
			continue;
		link->up = (request.ifr_flags & IFF_UP) != 0;
		link->loopback = (request.ifr_flags & IFF_LOOPBACK) != 0;
		n++;
	}
	*out = links;
	*count = n;
out:
	if (names)
		if_freenameindex(names);
	if (fd >= 0)
		close(fd);
	return rc;
}

int
check_plan(const struct config_iface *entries, size_t entry_count,
    const struct check_link *links, size_t link_count, struct check_target **out,
    size_t *count)
{
	const struct config_iface **owners = calloc(link_count + 1, sizeof(*owners));
	/* each entry once, and each link once more at most */
	struct check_target *targets =
	    calloc(entry_count + link_count + 1, sizeof(*targets));
	size_t n = 0;

	if (!owners || !targets) {
		free(owners);
		free(targets);
		return -ENOMEM;
	}
	for (size_t i = 0; i < link_count; i++)
		owners[i] = config_iface_for(entries, entry_count, links[i].name.s,
		    links[i].up, links[i].loopback);
	for (size_t i = 0; i < entry_count; i++) {
		size_t before = n;

		if (entries[i].kind == CONFIG_IFACE_NAMED) {
			targets[n++] =
			    (struct check_target){&entries[i], entries[i].name};
			continue;
		}
		for (size_t j = 0; j < link_count; j++) {
			if (owners[j] == &entries[i])
				targets[n++] =
				    (struct check_target){&entries[i], links[j].name};
		}
		if (n == before)
			targets[n++] = (struct check_target){.entry = &entries[i]};
	}
	free(owners);
	*out = targets;
	*count = n;
	return 0;
}

void
check_absent(const struct check_link *links, size_t link_count, struct iface_name *out)
{
	bool taken = true;

	for (unsigned n = 0; taken; n++) {
		taken = false;
		memset(out, 0, sizeof(*out));
		snprintf(out->s, sizeof(out->s), "absent%u", n % 100000000);
		for (size_t i = 0; i < link_count && !taken; i++)
			taken = strcmp(links[i].name.s, out->s) == 0;
	}
}
