/* What ip(8) does is compared with what the table says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/link/links_testing.h"
#include "supervisor/link/overlap.h"

static void
count_each(void *arg, const struct link *link)
{
	unsigned *bits = arg;

	assert_ptr_equal(links_find(links, link->name.s), link);
	(*bits)++;
}

static void
what_is_there_at_the_start_is_in_the_table_and_not_told(void **state)
{
	const struct link *lo;
	const struct link *va;
	const struct link *vb;
	unsigned n = 0;

	(void)state;
	IP("link", "add", "va", "mtu", "1400", "type", "veth", "peer", "name", "vb");
	follow();
	settle();
	assert_int_equal(told_count, 0);
	assert_table_is_the_kernels();
	links_each(links, count_each, &n);
	assert_int_equal(n, links_count(links));
	lo = links_find(links, "lo");
	va = links_find(links, "va");
	vb = links_find(links, "vb");
	assert_true(lo->flags & IFF_LOOPBACK);
	assert_string_equal(lo->kind, "");
	assert_int_equal(lo->lower, 0);
	assert_string_equal(va->kind, "veth");
	assert_int_equal(va->mtu, 1400);
	assert_int_equal(va->lower, vb->index);
	assert_int_equal(vb->lower, va->index);
	assert_false(va->lower_elsewhere);
	assert_true(va->counts.known);
	assert_null(links_find(links, "vc"));
	assert_null(links_find_index(links, 4711));
}

static void
a_link_appears_goes_up_and_down_and_vanishes(void **state)
{
	(void)state;
	follow();
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_int_not_equal(times_told("vb"), 0);
	assert_int_equal(times_told("lo"), 0);
	assert_false(links_find(links, "va")->flags & IFF_UP);
	forget();
	IP("link", "set", "va", "up");
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_true(links_find(links, "va")->flags & IFF_UP);
	assert_false(links_find(links, "vb")->flags & IFF_UP);
	forget();
	IP("link", "set", "va", "down");
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_false(links_find(links, "va")->flags & IFF_UP);
	forget();
	IP("link", "del", "va");
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_int_not_equal(times_told("vb"), 0);
	assert_null(links_find(links, "va"));
	assert_table_is_the_kernels();
}

static void
a_rename_tells_both_names_and_keeps_the_index(void **state)
{
	int index;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	index = links_find(links, "va")->index;
	IP("link", "set", "va", "name", "vnew");
	settle();
	assert_int_equal(times_told("va"), 1);
	assert_int_equal(times_told("vnew"), 1);
	assert_null(links_find(links, "va"));
	assert_int_equal(links_find(links, "vnew")->index, index);
	assert_string_equal(links_find_index(links, index)->name.s, "vnew");
}

static void
two_links_that_swap_their_names_are_told_apart(void **state)
{
	int a;
	int b;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	a = links_find(links, "va")->index;
	b = links_find(links, "vb")->index;
	batch("link set va name vt\nlink set vb name va\nlink set vt name vb", 1);
	settle();
	assert_int_equal(links_find(links, "va")->index, b);
	assert_int_equal(links_find(links, "vb")->index, a);
	assert_int_not_equal(times_told("va"), 0);
	assert_int_not_equal(times_told("vb"), 0);
	assert_null(links_find(links, "vt"));
	assert_table_is_the_kernels();
}

static void
a_link_made_again_under_its_name_has_another_index(void **state)
{
	int before;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	before = links_find(links, "va")->index;
	batch("link del va\nlink add va type veth peer name vb", 1);
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_int_not_equal(links_find(links, "va")->index, before);
	assert_null(links_find_index(links, before));
	assert_table_is_the_kernels();
}

static void
names_are_any_bytes_that_the_kernel_allows(void **state)
{
	static char names[][IFACE_NAME_SIZE] = {
	    "a@b\"c;\xc3\xa9$(", "\x01\xff\\n*?", "123456789012345", "-", "..."};

	(void)state;
	follow();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char peer[8];

		snprintf(peer, sizeof(peer), "p%zu", i);
		IP("link", "add", "name", peer, "type", "veth", "peer", "name",
		    names[i]);
	}
	settle();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_non_null(links_find(links, names[i]));
		assert_int_not_equal(times_told(names[i]), 0);
	}
	assert_table_is_the_kernels();
}

static void
a_port_that_leaves_its_bridge_is_still_there(void **state)
{
	int bridge;

	(void)state;
	follow();
	batch("link add br0 type bridge\nlink add va type veth peer name vb\n"
	      "link set va master br0",
	    1);
	settle();
	bridge = links_find(links, "br0")->index;
	assert_string_equal(links_find(links, "br0")->kind, "bridge");
	assert_int_equal(links_find(links, "va")->master, bridge);
	assert_int_equal(links_find(links, "vb")->master, 0);
	forget();
	IP("link", "set", "va", "nomaster");
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_int_equal(links_find(links, "va")->master, 0);
	IP("link", "set", "vb", "master", "br0");
	IP("link", "del", "br0");
	settle();
	assert_null(links_find(links, "br0"));
	assert_int_equal(links_find(links, "vb")->master, 0);
	assert_table_is_the_kernels();
}

/* A process in another network namespace, until it is killed. */
static pid_t
start_elsewhere(void)
{
	char byte = 0;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void
a_link_moved_elsewhere_is_gone_and_its_other_end_says_so(void **state)
{
	pid_t pid = start_elsewhere();
	char number[16];
	int index;

	(void)state;
	snprintf(number, sizeof(number), "%d", (int)pid);
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	IP("link", "set", "vb", "netns", number);
	settle();
	assert_int_not_equal(times_told("vb"), 0);
	assert_null(links_find(links, "vb"));
	index = links_find(links, "va")->index;
	assert_int_equal(links_refresh(links, index), 0);
	assert_true(links_find(links, "va")->lower_elsewhere);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int
packet_socket(const char *name)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* It would send by itself. Where the kernel has none there is nothing to do. */
static void
silence_ipv6(void)
{
	FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w");

	if (!file)
		return;
	fputc('1', file);
	assert_int_equal(fclose(file), 0);
}

static void
refresh_brings_the_counts_of_now_for_both_directions(void **state)
{
	unsigned char frame[60] = {
	    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};
	const struct link *va;
	const struct link *vb;
	uint64_t before_a;
	uint64_t before_b;
	int fd;

	(void)state;
	silence_ipv6();
	batch("link add va up type veth peer name vb\nlink set vb up", 1);
	follow();
	settle();
	va = links_find(links, "va");
	vb = links_find(links, "vb");
	assert_int_equal(links_refresh(links, va->index), 0);
	assert_int_equal(links_refresh(links, vb->index), 0);
	before_a = va->counts.packets;
	before_b = vb->counts.packets;
	forget();
	fd = packet_socket("va");
	for (int i = 0; i < 7; i++)
		assert_int_equal(write(fd, frame, sizeof(frame)), sizeof(frame));
	close(fd);
	assert_int_equal(va->counts.packets, before_a);
	assert_int_equal(links_refresh(links, va->index), 0);
	assert_int_equal(links_refresh(links, vb->index), 0);
	assert_int_equal(va->counts.packets, before_a + 7);
	assert_int_equal(vb->counts.packets, before_b + 7);
	settle();
	assert_int_equal(told_count, 0);
}

static void
refresh_of_one_that_is_gone_says_so_and_leaves_the_rest_to_the_events(void **state)
{
	int index;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	index = links_find(links, "va")->index;
	IP("link", "del", "va");
	assert_int_equal(links_refresh(links, index), -ENODEV);
	assert_int_equal(links_refresh(links, 4711), -ENODEV);
	settle();
	assert_int_equal(times_told("va"), 1);
	assert_int_equal(links_refresh(links, index), -ENODEV);
	assert_null(links_find_index(links, index));
}

static void
what_refresh_finds_is_in_the_table_at_once_and_told_later(void **state)
{
	int index;

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	index = links_find(links, "va")->index;
	batch("link set va mtu 1300\nlink set va name vnew", 1);
	assert_int_equal(links_refresh(links, index), 0);
	assert_int_equal(links_find(links, "vnew")->mtu, 1300);
	assert_null(links_find(links, "va"));
	assert_int_equal(told_count, 0);
	settle();
	assert_int_not_equal(times_told("va"), 0);
	assert_int_not_equal(times_told("vnew"), 0);
	assert_int_equal(links_find(links, "vnew")->mtu, 1300);
	assert_null(links_find(links, "va"));
	assert_table_is_the_kernels();
}

static void
promiscuous_captures_are_counted(void **state)
{
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int fds[2];

	(void)state;
	IP("link", "add", "va", "type", "veth", "peer", "name", "vb");
	follow();
	all.mr_ifindex = links_find(links, "va")->index;
	assert_int_equal(links_find(links, "va")->promiscuity, 0);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = packet_socket("va");
		assert_int_equal(setsockopt(fds[i], SOL_PACKET, PACKET_ADD_MEMBERSHIP,
				     &all, sizeof(all)),
		    0);
		settle();
		assert_int_equal(times_told("va"), i + 1);
		assert_int_equal(links_find(links, "va")->promiscuity, i + 1);
	}
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(links_refresh(links, all.mr_ifindex), 0);
	assert_int_equal(links_find(links, "va")->promiscuity, 0);
}

static void
overlaps_are_found_among_real_links(void **state)
{
	char text[OVERLAP_TEXT_SIZE] = "";
	const struct link *br0;
	const struct link *va;
	const struct link *vb;
	const struct link *vc;

	(void)state;
	batch("link add br0 type bridge\nlink add va type veth peer name vb\n"
	      "link add vc type veth peer name vd\nlink set vb master br0",
	    1);
	follow();
	br0 = links_find(links, "br0");
	va = links_find(links, "va");
	vb = links_find(links, "vb");
	vc = links_find(links, "vc");
	assert_true(overlap_between(links, va, vb, text));
	assert_string_equal(
	    text, "sees the packets of vb too, the other end of its pair");
	assert_true(overlap_between(links, vb, br0, text));
	assert_string_equal(text, "sees the packets of br0 too, whose port it is");
	assert_true(overlap_between(links, va, br0, text));
	assert_string_equal(text, "sees packets of br0 too, by way of vb");
	assert_false(overlap_between(links, va, vc, text));
	assert_false(overlap_between(links, br0, vc, text));
	assert_false(overlap_between(links, br0, links_find(links, "lo"), text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LINKS_TEST(what_is_there_at_the_start_is_in_the_table_and_not_told),
	    LINKS_TEST(a_link_appears_goes_up_and_down_and_vanishes),
	    LINKS_TEST(a_rename_tells_both_names_and_keeps_the_index),
	    LINKS_TEST(two_links_that_swap_their_names_are_told_apart),
	    LINKS_TEST(a_link_made_again_under_its_name_has_another_index),
	    LINKS_TEST(names_are_any_bytes_that_the_kernel_allows),
	    LINKS_TEST(a_port_that_leaves_its_bridge_is_still_there),
	    LINKS_TEST(a_link_moved_elsewhere_is_gone_and_its_other_end_says_so),
	    LINKS_TEST(refresh_brings_the_counts_of_now_for_both_directions),
	    LINKS_TEST(
		refresh_of_one_that_is_gone_says_so_and_leaves_the_rest_to_the_events),
	    LINKS_TEST(what_refresh_finds_is_in_the_table_at_once_and_told_later),
	    LINKS_TEST(promiscuous_captures_are_counted),
	    LINKS_TEST(overlaps_are_found_among_real_links),
	};

	return LINKS_TESTING_RUN(tests);
}
