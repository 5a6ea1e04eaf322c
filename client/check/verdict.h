/* What the answer of a worker means for a start: whether it counts, waits or fails, why,
 * and the one thing that repairs it. */
#ifndef WEIR_CLIENT_CHECK_VERDICT_H
#define WEIR_CLIENT_CHECK_VERDICT_H

#include "client/check/plan.h"
#include "client/check/probe.h"

enum check_result {
	CHECK_OK, /* would count at once */
	CHECK_WAITS, /* nothing is wrong: will count when the interface is there or up */
	CHECK_FAILS,
};

const char *check_result_name(enum check_result result);

/* Who asks, and about which file. */
struct check_asker {
	const char *file; /* of the configuration, for people */
	const char *operand; /* how it was given; NULL: it is the default one */
	bool root;
	const char *missing; /* capabilities that a start needs and root lacks: "CAP_X
				CAP_Y"; "" for none */
};

/* What helps where root is not all of root; takes the capabilities. */
#define CHECK_GRANT \
	"give this container or service %s (docker run --cap-add, systemd " \
	"CapabilityBoundingSet)"

struct check_verdict {
	enum check_result result;
	char why[1200]; /* "" when all is well */
	char repair[1200]; /* "" when there is nothing to do, or nobody knows */
};

/* The probe of a target without an interface (its iface is "") asks about none either: what
 * comes of it is what any interface would meet. */
void check_judge(const struct check_asker *asker, const struct check_target *target,
    const struct check_probe *probe, struct check_verdict *out);

#endif
