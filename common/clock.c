#include "common/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

struct mono
mono_now(void)
{
	return (struct mono){clock_ns(CLOCK_BOOTTIME)};
}

struct wall
wall_now(void)
{
	return (struct wall){clock_ns(CLOCK_REALTIME)};
}

int64_t
mono_ms_between(struct mono earlier, struct mono later)
{
	return (later.ns - earlier.ns) / NS_PER_MS;
}

struct mono
mono_plus_ms(struct mono t, int64_t ms)
{
	return (struct mono){t.ns + ms * NS_PER_MS};
}

int64_t
wall_next_boundary_ms(struct wall now, int64_t period_ms)
{
	int64_t ms = now.ns / NS_PER_MS;

	return (ms / period_ms + 1) * period_ms;
}

char *
wall_text_ms(int64_t ms, char buf[static 32])
{
	int64_t part = ms % MS_PER_S;
	time_t seconds = (time_t)(ms / MS_PER_S);
	struct tm tm;
	size_t n;

	if (part < 0) {
		part += MS_PER_S;
		seconds--;
	}
	if (!gmtime_r(&seconds, &tm)) {
		snprintf(buf, 32, "%lld ms", (long long)ms);
		return buf;
	}
	n = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	if (n == 0)
		snprintf(buf, 32, "%lld ms", (long long)ms);
	else if (part != 0)
		snprintf(buf + n, 32 - n, ".%03dZ", (int)part);
	else
		snprintf(buf + n, 32 - n, "Z");
	return buf;
}
