/* One socket has both the events and the list of all links, so that both arrive in the
 * order in which things happened: what the list says is never older than an event
 * before it. The list is asked for at the start and whenever events were lost; it is
 * read in turns of the loop like events are, and a link that neither the list nor an
 * event has named by its end is gone.
 *
 * The kernel marks a list as interrupted when links came or went while it was made:
 * then nothing is concluded from what it lacks, and it is asked for again a little
 * later, since links that come and go by the hundred do so for a while.
 *
 * What links_refresh() learns may be newer than events that still wait. Those then
 * take the table back for a moment; the last of them says the same again. */
#include "supervisor/link/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/link/links_private.h"

/* Datagrams per turn of the loop: a list of a thousand links has some fifty. */
#define LINKS_TURN 64

#define LINKS_AGAIN_MS 100

/* How often the start tries to get a list that nothing has interrupted. */
#define LINKS_START_TRIES 5

/* Datagrams that links_refresh() looks at: its answer is the first. */
#define LINKS_ANSWER_TRIES 4

static void
links_forget_offload(struct links *links, int index)
{
	struct link_row *row = link_table_find(&links->table, index);

	if (row)
		row->offload_asked = false;
}

static void
links_message(void *arg, const struct rtnl_message *message)
{
	struct links *links = arg;

	if (message->answer && message->interrupted)
		links->interrupted = true;
	switch (message->kind) {
	case RTNL_LINK:
		if (link_table_put(&links->table, &message->link) < 0)
			links->stale = true;
		links_forget_offload(links, message->link.index);
		break;
	case RTNL_GONE:
		link_table_remove(&links->table, message->link.index);
		break;
	case RTNL_END:
		if (!message->answer || !links->reading)
			break;
		links->reading = false;
		links->error = message->error;
		if (message->error == 0 && !links->interrupted)
			link_table_sweep(&links->table);
		else
			loop_timer_set(links->loop, &links->again, LINKS_AGAIN_MS);
		break;
	}
}

static int
links_read(struct links *links)
{
	int rc = rtnl_ask_all(&links->follow);

	links->stale = false;
	loop_timer_clear(links->loop, &links->again);
	if (rc < 0) {
		loop_timer_set(links->loop, &links->again, LINKS_AGAIN_MS);
		return rc;
	}
	link_table_begin(&links->table);
	links->reading = true;
	links->interrupted = false;
	links->readings++;
	return 0;
}

static void
links_tell(void *arg)
{
	struct links *links = arg;
	struct iface_name name;

	while (link_table_next_changed(&links->table, &name))
		links->events->changed(links->arg, &name);
}

static int links_open(struct links *links);

static void
links_ready(void *arg)
{
	struct links *links = arg;
	int n = 0;

	for (int i = 0; i < LINKS_TURN; i++) {
		n = rtnl_receive(&links->follow);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			links->stale = true;
		else
			rtnl_walk(&links->follow, n, links_message, links);
	}
	/* The next part of a list is there when one is taken; if not, the kernel had no
	 * memory for it, and this socket will never see the end. */
	if (n == -EAGAIN && links->reading) {
		links->reading = false;
		links->stale = true;
		if (links_open(links) < 0)
			loop_timer_set(links->loop, &links->again, LINKS_AGAIN_MS);
	}
	/* Not before all is read: the list needs room. */
	if (n == -EAGAIN && links->stale)
		(void)links_read(links);
	links_tell(links);
}

static void
links_again(void *arg)
{
	struct links *links = arg;

	links->stale = true;
	links_ready(links);
}

/* Begins to follow, on a new socket if there was one. */
static int
links_open(struct links *links)
{
	struct rtnl opened;
	struct loop_watch *watch;
	int rc = rtnl_open(&opened, true);

	if (rc < 0)
		return rc;
	rc = loop_watch_fd(links->loop, rtnl_fd(&opened), links_ready, links, &watch);
	if (rc < 0) {
		rtnl_close(&opened);
		return rc;
	}
	loop_unwatch(links->loop, links->watch);
	rtnl_close(&links->follow);
	links->watch = watch;
	links->follow = opened;
	return 0;
}

/* The whole list at once: the kernel makes each part when the one before is taken. */
static int
links_read_now(struct links *links)
{
	int rc = links_read(links);

	while (rc >= 0 && links->reading) {
		rc = rtnl_receive(&links->follow);
		if (rc == -ENOBUFS) {
			links->stale = true;
			rc = 0;
		} else if (rc >= 0) {
			rtnl_walk(&links->follow, rc, links_message, links);
		}
	}
	if (rc < 0)
		return rc == -EAGAIN ? -EIO : rc;
	return links->error;
}

int
links_new(
    struct links **out, struct loop *loop, const struct links_events *events, void *arg)
{
	struct links *links = calloc(1, sizeof(*links));
	struct iface_name name;
	int rc;

	if (!links)
		return -ENOMEM;
	links->loop = loop;
	links->events = events;
	links->arg = arg;
	links->tell = (struct loop_post){.run = links_tell, .arg = links};
	links->again = (struct loop_timer){.fire = links_again, .arg = links};
	rc = link_table_init(&links->table);
	if (rc < 0)
		goto fail;
	rc = rtnl_open(&links->ask, false);
	if (rc < 0)
		goto fail;
	rc = links_open(links);
	if (rc < 0)
		goto fail;
	/* What is not right even then is put right in the loop. */
	for (int i = 0; i < LINKS_START_TRIES && (i == 0 || links->interrupted); i++) {
		rc = links_read_now(links);
		if (rc < 0)
			goto fail;
	}
	if (links->stale)
		loop_timer_set(loop, &links->again, LINKS_AGAIN_MS);
	while (link_table_next_changed(&links->table, &name))
		;
	*out = links;
	return 0;
fail:
	links_free(links);
	return rc;
}

void
links_free(struct links *links)
{
	if (!links)
		return;
	loop_unpost(links->loop, &links->tell);
	loop_timer_clear(links->loop, &links->again);
	loop_unwatch(links->loop, links->watch);
	rtnl_close(&links->follow);
	rtnl_close(&links->ask);
	link_table_fini(&links->table);
	free(links);
}

const struct link *
links_find(const struct links *links, const char *name)
{
	const struct link_row *row = link_table_find_name(&links->table, name);

	return row ? &row->link : NULL;
}

const struct link *
links_find_index(const struct links *links, int index)
{
	const struct link_row *row = link_table_find(&links->table, index);

	return row ? &row->link : NULL;
}

void
links_each(const struct links *links, void (*each)(void *arg, const struct link *link),
    void *arg)
{
	for (size_t i = 0; i < links->table.buckets; i++) {
		const struct link_row *row;

		LIST_FOREACH(row, &links->table.rows[i], entry)
			each(arg, &row->link);
	}
}

int
links_offload(const struct links *links, int index, char out[static LINK_OFFLOAD_SIZE])
{
	struct link_row *row = link_table_find(&links->table, index);

	if (!row)
		return -ENODEV;
	if (!row->offload_asked) {
		row->offload_rc = link_offload(row->link.name.s, row->offload);
		row->offload_asked =
		    row->offload_rc == 0 || row->offload_rc == -EOPNOTSUPP;
	}
	if (row->offload_rc == 0)
		memcpy(out, row->offload, sizeof(row->offload));
	return row->offload_rc;
}

size_t
links_count(const struct links *links)
{
	return links->table.count;
}

struct links_answer {
	struct links *links;
	int index;
	int rc; /* 1: not there yet */
};

static void
links_answered(void *arg, const struct rtnl_message *message)
{
	struct links_answer *answer = arg;

	if (!message->answer || answer->rc <= 0)
		return;
	if (message->kind == RTNL_END)
		answer->rc = message->error < 0 ? message->error : -EPROTO;
	else if (message->kind == RTNL_LINK && message->link.index == answer->index)
		answer->rc = link_table_put(&answer->links->table, &message->link);
}

int
links_refresh(struct links *links, int index)
{
	struct links_answer answer = {.links = links, .index = index, .rc = 1};
	int rc;

	/* One that is not in the table would come back with it for good if the event of
	 * its end was the last one. */
	if (!link_table_find(&links->table, index))
		return -ENODEV;
	rc = rtnl_ask_one(&links->ask, index);
	for (int i = 0; rc >= 0 && answer.rc > 0 && i < LINKS_ANSWER_TRIES; i++) {
		rc = rtnl_receive(&links->ask);
		if (rc > 0)
			rtnl_walk(&links->ask, rc, links_answered, &answer);
	}
	if (answer.rc > 0)
		answer.rc = rc < 0 && rc != -EAGAIN ? rc : -EIO;
	if (!TAILQ_EMPTY(&links->table.changed))
		loop_post(links->loop, &links->tell);
	return answer.rc;
}
