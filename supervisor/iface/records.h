/* The record files: where a worker keeps what it has counted, so that it outlives the
 * worker. The supervisor opens, locks and hands down; it never reads or maps them.
 *
 * A file is IFACE.flows in the records directory (the name escaped by iface_file_name). Its
 * lock belongs to the open file, which the worker shares: a lock that cannot be had means
 * that an old worker still runs. */
#ifndef WEIR_SUPERVISOR_RECORDS_H
#define WEIR_SUPERVISOR_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/iface.h"

/* Room for "IFACE.flows.damaged-20260131T235959.123Z" */
#define RECORDS_NAME_SIZE (IFACE_FILE_NAME_SIZE + 40)

/* Opens (makes) and locks the file of the interface. A descriptor, or negative errno;
 * -EWOULDBLOCK while another process has it, -ELOOP / -EISDIR / -EPERM when what stands
 * there is no file of root's. */
int records_open(int dir_fd, const struct iface_name *iface);

/* Whether the file holds anything. */
bool records_empty(int fd);

/* Renames the file for inspection; `name` gets its new name. Its lock stays with whoever
 * has it open. 0 or negative errno. */
int records_set_aside(
    int dir_fd, const struct iface_name *iface, char name[static RECORDS_NAME_SIZE]);

/* Removes the file: everything in it is durable in the store. 0 or negative errno. */
int records_remove(int dir_fd, const struct iface_name *iface);

/* Calls `each` with the file name of every record file (also those set aside). */
void records_each(
    int dir_fd, void (*each)(void *arg, const char *file_name), void *arg);

/* The interface that a file name is of. 0, or -EINVAL when it is of none: set aside, or not
 * ours. */
int records_iface(const char *file_name, struct iface_name *iface);

/* The file name of an interface. */
void records_name(const struct iface_name *iface, char name[static RECORDS_NAME_SIZE]);

/* A random number, never 0, for a new file. 0 or negative errno. */
int records_new_id(uint64_t *out);

#endif
