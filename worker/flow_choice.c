/* The best so far are a heap with the worst of them on top, so that of a million flows
 * nearly each costs one comparison. The heap moves small entries, not records: an entry
 * tells the place of its record, which the next better one takes over. */
#include "worker/flow_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/flow_map.h"

struct entry {
	uint64_t key; /* the more, the better */
	uint64_t number; /* of the flow as it came; the less, the better */
	size_t at; /* its record */
};

struct flow_choice {
	struct flows_query query;
	size_t count; /* entries in use */
	uint64_t flows;
	uint64_t matched;
	struct entry *heap; /* limit entries */
	struct flow_record *record; /* limit records */
};

static bool
in_prefix(const struct flows_query *filter, const uint8_t *address)
{
	unsigned bytes = filter->prefix / 8;
	unsigned bits = filter->prefix % 8;

	if (memcmp(address, filter->address, bytes) != 0)
		return false;
	return bits == 0 ||
	    (address[bytes] ^ filter->address[bytes]) >> (8 - bits) == 0;
}

bool
flow_filter_matches(const struct flows_query *filter, const struct flow_record *flow)
{
	if (flow->family == FAMILY_NONE &&
	    (filter->family != FAMILY_NONE || filter->port_given))
		return false;
	if (filter->family != FAMILY_NONE &&
	    (flow->family != filter->family ||
		(!in_prefix(filter, flow->src) && !in_prefix(filter, flow->dst))))
		return false;
	if (filter->port_given && flow->sport != filter->port &&
	    flow->dport != filter->port)
		return false;
	return !filter->proto_given || flow->proto == filter->proto;
}

int
flow_choice_new(struct flow_choice **out, const struct flows_query *query)
{
	struct flow_choice *choice;

	if (query->limit == 0 || query->limit > FLOWS_LIMIT_MAX ||
	    query->prefix > (query->family == FAMILY_IPV4 ? 32 : 128))
		return -EINVAL;
	choice = calloc(1, sizeof(*choice));
	if (!choice)
		return -ENOMEM;
	choice->query = *query;
	choice->heap = calloc(query->limit, sizeof(choice->heap[0]));
	choice->record = calloc(query->limit, sizeof(choice->record[0]));
	if (!choice->heap || !choice->record) {
		flow_choice_free(choice);
		return -ENOMEM;
	}
	*out = choice;
	return 0;
}

void
flow_choice_free(struct flow_choice *choice)
{
	if (!choice)
		return;
	free(choice->heap);
	free(choice->record);
	free(choice);
}

static bool
is_worse(const struct entry *a, const struct entry *b)
{
	return a->key != b->key ? a->key < b->key : a->number > b->number;
}

static void
swap_entries(struct entry *a, struct entry *b)
{
	struct entry kept = *a;

	*a = *b;
	*b = kept;
}

static void
sift_up(struct entry *heap, size_t at)
{
	while (at > 0 && is_worse(&heap[at], &heap[(at - 1) / 2])) {
		swap_entries(&heap[at], &heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static void
sift_down(struct entry *heap, size_t count)
{
	size_t at = 0;

	for (;;) {
		size_t worst = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < count && is_worse(&heap[child], &heap[worst]))
				worst = child;
		}
		if (worst == at)
			return;
		swap_entries(&heap[at], &heap[worst]);
		at = worst;
	}
}

void
flow_choice_add(struct flow_choice *choice, const struct flow_record *flow)
{
	struct entry entry = {0, choice->flows++, 0};

	if (!flow_filter_matches(&choice->query, flow))
		return;
	choice->matched++;
	entry.key = flows_sort_key(choice->query.sort, flow);
	if (choice->count < choice->query.limit) {
		entry.at = choice->count++;
		choice->record[entry.at] = *flow;
		choice->heap[entry.at] = entry;
		sift_up(choice->heap, entry.at);
		return;
	}
	if (is_worse(&entry, &choice->heap[0]))
		return;
	entry.at = choice->heap[0].at;
	choice->record[entry.at] = *flow;
	choice->heap[0] = entry;
	sift_down(choice->heap, choice->count);
}

uint64_t
flow_choice_flows(const struct flow_choice *choice)
{
	return choice->flows;
}

uint64_t
flow_choice_matched(const struct flow_choice *choice)
{
	return choice->matched;
}

static int
best_first(const void *a, const void *b)
{
	return is_worse(a, b) ? 1 : -1; /* no two have the same number */
}

void
flow_choice_pack(struct flow_choice *choice, struct pack *pack)
{
	qsort(choice->heap, choice->count, sizeof(choice->heap[0]), best_first);
	for (size_t i = 0; i < choice->count; i++)
		flow_map_pack(pack, &choice->record[choice->heap[i].at]);
}
