/* A refused call arrives as SIGSYS, which the kernel does not let anybody block or ignore
 * for this purpose: with the signal blocked the process just ends. That is how it ends
 * here, too: the handler runs with SIGSYS blocked, writes its line, and then makes a call
 * that is on no list.
 *
 * The handler uses what was prepared before: the head of the line, and a table of names
 * by number, since libseccomp's own look-up allocates memory. */
#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/child.h"
#include "common/sandbox/sandbox_private.h"

#define REPORT_HEAD_SIZE 128
#define REPORT_NAME_SIZE 32
#define REPORT_NUMBERS 512 /* those of every architecture that we run on, and to come */
#define REPORT_LINE_SIZE (REPORT_HEAD_SIZE + REPORT_NAME_SIZE + 160)

static struct {
	char head[REPORT_HEAD_SIZE];
	char names[REPORT_NUMBERS][REPORT_NAME_SIZE];
	uint32_t arch;
	bool debugger;
	bool installed;
} report;

struct report_line {
	char text[REPORT_LINE_SIZE];
	size_t used;
};

static void
report_add(struct report_line *line, const char *text)
{
	while (*text != '\0' && line->used < sizeof(line->text))
		line->text[line->used++] = *text++;
}

static void
report_add_number(struct report_line *line, unsigned number)
{
	char digits[16];
	size_t at = sizeof(digits);

	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0 && at > 0);
	report_add(line, digits + at);
}

static void
report_refused(int signal, siginfo_t *info, void *context)
{
	const unsigned number = (unsigned)info->si_syscall;
	struct report_line line = {.used = 0};
	struct pollfd out = {STDERR_FILENO, POLLOUT, 0};

	(void)signal;
	(void)context;
	report_add(&line, report.head);
	report_add(&line, "the system call ");
	if (info->si_arch != report.arch)
		report_add(&line, "of another architecture");
	else if (number < REPORT_NUMBERS && report.names[number][0] != '\0')
		report_add(&line, report.names[number]);
	else
		report_add(&line, "without a name");
	report_add(&line, " (number ");
	report_add_number(&line, number);
	report_add(&line,
	    ") is not allowed here, or not with these arguments: it was not "
	    "made, and the process ends\n");
	/* Whoever reads the log may be slow, or be kept so by this process: the end does
	 * not wait. A pipe that is ready takes a line of this length whole. */
	if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT))
		(void)!write(STDERR_FILENO, line.text, line.used);
	if (report.debugger)
		(void)raise(SIGTRAP);
	(void)syscall(SYS_getppid); /* on no list, and SIGSYS is blocked */
	_exit(CHILD_EXIT_FAILED);
}

static void
report_prepare_names(void)
{
	for (int number = 0; number < REPORT_NUMBERS; number++) {
		char *name = seccomp_syscall_resolve_num_arch(report.arch, number);

		if (name && strlen(name) < REPORT_NAME_SIZE)
			strcpy(report.names[number], name);
		free(name);
	}
}

int
sandbox_report_install(const char *line_head, bool debugger)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	sigset_t refused;

	/* By an earlier list, which lets nobody change it. */
	if (report.installed)
		return 0;
	strncpy(report.head, line_head, sizeof(report.head) - 1);
	report.arch = seccomp_arch_native();
	report.debugger = debugger;
	report_prepare_names();
	action.sa_sigaction = report_refused;
	sigemptyset(&action.sa_mask);
	sigemptyset(&refused);
	sigaddset(&refused, SIGSYS);
	if (sigaction(SIGSYS, &action, NULL) != 0 ||
	    sigprocmask(SIG_UNBLOCK, &refused, NULL) != 0)
		return -errno;
	report.installed = true;
	return 0;
}
