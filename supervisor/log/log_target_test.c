#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "supervisor/log/log_target.h"

static struct log_target *target;
static char why[LOG_TARGET_WHY_SIZE];

static int
tear_down(void **state)
{
	(void)state;
	log_target_close(target);
	target = NULL;
	return 0;
}

static struct config_log
udp(const char *address, uint16_t port)
{
	struct config_log config = {.target = CONFIG_LOG_UDP, .port = port};

	snprintf(config.address, sizeof(config.address), "%s", address);
	return config;
}

/* A socket on loopback; *port 0 takes any, and is the one it got. */
static int
listener(int family, uint16_t *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
	    .sin_port = htons(*port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
	    .sin6_port = htons(*port),
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *address =
	    family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, address, len) < 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, address, &len), 0);
	*port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static const char *
received(int fd, int wait_ms)
{
	static char text[4096];
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&ready, 1, wait_ms) <= 0)
		return "";
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* The header's fields, and the message behind the structured data. */
struct parsed {
	unsigned priority, version;
	char time[64], host[256], program[64], pid[32], topic[64];
	char data[256];
	char text[1024];
};

static struct parsed
parse(const char *message)
{
	struct parsed p = {0};
	int at = 0;

	assert_int_equal(
	    sscanf(message, "<%u>%u %63s %255s %63s %31s %63s %n", &p.priority,
		&p.version, p.time, p.host, p.program, p.pid, p.topic, &at),
	    7);
	message += at;
	if (message[0] == '-') {
		strcpy(p.data, "-");
		message++;
	} else {
		const char *end = strstr(message, "\"]");

		assert_non_null(end);
		snprintf(
		    p.data, sizeof(p.data), "%.*s", (int)(end + 2 - message), message);
		message = end + 2;
	}
	assert_int_equal(message[0], ' ');
	snprintf(p.text, sizeof(p.text), "%s", message + 1);
	return p;
}

static void
a_line_is_one_datagram_with_its_fields(void **state)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const char *const addresses[] = {"127.0.0.1", "::1"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint16_t port = 0;
		int fd = listener(families[i], &port);
		struct config_log config = udp(addresses[i], port);
		char host[256] = "", pid[16];
		struct parsed p;

		if (fd < 0 && i == 1) {
			print_message("skipped: no IPv6 on loopback\n");
			continue;
		}
		assert_true(fd >= 0);
		assert_int_equal(log_target_open(&target, &config, why), 0);
		assert_non_null(target);
		assert_int_equal(log_target_start(target), 0);
		log_iface_warn("worker", "eth0", "process %d has died", 12);
		p = parse(received(fd, 5000));
		gethostname(host, sizeof(host) - 1);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		assert_int_equal(p.priority, 3 * 8 + 4);
		assert_int_equal(p.version, 1);
		assert_int_equal(strlen(p.time) >= strlen("2026-01-31T23:59:59Z"), 1);
		assert_string_equal(p.host, host);
		assert_string_equal(p.program, "weir-supervisor");
		assert_string_equal(p.pid, pid);
		assert_string_equal(p.topic, "worker");
		assert_string_equal(p.data, "[weir@32473 iface=\"eth0\"]");
		assert_string_equal(p.text, "process 12 has died");
		log_err("config", "faults");
		p = parse(received(fd, 5000));
		assert_int_equal(p.priority, 3 * 8 + 3);
		assert_string_equal(p.data, "-");
		assert_string_equal(p.text, "faults");
		assert_string_equal(received(fd, 0), "");
		log_target_close(target);
		target = NULL;
		close(fd);
	}
}

static void
nobody_who_listens_is_no_fault_and_the_first_line_after_that_arrives(void **state)
{
	struct config_log config;
	uint16_t port = 0;
	int fd = listener(AF_INET, &port);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	config = udp("127.0.0.1", port);
	assert_int_equal(log_target_open(&target, &config, why), 0);
	for (int i = 0; i < 5; i++)
		log_err("t", "into the void");
	/* That nobody listened is known to the socket now. */
	fd = listener(AF_INET, &port);
	assert_true(fd >= 0);
	log_err("t", "heard");
	assert_string_equal(parse(received(fd, 5000)).text, "heard");
	close(fd);
}

static void
a_target_that_cannot_be_opened_is_told(void **state)
{
	struct config_log config = udp("no address", 514);

	(void)state;
	assert_int_equal(log_target_open(&target, &config, why), -EINVAL);
	assert_non_null(strstr(why, "no address port 514: Invalid argument"));
	assert_null(target);
}

static void
stderr_needs_no_target(void **state)
{
	struct config_log config = {.target = CONFIG_LOG_STDERR};

	(void)state;
	target = (struct log_target *)(uintptr_t)1;
	assert_int_equal(log_target_open(&target, &config, why), 0);
	assert_null(target);
	assert_int_equal(log_target_start(NULL), 0);
	log_target_drain(NULL);
}

/* A /dev of this process alone, with the socket of a syslogd. Or skips. */
static int
syslogd(void)
{
	static bool own;
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd;

	if (!own) {
		if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("tmpfs", "/dev", "tmpfs", 0, NULL) < 0) {
			print_message("skipped: needs root and a mount namespace\n");
			skip();
		}
		own = true;
	}
	unlink("/dev/log");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
syslog_gets_the_interface_as_a_field_of_the_text(void **state)
{
	struct config_log config = {.target = CONFIG_LOG_SYSLOG};
	struct log_record record = {.level = LOG_LEVEL_ERR,
	    .pid = 3,
	    .program = "weir-worker",
	    .iface = "eth1\x01",
	    .topic = "capture",
	    .text = "100 % lost"};
	int fd = syslogd();
	char want[128];

	(void)state;
	assert_int_equal(log_target_open(&target, &config, why), 0);
	/* Before the thread and after; a second start is none. */
	for (int i = 0; i < 2; i++) {
		const char *got;

		log_iface_warn("worker", "eth0", "process 12 has died");
		snprintf(want, sizeof(want),
		    "weir-supervisor[%d]: iface=eth0 worker: process 12 has died",
		    (int)getpid());
		got = received(fd, 5000);
		assert_memory_equal(got, "<28>", 4);
		assert_non_null(strstr(got, want));
		log_err("config", "faults");
		assert_non_null(strstr(received(fd, 5000), "]: config: faults"));
		log_relay(&record);
		got = received(fd, 5000);
		assert_memory_equal(got, "<27>", 4);
		assert_non_null(strstr(
		    got, "]: program=weir-worker iface=eth1\\x01 capture: 100 % lost"));
		assert_int_equal(log_target_start(target), 0);
	}
	close(fd);
}

static void
a_syslogd_that_stands_still_delays_nobody(void **state)
{
	struct config_log config = {.target = CONFIG_LOG_SYSLOG};
	struct mono begin;
	size_t lines = 0;
	unsigned long long left_out = 0;
	int fd = syslogd();
	const char *got;

	(void)state;
	log_set_limit(0, 0);
	assert_int_equal(log_target_open(&target, &config, why), 0);
	assert_int_equal(log_target_start(target), 0);
	begin = mono_now();
	for (int i = 0; i < 5000; i++)
		log_err("t", "event");
	assert_true(mono_ms_between(begin, mono_now()) < 2000);
	while ((got = received(fd, 1000))[0] != '\0') {
		const char *told = strstr(got, "log: ");

		if (told)
			left_out += strtoull(told + 5, NULL, 10);
		else
			lines++;
	}
	assert_in_range(lines, 256, 4999);
	assert_int_equal(lines + left_out, 5000);
	log_set_limit(LOG_LIMIT_BURST, LOG_LIMIT_PER_SECOND);
	close(fd);
}

static void
what_was_logged_at_the_end_arrives(void **state)
{
	struct config_log config = {.target = CONFIG_LOG_SYSLOG};
	int fd = syslogd();
	const char *got;
	int lines = 0;

	(void)state;
	assert_int_equal(log_target_open(&target, &config, why), 0);
	assert_int_equal(log_target_start(target), 0);
	for (int i = 0; i < 5; i++)
		log_err("t", "last words");
	log_target_drain(target);
	while ((got = received(fd, 0))[0] != '\0')
		lines += strstr(got, "last words") != NULL;
	assert_int_equal(lines, 5);
	close(fd);
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_line_is_one_datagram_with_its_fields),
	    TEST(nobody_who_listens_is_no_fault_and_the_first_line_after_that_arrives),
	    TEST(a_target_that_cannot_be_opened_is_told),
	    TEST(stderr_needs_no_target),
	    TEST(syslog_gets_the_interface_as_a_field_of_the_text),
	    TEST(a_syslogd_that_stands_still_delays_nobody),
	    TEST(what_was_logged_at_the_end_arrives),
	};

	log_init("weir-supervisor", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
