/* The descriptor 2 of one child, wherever the log goes: a pipe that the loop reads.
 * Whatever is written there becomes lines of the log (common/log.h), under the names that
 * the supervisor has for that child; of the text only the priority `<N>` and the topic
 * before the first colon are looked at.
 *
 * A child may have been taken over: lines are cut and escaped, so much is read per turn,
 * so many bytes per second (more waits in the pipe), so many lines per second (more are
 * counted, and told by one line; debug lines that WEIR_DEBUG asks for are not). Nobody
 * waits: the child's end does not block, and what stderr does not take stays in the pipe.
 *
 * Threads: the loop's. */
#ifndef WEIR_SUPERVISOR_LOG_LOG_PIPE_H
#define WEIR_SUPERVISOR_LOG_LOG_PIPE_H

#include "supervisor/loop/loop.h"

#define LOG_PIPE_TURN 16384 /* bytes read in one turn of the loop */
#define LOG_PIPE_LINES_BURST 100
#define LOG_PIPE_LINES_PER_SECOND 20
#define LOG_PIPE_BYTES_PER_SECOND (256 * 1024)

/* For a child that may write lines of the topic `flow` (see log_flows): these are not
 * counted as lines, and so many bytes are read. */
#define LOG_PIPE_FLOWS_BYTES_PER_SECOND (8 * 1024 * 1024)

struct log_pipe;

/* `program` and `iface` ("" for none) are copied. *write_fd is the caller's: it goes to
 * the child and is closed here. 0 or negative errno. */
int log_pipe_new(struct log_pipe **out, struct loop *loop, const char *program,
    const char *iface, bool flows, int *write_fd);

/* The process that writes. */
void log_pipe_set_pid(struct log_pipe *log, int pid);

/* The child is dead: what it has still written, before anybody tells of its death. Reads
 * what is there now and no more, since another process may hold the other end. NULL is
 * fine. */
void log_pipe_finish(struct log_pipe *log);

/* NULL is fine. */
void log_pipe_free(struct log_pipe *log);

#endif
