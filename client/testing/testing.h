/* Runs the real weirctl against a small daemon made here: a REP socket that gives the answers
 * a test has prepared, one function per type of request. One per process. */
#ifndef WEIR_CLIENT_TESTING_TESTING_H
#define WEIR_CLIENT_TESTING_TESTING_H

#include <sys/types.h>

#include "proto/msg.h"
#include "proto/pack.h"

/* What weirctl wrote, as of the last testing_finish(). */
extern char testing_out[65536];
extern char testing_err[65536];

/* For cmocka: the daemon's thread and its directory. */
int testing_setup(void **state);
int testing_teardown(void **state);

/* Writes the answer to one request. Called on the daemon's thread: it asserts nothing. */
typedef void testing_answer(struct pack *pack, const struct msg *request);

/* Requests of that type are answered by this from now on; others get a plain ok. */
void testing_on(enum msg_type type, testing_answer *answer);

/* A path in the test's directory, static until the next call; with `text` the file is
 * written. It is removed at the end. */
const char *testing_file(const char *name, const char *text);

/* Starts weirctl with the words of the line (separated by spaces; "@" is the daemon's
 * socket), with `input` as standard input (NULL: empty). */
pid_t testing_start(const char *line, const char *input);

/* Waits for its end; its exit code. */
int testing_finish(pid_t pid);

int testing_run(const char *line);
int testing_run_input(const char *line, const char *input);

/* Fails with both texts when `part` is not in `text`. */
void testing_expect(const char *text, const char *part);

#endif
