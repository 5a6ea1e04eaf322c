#include "common/books.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *name;
	const char *help;
} classes[] = {
    [REFUSED_NONE] = {NULL, NULL},
    [REFUSED_NOT_IP] = {"not_ip", "frames that carry no IP, such as ARP or LLDP"},
    [REFUSED_TRUNCATED] = {"truncated",
	"the captured bytes end inside a header: raise snaplen, or the sender cut it"},
    [REFUSED_BAD_HEADER] = {"bad_header",
	"an IP header that contradicts itself (version or length)"},
    [REFUSED_LINK_TYPE] = {"link_type", "the link type of the source is not decoded"},
};
_Static_assert(sizeof(classes) / sizeof(classes[0]) == REFUSED_MAX,
    "every class of refusal has a name");

const char *refusal_name(enum refusal class)
{
	return (unsigned)class < REFUSED_MAX ? classes[class].name : NULL;
}

const char *refusal_help(enum refusal class)
{
	return (unsigned)class < REFUSED_MAX ? classes[class].help : NULL;
}

enum refusal
refusal_from_name(const char *name)
{
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		if (strcmp(name, classes[class].name) == 0)
			return (enum refusal) class;
	}
	return REFUSED_NONE;
}

struct counter
books_refused(const struct books *books)
{
	struct counter sum = {0, 0};

	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++)
		counter_add(&sum, &books->refused[class]);
	return sum;
}

bool
books_close(const struct books *books)
{
	struct counter sum = books_refused(books);

	counter_add(&sum, &books->in_flows);
	return counter_equal(&sum, &books->received);
}

void
books_add(struct books *sum, const struct books *more)
{
	counter_add(&sum->received, &more->received);
	counter_add(&sum->in_flows, &more->in_flows);
	counter_add(&sum->overflow, &more->overflow);
	for (int class = 0; class < REFUSED_MAX; class ++)
		counter_add(&sum->refused[class], &more->refused[class]);
}
