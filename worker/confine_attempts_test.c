#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <sched.h>
#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "worker/test_confine.h"

/* What somebody would do who has taken a worker over. */

static void
open_to_write(void)
{
	(void)open("/proc/self/mem", O_RDWR);
}

static void
open_only_to_write(void)
{
	(void)open("/dev/null", O_WRONLY);
}

static void
a_socket_of_another_family(void)
{
	(void)socket(AF_VSOCK, SOCK_STREAM, 0);
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
write_somebodys_memory(void)
{
	syscall(SYS_process_vm_writev, 1, NULL, 0, NULL, 0, 0);
}

static void
kill_a_thread_of_somebody(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
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
have_signals_sent_to_somebody(void)
{
	syscall(SYS_fcntl, PIPE_READ, F_SETOWN, 1);
}

static void
have_signals_sent_to_somebody_by_ioctl(void)
{
	syscall(SYS_ioctl, PIPE_READ, FIOSETOWN, NULL);
}

static void
write_into_another_file(void)
{
	syscall(SYS_pwrite64, FILE_FREE, "x", 1, 0);
}

static void
write_past_the_bound_of_the_error_file(void)
{
	syscall(SYS_pwrite64, CHILD_FD_ERRORS, "x", 1, REFUSALS_FILE_MAX);
}

static void
write_more_than_a_packet_into_the_error_file(void)
{
	static char much[REFUSALS_FILE_RECORD_MAX + 1];

	syscall(SYS_pwrite64, CHILD_FD_ERRORS, much, sizeof(much), 0);
}

static void
append_to_the_error_file(void)
{
	syscall(SYS_write, CHILD_FD_ERRORS, "x", 1);
}

static void
append_to_the_records(void)
{
	syscall(SYS_write, CHILD_FD_DATA, "x", 1);
}

static void
append_vectors_to_another_file(void)
{
	struct iovec vector = {NULL, 0};

	syscall(SYS_writev, FILE_FREE, &vector, 1);
}

static void
write_to_standard_output(void)
{
	syscall(SYS_write, STDOUT_FILENO, "x", 1);
}

static void
change_the_flags_of_the_log(void)
{
	syscall(SYS_fcntl, STDERR_FILENO, F_SETFL, O_NONBLOCK);
}

static void
a_descriptor_of_the_process_at_the_other_end(void)
{
	socklen_t size = sizeof(int);
	int value;

	syscall(SYS_getsockopt, PIPE_READ, SOL_SOCKET, 77 /* SO_PEERPIDFD */, &value,
	    &size);
}

static void
lower_a_limit_of_somebody(void)
{
	syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, NULL);
}

static void
live_on_without_the_supervisor(void)
{
	(void)prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
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
open_up_and_attempt(void)
{
	open_up();
	attempt();
	return NOT_REFUSED;
}

static int
start_and_attempt(void)
{
	start();
	attempt();
	return NOT_REFUSED;
}

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
	OPENING = 8,
	STARTING = 16,
	RUNNING = SERVING | STARTING,
	ALWAYS = 31,
	WITH_ROOT = 32 /* for a packet socket, else its number is a free one */
};

static const struct {
	const char *call; /* that is named */
	void (*attempt)(void);
	unsigned when;
} attempts[] = {
    {"openat", open_to_write, SERVING | READING},
    {"openat", open_only_to_write, ALWAYS},
    {"openat", make_a_file, ALWAYS},
    {"unlinkat", remove_a_file, ALWAYS},
    {"socket", connect_by_tcp, RUNNING | READING},
    {"socket", another_packet_socket, RUNNING | READING},
    {"socket", a_socket_of_another_family, ALWAYS},
    {"connect", connect_an_open_socket, RUNNING | READING | WITH_ROOT},
    {"bind", bind_an_open_socket, RUNNING | READING},
    {"sendto", send_a_packet, RUNNING | READING},
    {"write", write_a_packet, RUNNING | OPENING | WITH_ROOT},
    {"writev", write_vectors_of_a_packet, RUNNING | OPENING | WITH_ROOT},
    {"setsockopt", another_socket_option, RUNNING | READING},
    {"getsockopt", a_descriptor_of_the_process_at_the_other_end, RUNNING | READING},
    {"ioctl", set_the_interface_down, RUNNING | READING},
    {"ptrace", trace_somebody, ALWAYS},
    {"process_vm_readv", read_somebodys_memory, ALWAYS},
    {"process_vm_writev", write_somebodys_memory, ALWAYS},
    {"kill", kill_somebody, ALWAYS},
    {"tgkill", kill_a_thread_of_somebody, ALWAYS},
    {"execve", run_a_program, ALWAYS},
    {"clone", start_a_process, ALWAYS},
    {"clone3", start_a_thread, SERVING | READING | CHECKING},
    {"mmap", code_in_new_memory, RUNNING | READING},
    {"mprotect", code_in_old_memory, RUNNING | READING},
    {"memfd_create", code_from_a_file_in_memory, RUNNING | OPENING | CHECKING},
    {"rt_sigaction", change_a_handler, ALWAYS},
    {"rt_sigreturn", return_from_no_signal, ALWAYS},
    {"dup3", copy_a_descriptor, RUNNING | OPENING | READING},
    {"fcntl", copy_a_descriptor_by_fcntl, ALWAYS},
    {"fcntl", have_signals_sent_to_somebody, ALWAYS},
    {"ioctl", have_signals_sent_to_somebody_by_ioctl, ALWAYS},
    {"fcntl", change_the_flags_of_the_log, RUNNING | READING},
    {"pwrite64", write_into_another_file, ALWAYS},
    {"pwrite64", write_past_the_bound_of_the_error_file, RUNNING | OPENING},
    {"pwrite64", write_more_than_a_packet_into_the_error_file, RUNNING | OPENING},
    {"write", append_to_the_error_file, RUNNING | OPENING},
    {"write", append_to_the_records, RUNNING | OPENING},
    {"writev", append_vectors_to_another_file, RUNNING | OPENING},
    {"write", write_to_standard_output, ALWAYS},
    {"fallocate", grow_another_file, RUNNING | OPENING | CHECKING},
    {"setuid", become_root, ALWAYS},
    {"unshare", new_namespaces, ALWAYS},
    {"mount", mount_something, ALWAYS},
    {"bpf", load_a_program_into_the_kernel, ALWAYS},
    {"io_uring_setup", queue_calls_past_the_list, ALWAYS},
    {"prlimit64", raise_a_limit, SERVING | READING},
    {"prlimit64", lower_a_limit_of_somebody, ALWAYS},
    {"prctl", be_seen_in_a_core, ALWAYS},
    {"prctl", live_on_without_the_supervisor, ALWAYS},
};

static void
try_all(unsigned when, int (*run)(void))
{
	size_t failed = 0;

	need_enforcing();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		if (!(attempts[i].when & when))
			continue;
		if ((attempts[i].when & WITH_ROOT) && geteuid() != 0)
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
a_worker_that_opens_its_capture_is_refused_what_that_does_not_need(void **state)
{
	(void)state;
	try_all(OPENING, open_up_and_attempt);
}

static void
a_worker_that_adopts_records_is_refused_what_a_start_does_not_need(void **state)
{
	(void)state;
	try_all(STARTING, start_and_attempt);
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
	    cmocka_unit_test(
		a_worker_that_opens_its_capture_is_refused_what_that_does_not_need),
	    cmocka_unit_test(
		a_worker_that_adopts_records_is_refused_what_a_start_does_not_need),
	    cmocka_unit_test(a_serving_worker_is_refused_everything_else),
	    cmocka_unit_test(a_worker_in_file_mode_is_refused_everything_else),
	    cmocka_unit_test(
		a_worker_that_checks_is_refused_what_opening_does_not_need),
	};

	return cmocka_run_group_tests_name(
	    "a worker that was taken over", tests, NULL, NULL);
}
