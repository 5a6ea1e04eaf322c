#include "supervisor/store_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "proto/view.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

static void store_link_launch(struct store_link *store);

static void
store_link_on_status(void *arg, int rc, struct reply *reply)
{
	struct store_link *store = arg;

	(void)rc; /* a missed deadline is the business of child.c */
	store->poll = NULL;
	reply_free(reply);
	if (store->child && !store->closing)
		loop_timer_set(
		    store->supervisor->loop, &store->poll_timer, STORE_POLL_MS);
}

/* Nothing is done with the answer: asking finds a store that hangs. */
static void
store_link_ask_status(struct store_link *store, int64_t allowance_ms)
{
	struct pack request;

	if (!store->child || store->closing || store->poll)
		return;
	pack_init(&request);
	pack_request(&request, MSG_STATUS);
	if (pack_finish(&request) != 0 ||
	    child_ask(&store->poll, store->child, MSG_STATUS, &request, allowance_ms,
		store_link_on_status, store) != 0)
		loop_timer_set(
		    store->supervisor->loop, &store->poll_timer, STORE_POLL_MS);
	pack_fini(&request);
}

static void
store_link_on_poll(void *arg)
{
	store_link_ask_status(arg, STORE_STATUS_MS);
}

static void
store_link_on_connected(void *arg, struct child *child)
{
	struct store_link *store = arg;

	if (child != store->child)
		return;
	log_info("store", "weir-store runs as process %d", (int)child_pid(child));
	loop_timer_set(store->supervisor->loop, &store->poll_timer, STORE_POLL_MS);
	manager_store_ready(store->supervisor);
}

static void
store_link_on_died(void *arg, struct child *child)
{
	struct store_link *store = arg;
	struct loop *loop = store->supervisor->loop;
	int64_t delay;

	if (child != store->child)
		return;
	store->child = NULL;
	store->poll = NULL;
	loop_timer_clear(loop, &store->poll_timer);
	if (store->closing) {
		manager_store_gone(store->supervisor);
		return;
	}
	store->restarts++;
	delay = backoff_next(&store->deaths, child_uptime_ms(child));
	log_warn("store",
	    "weir-store (process %d) has died; starting it again in %" PRId64 " ms",
	    (int)child_pid(child), delay);
	loop_timer_set(loop, &store->start_timer, delay);
}

static void
store_link_on_reaped(void *arg, struct child *child, int status)
{
	struct store_link *store = arg;

	child_end_text(child, status, store->last_exit);
	store->last_exit_ms = wall_now().ns / NS_PER_MS;
	if (!store->closing)
		log_warn("store", "weir-store ended with %s", store->last_exit);
}

static const struct child_events store_link_events = {
    .connected = store_link_on_connected,
    .died = store_link_on_died,
    .reaped = store_link_on_reaped,
};

static void
store_link_launch(struct store_link *store)
{
	struct supervisor *supervisor = store->supervisor;
	char user[32];
	char keep_ms[24];
	char keep_bytes[24];
	const char *args[] = {"--user", user, "--keep-ms", keep_ms, "--keep-bytes",
	    keep_bytes, supervisor->config.log_flows ? "--log-flows" : NULL, NULL};
	struct child_options options = {.program = "weir-store",
	    .label = "weir-store",
	    .log_flows = supervisor->config.log_flows,
	    .args = args,
	    .socket_dir = supervisor->runtime.store,
	    .socket_uid = supervisor->settings.store_uid,
	    .data_fd = supervisor->runtime.store_fd,
	    .errors_fd = -1};
	int64_t delay;
	int rc;

	if (store->child || store->closing)
		return;
	snprintf(user, sizeof(user), "%u:%u", (unsigned)supervisor->settings.store_uid,
	    (unsigned)supervisor->settings.client_gid);
	snprintf(keep_ms, sizeof(keep_ms), "%" PRIu64, supervisor->config.keep_ms);
	snprintf(
	    keep_bytes, sizeof(keep_bytes), "%" PRIu64, supervisor->config.keep_bytes);
	rc = child_start(
	    &store->child, supervisor->children, &options, &store_link_events, store);
	if (rc == 0) {
		/* At once, so that one that hangs before it dials is found, too. */
		store_link_ask_status(store, STORE_START_MS);
		return;
	}
	delay = backoff_next(&store->deaths, 0);
	log_err("store",
	    "weir-store cannot be started: %s; trying again in %" PRId64 " ms",
	    strerror(-rc), delay);
	loop_timer_set(supervisor->loop, &store->start_timer, delay);
}

static void
store_link_on_start_timer(void *arg)
{
	store_link_launch(arg);
}

void
store_link_start(struct supervisor *supervisor)
{
	struct store_link *store = &supervisor->store;

	*store = (struct store_link){.supervisor = supervisor,
	    .start_timer = {.fire = store_link_on_start_timer, .arg = store},
	    .poll_timer = {.fire = store_link_on_poll, .arg = store}};
	backoff_init(&store->deaths, 100, 30000, 60000, true);
	store_link_launch(store);
}

void
store_link_hurry(struct store_link *store)
{
	if (!store->child && store->start_timer.armed)
		loop_timer_set(store->supervisor->loop, &store->start_timer, 0);
}

bool
store_link_ready(const struct store_link *store)
{
	return store->child && !store->closing && child_connected(store->child);
}

static void
store_link_on_flushed(void *arg, int rc, struct reply *reply)
{
	struct store_link *store = arg;

	if (rc != 0)
		log_warn("store", "the last flush was not answered: %s", strerror(-rc));
	else if (reply->msg.error != MSG_OK) {
		char text[MSG_TEXT_MAX + 1];

		view_text(reply->msg.body, "text", text, sizeof(text));
		log_warn("store", "the last flush failed: %s", text);
	}
	reply_free(reply);
	if (store->child)
		child_close(store->child);
}

void
store_link_finish(struct store_link *store)
{
	struct pack request;
	int rc;

	if (store->closing)
		return;
	store->closing = true;
	loop_timer_clear(store->supervisor->loop, &store->start_timer);
	loop_timer_clear(store->supervisor->loop, &store->poll_timer);
	if (!store->child) {
		manager_store_gone(store->supervisor);
		return;
	}
	pack_init(&request);
	pack_request(&request, MSG_FLUSH);
	rc = pack_finish(&request);
	if (rc == 0)
		rc = child_ask(NULL, store->child, MSG_FLUSH, &request, STORE_FLUSH_MS,
		    store_link_on_flushed, store);
	if (rc != 0)
		child_close(store->child);
	pack_fini(&request);
}

void
store_link_fini(struct store_link *store)
{
	if (!store->supervisor)
		return;
	loop_timer_clear(store->supervisor->loop, &store->start_timer);
	loop_timer_clear(store->supervisor->loop, &store->poll_timer);
	children_disown(store->supervisor->children, store);
	store->child = NULL;
	store->poll = NULL;
}
