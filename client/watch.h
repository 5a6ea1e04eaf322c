/* status --watch: rates from answers that are some time apart. */
#ifndef WEIR_CLIENT_WATCH_H
#define WEIR_CLIENT_WATCH_H

#include "client/client.h"

/* Runs until client->count samples have been shown or SIGINT, SIGTERM arrives (both
 * EXIT_DONE), or the first question fails. When the daemon goes away later the watch
 * goes on and ends with EXIT_INCOMPLETE. */
int status_watch(const struct client *client);

#endif
