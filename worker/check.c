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
#include "worker/decode.h"
#include "worker/filter.h"
#include "worker/confine.h"

#define DEADLINE_S 10
#define LINK_TYPES 512 /* DLT_ values end well below */

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

/* `null` takes what libpcap and its like say meanwhile; -1: nothing does. */
static int
open_and_close(
    const struct source_options *source, int null, struct capture_status *out)
{
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
	if (told >= 0)
		close(told);
	return rc;
}

static bool
compiles_for(
    int link_type, const struct capture_config *config, struct source_fault *fault)
{
	pcap_t *dead = pcap_open_dead(link_type, (int)config->snaplen);
	struct bpf_program program;
	int rc = 0;

	if (!dead)
		return true; /* nothing is known against it */
	rc = filter_compile(dead, FILTER_BOTH, config->filter, &program, fault);
	if (rc == 0)
		pcap_freecode(&program);
	pcap_close(dead);
	return rc == 0;
}

/* Makes a fault of a filter that fits no link. */
static void
judge_filter(const struct capture_config *config, struct capture_status *status)
{
	struct source_fault other;
	struct source_fault fault;

	switch (status->fault.reason) {
	case SOURCE_NO_SUCH_DEVICE:
	case SOURCE_DOWN:
	case SOURCE_GONE:
		break;
	default:
		return;
	}
	if (compiles_for(DLT_EN10MB, config, &fault))
		return;
	/* Asking for a name once more would only take its time once more. */
	for (int type = 0; type < LINK_TYPES && !strstr(fault.text, "unknown host");
	     type++) {
		if (type != DLT_EN10MB && decode_knows_link_type(type) &&
		    compiles_for(type, config, &other))
			return;
	}
	status->fault = fault;
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
	int null;
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
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	rc = confine_check();
	if (rc != 0) {
		rc = CHILD_EXIT_PRIVILEGE;
		goto out;
	}
	rc = assignment_read_config(&options->iface, &config);
	if (rc != 0) {
		log_err("check", "the first message: %s", strerror(-rc));
		rc = CHILD_EXIT_FAILED;
		goto out;
	}
	config.promiscuous = false;
	rc = open_and_close(&source, null, &status);
	if (rc == 0) {
		judge_filter(&config, &status);
		rc = answer(&status);
	}
	if (rc != 0)
		log_err("check", "%s", strerror(-rc));
	rc = rc == 0 ? EXIT_SUCCESS : CHILD_EXIT_FAILED;
out:
	if (null >= 0)
		close(null);
	return rc;
}
