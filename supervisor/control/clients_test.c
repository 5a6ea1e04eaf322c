#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor/control/clients.h"

#define MESSAGE_MAX 1000
#define MESSAGE_END 5000
#define ASKED_MAX 400
#define OTHER_USER 61008

static const uint8_t greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static char dir[64];
static char path[80];
static struct loop *loop;
static struct clients *clients;

/* What arrived and is not answered. */
static struct asked {
	struct client *client;
	size_t len;
	bool kept;
	char first;
} asked[ASKED_MAX];
static size_t asked_count;

static void
on_arrival(void *arg, struct client *client, const void *message, size_t len)
{
	(void)arg;
	assert_true(asked_count < ASKED_MAX);
	asked[asked_count].client = client;
	asked[asked_count].len = len;
	asked[asked_count].kept = message != NULL;
	asked[asked_count++].first = message && len > 0 ? *(const char *)message : '\0';
}

static int
setup(void **state)
{
	struct clients_options options = {.path = path,
	    .gid = getegid(),
	    .message_max = MESSAGE_MAX,
	    .message_end = MESSAGE_END,
	    .arrived = on_arrival};
	struct rlimit files;

	(void)state;
	asked_count = 0;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	strcpy(dir, "/tmp/weir-clients-XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755) != 0)
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	if (loop_new(&loop) != 0)
		return -1;
	options.loop = loop;
	return clients_new(&clients, &options);
}

static int
teardown(void **state)
{
	(void)state;
	while (asked_count > 0)
		client_answer(asked[--asked_count].client, NULL, 0);
	clients_free(clients);
	loop_free(loop);
	unlink(path);
	return rmdir(dir);
}

static void
turn(void)
{
	/* What the other end of a socket in this process has done is there at once. */
	for (int i = 0; i < 12; i++)
		assert_int_equal(loop_turn(loop, 0), 0);
}

static int
connect_client(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void
put(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Takes what there is; -1 when the other side has hung up. */
static ssize_t
take(int fd, void *into, size_t size)
{
	ssize_t n;

	turn();
	n = recv(fd, into, size, 0);
	return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static bool
hung_up(int fd)
{
	static uint8_t bytes[1 << 20];

	turn();
	/* What was sent before does not hide it. */
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			return n == 0 || errno != EAGAIN;
	}
}

static int
greeted_client(void)
{
	static const uint8_t expected[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
	uint8_t got[16];
	int fd = connect_client();

	put(fd, greeting, sizeof(greeting));
	assert_int_equal(take(fd, got, sizeof(got)), sizeof(expected));
	assert_memory_equal(got, expected, sizeof(expected));
	return fd;
}

/* One request of `len` bytes, all of them `letter`. */
static void
ask(int fd, char letter, size_t len)
{
	static uint8_t frame[9 + 4 + MESSAGE_END];
	size_t announced = 4 + len;

	memset(frame, 0, 13);
	frame[0] = 1;
	frame[7] = (uint8_t)(announced >> 8);
	frame[8] = (uint8_t)announced;
	frame[9] = 0x80;
	frame[12] = 7;
	memset(frame + 13, letter, len);
	put(fd, frame, 13 + len);
}

static void
answer(size_t which, const void *data, size_t len)
{
	struct client *client = asked[which].client;

	memmove(asked + which, asked + which + 1,
	    (asked_count - which - 1) * sizeof(asked[0]));
	asked_count--;
	client_answer(client, data, len);
}

static void
a_request_is_answered_to_where_it_came_from(void **state)
{
	/* through one relay, whose word comes first */
	static const uint8_t frame[] = {
	    1, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 5, 0x80, 1, 2, 3, 'h', 'i'};
	static const uint8_t back[] = {
	    1, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 5, 0x80, 1, 2, 3, 'y', 'e', 's'};
	uint8_t got[64];
	int fd = greeted_client();

	(void)state;
	for (int round = 0; round < 3; round++) {
		/* in pieces, as slow as can be */
		for (size_t i = 0; i < sizeof(frame); i++) {
			put(fd, &frame[i], 1);
			loop_turn(loop, 0);
		}
		turn();
		assert_int_equal(asked_count, 1);
		assert_int_equal(asked[0].len, 2);
		assert_int_equal(asked[0].first, 'h');
		answer(0, "yes", 3);
		assert_int_equal(take(fd, got, sizeof(got)), sizeof(back));
		assert_memory_equal(got, back, sizeof(back));
	}
	close(fd);
	turn();
	assert_int_equal(clients_count(clients), 0);
}

static void
whatever_breaks_the_framing_ends_the_connection(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool greets;
	} cases[] = {
	    {"\0SP\0\0\x31\0\0", 8, false}, /* an answerer */
	    {"GET / HTTP/1.1\r\n", 16, false},
	    {"\2\0\0\0\0\0\0\0\4\x80\0\0\1", 13, true}, /* another kind */
	    {"\1\0\0\0\0\0\0\0\3\x80\0\0", 12, true}, /* shorter than its number */
	    {"\1\0\0\0\0\0\x10\0\0", 9, true}, /* 1 MiB announced */
	    {"\1\xff\xff\xff\xff\xff\xff\xff\xff", 9, true},
	    {"\1\0\0\0\0\0\0\0\10\0\0\0\1\0\0\0\1", 17, true}, /* no number */
	    {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = cases[i].greets ? greeted_client() : connect_client();

		put(fd, cases[i].bytes, cases[i].len);
		assert_true(hung_up(fd));
		close(fd);
	}
	assert_int_equal(asked_count, 0);
	assert_int_equal(clients_count(clients), 0);
}

static void
a_longer_request_is_told_but_not_kept(void **state)
{
	uint8_t got[64];
	int fd = greeted_client();

	(void)state;
	ask(fd, 'x', MESSAGE_MAX);
	turn();
	assert_true(asked[0].kept);
	answer(0, "a", 1);
	ask(fd, 'x', MESSAGE_MAX + 1);
	turn();
	assert_int_equal(asked[0].len, MESSAGE_MAX + 1);
	assert_false(asked[0].kept);
	answer(0, "b", 1);
	ask(fd, 'x', MESSAGE_END);
	turn();
	assert_false(asked[0].kept);
	answer(0, "c", 1);
	assert_int_equal(take(fd, got, sizeof(got)), 3 * 14);
	close(fd);
}

static void
a_second_request_waits_for_the_answer_to_the_first(void **state)
{
	int fd = greeted_client();

	(void)state;
	ask(fd, 'a', 10);
	ask(fd, 'b', 10);
	turn();
	assert_int_equal(asked_count, 1);
	answer(0, "", 0);
	turn();
	assert_int_equal(asked_count, 1);
	assert_int_equal(asked[0].first, 'b');
	close(fd);
}

static size_t
open_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	size_t count = 0;

	while (readdir(fds))
		count++;
	closedir(fds);
	return count;
}

static void
who_has_gone_is_answered_into_nothing(void **state)
{
	size_t before = open_descriptors();
	int fd = greeted_client();

	(void)state;
	ask(fd, 'a', 10);
	turn();
	close(fd);
	turn();
	assert_int_equal(clients_count(clients), 0);
	assert_int_equal(open_descriptors(), before);
	answer(0, "too late", 8);
	turn();
}

static void
thousands_that_say_nothing_leave_room_for_who_asks(void **state)
{
	enum {
		MANY = 3000
	};
	static int silent[MANY];
	size_t before = open_descriptors();
	int earlier = greeted_client();
	uint8_t got[64];
	int fd;

	(void)state;
	ask(earlier, 'e', 10);
	turn();
	for (int i = 0; i < MANY; i++) {
		silent[i] = connect_client();
		if (i % 2 != 0)
			put(silent[i], greeting, sizeof(greeting));
		loop_turn(loop, 0);
		assert_true(clients_count(clients) <= CLIENTS_MAX);
	}
	/* their own ends are in this process, too */
	assert_true(open_descriptors() <= before + MANY + 1 + CLIENTS_MAX);
	fd = greeted_client();
	ask(fd, 'n', 10);
	turn();
	assert_int_equal(asked_count, 2);
	assert_int_equal(asked[0].first, 'e');
	assert_int_equal(asked[1].first, 'n');
	answer(1, "yes", 3);
	answer(0, "yes", 3);
	assert_int_equal(take(fd, got, sizeof(got)), 16);
	assert_int_equal(take(earlier, got, sizeof(got)), 16);
	for (int i = 0; i < MANY; i++)
		close(silent[i]);
	close(earlier);
	close(fd);
}

static void
only_so_many_requests_are_worked_on_at_once(void **state)
{
	static int fds[100];

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		fds[i] = greeted_client();
		ask(fds[i], (char)('!' + i % 64), 10);
	}
	turn();
	for (int i = 0; i < 4; i++)
		turn();
	assert_int_equal(asked_count, CLIENTS_USER_ASKS_MAX);
	for (size_t left = 100; left > 0; left--) {
		assert_int_equal(asked[0].first, (char)('!' + (100 - left) % 64));
		answer(0, "", 0);
		turn();
	}
	assert_int_equal(asked_count, 0);
	for (size_t i = 0; i < 100; i++)
		close(fds[i]);
}

static int
connect_as(uid_t uid)
{
	int fd;

	assert_int_equal(seteuid(uid), 0);
	fd = connect_client();
	assert_int_equal(seteuid(0), 0);
	put(fd, greeting, sizeof(greeting));
	return fd;
}

static void
one_user_keeps_no_other_from_asking(void **state)
{
	static int flood[CLIENTS_MAX + 10];
	uint8_t got[64];
	int fd;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root to connect as another user\n");
		skip();
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		flood[i] = connect_as(OTHER_USER);
		ask(flood[i], 'f', 10);
		turn();
	}
	assert_int_equal(clients_count(clients), CLIENTS_MAX);
	assert_int_equal(asked_count, CLIENTS_USER_ASKS_MAX);
	/* Another of the same user gets no place, one of another user does, and is next. */
	flood[CLIENTS_MAX] = connect_as(OTHER_USER);
	assert_true(hung_up(flood[CLIENTS_MAX]));
	fd = connect_as(0);
	ask(fd, 'o', 10);
	turn();
	assert_int_equal(clients_count(clients), CLIENTS_MAX);
	assert_int_equal(asked_count, CLIENTS_USER_ASKS_MAX + 1);
	assert_int_equal(asked[CLIENTS_USER_ASKS_MAX].first, 'o');
	answer(CLIENTS_USER_ASKS_MAX, "yes", 3);
	assert_int_equal(take(fd, got, sizeof(got)), 8 + 16);
	close(fd);
	for (size_t i = 0; i <= CLIENTS_MAX; i++)
		close(flood[i]);
}

static void
what_one_user_holds_is_counted_apart_from_others(void **state)
{
	int fds[3];

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root to connect as another user\n");
		skip();
	}
	fds[0] = connect_as(OTHER_USER);
	fds[1] = connect_as(OTHER_USER);
	fds[2] = connect_as(0);
	for (size_t i = 0; i < 3; i++) {
		ask(fds[i], 'h', 10);
		turn();
	}
	assert_int_equal(asked_count, 3);
	client_held(asked[0].client)[HELD_ROTATES]++;
	assert_int_equal(client_held(asked[1].client)[HELD_ROTATES], 1);
	assert_int_equal(client_held(asked[1].client)[HELD_CHANGES], 0);
	assert_int_equal(client_held(asked[2].client)[HELD_ROTATES], 0);
	/* Also while those who asked have hung up. */
	close(fds[0]);
	close(fds[1]);
	turn();
	assert_int_equal(client_held(asked[0].client)[HELD_ROTATES], 1);
	client_held(asked[0].client)[HELD_ROTATES]--;
	assert_int_equal(client_held(asked[1].client)[HELD_ROTATES], 0);
	for (size_t i = 3; i > 0; i--)
		answer(i - 1, "", 0);
	turn();
	close(fds[2]);
}

static void
answers_that_nobody_takes_are_not_kept_without_end(void **state)
{
	enum {
		SIZE = 2 << 20,
		MANY = 2 * CLIENTS_UNSENT_MAX / SIZE
	};
	static int fds[MANY];
	uint8_t *large = calloc(1, SIZE);
	size_t left = 0;

	(void)state;
	assert_non_null(large);
	for (size_t i = 0; i < MANY; i++) {
		fds[i] = greeted_client();
		ask(fds[i], 'l', 10);
		turn();
		answer(0, large, SIZE);
	}
	/* The first ones have waited longest. */
	for (size_t i = 0; i < MANY; i++) {
		bool gone = hung_up(fds[i]);

		assert_false(gone && left > 0);
		left += !gone;
	}
	assert_in_range(
	    left, CLIENTS_UNSENT_MAX / SIZE, CLIENTS_UNSENT_MAX / SIZE * 5 / 4);
	for (size_t i = 0; i < MANY; i++)
		close(fds[i]);
	free(large);
}

static void
a_large_answer_arrives_whole(void **state)
{
	enum {
		SIZE = 2 << 20
	};
	uint8_t *large = malloc(SIZE);
	uint8_t *got = malloc(SIZE + 13);
	size_t used = 0;
	int fd = greeted_client();

	(void)state;
	assert_true(large && got);
	for (size_t i = 0; i < SIZE; i++)
		large[i] = (uint8_t)(i * 2654435761U >> 24);
	ask(fd, 'l', 10);
	turn();
	answer(0, large, SIZE);
	while (used < SIZE + 13) {
		ssize_t n = take(fd, got + used, SIZE + 13 - used);

		assert_true(n > 0);
		used += (size_t)n;
	}
	assert_memory_equal(got + 13, large, SIZE);
	ask(fd, 'm', 10);
	turn();
	assert_int_equal(asked_count, 1);
	close(fd);
	free(large);
	free(got);
}

static void
who_begins_and_does_not_go_on_is_hung_up_on(void **state)
{
	int says_nothing = connect_client();
	int begins = greeted_client();
	int waits = greeted_client();
	struct mono begin = mono_now();

	(void)state;
	put(begins, "\1\0\0\0\0\0\0\0\20\x80", 10);
	while (clients_count(clients) > 1 &&
	    mono_ms_between(begin, mono_now()) < 2 * CLIENTS_PATIENCE_MS)
		assert_int_equal(loop_turn(loop, 50), 0);
	assert_in_range(mono_ms_between(begin, mono_now()), CLIENTS_PATIENCE_MS - 500,
	    CLIENTS_PATIENCE_MS + 3000);
	assert_true(hung_up(says_nothing));
	assert_true(hung_up(begins));
	assert_false(hung_up(waits)); /* may take its time before it asks */
	close(says_nothing);
	close(begins);
	close(waits);
}

static void
the_socket_is_for_the_group_and_replaces_an_old_one(void **state)
{
	struct clients_options options = {.loop = loop,
	    .path = path,
	    .gid = getegid(),
	    .message_max = MESSAGE_MAX,
	    .message_end = MESSAGE_END,
	    .arrived = on_arrival};
	struct stat st;
	mode_t mask;
	int fd;

	(void)state;
	for (mode_t umasks = 0; umasks <= 0777; umasks += 0777) {
		clients_free(clients); /* and the path stays, as after a crash */
		mask = umask(umasks);
		assert_int_equal(clients_new(&clients, &options), 0);
		umask(mask);
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0660);
		assert_int_equal(st.st_gid, getegid());
		fd = greeted_client();
		close(fd);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_request_is_answered_to_where_it_came_from),
	    TEST(whatever_breaks_the_framing_ends_the_connection),
	    TEST(a_longer_request_is_told_but_not_kept),
	    TEST(a_second_request_waits_for_the_answer_to_the_first),
	    TEST(who_has_gone_is_answered_into_nothing),
	    TEST(thousands_that_say_nothing_leave_room_for_who_asks),
	    TEST(only_so_many_requests_are_worked_on_at_once),
	    TEST(one_user_keeps_no_other_from_asking),
	    TEST(what_one_user_holds_is_counted_apart_from_others),
	    TEST(answers_that_nobody_takes_are_not_kept_without_end),
	    TEST(a_large_answer_arrives_whole),
	    TEST(who_begins_and_does_not_go_on_is_hung_up_on),
	    TEST(the_socket_is_for_the_group_and_replaces_an_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
