/* The error capture file of an interface: what its workers could not decode, one packet
 * of each kind. Opened here, in a directory of root's, and handed down; the worker writes
 * it and bounds its size. */
#ifndef WEIR_SUPERVISOR_ERROR_FILE_H
#define WEIR_SUPERVISOR_ERROR_FILE_H

#include <sys/types.h>

#include "common/iface.h"

/* Opens or makes NAME_errors.pcap (NAME by iface_file_name), readable by the group. A
 * descriptor, close-on-exec, that the caller closes, or negative errno. */
int error_file_open(int dir_fd, const struct iface_name *iface, gid_t gid);

/* Removes the file if there is nothing in it; its interface may never come again. To be
 * called when no worker has it open. A negative dir_fd is fine. */
void error_file_tidy(int dir_fd, const struct iface_name *iface);

#endif
