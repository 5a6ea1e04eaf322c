#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "worker/test_live.h"

#define RAW (UINT64_C(1) << CAP_NET_RAW)
#define ADMIN (UINT64_C(1) << CAP_NET_ADMIN)
#define TEST_USER 54321

/* An ordinary user with exactly these capabilities, or the end of the process. */
static void
become_user_with(uint64_t capabilities)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};

	data[0].effective = data[0].permitted = (uint32_t)capabilities;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
	    setresgid(TEST_USER, TEST_USER, TEST_USER) != 0 ||
	    setresuid(TEST_USER, TEST_USER, TEST_USER) != 0 ||
	    syscall(SYS_capset, &header, data) != 0)
		_exit(1);
	memset(data, 0, sizeof(data));
	if (syscall(SYS_capget, &header, data) != 0 ||
	    data[0].effective != (uint32_t)capabilities || data[1].effective != 0)
		_exit(2);
}

/* What the process with these capabilities finds. */
struct attempt {
	enum capture_state state;
	enum source_reason reason;
	struct source_facts facts;
};

static void
attempt(uint64_t capabilities, bool promiscuous, int found, int go_on)
{
	struct source_options options = {.iface = "v0"};
	struct capture_config config;
	struct capture_status status;
	struct capture *capture;
	struct attempt result;
	char byte;

	capture_config_default(&config);
	config.promiscuous = promiscuous;
	options.config = &config;
	become_user_with(capabilities);
	if (capture_new(&capture, &source_live, &options) != 0)
		_exit(3);
	capture_enable(capture);
	capture_status(capture, &status);
	result = (struct attempt){status.state, status.fault.reason, status.facts};
	if (write(found, &result, sizeof(result)) != (ssize_t)sizeof(result))
		_exit(4);
	(void)!read(go_on, &byte, 1); /* until the test has looked at the interface */
	capture_free(capture);
	_exit(0);
}

static bool
promiscuity_is(unsigned count)
{
	char command[96];

	snprintf(command, sizeof(command),
	    "ip -d link show v0 | grep -q 'promiscuity %u '", count);
	return net_run(command);
}

/* The table in README.md, "Capabilities". */
static void
capturing_takes_net_raw_and_nothing_else(void **state)
{
	static const struct {
		uint64_t capabilities;
		bool promiscuous;
		enum source_reason reason;
		unsigned promiscuity; /* of the interface while it is captured */
	} rows[] = {
	    {0, false, SOURCE_PERMISSION, 0},
	    {0, true, SOURCE_PERMISSION, 0},
	    {RAW, false, SOURCE_OK, 0},
	    {RAW, true, SOURCE_OK, 1},
	    {ADMIN, false, SOURCE_PERMISSION, 0},
	    {ADMIN, true, SOURCE_PERMISSION, 0},
	    {RAW | ADMIN, false, SOURCE_OK, 0},
	    {RAW | ADMIN, true, SOURCE_OK, 1},
	};

	(void)state;
	net_require();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const bool works = rows[i].reason == SOURCE_OK;
		int found[2], go_on[2], status;
		struct attempt result;
		bool promiscuity;
		ssize_t got;
		pid_t pid;

		assert_int_equal(pipe(found), 0);
		assert_int_equal(pipe(go_on), 0);
		pid = fork();
		if (pid == 0) {
			close(found[0]);
			close(go_on[1]);
			attempt(rows[i].capabilities, rows[i].promiscuous, found[1],
			    go_on[0]);
		}
		close(found[1]);
		close(go_on[0]);
		got = read(found[0], &result, sizeof(result));
		promiscuity = promiscuity_is(rows[i].promiscuity);
		close(go_on[1]);
		close(found[0]);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (status != 0 || got != (ssize_t)sizeof(result))
			fail_msg("row %zu: the process ended with %x", i, status);
		if (result.reason != rows[i].reason || !promiscuity ||
		    result.state != (works ? CAPTURE_ACTIVE : CAPTURE_ERROR))
			fail_msg("row %zu: %s, promiscuity %s", i,
			    source_reason_name(result.reason),
			    promiscuity ? "right" : "wrong");
		/* The settings of the link are read without any more rights. */
		assert_int_equal(result.facts.handles, works ? 2 : 0);
		if (works) {
			assert_int_equal(result.facts.link_type, DLT_EN10MB);
			assert_int_equal(result.facts.promiscuous, rows[i].promiscuous);
		}
		assert_true(promiscuity_is(0));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(capturing_takes_net_raw_and_nothing_else),
	};

	return cmocka_run_group_tests_name("capabilities", tests, NULL, NULL);
}
