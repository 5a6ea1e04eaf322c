/* What status says of one interface beside its row: notes below the table, or (--verbose) a
 * block with everything that is in force. For people; exact formats have it as it came. */
#ifndef WEIR_CLIENT_STATUS_DETAIL_H
#define WEIR_CLIENT_STATUS_DETAIL_H

#include "client/daemon/iface_status.h"
#include "client/output/output.h"

/* Reasons, warnings and what waits, a line each, each once; nothing when all is well. */
void status_detail_notes(struct output *out, const struct iface_status *iface);

/* A headed block: values in force and wanted, the link, the worker, then its notes. */
void status_detail_block(struct output *out, const struct iface_status *iface);

#endif
