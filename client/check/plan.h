/* What weirctl check looks at: the interfaces that the entries of a configuration mean on
 * this host, now. */
#ifndef WEIR_CLIENT_CHECK_PLAN_H
#define WEIR_CLIENT_CHECK_PLAN_H

#include "common/config.h"

/* An interface of this host. */
struct check_link {
	struct iface_name name;
	bool up;
	bool loopback;
};

/* One interface of one entry. */
struct check_target {
	const struct config_iface *entry; /* the configuration's */
	struct iface_name iface; /* "": the entry takes nothing that is there */
};

/* All interfaces, in the kernel's order. *out is malloc'ed. 0 or negative errno. */
int check_links(struct check_link **out, size_t *count);

/* In the order of the entries: a name stands for itself, whether it is there or not; a
 * pattern or any-up for what it takes of `links`. *out is malloc'ed. 0 or -ENOMEM. */
int check_plan(const struct config_iface *entries, size_t entry_count,
    const struct check_link *links, size_t link_count, struct check_target **out,
    size_t *count);

/* A name that none of the links has. */
void check_absent(
    const struct check_link *links, size_t link_count, struct iface_name *out);

#endif
