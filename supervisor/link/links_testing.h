/* For tests of links: each has a network namespace of its own, which goes away with it,
 * and one table that follows what happens there. */
#ifndef WEIR_SUPERVISOR_LINK_LINKS_TESTING_H
#define WEIR_SUPERVISOR_LINK_LINKS_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/types.h>

#include "supervisor/link/links.h"
#include "supervisor/link/links_private.h"

extern struct loop *loop;
extern struct links *links; /* NULL until follow() */
extern unsigned told_count; /* names told since forget() */

/* Starts links_new(). */
void follow(void);

unsigned times_told(const char *name);
void forget(void);

/* Turns the loop until nothing has happened for a while. */
void settle(void);

/* Every link is what if_nameindex(3), which asks the kernel itself, says. */
void assert_table_is_the_kernels(void);

/* Runs a program, which must succeed. */
void run(char *const argv[]);
#define RUN(...) run((char *[]){__VA_ARGS__, NULL})
#define IP(...) RUN((char[]){"ip"}, __VA_ARGS__)
#define ETHTOOL(...) RUN((char[]){"ethtool"}, __VA_ARGS__)

/* Runs ip(8) with these lines n times, with the numbers from 0 for '#'. */
void batch(const char *lines, unsigned n);
/* ... without waiting for its end. */
pid_t start_batch(const char *lines, unsigned n);

int links_testing_setup(void **state);
int links_testing_teardown(void **state);
#define LINKS_TEST(name) \
	cmocka_unit_test_setup_teardown( \
	    name, links_testing_setup, links_testing_teardown)

/* What main() returns: skipped without root. */
bool links_testing_skips(void);
#define LINKS_TESTING_RUN(tests) \
	(links_testing_skips() ? 77 : cmocka_run_group_tests(tests, NULL, NULL))

#endif
