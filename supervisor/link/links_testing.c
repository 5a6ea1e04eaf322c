#include "supervisor/link/links_testing.h"

#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOLD_MOST 8192

struct loop *loop;
struct links *links;
unsigned told_count;
static struct iface_name told[TOLD_MOST];

static void
note(void *arg, const struct iface_name *name)
{
	(void)arg;
	if (told_count < TOLD_MOST)
		told[told_count] = *name;
	told_count++;
}

static const struct links_events events = {.changed = note};

unsigned
times_told(const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < told_count && i < TOLD_MOST; i++)
		n += strcmp(told[i].s, name) == 0;
	return n;
}

static pid_t
start(char *const argv[])
{
	pid_t pid;

	assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
	return pid;
}

void
run(char *const argv[])
{
	pid_t pid = start(argv);
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

pid_t
start_batch(const char *lines, unsigned n)
{
	char path[] = "/tmp/weir_links_XXXXXX";
	char command[96];
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	assert_non_null(file);
	for (unsigned i = 0; i < n; i++) {
		for (const char *c = lines; *c; c++) {
			if (*c == '#')
				fprintf(file, "%u", i);
			else
				fputc(*c, file);
		}
		fputc('\n', file);
	}
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof(command), "ip -batch %s; rc=$?; rm %s; exit $rc", path,
	    path);
	return start((char *[]){"sh", "-c", command, NULL});
}

void
batch(const char *lines, unsigned n)
{
	int status = -1;
	pid_t pid = start_batch(lines, n);

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void
settle(void)
{
	for (unsigned quiet = 0, last = told_count; quiet < 5; quiet++) {
		assert_int_equal(loop_turn(loop, 30), 0);
		if (told_count != last || links->reading || links->stale ||
		    links->again.armed)
			quiet = 0;
		last = told_count;
	}
}

void
follow(void)
{
	assert_int_equal(links_new(&links, loop, &events, NULL), 0);
}

void
forget(void)
{
	told_count = 0;
}

void
assert_table_is_the_kernels(void)
{
	struct if_nameindex *all = if_nameindex();
	size_t n = 0;

	assert_non_null(all);
	for (; all[n].if_name; n++) {
		const struct link *link = links_find(links, all[n].if_name);

		assert_non_null(link);
		assert_int_equal(link->index, all[n].if_index);
		assert_ptr_equal(links_find_index(links, link->index), link);
	}
	assert_int_equal(links_count(links), n);
	if_freenameindex(all);
}

int
links_testing_setup(void **state)
{
	(void)state;
	told_count = 0;
	links = NULL;
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return loop_new(&loop);
}

int
links_testing_teardown(void **state)
{
	(void)state;
	links_free(links);
	loop_free(loop);
	return 0;
}

bool
links_testing_skips(void)
{
	if (geteuid() == 0)
		return false;
	print_message("skipped: making network namespaces needs root\n");
	return true;
}
