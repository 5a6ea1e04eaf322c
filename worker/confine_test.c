#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "common/child.h"
#include "common/sandbox/sandbox.h"
#include "common/sandbox/sandbox_testing.h"
#include "worker/confine.h"
#include "worker/records.h"

#define FLOWS 65536
#define NOT_REFUSED 99 /* exit code */
#define FILE_FREE 20 /* a file that the worker has nothing to do with */
#define PACKETS 21 /* a packet socket, when root */
#define PIPE_READ 22
#define PIPE_WRITE 23
#define EPOLL 24
#define EVENT 25

static void
need_enforcing(void)
{
	if (WEIR_SANDBOX_MODE == SANDBOX_ENFORCE)
		return;
	print_message("skipped: built without an enforcing sandbox\n");
	skip();
}

static void
place(int fd, int at)
{
	if (fd >= 0 && fd != at && (dup2(fd, at) != at || close(fd) != 0))
		_exit(210);
}

/* The descriptors of a worker, and then everything that it gives up before it serves. */
static void
serve(void)
{
	int fds[2];

	place(memfd_create("records", 0), CHILD_FD_DATA);
	place(memfd_create("errors", 0), CHILD_FD_ERRORS);
	place(memfd_create("free", 0), FILE_FREE);
	place(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), PACKETS);
	place(epoll_create1(0), EPOLL);
	place(eventfd(0, 0), EVENT);
	if (pipe(fds) != 0)
		_exit(211);
	place(fds[0], PIPE_READ);
	place(fds[1], PIPE_WRITE);
	signal(SIGXFSZ, SIG_IGN);
	if (confine_files() != 0 || confine_serving(FLOWS) != 0)
		_exit(212);
}

/* ---- what a worker does ---- */

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
	uint64_t number = 1;
	struct stat st;
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
	    fstat(CHILD_FD_DATA, &st) != 0 || st.st_size != 4096 ||
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, CHILD_FD_DATA, 0) ==
		MAP_FAILED)
		return 5;
	if (pwrite(CHILD_FD_ERRORS, &byte, 1, 0) != 1 ||
	    pread(CHILD_FD_ERRORS, &byte, 1, 0) != 1)
		return 6;
	if (!raw)
		return 0;
	if (setsockopt(PACKETS, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		sizeof(program)) != 0 ||
	    getsockopt(PACKETS, SOL_PACKET, PACKET_STATISTICS, &counters, &size) != 0)
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

/* ---- what somebody would do who has taken it over ---- */

static void
open_to_write(void)
{
	(void)open("/proc/self/mem", O_RDWR);
}

static void
make_a_file(void)
{
	(void)open("/tmp/weir-test-none", O_RDONLY | O_CREAT, 0600);
}

static void
remove_a_file(void)
{
	syscall(SYS_unlinkat, AT_FDCWD, "/tmp/weir-test-none", 0);
}

static void
connect_by_tcp(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void
another_packet_socket(void)
{
	(void)socket(AF_PACKET, SOCK_RAW, 0);
}

static void
connect_an_open_socket(void)
{
	syscall(SYS_connect, PACKETS, NULL, 0);
}

static void
bind_an_open_socket(void)
{
	syscall(SYS_bind, PACKETS, NULL, 0);
}

static void
send_a_packet(void)
{
	syscall(SYS_sendto, PACKETS, "x", 1, 0, NULL, 0);
}

static void
write_a_packet(void)
{
	syscall(SYS_write, PACKETS, "x", 1);
}

static void
write_vectors_of_a_packet(void)
{
	struct iovec vector = {NULL, 0};

	syscall(SYS_writev, PACKETS, &vector, 1);
}

static void
another_socket_option(void)
{
	int on = 1;

	syscall(SYS_setsockopt, PACKETS, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &on, 4);
}

static void
set_the_interface_down(void)
{
	syscall(SYS_ioctl, PACKETS, SIOCSIFFLAGS, NULL);
}

static void
trace_somebody(void)
{
	syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0);
}

static void
read_somebodys_memory(void)
{
	syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

static void
write_somebodys_memory(void)
{
	syscall(SYS_process_vm_writev, 1, NULL, 0, NULL, 0, 0);
}

static void
kill_somebody(void)
{
	syscall(SYS_kill, 1, 0);
}

static void
kill_a_thread_of_somebody(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
}

static void
run_a_program(void)
{
	char *const none[] = {NULL};

	execve("/bin/true", none, none);
}

static void
start_a_process(void)
{
	if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0)
		_exit(0);
}

static void
start_a_thread(void)
{
	syscall(SYS_clone3, NULL, 0);
}

static void
code_in_new_memory(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
code_in_old_memory(void)
{
	void *memory = mmap(
	    NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

static void
code_from_a_file_in_memory(void)
{
	syscall(SYS_memfd_create, "x", 0);
}

static void
change_a_handler(void)
{
	(void)signal(SIGSYS, SIG_IGN);
}

static void
return_from_no_signal(void)
{
	syscall(SYS_rt_sigreturn);
}

static void
copy_a_descriptor(void)
{
	syscall(SYS_dup3, PACKETS, 40, 0);
}

static void
copy_a_descriptor_by_fcntl(void)
{
	syscall(SYS_fcntl, PACKETS, F_DUPFD, 0);
}

static void
write_into_another_file(void)
{
	syscall(SYS_pwrite64, FILE_FREE, "x", 1, 0);
}

static void
grow_another_file(void)
{
	syscall(SYS_fallocate, FILE_FREE, 0, 0, 4096);
}

static void
become_root(void)
{
	syscall(SYS_setuid, 0);
}

static void
new_namespaces(void)
{
	syscall(SYS_unshare, CLONE_NEWUSER);
}

static void
mount_something(void)
{
	syscall(SYS_mount, "a", "b", "c", 0, NULL);
}

static void
load_a_program_into_the_kernel(void)
{
	syscall(SYS_bpf, 0, NULL, 0);
}

static void
queue_calls_past_the_list(void)
{
	syscall(SYS_io_uring_setup, 1, NULL);
}

static void
raise_a_limit(void)
{
	struct rlimit limit = {1, 1};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
be_seen_in_a_core(void)
{
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* What all of them need first. */
static void (*attempt)(void);

static int
serve_and_attempt(void)
{
	serve();
	attempt();
	return NOT_REFUSED;
}

static int
read_and_attempt(void)
{
	place(memfd_create("file", 0), CHILD_FD_INPUT);
	place(memfd_create("output", 0), CHILD_FD_OUTPUT);
	place(memfd_create("free", 0), FILE_FREE);
	if (confine_reading(FLOWS) != 0)
		_exit(212);
	attempt();
	return NOT_REFUSED;
}

static int
check_and_attempt(void)
{
	if (confine_check() != 0)
		_exit(212);
	attempt();
	return NOT_REFUSED;
}

enum when {
	SERVING = 1,
	READING = 2,
	CHECKING = 4,
	ALWAYS = 7
};

static const struct {
	const char *call; /* that is named */
	void (*attempt)(void);
	unsigned when;
} attempts[] = {
    {"openat", open_to_write, SERVING | READING},
    {"openat", make_a_file, SERVING | READING},
    {"unlinkat", remove_a_file, ALWAYS},
    {"socket", connect_by_tcp, SERVING | READING},
    {"socket", another_packet_socket, SERVING | READING},
    {"connect", connect_an_open_socket, SERVING | READING},
    {"bind", bind_an_open_socket, SERVING | READING},
    {"sendto", send_a_packet, SERVING | READING},
    {"write", write_a_packet, SERVING},
    {"writev", write_vectors_of_a_packet, SERVING},
    {"setsockopt", another_socket_option, SERVING | READING},
    {"ioctl", set_the_interface_down, SERVING | READING},
    {"ptrace", trace_somebody, ALWAYS},
    {"process_vm_readv", read_somebodys_memory, ALWAYS},
    {"process_vm_writev", write_somebodys_memory, ALWAYS},
    {"kill", kill_somebody, ALWAYS},
    {"tgkill", kill_a_thread_of_somebody, ALWAYS},
    {"execve", run_a_program, ALWAYS},
    {"clone", start_a_process, ALWAYS},
    {"clone3", start_a_thread, ALWAYS},
    {"mmap", code_in_new_memory, SERVING | READING},
    {"mprotect", code_in_old_memory, SERVING | READING},
    {"memfd_create", code_from_a_file_in_memory, SERVING | CHECKING},
    {"rt_sigaction", change_a_handler, ALWAYS},
    {"rt_sigreturn", return_from_no_signal, ALWAYS},
    {"dup3", copy_a_descriptor, SERVING | READING},
    {"fcntl", copy_a_descriptor_by_fcntl, SERVING | READING},
    {"pwrite64", write_into_another_file, ALWAYS},
    {"fallocate", grow_another_file, SERVING | CHECKING},
    {"setuid", become_root, ALWAYS},
    {"unshare", new_namespaces, ALWAYS},
    {"mount", mount_something, ALWAYS},
    {"bpf", load_a_program_into_the_kernel, ALWAYS},
    {"io_uring_setup", queue_calls_past_the_list, ALWAYS},
    {"prlimit64", raise_a_limit, SERVING | READING},
    {"prctl", be_seen_in_a_core, ALWAYS},
};

static void
try_all(unsigned when, int (*run)(void))
{
	size_t failed = 0;

	need_enforcing();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (!(attempts[i].when & when))
			continue;
		/* Without root there is no packet socket, and then no socket at all. */
		if (attempts[i].attempt == write_a_packet && geteuid() != 0)
			continue;
		attempt = attempts[i].attempt;
		if (!was_refused(run, attempts[i].call))
			failed++;
	}
	assert_int_equal(failed, 0);
}

static void
a_serving_worker_is_refused_everything_else(void **state)
{
	(void)state;
	try_all(SERVING, serve_and_attempt);
}

static void
a_worker_in_file_mode_is_refused_everything_else(void **state)
{
	(void)state;
	try_all(READING, read_and_attempt);
}

static void
a_worker_that_checks_is_refused_what_opening_does_not_need(void **state)
{
	(void)state;
	try_all(CHECKING, check_and_attempt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_serving_worker_can_do_its_work),
	    cmocka_unit_test(what_its_libraries_try_is_answered),
	    cmocka_unit_test(the_record_file_grows_to_its_limit_and_no_further),
	    cmocka_unit_test(a_serving_worker_is_refused_everything_else),
	    cmocka_unit_test(a_worker_in_file_mode_is_refused_everything_else),
	    cmocka_unit_test(
		a_worker_that_checks_is_refused_what_opening_does_not_need),
	};

	return cmocka_run_group_tests_name("the worker's sandbox", tests, NULL, NULL);
}
