/* Each sample asks for the status and compares the worker's total with that of the
 * sample before. A worker that was replaced in between began again at 0: then there is
 * no rate, and "-" says so. Times are monotonic. */
#include "client/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/daemon/iface_status.h"
#include "client/daemon/whole.h"
#include "common/log.h"

#define ASK_MS 5000

struct sample {
	struct iface_status *ifaces;
	size_t count;
	struct mono at;
};

static const struct column columns[] = {
    {"time", "TIME", UNIT_TIME_MS, .left = true, .width = 20, .drop = 2},
    {"iface", "IFACE", UNIT_NONE, .left = true, .width = 12},
    {"state", "STATE", UNIT_NONE, .left = true, .width = 8},
    {"packets_per_s", "PACKETS/S", UNIT_COUNT, .width = 9},
    {"bytes_per_s", "BYTES/S", UNIT_BYTES, .width = 9},
    {"flows", "FLOWS", UNIT_COUNT, .width = 7},
    {"dropped", "DROPS", UNIT_COUNT, .width = 7},
    {"if_dropped", "IFDROPS", UNIT_COUNT, .width = 7},
    {"refused", "REFUSED", UNIT_COUNT, .width = 7, .drop = 1},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static volatile sig_atomic_t interrupted;

static void
on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

static void
sample_forget_maps(struct sample *sample)
{
	for (size_t i = 0; i < sample->count; i++)
		sample->ifaces[i].map = NULL;
}

static int
take_sample(const struct client *client, bool quiet, struct sample *out)
{
	const struct daemon_question question = {
	    .type = MSG_STATUS, .default_ms = ASK_MS, .quiet = quiet};
	struct whole_answer answer;
	int rc;
	int code = daemon_ask_whole(client, &question, &answer);

	if (code != EXIT_DONE)
		return code;
	out->at = mono_now();
	rc = iface_status_read(answer.body, &out->ifaces, &out->count);
	if (rc == 0) /* the answer goes, and with it what `map` points to */
		sample_forget_maps(out);
	whole_answer_fini(&answer);
	if (rc == 0)
		return EXIT_DONE;
	log_err("status", "the daemon's answer: %s", strerror(-rc));
	return EXIT_FAILED;
}

static const struct iface_status *
sample_find(const struct sample *sample, const char *name)
{
	for (size_t i = 0; i < sample->count; i++) {
		if (strcmp(sample->ifaces[i].name, name) == 0)
			return &sample->ifaces[i];
	}
	return NULL;
}

static void
show_iface(struct output *out, const struct iface_status *now,
    const struct iface_status *before, double seconds, int64_t time_ms)
{
	struct counter refused = books_refused(&now->interval.books);
	struct value values[COLUMNS] = {
	    VALUE_OF_I64(time_ms),
	    VALUE_OF_TEXT(now->name),
	    VALUE_OF_TEXT(iface_status_word(now)),
	};

	if (now->answered && before && before->answered && before->pid == now->pid &&
	    now->total.packets >= before->total.packets &&
	    now->total.bytes >= before->total.bytes && seconds > 0) {
		values[3] = VALUE_OF_REAL(
		    (double)(now->total.packets - before->total.packets) / seconds);
		values[4] = VALUE_OF_REAL(
		    (double)(now->total.bytes - before->total.bytes) / seconds);
	}
	if (now->answered) {
		values[5] = VALUE_OF_U64(now->flows);
		if (now->interval.kernel.known)
			values[6] = VALUE_OF_U64(now->interval.kernel.dropped);
		values[8] = VALUE_OF_U64(refused.packets);
	}
	struct maybe_u64 link_drops = iface_status_link_drops(now);
	if (link_drops.known)
		values[7] = VALUE_OF_U64(link_drops.value);
	out->ops->row(out, values);
}

static void
show_sample(struct output *out, const struct sample *now, const struct sample *before)
{
	double seconds = (double)(now->at.ns - before->at.ns) / (double)NS_PER_S;
	int64_t time_ms = wall_now().ns / NS_PER_MS / MS_PER_S * MS_PER_S;

	for (size_t i = 0; i < now->count; i++)
		show_iface(out, &now->ifaces[i],
		    sample_find(before, now->ifaces[i].name), seconds, time_ms);
}

/* Until then, or until a signal. Signals are blocked except in here, so that none is
 * lost between the look at the flag and the sleep. */
static void
sleep_until(struct mono until, const sigset_t *open_mask)
{
	while (!interrupted) {
		int64_t left = until.ns - mono_now().ns;
		if (left <= 0)
			return;
		struct timespec ts = {left / NS_PER_S, left % NS_PER_S};
		if (pselect(0, NULL, NULL, NULL, &ts, open_mask) < 0 && errno != EINTR)
			return;
	}
}

int
status_watch(const struct client *client)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct sample before = {0};
	sigset_t blocked, open_mask;
	struct output out;
	bool away = false;
	int code;

	/* Before the first nng call: its threads inherit the mask, so that the signal
	 * comes to this thread. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	sigdelset(&open_mask, SIGINT);
	sigdelset(&open_mask, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);

	code = take_sample(client, false, &before);
	if (code != EXIT_DONE)
		return code;
	output_open(&out, client->output, stdout);
	out.live = true;
	out.ops->rows_begin(&out, "samples", columns, COLUMNS);
	struct mono next = before.at;
	for (uint64_t n = 0; client->count == 0 || n < client->count; n++) {
		struct sample now = {0};
		next = mono_plus_ms(next, (int64_t)client->watch_ms);
		sleep_until(next, &open_mask);
		if (interrupted || ferror(stdout))
			break;
		/* Told once, not at every sample, until it answers again. */
		if (take_sample(client, away, &now) != EXIT_DONE) {
			code = EXIT_INCOMPLETE;
			away = true;
			continue;
		}
		away = false;
		show_sample(&out, &now, &before);
		free(before.ifaces);
		before = now;
	}
	out.ops->rows_end(&out, NULL);
	free(before.ifaces);
	return client_finish(client, &out, code);
}
