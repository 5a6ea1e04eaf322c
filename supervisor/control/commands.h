/* What clients may ask the daemon: one row per message type. */
#ifndef WEIR_SUPERVISOR_COMMANDS_H
#define WEIR_SUPERVISOR_COMMANDS_H

#include "supervisor/control/control.h"

/* For control_new, whose ctx is the struct supervisor. */
extern request_handler *const commands_table[MSG_TYPE_MAX];

/* command_status.c, command_errors.c, command_rotate.c, command_flows.c */
request_handler command_status;
request_handler command_errors;
request_handler command_rotate;
request_handler command_flows;

/* command_change.c */
request_handler command_enable;
request_handler command_disable;
request_handler command_update;
request_handler command_reload;

struct supervisor;
struct worker;

/* The interfaces a request is about: those it names under "ifaces" (with "again", those of
 * them that are still configured), or all. *out is an array of *count names that the caller
 * frees. False when it was refused, and answered. */
struct iface_name;
bool commands_ifaces(struct request *request, struct iface_name **out, size_t *count);

#endif
