/* Between fork and exec only system calls: the supervisor has threads (nng's), and what
 * one of them had locked stays locked in the child for ever. All memory is prepared
 * before. The list of descriptors is first copied out of the way, so that placing one
 * cannot overwrite another, then placed, and every gap between them is closed. */
#include "supervisor/child/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "supervisor/child/orphans.h"

#define SPAWN_FD_ASIDE 300 /* above every number of common/child.h */
#define SPAWN_NOFILE 1024

static bool
spawn_keeps_variable(const char *variable)
{
	static const char *const keep[] = {"WEIR_", "JOURNAL_STREAM=", "ASAN_OPTIONS=",
	    "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS="};

	/* True of the supervisor's own descriptor 2 at most. */
	if (strncmp(variable, LOG_PIPE_VARIABLE "=", sizeof(LOG_PIPE_VARIABLE)) == 0)
		return false;
	for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		if (strncmp(variable, keep[i], strlen(keep[i])) == 0)
			return true;
	}
	return false;
}

static char **
spawn_environment(bool log_pipe)
{
	static char told[] = LOG_PIPE_VARIABLE "=1";
	size_t count = 0;
	size_t used = 0;
	char **copy;

	while (environ && environ[count])
		count++;
	copy = calloc(count + 2, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		if (spawn_keeps_variable(environ[i]))
			copy[used++] = environ[i];
	}
	if (copy && log_pipe)
		copy[used++] = told;
	return copy;
}

static void
spawn_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++) {
		/* A terminal's Ctrl-C reaches the whole group; only the supervisor
		 * decides what it means. */
		bool ignored = signal == SIGINT || signal == SIGTERM ||
		    signal == SIGHUP || signal == SIGPIPE;

		action.sa_handler = ignored ? SIG_IGN : SIG_DFL;
		sigaction(signal, &action, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
spawn_null_fds(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -1;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (dup2(null, fd) < 0)
			return -1;
	}
	return 0; /* null is closed like every other one that is not in the list */
}

static int
spawn_place_fds(struct spawn_fd *fds, size_t count)
{
	unsigned next = 3;

	for (size_t i = 0; i < count; i++) {
		fds[i].from = fcntl(fds[i].from, F_DUPFD_CLOEXEC, SPAWN_FD_ASIDE);
		if (fds[i].from < 0)
			return -1;
	}
	if (spawn_null_fds() < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (dup2(fds[i].from, fds[i].to) < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++) {
		if ((unsigned)fds[i].to > next &&
		    close_range(next, (unsigned)fds[i].to - 1, 0) < 0)
			return -1;
		next = (unsigned)fds[i].to + 1;
	}
	return 0;
}

static int
spawn_compare_fds(const void *a, const void *b)
{
	const struct spawn_fd *x = a;
	const struct spawn_fd *y = b;

	return x->to - y->to;
}

/* `head` is as common/log.h says of whoever reads descriptor 2 at that moment. */
static void
spawn_complain(const char *head, const char *program, const char *text)
{
	char line[256];
	size_t used = 0;
	const char *parts[] = {head, program, text};

	for (size_t i = 0; i < 3; i++) {
		for (const char *p = parts[i]; *p && used < sizeof(line) - 1; p++)
			line[used++] = *p;
	}
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

pid_t
spawn_process(const struct spawn *spawn)
{
	struct rlimit core = {0, 0};
	struct rlimit files = {0, 0};
	bool limit_files;
	struct spawn_fd fds[SPAWN_FDS_MAX + 1];
	size_t count = spawn->fd_count;
	bool log_pipe = false;
	char **environment;
	pid_t pid;
	int rc;

	if (count > SPAWN_FDS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		log_pipe = log_pipe || spawn->fds[i].to == STDERR_FILENO;
	environment = spawn_environment(log_pipe);
	if (!environment)
		return -ENOMEM;
	memcpy(fds, spawn->fds, count * sizeof(fds[0]));
	qsort(fds, count, sizeof(fds[0]), spawn_compare_fds);
	/* execveat needs the directory until it has found the file, so it is the last
	 * of the list and closed by the exec itself. */
	fds[count] = (struct spawn_fd){.from = spawn->program_dir, .to = -1};
	limit_files = getrlimit(RLIMIT_NOFILE, &files) == 0;
	files.rlim_cur = files.rlim_max < SPAWN_NOFILE ? files.rlim_max : SPAWN_NOFILE;

	pid = fork();
	if (pid != 0) {
		rc = errno;
		free(environment);
		if (pid > 0)
			orphans_expect(pid);
		return pid < 0 ? -rc : pid;
	}
	spawn_signals();
	fds[count].from = fcntl(spawn->program_dir, F_DUPFD_CLOEXEC, SPAWN_FD_ASIDE);
	if (fds[count].from < 0 || spawn_place_fds(fds, count) < 0) {
		spawn_complain("weir-supervisor: child: ", spawn->program,
		    ": its descriptors could not be placed");
		_exit(126);
	}
	/* Everything above the last one that stays, now and through the exec. */
	close_range(
	    count > 0 ? (unsigned)fds[count - 1].to + 1 : 3, ~0U, CLOSE_RANGE_CLOEXEC);
	setrlimit(RLIMIT_CORE, &core);
	if (limit_files)
		setrlimit(RLIMIT_NOFILE, &files);
	execveat(fds[count].from, spawn->program, spawn->argv, environment, 0);
	spawn_complain("<3>start: ", spawn->program, ": could not be executed");
	_exit(127);
}
