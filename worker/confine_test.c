#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "worker/test_confine.h"

static void *
touch_memory(void *arg)
{
	/* More than malloc takes from its heap. */
	char *memory = malloc(1 << 20);

	if (memory)
		memset(memory, 1, 1 << 20);
	free(memory);
	return arg;
}

static int
work(void)
{
	struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog program = {1, &nothing};
	struct pollfd fd = {PIPE_WRITE, POLLOUT, 0};
	struct epoll_event event = {.events = EPOLLIN};
	struct timespec soon = {0, 1000}, now;
	struct ifreq request = {.ifr_name = "lo"};
	const bool raw = geteuid() == 0;
	struct tpacket_stats counters;
	socklen_t size = sizeof(counters);
	static char packet[REFUSALS_FILE_RECORD_MAX];
	uint64_t number = 1;
	char byte = 'x';

	serve();
	if (touch_memory(&byte) != &byte)
		return 1;
	if (write(PIPE_WRITE, &byte, 1) != 1 || read(PIPE_READ, &byte, 1) != 1 ||
	    write(EVENT, &number, 8) != 8 || read(EVENT, &number, 8) != 8)
		return 2;
	if (poll(&fd, 1, 0) != 1 ||
	    epoll_ctl(EPOLL, EPOLL_CTL_ADD, EVENT, &event) != 0 ||
	    epoll_wait(EPOLL, &event, 1, 0) != 0)
		return 3;
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0 ||
	    nanosleep(&soon, NULL) != 0 || getrandom(&number, 8, 0) != 8 ||
	    sched_yield() != 0)
		return 4;
	if (fallocate(CHILD_FD_DATA, 0, 0, 4096) != 0 ||
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, CHILD_FD_DATA, 0) ==
		MAP_FAILED)
		return 5;
	if (pwrite(CHILD_FD_ERRORS, packet, sizeof(packet), REFUSALS_FILE_MAX - 1) !=
		sizeof(packet) ||
	    pread(CHILD_FD_ERRORS, &byte, 1, 0) != 1 ||
	    lseek(CHILD_FD_ERRORS, 0, SEEK_END) !=
		REFUSALS_FILE_MAX - 1 + (off_t)sizeof(packet))
		return 6;
	if (lseek(CHILD_FD_DATA, 0, SEEK_END) != 4096)
		return 10;
	if (!raw)
		return 0;
	if (setsockopt(PACKETS, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		sizeof(program)) != 0 ||
	    getsockopt(PACKETS, SOL_PACKET, PACKET_STATISTICS, &counters, &size) != 0 ||
	    fcntl(PACKETS, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
		return 7;
	if (ioctl(PACKETS, SIOCGIFFLAGS, &request) != 0)
		return 8;
	return close(PACKETS) == 0 ? 0 : 9;
}

static int
cope(void)
{
	struct stat st;

	serve();
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES)
		return 1;
	if (open("/sys/class/net/lo/statistics/rx_missed_errors", O_RDONLY) >= 0 ||
	    errno != EACCES)
		return 2;
	if (stat("/etc/services", &st) == 0 || errno != EACCES)
		return 3;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EACCES)
		return 4;
	/* A descriptor does not make a path one's own. */
	if (fstatat(CHILD_FD_DATA, "/etc/shadow", &st, AT_EMPTY_PATH) == 0 ||
	    errno != EACCES)
		return 5;
	return 0;
}

static int
grow(void)
{
	const int64_t most = (int64_t)records_size_max(FLOWS);

	serve();
	if (fallocate(CHILD_FD_DATA, FALLOC_FL_KEEP_SIZE, most - 4096, 4096) != 0)
		return 1;
	if (fallocate(CHILD_FD_DATA, FALLOC_FL_KEEP_SIZE, most - 4096, 8192) == 0 ||
	    errno != EFBIG)
		return 2;
	return 0;
}

static void
a_serving_worker_can_do_its_work(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(did_all(work));
}

static void
what_its_libraries_try_is_answered(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(did_all(cope));
}

static void
the_record_file_grows_to_its_limit_and_no_further(void **state)
{
	(void)state;
	need_enforcing();
	assert_true(records_size_max(FLOWS) < records_size_max(FLOWS + RECORDS_STEP));
	assert_true(did_all(grow));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_serving_worker_can_do_its_work),
	    cmocka_unit_test(what_its_libraries_try_is_answered),
	    cmocka_unit_test(the_record_file_grows_to_its_limit_and_no_further),
	};

	return cmocka_run_group_tests_name("the worker's sandbox", tests, NULL, NULL);
}
