/* A datagram is sent at once, from the thread that logs. syslog(3) blocks when its daemon
 * stands still, and then so would the supervisor; its lines go through a queue of fixed
 * size to a thread that calls it. Lines that find no room are counted and told. */
#include "supervisor/log/log_target.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "common/iface.h"
#include "supervisor/log/log_message.h"

#define LOG_QUEUE_LINES 256
#define LOG_DRAIN_MS 2000

struct log_queued {
	int level;
	char text[LOG_LINE_SIZE + 128];
};

struct log_target {
	int fd; /* udp; else -1 */
	atomic_uint_fast64_t lost; /* lines of udp */

	pthread_t thread; /* syslog */
	bool has_thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool ending;
	bool busy; /* in syslog(3) */
	size_t first;
	size_t count;
	uint64_t left_out;
	struct log_queued queue[LOG_QUEUE_LINES];
};

static int
log_udp_send(struct log_target *target, const struct log_record *record)
{
	char message[LOG_MESSAGE_SIZE];
	char host[256] = "";
	size_t len;
	ssize_t n;

	/* Each time: it may be set long after the start. */
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	len = log_message_format(message, wall_now(), host, record);
	n = send(target->fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* That is what became of the datagram before: this one has not been sent yet. */
	if (n < 0 && errno == ECONNREFUSED)
		n = send(target->fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 && errno != ECONNREFUSED ? -errno : 0;
}

static void
log_udp_sink(void *arg, const struct log_record *record)
{
	struct log_target *target = arg;
	uint64_t lost = atomic_exchange(&target->lost, 0);

	if (lost > 0) {
		char text[64];
		struct log_record told = {.level = LOG_LEVEL_WARNING,
		    .pid = (int)getpid(),
		    .program = "weir-supervisor",
		    .iface = "",
		    .topic = "log",
		    .text = text};

		snprintf(text, sizeof(text), "%llu lines could not be sent",
		    (unsigned long long)lost);
		if (log_udp_send(target, &told) != 0)
			atomic_fetch_add(&target->lost, lost);
	}
	if (log_udp_send(target, record) != 0)
		atomic_fetch_add(&target->lost, 1);
}

static int
log_udp_open(int *out, const struct config_log *config)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_DGRAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *address = NULL;
	char port[8];
	int fd = -1;
	int rc;

	snprintf(port, sizeof(port), "%u", (unsigned)config->port);
	if (getaddrinfo(config->address, port, &hints, &address) != 0)
		return -EINVAL;
	fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) < 0) {
		rc = -errno;
		goto out;
	}
	*out = fd;
	fd = -1;
	rc = 0;
out:
	freeaddrinfo(address);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void
log_syslog_format(char *out, size_t size, const struct log_record *record)
{
	char iface[IFACE_SHOWN_SIZE];
	bool own = strcmp(record->program, "weir-supervisor") == 0;

	iface_shown(record->iface, iface);
	snprintf(out, size, "%s%s%s%s%s%s%s: %s",
	    own ? "" : "program=", own ? "" : record->program, own ? "" : " ",
	    iface[0] ? "iface=" : "", iface, iface[0] ? " " : "", record->topic,
	    record->text);
}

static void
log_syslog_sink(void *arg, const struct log_record *record)
{
	struct log_target *target = arg;
	struct log_queued line = {.level = record->level};

	log_syslog_format(line.text, sizeof(line.text), record);
	if (!target->has_thread) {
		syslog(LOG_DAEMON | line.level, "%s", line.text);
		return;
	}
	pthread_mutex_lock(&target->lock);
	if (target->count < LOG_QUEUE_LINES) {
		target->queue[(target->first + target->count++) % LOG_QUEUE_LINES] =
		    line;
		pthread_cond_signal(&target->wake);
	} else {
		target->left_out++;
	}
	pthread_mutex_unlock(&target->lock);
}

static void *
log_syslog_main(void *arg)
{
	struct log_target *target = arg;

	pthread_mutex_lock(&target->lock);
	for (;;) {
		struct log_queued line;
		uint64_t left_out;

		while (target->count == 0 && !target->ending)
			pthread_cond_wait(&target->wake, &target->lock);
		if (target->count == 0)
			break;
		line = target->queue[target->first];
		target->first = (target->first + 1) % LOG_QUEUE_LINES;
		target->count--;
		left_out = target->left_out;
		target->left_out = 0;
		target->busy = true;
		pthread_mutex_unlock(&target->lock);
		syslog(LOG_DAEMON | line.level, "%s", line.text);
		if (left_out > 0)
			syslog(LOG_DAEMON | LOG_WARNING,
			    "log: %llu lines were left out: syslogd did not take them",
			    (unsigned long long)left_out);
		pthread_mutex_lock(&target->lock);
		target->busy = false;
	}
	pthread_mutex_unlock(&target->lock);
	return NULL;
}

int
log_target_open(struct log_target **out, const struct config_log *config,
    char why[static LOG_TARGET_WHY_SIZE])
{
	struct log_target *target;
	int rc;

	if (config->target == CONFIG_LOG_STDERR) {
		*out = NULL;
		return 0;
	}
	target = calloc(1, sizeof(*target));
	if (!target) {
		snprintf(why, LOG_TARGET_WHY_SIZE, "out of memory");
		return -ENOMEM;
	}
	target->fd = -1;
	if (config->target == CONFIG_LOG_UDP) {
		rc = log_udp_open(&target->fd, config);
		if (rc != 0) {
			snprintf(why, LOG_TARGET_WHY_SIZE,
			    "no socket to send to %s port %u: %s", config->address,
			    (unsigned)config->port, strerror(-rc));
			free(target);
			return rc;
		}
		log_set_sink(log_udp_sink, target);
	} else {
		pthread_mutex_init(&target->lock, NULL);
		pthread_cond_init(&target->wake, NULL);
		openlog("weir-supervisor", LOG_PID | LOG_NDELAY, LOG_DAEMON);
		log_set_sink(log_syslog_sink, target);
	}
	*out = target;
	return 0;
}

int
log_target_start(struct log_target *target)
{
	int rc;

	if (!target || target->fd >= 0 || target->has_thread)
		return 0;
	rc = pthread_create(&target->thread, NULL, log_syslog_main, target);
	target->has_thread = rc == 0;
	return -rc;
}

static bool
log_target_idle(struct log_target *target)
{
	bool idle;

	pthread_mutex_lock(&target->lock);
	idle = target->count == 0 && !target->busy;
	pthread_mutex_unlock(&target->lock);
	return idle;
}

void
log_target_drain(struct log_target *target)
{
	struct mono end = mono_plus_ms(mono_now(), LOG_DRAIN_MS);

	if (!target || !target->has_thread)
		return;
	while (!log_target_idle(target) && mono_ms_between(mono_now(), end) > 0)
		usleep(1000);
}

void
log_target_close(struct log_target *target)
{
	if (!target)
		return;
	log_set_sink(NULL, NULL);
	if (target->fd >= 0) {
		close(target->fd);
		free(target);
		return;
	}
	log_target_drain(target);
	if (target->has_thread) {
		/* A thread that stands in syslog(3) keeps what it uses. */
		if (!log_target_idle(target))
			return;
		pthread_mutex_lock(&target->lock);
		target->ending = true;
		pthread_cond_signal(&target->wake);
		pthread_mutex_unlock(&target->lock);
		pthread_join(target->thread, NULL);
	}
	closelog();
	pthread_cond_destroy(&target->wake);
	pthread_mutex_destroy(&target->lock);
	free(target);
}
