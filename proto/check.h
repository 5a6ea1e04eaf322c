/* Asking a worker that only checks (PROTOCOL.md), for whoever starts one: the question goes
 * to its descriptor CHILD_FD_START, the answer comes from CHILD_FD_OUTPUT. Both fit into a
 * pipe, so the question can be written before the process exists and the answer read after
 * it has ended. */
#ifndef WEIR_PROTO_CHECK_H
#define WEIR_PROTO_CHECK_H

#include "common/capture_config.h"
#include "proto/msg.h"

#define CHECK_REASON_SIZE 32
#define CHECK_TEXT_SIZE (4 * MSG_TEXT_MAX + 1) /* escaped */

/* Writes the question as a frame. 0 or negative errno. */
int check_ask(int fd, const char *iface, const struct capture_config *config);

/* Reads the answer: a reason as in a worker's status, "" when it could count, and pcap's own
 * words. 0, or negative errno: -ENODATA without an answer, -EPROTO for one that is none. */
int check_read_answer(
    int fd, char reason[static CHECK_REASON_SIZE], char text[static CHECK_TEXT_SIZE]);

#endif
