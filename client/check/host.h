/* What a configuration means on this host (users, groups, directories), as the supervisor
 * sees it: `weir-supervisor --check` is asked, so that the two cannot disagree. */
#ifndef WEIR_CLIENT_CHECK_HOST_H
#define WEIR_CLIENT_CHECK_HOST_H

#include <stddef.h>

#include "common/config.h"

/* Where weir-supervisor is: beside weir-worker, else the directory it was built for. 0, or
 * -ENOENT with the last path tried in out. */
int check_supervisor_find(char *out, size_t size, const char *worker_path);

/* Runs it and gives each line that it says to `line` (without newline, not escaped). Its
 * standard input is `input` (the caller's; -1: nothing), for a config_path of /dev/stdin.
 * Its exit code, or negative errno. */
int check_supervisor_run(const char *path, const char *config_path, int input,
    void (*line)(void *arg, const char *text, size_t len), void *arg);

/* What a start cannot make: the directories of the store, the records and the error files
 * are made within their parents, which have to be there; records must lie on a tmpfs. Each
 * fault is one complete line that says what to do. How many. */
int check_directories(const struct config *config,
    void (*line)(void *arg, const char *text, size_t len), void *arg);

/* "UID:GID" of the user that workers run as. 0, -ENOENT when there is no such user, or
 * another negative errno when that cannot be told. */
#define CHECK_USER_SIZE 32
int check_worker_user(const struct config *config, char out[static CHECK_USER_SIZE]);

/* Of what a start needs, the capabilities that this process does not have: "CAP_NET_RAW
 * CAP_SETUID", "" for none. */
#define CHECK_MISSING_SIZE 128
void check_missing_rights(char out[static CHECK_MISSING_SIZE]);

#endif
