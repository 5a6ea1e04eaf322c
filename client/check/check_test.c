#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/check/host.h"
#include "client/check/plan.h"
#include "client/check/probe.h"
#include "client/check/verdict.h"

/* --- the plan --- */

static void
test_plan(void **state)
{
	(void)state;
	static const struct config_iface entries[] = {
	    {.kind = CONFIG_IFACE_PATTERN,
		.pattern = "eth*",
		.not = {"eth9"},
		.not_count = 1},
	    {.kind = CONFIG_IFACE_NAMED, .name = {"nothere"}},
	    {.kind = CONFIG_IFACE_ANY_UP},
	    {.kind = CONFIG_IFACE_NAMED, .name = {"eth1"}},
	    {.kind = CONFIG_IFACE_PATTERN, .pattern = "ppp*"},
	};
	static const struct check_link links[] = {
	    {{"lo"}, true, true},
	    {{"eth0"}, false, false},
	    {{"eth1"}, true, false},
	    {{"eth9"}, true, false},
	    {{"wlan0"}, true, false},
	    {{"wlan1"}, false, false},
	    {{"eth2"}, true, false},
	};
	static const struct {
		size_t entry;
		const char *iface;
	} expected[] = {
	    {0, "eth0"}, /* down, but a pattern takes it */
	    {0, "eth2"}, /* not eth1, which has an entry, nor eth9 */
	    {1, "nothere"},
	    {2, "eth9"},
	    {2, "wlan0"},
	    {3, "eth1"},
	    {4, ""},
	};
	struct check_target *targets;
	size_t count;

	assert_int_equal(check_plan(entries, 5, links, 7, &targets, &count), 0);
	assert_int_equal(count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(targets[i].entry, &entries[expected[i].entry]);
		assert_string_equal(targets[i].iface.s, expected[i].iface);
	}
	free(targets);
	assert_int_equal(check_plan(entries, 5, NULL, 0, &targets, &count), 0);
	assert_int_equal(count, 5);
	free(targets);
}

static void
test_links(void **state)
{
	(void)state;
	struct check_link *links;
	size_t count, loopbacks = 0;

	assert_int_equal(check_links(&links, &count), 0);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(links[i].name.s, "lo") != 0)
			continue;
		loopbacks++;
		assert_true(links[i].loopback);
	}
	assert_int_equal(loopbacks, 1);
	free(links);
}

static void
test_absent(void **state)
{
	(void)state;
	static const struct check_link links[] = {{{"lo"}, true, true},
	    {{"absent1"}, true, false}, {{"absent0"}, false, false}};
	struct iface_name name;

	check_absent(links, 2, &name);
	assert_string_equal(name.s, "absent0");
	check_absent(links, 3, &name);
	assert_string_equal(name.s, "absent2");
}

/* --- the verdict --- */

static const struct config_iface named = {.kind = CONFIG_IFACE_NAMED,
    .name = {"eth0"},
    .line = 7,
    .filter_line = 9,
    .capture = {.buffer = 8 << 20}};
static const struct config_iface with_buffer = {.kind = CONFIG_IFACE_NAMED,
    .name = {"eth0"},
    .line = 7,
    .buffer_line = 3,
    .capture = {.buffer = 1 << 30}};
static const struct config_iface pattern = {
    .kind = CONFIG_IFACE_PATTERN, .pattern = "e*", .line = 5, .filter_line = 6};

static const struct check_asker root = {"w.yaml", "w.yaml", true, ""};
static const struct check_asker root_in_container = {
    "w.yaml", "w.yaml", true, "CAP_NET_RAW CAP_CHOWN"};
static const struct check_asker somebody = {
    "my weir.yaml", "my weir.yaml", false, "CAP_NET_RAW"};
static const struct check_asker piper = {"standard input", "-", false, "CAP_NET_RAW"};
static const struct check_asker somebody_else = {
    "/etc/weir/weir.yaml", NULL, false, "CAP_NET_RAW"};

static const struct {
	const struct check_asker *asker;
	const struct config_iface *entry;
	const char
	    *iface; /* NULL: none is there, and a name without one was asked for */
	const char *reason;
	const char *text;
	enum check_result result;
	const char *why;
	const char *repair;
} verdicts[] = {
    {&root, &named, "eth0", "", "", CHECK_OK, "", ""},
    {&root, &pattern, NULL, "no_such_device", "No such device", CHECK_WAITS,
	"nothing that it takes is there yet", ""},
    {&root, &pattern, NULL, "filter", "syntax error", CHECK_FAILS,
	"the filter does not fit: syntax error", "correct the key filter in w.yaml:6"},
    {&root, &named, "eth0", "no_such_device", "No such device", CHECK_WAITS,
	"there is no such interface yet; it is waited for",
	"ip link  # is the name in w.yaml:7 right?"},
    {&root, &pattern, "eth0", "gone", "", CHECK_WAITS,
	"there is no such interface yet; it is waited for", ""},
    {&root, &named, "eth0", "down", "", CHECK_WAITS, "it is down; it is waited for",
	"ip link set dev eth0 up"},
    {&root, &pattern, "e;$(x)'", "down", "", CHECK_WAITS,
	"it is down; it is waited for", "ip link set dev 'e;$(x)'\\''' up"},
    {&somebody, &named, "eth0", "permission", "denied", CHECK_FAILS,
	"only root can try it", "sudo weirctl check 'my weir.yaml'"},
    {&somebody_else, &named, "eth0", "permission", "denied", CHECK_FAILS,
	"only root can try it", "sudo weirctl check"},
    {&piper, &named, "eth0", "permission", "denied", CHECK_FAILS,
	"only root can try it", "sudo weirctl check -"},
    {&root_in_container, &named, "eth0", "permission", "denied", CHECK_FAILS,
	"root lacks CAP_NET_RAW CAP_CHOWN here",
	"give this container or service CAP_NET_RAW CAP_CHOWN (docker run --cap-add, "
	"systemd CapabilityBoundingSet)"},
    {&root, &named, "eth0", "permission", "denied", CHECK_FAILS,
	"not permitted, although nothing is missing of root's rights: denied", ""},
    {&root, &named, "eth0", "filter", "syntax error", CHECK_FAILS,
	"the filter does not fit: syntax error", "correct the key filter in w.yaml:9"},
    {&root, &named, "eth0", "link_type", "link type 1 is not supported", CHECK_FAILS,
	"link type 1 is not supported", "remove the entry in w.yaml:7"},
    {&root, &pattern, "eth0", "link_type", "link type 1 is not supported", CHECK_FAILS,
	"link type 1 is not supported",
	"add this interface to the key not of w.yaml:5"},
    {&root, &named, "eth0", "open_failed", "can't mmap rx ring: Cannot allocate memory",
	CHECK_FAILS, "it cannot be opened: can't mmap rx ring: Cannot allocate memory",
	"set the key buffer in w.yaml:7 to less than 8.00 MiB"},
    {&root, &with_buffer, "eth0", "open_failed", "out of memory", CHECK_FAILS,
	"it cannot be opened: out of memory",
	"lower the key buffer in w.yaml:3 (1.00 GiB)"},
    {&root, &named, "eth0", "open_failed", "something else", CHECK_FAILS,
	"it cannot be opened: something else", ""},
    {&root, &named, "eth0", "novel\x1b", "words", CHECK_FAILS, "novel\\x1b: words", ""},
};

static void
test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct check_target target = {.entry = verdicts[i].entry};
		struct check_probe probe = {
		    .iface = verdicts[i].iface, .answered = true};
		struct check_verdict verdict;

		if (verdicts[i].iface)
			assert_int_equal(
			    iface_name_set(&target.iface, verdicts[i].iface), 0);
		snprintf(probe.reason, sizeof(probe.reason), "%s", verdicts[i].reason);
		snprintf(probe.text, sizeof(probe.text), "%s", verdicts[i].text);
		check_judge(verdicts[i].asker, &target, &probe, &verdict);
		assert_int_equal(verdict.result, verdicts[i].result);
		assert_string_equal(verdict.why, verdicts[i].why);
		assert_string_equal(verdict.repair, verdicts[i].repair);
	}
}

static void
test_no_answer(void **state)
{
	(void)state;
	const struct check_target target = {&named, {"eth0"}};
	struct check_probe probe = {.iface = "eth0", .failure = "it died"};
	struct check_verdict verdict;

	check_judge(&root_in_container, &target, &probe, &verdict);
	assert_int_equal(verdict.result, CHECK_FAILS);
	assert_string_equal(verdict.why, "it died");
	assert_string_equal(verdict.repair, "");
	probe.no_rights = true;
	check_judge(&root_in_container, &target, &probe, &verdict);
	assert_int_equal(verdict.result, CHECK_FAILS);
	assert_non_null(strstr(verdict.why, "root lacks CAP_NET_RAW CAP_CHOWN"));
}

/* --- the host --- */

static void
test_worker_user(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *user; /* NULL: there is none */
	} rows[] = {
	    {"61001",
		"61001:61001"}, /* in no database: the group has the same number */
	    {"0", "0:0"},
	    {"root", "0:0"},
	    {"weir-nobody-at-all", NULL},
	    {"4294967295", NULL},
	    {"99999999999", NULL},
	    {"-1", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct config config;
		char user[CHECK_USER_SIZE] = "";

		snprintf(
		    config.worker_user, sizeof(config.worker_user), "%s", rows[i].text);
		assert_int_equal(
		    check_worker_user(&config, user), rows[i].user ? 0 : -ENOENT);
		assert_string_equal(user, rows[i].user ? rows[i].user : "");
	}
}

static char said[4096];

static void
take_said(void *arg, const char *text, size_t len)
{
	(void)arg;
	snprintf(said, sizeof(said), "%.*s", (int)len, text);
}

static void
test_directories(void **state)
{
	(void)state;
	static const struct {
		const char *store;
		const char *records;
		const char *errors;
		const char *said; /* NULL: no fault */
	} rows[] = {
	    {"/", "", "", NULL},
	    {"/nowhere", "", "/nowhere2", NULL}, /* can be made */
	    {"/tmp/", "//dev/shm", "/tmp/", NULL},
	    {"/tmp/", "/dev/shm/nowhere/", "", NULL},
	    {"/nowhere/deep//store/", "", "",
		"store: the directory /nowhere/deep does not exist; create it: mkdir -p "
		"/nowhere/deep"},
	    {"/no where/store", "", "",
		"store: the directory /no where does not exist; create it: mkdir -p '/no "
		"where'"},
	    {"/dev/null", "", "",
		"store: /dev/null cannot be opened as a directory: Not a directory"},
	    {"/dev/null/store", "", "",
		"store: /dev/null/store cannot be opened as a directory: Not a directory"},
	    {"/", "/nowhere/records", "",
		"records: the directory /nowhere does not exist; create it: mkdir -p "
		"/nowhere"},
	    {"/", "/proc", "",
		"records: /proc does not lie on a tmpfs; leave the key out, or name a "
		"directory below /dev/shm"},
	    {"/", "/proc/records", "",
		"records: /proc/records does not lie on a tmpfs; leave the key out, or "
		"name a directory below /dev/shm"},
	    {"/", "", "/nowhere/it's/errors",
		"errors: the directory /nowhere/it's does not exist; create it: mkdir -p "
		"'/nowhere/it'\\''s'"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct config config;

		snprintf(config.store, sizeof(config.store), "%s", rows[i].store);
		snprintf(config.records, sizeof(config.records), "%s", rows[i].records);
		snprintf(config.errors, sizeof(config.errors), "%s", rows[i].errors);
		said[0] = '\0';
		assert_int_equal(
		    check_directories(&config, take_said, NULL), rows[i].said ? 1 : 0);
		assert_string_equal(said, rows[i].said ? rows[i].said : "");
	}
}

/* --- a worker, or what stands in for one --- */

static char directory[] = "/tmp/weir-check-test-XXXXXX";
static char script_path[64];

static void
write_script(const char *text)
{
	FILE *file = fopen(script_path, "w");

	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", text);
	fclose(file);
	assert_int_equal(chmod(script_path, 0700), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(script_path, sizeof(script_path), "%s/worker", directory);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(script_path);
	return rmdir(directory);
}

static void
probe_one(struct check_probe *probe)
{
	static struct capture_config config;

	capture_config_default(&config);
	*probe = (struct check_probe){.iface = "-x;y", .config = &config};
	check_probe_all(script_path, "61001:61002", probe, 1);
}

static void
test_probe_arguments(void **state)
{
	(void)state;
	struct check_probe probe;

	/* what it is told, and that the question is a whole frame for the interface */
	write_script("test \"$*\" = '--check --user 61001:61002 -- -x;y' || exit 20\n"
		     "test $# = 5 || exit 21\n"
		     "tail -c +5 <&3 | LC_ALL=C grep -qa 'iface.-x;y' || exit 22\n"
		     "exit 23");
	probe_one(&probe);
	assert_false(probe.answered);
	assert_string_equal(probe.failure, "weir-worker ended with exit code 23");
	/* the numbers that they had before are closed */
	write_script("cd /proc/$$/fd || exit 24\n"
		     "test -e 3 && test -e 7 || exit 25\n"
		     "test -e 64 || test -e 65 || exit 26");
	probe_one(&probe);
	assert_string_equal(probe.failure, "weir-worker ended with exit code 26");
}

static void
test_probe_failures(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		const char *failure;
		bool no_rights;
	} rows[] = {
	    {"exit 0", "weir-worker's answer: No data available", false},
	    {"exit 4", "weir-worker ended with exit code 4", true},
	    {"kill -9 $$", "weir-worker ended by signal 9 (Killed)", false},
	    {"printf '\\0\\0\\0\\1x' >&7", "weir-worker's answer: Protocol error",
		false},
	    {"printf '\\377\\377\\377\\377' >&7",
		"weir-worker's answer: Protocol error", false},
	    /* an answer to something else: a ping */
	    {"printf '\\0\\0\\0\\30\\203\\244weir\\1\\244type\\244ping\\242ok\\303' >&7",
		"weir-worker's answer: Protocol error", false},
	};
	struct check_probe probe;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_script(rows[i].script);
		probe_one(&probe);
		assert_false(probe.answered);
		assert_string_equal(probe.failure, rows[i].failure);
		assert_int_equal(probe.no_rights, rows[i].no_rights);
	}
	unlink(script_path);
	probe_one(&probe);
	assert_false(probe.answered);
	assert_string_equal(
	    probe.failure, "weir-worker cannot be started: No such file or directory");
}

static void
test_probe_late(void **state)
{
	(void)state;
	struct check_probe probe;

	/* what it started holds the pipe on, and must not hold us up */
	write_script("sleep 14 >/dev/null 2>&1 & exec sleep 1000");
	probe_one(&probe);
	assert_false(probe.answered);
	assert_string_equal(probe.failure, "weir-worker did not answer in 12 s");
	assert_false(probe.no_rights);
}

static void
test_probe_many(void **state)
{
	(void)state;
	enum {
		MANY = 20
	};
	static struct check_probe probes[MANY];
	struct capture_config config;

	capture_config_default(&config);
	for (int i = 0; i < MANY; i++)
		probes[i] = (struct check_probe){
		    .iface = i % 2 ? "odd" : "even", .config = &config};
	write_script("test $3 = odd && exit 31; exit 32");
	check_probe_all(script_path, NULL, probes, MANY);
	for (int i = 0; i < MANY; i++)
		assert_string_equal(probes[i].failure,
		    i % 2 ? "weir-worker ended with exit code 31"
			  : "weir-worker ended with exit code 32");
}

static void
test_probe_memory(void **state)
{
	(void)state;
	/* 40 + 20 fit together, 30 more do not; one larger than all is alone, and so is
	 * who comes next to it */
	static const uint64_t buffers[] = {40, 20, 30, 100, 1};
	static const char *const together[] = {"2", "2", "1", "1", "1"};
	struct capture_config configs[5];
	struct check_probe probes[5];
	char script[512];

	/* each says how many there were while it ran */
	snprintf(script, sizeof(script),
	    "mkdir %s/in-$$ && sleep 0.4\n"
	    "exit_code=$((40 + $(ls -d %s/in-* | wc -l)))\n"
	    "sleep 0.4; rmdir %s/in-$$; exit $exit_code",
	    directory, directory, directory);
	write_script(script);
	for (int i = 0; i < 5; i++) {
		capture_config_default(&configs[i]);
		configs[i].buffer = buffers[i] << 20;
		probes[i] =
		    (struct check_probe){.iface = "eth0", .config = &configs[i]};
	}
	check_probe_all(script_path, NULL, probes, 5);
	for (int i = 0; i < 5; i++) {
		char failure[64];

		snprintf(failure, sizeof(failure),
		    "weir-worker ended with exit code 4%s", together[i]);
		assert_string_equal(probes[i].failure, failure);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    {"entries stand for the interfaces that are there", test_plan, 0, 0, 0},
	    {"the loopback is found and known as one", test_links, 0, 0, 0},
	    {"a name of no interface is one that none of them has", test_absent, 0, 0,
		0},
	    {"every reason has its result, its words and its repair", test_verdicts, 0,
		0, 0},
	    {"a worker without an answer fails", test_no_answer, 0, 0, 0},
	    {"the user of workers is a name or a number", test_worker_user, 0, 0, 0},
	    {"a directory that a start cannot make is a fault", test_directories, 0, 0,
		0},
	    {"a worker gets its question, its user and two descriptors",
		test_probe_arguments, 0, 0, 0},
	    {"a worker that ends without an answer is told from others",
		test_probe_failures, 0, 0, 0},
	    {"a worker that hangs is ended, and told from others", test_probe_late, 0,
		0, 0},
	    {"several are asked at once, and each has its own answer", test_probe_many,
		0, 0, 0},
	    {"together they hold no more memory than a check may", test_probe_memory, 0,
		0, 0},
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
