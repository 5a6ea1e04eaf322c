/* For tests of children: one child at a time, of the stand-ins of fake_child.c, whose socket
 * lies in a directory of the test's own. */
#ifndef WEIR_SUPERVISOR_CHILD_CHILD_TESTING_H
#define WEIR_SUPERVISOR_CHILD_CHILD_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "supervisor/child/child.h"

extern struct loop *loop;
extern struct children *children;
extern struct child *child; /* NULL when it was reaped */
extern char dir[64];
extern int data_fd;

/* How often that has happened since setup(). */
extern unsigned connected;
extern unsigned died;
extern unsigned reaped;
extern int last_status;

/* cmocka fixtures. */
int setup(void **state);
int teardown(void **state);

/* Starts a weir-worker, or another program, with a socket of this user's. */
void start(void);
void start_program(const char *program, uid_t uid);

/* Turns the loop until *count is `want`, or fails the test after most_ms. */
void turn_until(const unsigned *count, unsigned want, int64_t most_ms);

struct outcome {
	unsigned count;
	int rc;
	enum msg_error error;
	uint64_t file_id;
};

/* Asks the child; what becomes of it is in *outcome, which is cleared. */
struct child_ask *ask_child(enum msg_type type, int64_t ms, struct outcome *outcome);

#endif
