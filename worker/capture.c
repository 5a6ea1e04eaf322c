/* The loop waits in a poll() of its own, because pcap_dispatch() does not return from an
 * idle link. Whoever wants something puts a call into the queue, wakes the loop through
 * an eventfd and waits; calls run between two batches, so neither handles nor meter need
 * a lock. Once a second the kernel's counters are read, before they can wrap.
 *
 * Leaving ACTIVE drains first: with a filter that lets nothing pass, what is in the
 * rings is read until the kernel's count is reached. With TPACKET_V3 a packet is visible
 * only when its block is full or its timer has run out, so this may take one timeout;
 * closing at once would throw the open blocks away. At that point the number handed over
 * must equal the number that the kernel put into the rings: a witness from outside. */
#include "worker/capture.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/refusals.h"

#define BATCH_MAX 4096 /* packets of one handle between two looks at the queue */
#define TICK_MS 1000 /* between two readings of the kernel's counters */
#define DRAIN_EXTRA_MS 200
#define DRAIN_SETTLE_MS 20 /* for the timer of a block that has just begun */
#define DRAIN_PAUSE_MS 2
#define UNDECODABLE_MIN_NS (10 * NS_PER_S)

struct call {
	struct call *next;
	void (*run)(void *arg);
	void *arg;
	bool counted; /* the meter is to have what the kernel has counted by now */
	bool done;
};

struct capture {
	const struct source_ops *ops;
	struct source_options options;
	struct capture_config config; /* options.config points here */
	char iface[64]; /* options.iface points here */

	enum capture_state state;
	struct source *source; /* in INITIALIZED and ACTIVE */
	struct source_fault fault;
	struct source_facts facts;
	struct capture_witness witness;
	struct meter *meter;
	uint64_t handed_over;
	uint64_t kernel_received; /* what the meter has been told */
	uint64_t kernel_dropped;
	struct mono tick;
	bool down;

	pthread_t thread;
	bool threaded;
	int wake_fd;
	pthread_mutex_t lock;
	pthread_cond_t ran;
	struct call *first; /* under lock */
	struct call **last;
	bool stopping; /* under lock */
};

const char *
capture_state_name(enum capture_state state)
{
	switch (state) {
	case CAPTURE_UNINITIALIZED:
		return "uninitialized";
	case CAPTURE_INITIALIZED:
		return "initialized";
	case CAPTURE_ACTIVE:
		return "active";
	case CAPTURE_ERROR:
		return "error";
	}
	return "";
}

int
capture_new(struct capture **out, const struct source_ops *ops,
    const struct source_options *options)
{
	struct capture *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return -ENOMEM;
	capture->ops = ops;
	capture->options = *options;
	if (options->config) {
		capture->config = *options->config;
		capture->options.config = &capture->config;
	}
	if (options->iface) {
		strncpy(capture->iface, options->iface, sizeof(capture->iface) - 1);
		capture->options.iface = capture->iface;
	}
	capture->state = CAPTURE_UNINITIALIZED;
	capture->last = &capture->first;
	capture->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (capture->wake_fd < 0) {
		int rc = -errno;

		free(capture);
		return rc;
	}
	pthread_mutex_init(&capture->lock, NULL);
	pthread_cond_init(&capture->ran, NULL);
	*out = capture;
	return 0;
}

/* ---- the transitions ---- */

/* To ERROR from anywhere; closes what is open. */
static void
capture_fail(struct capture *capture, const struct source_fault *fault)
{
	capture->ops->close(capture->source);
	capture->source = NULL;
	capture->facts.handles = 0;
	capture->fault = *fault;
	capture->state = CAPTURE_ERROR;
	log_err("capture", "%s: %s", source_reason_name(fault->reason), fault->text);
}

static void
initialize(struct capture *capture)
{
	struct source_fault fault = {SOURCE_OPEN_FAILED, ""};

	if (capture->ops->open(&capture->source, &capture->options, &fault) == 0)
		capture->state = CAPTURE_INITIALIZED;
	else
		capture_fail(capture, &fault);
}

static void
activate(struct capture *capture)
{
	struct source_fault fault = {SOURCE_OPEN_FAILED, ""};

	if (capture->ops->activate(capture->source, &fault) != 0) {
		capture_fail(capture, &fault);
		return;
	}
	capture->facts = capture->ops->facts(capture->source);
	capture->state = CAPTURE_ACTIVE;
}

/* The handles cannot be activated again, so closing them belongs to deactivate(); what
 * is left in INITIALIZED are the settings. */
static void
deactivate(struct capture *capture)
{
	capture->ops->close(capture->source);
	capture->source = NULL;
	capture->facts.handles = 0;
	capture->state = CAPTURE_INITIALIZED;
}

static void
uninitialize(struct capture *capture)
{
	capture->ops->close(capture->source); /* never activated, or NULL */
	capture->source = NULL;
	capture->state = CAPTURE_UNINITIALIZED;
}

static void
recover_error(struct capture *capture)
{
	capture->fault = (struct source_fault){SOURCE_OK, ""};
	capture->state = CAPTURE_UNINITIALIZED;
}

void
capture_enable(struct capture *capture)
{
	if (capture->state == CAPTURE_UNINITIALIZED)
		initialize(capture);
	if (capture->state == CAPTURE_INITIALIZED)
		activate(capture);
}

/* ---- reading ---- */

static void
capture_take(void *arg, const struct packet *packet)
{
	struct capture *capture = arg;

	capture->handed_over++;
	meter_packet(capture->meter, packet);
}

/* One batch: the number of packets, or negative errno and a fault. */
static int
capture_read(struct capture *capture, struct source_fault *fault)
{
	int n = capture->ops->dispatch(
	    capture->source, BATCH_MAX, capture_take, capture, fault);

	meter_flush(capture->meter);
	return n;
}

/* Tells the meter what the kernel has counted since the last time. */
static struct source_kernel
capture_count_kernel(struct capture *capture)
{
	struct source_kernel kernel = {.known = false};

	if (capture->state != CAPTURE_ACTIVE || !capture->meter)
		return kernel;
	kernel = capture->ops->kernel(capture->source);
	if (kernel.known) {
		meter_kernel(capture->meter, kernel.received - capture->kernel_received,
		    kernel.dropped - capture->kernel_dropped);
		capture->kernel_received = kernel.received;
		capture->kernel_dropped = kernel.dropped;
	}
	return kernel;
}

static void
capture_testify(
    struct capture *capture, const struct source_kernel *kernel, int64_t drain_ms)
{
	struct capture_witness *witness = &capture->witness;

	*witness = (struct capture_witness){.known = kernel->known && kernel->exact};
	if (!witness->known)
		return;
	witness->kernel = kernel->early + kernel->received - kernel->dropped;
	witness->handed_over = capture->handed_over;
	witness->early = kernel->early;
	witness->agrees = witness->handed_over <= witness->kernel &&
	    witness->handed_over >= witness->kernel - witness->early;
	witness->drain_ms = drain_ms;
	if (!witness->agrees)
		log_warn("capture",
		    "the books do not agree with the kernel: it gave %llu packets (%llu "
		    "before the filter), %llu were handed over",
		    (unsigned long long)witness->kernel,
		    (unsigned long long)witness->early,
		    (unsigned long long)witness->handed_over);
}

/* Reads what the rings still hold. `failed` says that reading has failed already: what
 * was received before that becomes visible within one timeout all the same. */
static void
capture_drain(struct capture *capture, bool failed)
{
	const struct timespec pause = {0, DRAIN_PAUSE_MS * NS_PER_MS};
	const int64_t timeout_ms = capture->facts.timeout_ms;
	const struct mono begin = mono_now();
	struct source_fault fault;
	struct source_kernel kernel;
	int64_t passed_ms;

	if (!capture->meter)
		return; /* never read, so there is nothing to compare */
	(void)capture->ops->stop(capture->source);
	for (;;) {
		int n = capture_read(capture, &fault);

		kernel = capture_count_kernel(capture);
		passed_ms = mono_ms_between(begin, mono_now());
		if (n < 0)
			failed = true;
		if (kernel.known && kernel.exact &&
		    capture->handed_over ==
			kernel.early + kernel.received - kernel.dropped)
			break;
		/* Early packets of the wrong direction are never handed over, so with
		 * these the count alone does not tell the end; the timers do. */
		if (n <= 0 && passed_ms > timeout_ms + DRAIN_SETTLE_MS &&
		    (failed || !kernel.known || !kernel.exact || kernel.early > 0))
			break;
		if (passed_ms > timeout_ms + DRAIN_EXTRA_MS)
			break;
		if (n <= 0)
			(void)nanosleep(&pause, NULL);
	}
	capture_testify(capture, &kernel, passed_ms);
}

/* At most one line per class and interval. Frames without IP are no trouble on most
 * links, so they are no news. */
static void
capture_tell_refusals(struct capture *capture)
{
	uint32_t news = refusals_news(meter_refusals(capture->meter));

	for (int class = REFUSED_NONE + 1; news != 0 && class < REFUSED_MAX; class ++) {
		if ((news & UINT32_C(1) << class) && class != REFUSED_NOT_IP)
			log_warn("decode", "packets refused as %s: %s",
			    refusal_name((enum refusal) class),
			    refusal_help((enum refusal) class));
	}
}

/* Whether the capture has been giving nothing that can be decoded for so long that it
 * had better be opened anew. It takes time as well as packets, and every packet that can
 * be decoded ends the row: else anybody could switch an interface off. */
static bool
capture_makes_no_sense(const struct capture *capture)
{
	int64_t over_ns;
	uint64_t row = meter_undecodable(capture->meter, &over_ns);

	return capture->config.error_threshold != 0 &&
	    row > capture->config.error_threshold && over_ns >= UNDECODABLE_MIN_NS;
}

/* One round of the loop in ACTIVE. */
static void
capture_round(struct capture *capture)
{
	struct source_fault fault = {SOURCE_READ_FAILED, ""};
	bool down;
	int n;

	n = capture_read(capture, &fault);
	if (n < 0) {
		capture_drain(capture, true);
		capture_fail(capture, &fault);
		return;
	}
	capture_tell_refusals(capture);
	if (capture_makes_no_sense(capture)) {
		source_fault_set(&fault, SOURCE_UNDECODABLE,
		    "more than %llu packets in a row could not be decoded",
		    (unsigned long long)capture->config.error_threshold);
		capture_drain(capture, false);
		capture_fail(capture, &fault);
		return;
	}
	down = capture->ops->down(capture->source);
	if (down != capture->down) {
		log_debug(
		    "capture", down ? "the interface is down" : "the interface is up");
		capture->down = down;
	}
	if (mono_ms_between(capture->tick, mono_now()) >= TICK_MS) {
		(void)capture_count_kernel(capture);
		capture->tick = mono_now();
	}
}

void
capture_disable(struct capture *capture)
{
	if (capture->state == CAPTURE_ACTIVE) {
		capture_drain(capture, false);
		deactivate(capture);
	}
	if (capture->state == CAPTURE_INITIALIZED)
		uninitialize(capture);
	if (capture->state == CAPTURE_ERROR)
		recover_error(capture);
}

int
capture_set_filter(
    struct capture *capture, const char *text, struct source_fault *fault)
{
	int rc;

	if (capture->state != CAPTURE_ACTIVE) {
		source_fault_set(fault, SOURCE_FILTER, "the capture is not active");
		return -ENOTCONN;
	}
	if (strlen(text) >= sizeof(capture->config.filter)) {
		source_fault_set(fault, SOURCE_FILTER, "the filter is too long");
		return -E2BIG;
	}
	rc = capture->ops->set_filter(capture->source, text, fault);
	if (rc == 0)
		memcpy(capture->config.filter, text, strlen(text) + 1);
	return rc;
}

void
capture_status(const struct capture *capture, struct capture_status *out)
{
	*out = (struct capture_status){
	    .state = capture->state,
	    .fault = capture->fault,
	    .facts = capture->facts,
	    .config = capture->config,
	    .witness = capture->witness,
	};
}

/* ---- the thread ---- */

/* Runs what is in the queue; answers whether the thread is to go on. */
static bool
capture_run_queue(struct capture *capture)
{
	uint64_t wakes;
	bool stopping;

	(void)!read(capture->wake_fd, &wakes, sizeof(wakes));
	pthread_mutex_lock(&capture->lock);
	while (capture->first) {
		struct call *call = capture->first;

		capture->first = call->next;
		if (!capture->first)
			capture->last = &capture->first;
		pthread_mutex_unlock(&capture->lock);
		if (call->counted)
			(void)capture_count_kernel(capture);
		call->run(call->arg);
		pthread_mutex_lock(&capture->lock);
		call->done = true; /* the call belongs to its waiter again */
		pthread_cond_broadcast(&capture->ran);
	}
	stopping = capture->stopping;
	pthread_mutex_unlock(&capture->lock);
	return !stopping;
}

static void *
capture_main(void *arg)
{
	struct capture *capture = arg;
	struct pollfd fds[1 + SOURCE_HANDLES_MAX];

	for (;;) {
		unsigned count = 1;
		int wait_ms = TICK_MS;

		fds[0] = (struct pollfd){capture->wake_fd, POLLIN, 0};
		if (capture->state == CAPTURE_ACTIVE)
			count += capture->ops->poll(capture->source, fds + 1, &wait_ms);
		(void)poll(fds, count, capture->state == CAPTURE_ACTIVE ? wait_ms : -1);
		if ((fds[0].revents & POLLIN) && !capture_run_queue(capture))
			break;
		if (capture->state == CAPTURE_ACTIVE)
			capture_round(capture);
	}
	return NULL;
}

int
capture_start(struct capture *capture, struct meter *meter)
{
	int rc;

	capture->meter = meter;
	capture->tick = mono_now();
	rc = pthread_create(&capture->thread, NULL, capture_main, capture);
	if (rc != 0)
		return -rc;
	capture->threaded = true;
	return 0;
}

static void
capture_wake(struct capture *capture)
{
	const uint64_t one = 1;

	/* The counter cannot overflow, and a full one wakes just as well. */
	(void)!write(capture->wake_fd, &one, sizeof(one));
}

void
capture_stop(struct capture *capture)
{
	if (!capture->threaded)
		return;
	pthread_mutex_lock(&capture->lock);
	capture->stopping = true;
	pthread_mutex_unlock(&capture->lock);
	capture_wake(capture);
	pthread_join(capture->thread, NULL);
	capture->threaded = false;
}

static void
capture_call(struct capture *capture, struct call *call)
{
	if (!capture->threaded) {
		if (call->counted)
			(void)capture_count_kernel(capture);
		call->run(call->arg);
		return;
	}
	pthread_mutex_lock(&capture->lock);
	*capture->last = call;
	capture->last = &call->next;
	pthread_mutex_unlock(&capture->lock);
	capture_wake(capture);
	pthread_mutex_lock(&capture->lock);
	while (!call->done)
		pthread_cond_wait(&capture->ran, &capture->lock);
	pthread_mutex_unlock(&capture->lock);
}

void
capture_run(struct capture *capture, void (*run)(void *arg), void *arg)
{
	struct call call = {NULL, run, arg, true, false};

	capture_call(capture, &call);
}

void
capture_run_briefly(struct capture *capture, void (*run)(void *arg), void *arg)
{
	struct call call = {NULL, run, arg, false, false};

	capture_call(capture, &call);
}

void
capture_free(struct capture *capture)
{
	if (!capture)
		return;
	capture_stop(capture);
	capture_disable(capture);
	pthread_cond_destroy(&capture->ran);
	pthread_mutex_destroy(&capture->lock);
	close(capture->wake_fd);
	free(capture);
}
