/* The SQLite file layer of the writer: names stay relative to the working directory. */
#ifndef WEIR_STORE_VFS_H
#define WEIR_STORE_VFS_H

#define STORE_VFS_NAME "weir-here"

/* Registers it, once per process (later calls do nothing). Not the default: it is used
 * by name. 0 or -ENOMEM. Call before other threads use SQLite. */
int store_vfs_register(void);

#endif
