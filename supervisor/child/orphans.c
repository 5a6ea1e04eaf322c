/* The kernel lists the children of a thread in /proc; those that are not on the list of what was
 * started here are orphans. An orphan may be missed while others come and go: its brothers'
 * deaths bring the next look. */
#include "supervisor/child/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"

struct expected {
	pid_t pid;
	bool seen;
};

static bool adopting;
static struct expected *expected;
static size_t expected_count;
static size_t expected_room;

int
orphans_adopt(void)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return -errno;
	adopting = true;
	return 0;
}

void
orphans_expect(pid_t pid)
{
	struct expected *larger;

	if (expected_count == expected_room) {
		size_t room = expected_room == 0 ? 64 : 2 * expected_room;

		larger = realloc(expected, room * sizeof(*expected));
		if (!larger) {
			adopting = false; /* rather none than a wrong one */
			return;
		}
		expected = larger;
		expected_room = room;
	}
	expected[expected_count++] = (struct expected){.pid = pid};
}

static struct expected *
orphans_find(pid_t pid)
{
	for (size_t i = 0; i < expected_count; i++) {
		if (expected[i].pid == pid)
			return &expected[i];
	}
	return NULL;
}

static void
orphans_end_one(pid_t pid)
{
	if (waitpid(pid, NULL, WNOHANG) == pid)
		return;
	log_warn("child",
	    "process %d was left behind by a child that has died; it is killed",
	    (int)pid);
	kill(pid, SIGKILL);
}

static bool
orphans_was_reaped(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    errno == ECHILD;
}

/* Those who have been reaped are not expected any more: their numbers will be others'. That
 * one is not in the list does not prove it, since the list may have missed it. */
static void
orphans_forget_reaped(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < expected_count; i++) {
		if (expected[i].seen || !orphans_was_reaped(expected[i].pid))
			expected[kept++] = (struct expected){.pid = expected[i].pid};
	}
	expected_count = kept;
}

void
orphans_end(void)
{
	char path[64];
	FILE *file;
	int pid;

	if (!adopting)
		return;
	/* This thread has started all, and orphans come to the first one, which it is. */
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	if (!file)
		return;
	while (fscanf(file, "%d", &pid) == 1) {
		struct expected *known = orphans_find(pid);

		if (known)
			known->seen = true;
		else
			orphans_end_one(pid);
	}
	fclose(file);
	orphans_forget_reaped();
}
