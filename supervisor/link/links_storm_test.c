/* Following links when there are many, and when the kernel cannot keep up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "supervisor/link/links_testing.h"

static void
events_that_were_lost_end_in_the_right_table_and_are_told(void **state)
{
	char name[IFACE_NAME_SIZE];
	int small = 4096;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	assert_int_equal(setsockopt(rtnl_fd(&links->follow), SOL_SOCKET, SO_RCVBUF,
			     &small, sizeof(small)),
	    0);
	batch("link add c# group 7 type veth peer name d#", 300);
	IP("link", "set", "va", "mtu", "1234");
	IP("link", "set", "vb", "name", "vnew");
	settle();
	assert_true(links->readings >= 2);
	assert_table_is_the_kernels();
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		assert_int_not_equal(times_told(name), 0);
	}
	assert_int_equal(links_find(links, "va")->mtu, 1234);
	assert_int_not_equal(times_told("va"), 0);
	assert_int_not_equal(times_told("vb"), 0);
	assert_int_not_equal(times_told("vnew"), 0);
	forget();
	IP("link", "del", "group", "7");
	settle();
	assert_int_not_equal(times_told("c299"), 0);
	assert_null(links_find(links, "c299"));
	assert_int_equal(times_told("va"), 0);
	assert_table_is_the_kernels();
}

static void
a_list_that_never_ends_is_asked_for_on_a_new_socket(void **state)
{
	(void)state;
	follow();
	links->reading = true;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	settle();
	assert_int_equal(links->readings, 2);
	assert_table_is_the_kernels();
	forget();
	IP("link", "del", "va");
	settle();
	assert_int_equal(times_told("va"), 1);
	assert_int_equal(links->readings, 2);
	assert_table_is_the_kernels();
}

static void
only_the_kernel_is_believed(void **state)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
		struct rtattr attr;
		char name[4];
	} forged = {.header = {.nlmsg_len = sizeof(forged), .nlmsg_type = RTM_DELLINK},
	    .attr = {.rta_len = sizeof(forged.attr) + 3, .rta_type = IFLA_IFNAME},
	    .name = "va"};
	struct sockaddr_nl to = {0};
	socklen_t size = sizeof(to);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	(void)state;
	assert_true(fd >= 0);
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	forged.info.ifi_index = links_find(links, "va")->index;
	assert_int_equal(
	    getsockname(rtnl_fd(&links->follow), (struct sockaddr *)&to, &size), 0);
	assert_int_equal(
	    sendto(fd, &forged, sizeof(forged), 0, (struct sockaddr *)&to, sizeof(to)),
	    sizeof(forged));
	settle();
	close(fd);
	assert_int_equal(told_count, 0);
	assert_non_null(links_find(links, "va"));
}

/* Turns the loop until the process has ended. */
static void
turn_beside(pid_t pid, void (*each_turn)(void))
{
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		assert_int_equal(loop_turn(loop, 20), 0);
		each_turn();
	}
	assert_int_equal(status, 0);
}

static void
steady_is_there(void)
{
	assert_non_null(links_find(links, "steady0"));
	assert_int_equal(links_refresh(links, links_find(links, "steady0")->index), 0);
}

static void
a_thousand_links_come_and_go_beside_one_that_stays(void **state)
{
	(void)state;
	IP("link", "add", "steady0", "type", "veth", "peer", "name", "steady1");
	follow();
	turn_beside(start_batch("link add c# group 7 type veth peer name d#", 1000),
	    steady_is_there);
	settle();
	assert_true(links_count(links) >= 2003);
	assert_table_is_the_kernels();
	turn_beside(start_batch("link del group 7", 1), steady_is_there);
	turn_beside(start_batch("link add c# type veth peer name d#\nlink del c#", 200),
	    steady_is_there);
	settle();
	assert_table_is_the_kernels();
	assert_null(links_find(links, "c0"));
	assert_int_equal(times_told("steady0"), 0);
	assert_int_equal(times_told("steady1"), 0);
}

static void
start_again(void)
{
	links_free(links);
	follow();
	assert_non_null(links_find(links, "steady0"));
}

static void
a_start_while_links_come_and_go_ends_in_the_right_table(void **state)
{
	(void)state;
	batch("link add steady# type veth peer name peer#", 200);
	follow();
	turn_beside(start_batch("link add c# type veth peer name d#\nlink del c#", 100),
	    start_again);
	settle();
	assert_table_is_the_kernels();
}

static int64_t
cpu_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void
a_thousand_idle_links_cost_nothing(void **state)
{
	struct mono begin;
	int64_t us;
	int64_t used;

	(void)state;
	batch("link add c# up type veth peer name d#", 500);
	us = mono_now().ns / 1000;
	follow();
	us = mono_now().ns / 1000 - us;
	assert_true(links_count(links) > 1000);
	settle();
	used = cpu_us();
	begin = mono_now();
	while (mono_ms_between(begin, mono_now()) < 2000)
		assert_int_equal(loop_turn(loop, 2000), 0);
	used = cpu_us() - used;
	print_message("%zu links: read in %lld us, then %lld us of CPU in 2 s\n",
	    links_count(links), (long long)us, (long long)used);
	assert_true(used < 20000); /* 1 % */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LINKS_TEST(events_that_were_lost_end_in_the_right_table_and_are_told),
	    LINKS_TEST(a_list_that_never_ends_is_asked_for_on_a_new_socket),
	    LINKS_TEST(only_the_kernel_is_believed),
	    LINKS_TEST(a_thousand_links_come_and_go_beside_one_that_stays),
	    LINKS_TEST(a_start_while_links_come_and_go_ends_in_the_right_table),
	    LINKS_TEST(a_thousand_idle_links_cost_nothing),
	};

	return LINKS_TESTING_RUN(tests);
}
