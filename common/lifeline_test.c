#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child.h"
#include "common/lifeline.h"

#define SOON_MS 5000

/* A parent that ends as soon as its child is bound to it. The child does nothing for its
 * own end, and holds the write end of `alive`. */
static void
end_before_the_child(int alive)
{
	const pid_t parent = getpid();
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		_exit(1);
	if (fork() == 0) {
		close(ready[0]);
		byte = (char)lifeline_bind(parent);
		(void)!write(alive, &byte, 1);
		(void)!write(ready[1], &byte, 1);
		(void)alarm(6 * SOON_MS / 1000); /* nor does a failure leave it */
		for (;;)
			pause();
	}
	(void)!read(ready[0], &byte, 1);
	_exit(byte == 0 ? 0 : 2);
}

static void
a_child_that_does_nothing_ends_with_its_parent(void **state)
{
	struct pollfd end;
	int alive[2];
	int status = -1;
	pid_t parent;
	char byte;

	(void)state;
	assert_int_equal(pipe(alive), 0);
	parent = fork();
	if (parent == 0)
		end_before_the_child(alive[1]);
	close(alive[1]);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(status, 0);
	assert_int_equal(read(alive[0], &byte, 1), 1);
	end = (struct pollfd){alive[0], POLLIN, 0};
	assert_int_equal(poll(&end, 1, SOON_MS), 1);
	assert_int_equal(read(alive[0], &byte, 1), 0);
	close(alive[0]);
}

/* 0, or what it answers as an exit code. */
static int
bind_in_child(pid_t parent, bool lifeline_ended)
{
	int status = -1;
	int fds[2];
	pid_t pid;

	if (pipe(fds) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (dup2(fds[0], CHILD_FD_PARENT) < 0)
			_exit(255);
		if (lifeline_ended)
			close(fds[1]);
		_exit(-lifeline_bind(parent));
	}
	if (lifeline_ended)
		close(fds[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(fds[0]);
	if (!lifeline_ended)
		close(fds[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
a_parent_that_has_ended_before_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(bind_in_child(getpid(), false), 0);
	assert_int_equal(bind_in_child(getpid(), true), ESRCH);
	assert_int_equal(bind_in_child(getppid(), false), ESRCH);
}

static void
without_a_lifeline_there_is_nothing_to_watch(void **state)
{
	(void)state;
	assert_int_equal(fcntl(CHILD_FD_PARENT, F_GETFD), -1);
	assert_int_equal(lifeline_watch(), -EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_child_that_does_nothing_ends_with_its_parent),
	    cmocka_unit_test(a_parent_that_has_ended_before_is_noticed),
	    cmocka_unit_test(without_a_lifeline_there_is_nothing_to_watch),
	};

	return cmocka_run_group_tests_name("lifelines", tests, NULL, NULL);
}
