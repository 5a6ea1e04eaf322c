/* What a worker's link is taken for, over links of a network namespace of this process and
 * a worker that is made by hand and has no process. */
#include "supervisor/iface/worker_link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/iface/worker.h"
#include "supervisor/link/links_private.h"
#include "supervisor/supervisor.h"

static struct supervisor supervisor;
static struct worker worker;

static void
nothing(void *arg)
{
	(void)arg;
}

static void
changed(void *arg, const struct iface_name *name)
{
	(void)arg;
	if (strcmp(name->s, worker.iface.s) == 0)
		worker_link_changed(&worker);
}

static void
command(const char *text)
{
	assert_int_equal(system(text), 0);
}

static void
follow(void)
{
	for (int i = 0; i < 20; i++)
		assert_true(loop_turn(supervisor.loop, 5) >= 0);
}

static int
begin(void **state)
{
	static const struct links_events events = {.changed = changed};

	(void)state;
	memset(&supervisor, 0, sizeof(supervisor));
	memset(&worker, 0, sizeof(worker));
	supervisor.health_timer.fire = nothing;
	supervisor.overlap_timer.fire = nothing;
	TAILQ_INIT(&supervisor.workers);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	/* Nothing speaks on these links but the tests. */
	command("for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do "
		"if [ -e $f ]; then echo 1 > $f; fi; done");
	command("ip link add aa0 type veth peer name aa1 && ip link set aa0 up && "
		"ip link set aa1 up");
	assert_int_equal(loop_new(&supervisor.loop), 0);
	assert_int_equal(
	    links_new(&supervisor.links, supervisor.loop, &events, NULL), 0);
	worker.supervisor = &supervisor;
	assert_int_equal(iface_name_set(&worker.iface, "aa0"), 0);
	TAILQ_INIT(&worker.waits);
	TAILQ_INIT(&worker.settle_waits);
	worker.named = true;
	worker.enabled = true;
	worker.state = WORKER_ACTIVE;
	worker.records_fd = -1;
	TAILQ_INSERT_TAIL(&supervisor.workers, &worker, entry);
	worker_link_init(&worker);
	worker_link_start(&worker, false, true);
	follow();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	worker_link_fini(&worker);
	loop_timer_clear(supervisor.loop, &supervisor.health_timer);
	loop_timer_clear(supervisor.loop, &supervisor.overlap_timer);
	links_free(supervisor.links);
	loop_free(supervisor.loop);
	return 0;
}

static void
send_packets(const char *name, unsigned count)
{
	struct sockaddr_ll to = {
	    .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	char frame[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(sendto(fd, frame, sizeof(frame), 0,
				     (struct sockaddr *)&to, sizeof(to)),
		    sizeof(frame));
	close(fd);
}

/* What the link counted in an interval that ends now. */
static struct link_counts
cut(uint64_t packets)
{
	return worker_link_cut(&worker, packets, true);
}

static void
test_counts(void **state)
{
	(void)state;
	cut(0);
	send_packets("aa0", 4);
	send_packets("aa1", 3);
	assert_true(worker_link_counts(&worker).known);
	assert_int_equal(cut(7).packets, 7);
	assert_int_equal(cut(0).packets, 0);
}

static void
test_read_fails(void **state)
{
	int ask = rtnl_fd(&supervisor.links->ask);
	int kept = fcntl(ask, F_DUPFD_CLOEXEC, 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(kept >= 0 && null >= 0);
	assert_true(dup2(null, ask) >= 0);
	assert_false(cut(0).known);
	assert_true(dup2(kept, ask) >= 0);
	close(null);
	close(kept);
	/* It was there all the time: this is not where its counts begin. */
	command("ip link set aa0 mtu 1400");
	follow();
	assert_false(worker_link_counts(&worker).known);
	assert_false(cut(0).known);
	send_packets("aa0", 2);
	assert_int_equal(cut(2).packets, 2);
}

static void
test_appears(void **state)
{
	(void)state;
	command("ip link del aa0");
	follow();
	assert_false(cut(0).known);
	command("ip link add aa0 type veth peer name aa1 && ip link set aa0 up && "
		"ip link set aa1 up");
	follow();
	send_packets("aa0", 2);
	assert_true(worker_link_counts(&worker).known);
	assert_true(cut(2).packets >= 2);
}

static void
test_reset(void **state)
{
	(void)state;
	send_packets("aa1", 5);
	cut(5);
	/* As if it had received more before: the driver has begun anew since. */
	worker.link.rx_packets += 3;
	send_packets("aa0", 9);
	assert_false(worker_link_counts(&worker).known);
	assert_false(cut(9).known);
	send_packets("aa0", 1);
	assert_int_equal(cut(1).packets, 1);
}

static void
test_late(void **state)
{
	(void)state;
	cut(0);
	send_packets("aa0", 2);
	assert_false(worker_link_cut(&worker, 2, false).known);
	send_packets("aa0", 2);
	assert_false(worker_link_counts(&worker).known);
	assert_false(cut(2).known);
	assert_true(cut(0).known);
}

/* An interval in which the interface counts packets. */
static struct link_counts
busy_interval(uint64_t packets)
{
	send_packets("aa0", 2);
	return cut(packets);
}

static void
test_filter(void **state)
{
	(void)state;
	busy_interval(2);
	busy_interval(0); /* without a filter that is something else */
	busy_interval(0);
	assert_false(worker_link_unmatched(&worker));
	strcpy(worker.applied.filter, "tcp port 9");
	busy_interval(0);
	assert_false(worker_link_unmatched(&worker));
	cut(0); /* nothing passes */
	assert_false(worker_link_unmatched(&worker));
	busy_interval(0);
	assert_true(worker_link_unmatched(&worker));
	busy_interval(0);
	assert_true(worker_link_unmatched(&worker));
	busy_interval(1);
	assert_false(worker_link_unmatched(&worker));
}

static void
test_filter_paused(void **state)
{
	(void)state;
	strcpy(worker.applied.filter, "tcp port 9");
	for (int i = 0; i < 4; i++) {
		worker_link_pause(&worker); /* in the middle of each */
		busy_interval(0);
		assert_false(worker_link_unmatched(&worker));
	}
	worker.state = WORKER_UNINITIALIZED;
	for (int i = 0; i < 4; i++) {
		busy_interval(0);
		assert_false(worker_link_unmatched(&worker));
	}
	worker.state = WORKER_ACTIVE;
	busy_interval(0); /* at its begin it was not */
	busy_interval(0);
	assert_false(worker_link_unmatched(&worker));
	busy_interval(0);
	assert_true(worker_link_unmatched(&worker));
	worker_link_pause(&worker);
	assert_false(worker_link_unmatched(&worker));
}

static void
test_renamed(void **state)
{
	(void)state;
	command("ip link set aa0 down && ip link set aa0 name zz9");
	follow();
	assert_int_equal(worker_link_presence(&worker), LINK_GONE);
	assert_true(worker.link.lost);
	assert_string_equal(worker.link.renamed.s, "zz9");
	command("ip link set zz9 name aa0");
	follow();
	assert_string_equal(worker.link.renamed.s, "");
}

static void
test_renamed_and_replaced(void **state)
{
	int index = worker.link.index;

	(void)state;
	/* All before anybody looks. */
	command("ip link set aa0 down && ip link set aa0 name zz9 && "
		"ip link add aa0 type veth peer name bb1 && ip link set aa0 up");
	follow();
	assert_int_equal(worker_link_presence(&worker), LINK_UP);
	assert_true(worker.link.lost);
	assert_int_equal(worker.link.index, index);
	assert_string_equal(worker.link.renamed.s, "");
}

static void
test_held(void **state)
{
	int index = worker.link.index;
	int now;

	(void)state;
	command("ip link del aa0 && ip link add aa0 type veth peer name aa1");
	follow();
	now = (int)if_nametoindex("aa0");
	assert_int_not_equal(now, index);
	assert_true(worker.link.cut_due);
	worker_link_start(&worker, true, false);
	assert_true(worker.link.lost && worker.link.cut_due);
	assert_int_equal(worker.link.index, index);
	/* Not before its interval has ended, and only of a closed capture. */
	worker.state = WORKER_UNINITIALIZED;
	worker_link_take(&worker);
	assert_true(worker.link.lost);
	worker.link.cut_due = false;
	worker.state = WORKER_ACTIVE;
	worker_link_take(&worker);
	assert_true(worker.link.lost);
	worker.state = WORKER_UNINITIALIZED;
	worker_link_take(&worker);
	assert_false(worker.link.lost);
	assert_int_equal(worker.link.index, now);
}

static void
test_shown(void **state)
{
	const char *reason;
	const char *text;

	(void)state;
	command("ip link del aa0");
	follow();
	worker.state = WORKER_UNINITIALIZED;
	assert_int_equal(worker_shown_state(&worker, &reason, &text), WORKER_ERROR);
	assert_string_equal(reason, "gone");
	worker.enabled = false;
	assert_int_equal(
	    worker_shown_state(&worker, &reason, &text), WORKER_UNINITIALIZED);
	assert_string_equal(reason, "");
}

#define TEST(sentence, function) \
	{ \
		sentence, function, begin, end, NULL \
	}

static const struct CMUnitTest tests[] = {
    TEST("what the interface counts is counted by interval", test_counts),
    TEST("a reading that fails is not known, and not where counts begin",
	test_read_fails),
    TEST("the counts of one that appears begin then", test_appears),
    TEST("a reset of what it has received is seen whatever it sends", test_reset),
    TEST("of an interval that ended before the reading nothing is known, nor of the "
	 "next",
	test_late),
    TEST("a filter that matches nothing is worth a warning after two intervals",
	test_filter),
    TEST("only intervals in which it counted throughout tell about a filter",
	test_filter_paused),
    TEST("renamed: its new name is told while it is gone", test_renamed),
    TEST("renamed and replaced at once: it is there, nobody has its name",
	test_renamed_and_replaced),
    TEST("replaced: taken when the old interval has ended and it is closed", test_held),
    TEST("gone: an error for who wants it to count, not for who does not", test_shown),
};

int
main(void)
{
	if (geteuid() != 0) {
		fprintf(stderr, "skipped: needs root for a network namespace\n");
		return 77;
	}
	return cmocka_run_group_tests_name("worker_link", tests, NULL, NULL);
}
