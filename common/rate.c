#include "common/rate.h"

void
rate_init(struct rate *rate, unsigned burst)
{
	*rate = (struct rate){.tokens = (int64_t)burst * 1000, .filled = mono_now()};
}

static void
rate_fill(struct rate *rate, unsigned burst, unsigned per_second)
{
	int64_t ms = mono_ms_between(rate->filled, mono_now());
	int64_t full = (int64_t)burst * 1000;

	/* What is less than a millisecond stays for the next time. */
	if (ms <= 0)
		return;
	rate->filled = mono_plus_ms(rate->filled, ms);
	if (per_second == 0)
		return;
	/* The first comparison is for the multiplication, which it keeps in range. */
	if (ms > full / per_second || rate->tokens + ms * per_second > full)
		rate->tokens = full;
	else
		rate->tokens += ms * per_second;
}

bool
rate_take(struct rate *rate, unsigned burst, unsigned per_second)
{
	rate_fill(rate, burst, per_second);
	if (rate->tokens < 1000)
		return false;
	rate->tokens -= 1000;
	return true;
}
