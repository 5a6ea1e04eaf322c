#include "supervisor/loop/backoff.h"

static void
backoff_reset(struct backoff *backoff)
{
	backoff->next_ms = backoff->at_once ? 0 : backoff->first_ms;
}

void
backoff_init(struct backoff *backoff, int64_t first_ms, int64_t most_ms,
    int64_t healthy_ms, bool at_once)
{
	*backoff = (struct backoff){.first_ms = first_ms,
	    .most_ms = most_ms,
	    .healthy_ms = healthy_ms,
	    .at_once = at_once};
	backoff_reset(backoff);
}

int64_t
backoff_next(struct backoff *backoff, int64_t well_ms)
{
	int64_t delay;

	if (well_ms >= backoff->healthy_ms)
		backoff_reset(backoff);
	delay = backoff->next_ms;
	backoff->next_ms = delay == 0 ? backoff->first_ms : 2 * delay;
	if (backoff->next_ms > backoff->most_ms)
		backoff->next_ms = backoff->most_ms;
	return delay;
}
