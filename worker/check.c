/* The same steps with the same code as a worker that counts, so that the answer is the one
 * that worker would give, with two differences: never promiscuous mode, since a check must
 * not be seen by the interface; and no line in the log, since the answer says it all. */
#include "worker/check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/child.h"
#include "common/log.h"
#include "common/privilege.h"
#include "proto/frame.h"
#include "worker/assignment.h"
#include "worker/capture.h"
#include "worker/commands.h"

#define DEADLINE_S 10

/* The kernel's default action is the end of the process, whatever was inherited. */
static void
end_in_time(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	(void)signal(SIGALRM, SIG_DFL);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)alarm(DEADLINE_S);
}

static int
open_and_close(const struct source_options *source, struct capture_status *out)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const int told = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	struct capture *capture;
	int rc;

	if (null >= 0 && told >= 0)
		(void)dup2(null, STDERR_FILENO);
	rc = capture_new(&capture, &source_live, source);
	if (rc == 0) {
		capture_enable(capture);
		capture_status(capture, out);
		capture_free(capture);
	}
	if (null >= 0 && told >= 0)
		(void)dup2(told, STDERR_FILENO);
	if (null >= 0)
		close(null);
	if (told >= 0)
		close(told);
	return rc;
}

static int
answer(const struct capture_status *status)
{
	struct pack pack;
	int rc;

	pack_init(&pack);
	pack_answer(&pack, MSG_CHECK);
	commands_pack_state(&pack, status);
	rc = pack_finish(&pack);
	if (rc == 0)
		rc = frame_write(CHILD_FD_OUTPUT, &pack);
	pack_fini(&pack);
	return rc;
}

int
check_run(const struct check_options *options)
{
	struct capture_config config;
	const struct source_options source = {
	    .iface = options->iface.s, .config = &config};
	struct capture_status status;
	int rc;

	log_init("weir-worker", options->iface.s);
	end_in_time();
	if (options->has_user) {
		rc = privilege_become(options->uid, options->gid, true);
		if (rc != 0) {
			log_err("check",
			    "cannot become %u:%u with CAP_NET_RAW alone: %s",
			    (unsigned)options->uid, (unsigned)options->gid,
			    strerror(-rc));
			return CHILD_EXIT_PRIVILEGE;
		}
	}
	rc = assignment_read_config(&options->iface, &config);
	if (rc != 0) {
		log_err("check", "the first message: %s", strerror(-rc));
		return CHILD_EXIT_FAILED;
	}
	config.promiscuous = false;
	rc = open_and_close(&source, &status);
	if (rc == 0)
		rc = answer(&status);
	if (rc != 0)
		log_err("check", "%s", strerror(-rc));
	return rc == 0 ? EXIT_SUCCESS : CHILD_EXIT_FAILED;
}
