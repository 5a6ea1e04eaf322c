/* The keys of a capture's configuration as they stand in messages: one table, and what is done
 * with each of them. Shared by the files of this folder that read and write configurations
 * (parts.h is what others call). */
#ifndef WEIR_PROTO_CONFIG_MEMBERS_H
#define WEIR_PROTO_CONFIG_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/capture_config.h"

enum config_member_kind {
	MEMBER_U64,
	MEMBER_U32,
	MEMBER_BOOL,
	MEMBER_STR
};

struct config_member {
	const char *key;
	enum config_member_kind kind;
	size_t offset;
	size_t size;
	uint64_t low; /* of numbers, and... */
	uint64_t high; /* ... both inclusive */
};

/* In the order of a message. */
extern const struct config_member config_members[CAPTURE_CONFIG_KEYS];

bool config_member_equal(const struct config_member *member,
    const struct capture_config *a, const struct capture_config *b);
void config_member_copy(const struct config_member *member, struct capture_config *to,
    const struct capture_config *from);

#endif
