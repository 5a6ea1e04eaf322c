/* Parts that several messages share. Writer and reader stand next to each other, since
 * they must change together. */
#include "proto/parts.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"

/* So that a label in milliseconds can be turned into nanoseconds by anybody. */
#define LABEL_MS_MAX (INT64_MAX / NS_PER_MS)

void
pack_key_counter(struct pack *pack, const char *key, const struct counter *value)
{
	pack_key_map(pack, key);
	pack_key_u64(pack, "packets", value->packets);
	pack_key_u64(pack, "bytes", value->bytes);
	pack_end(pack);
}

/* The two members of a counter that stand in `map` itself. */
static int
counter_members(const msgpack_object *map, struct counter *out)
{
	int rc = view_u64(map, "packets", UINT64_MAX, &out->packets);

	return rc != 0 ? rc : view_u64(map, "bytes", UINT64_MAX, &out->bytes);
}

int
view_counter(const msgpack_object *map, const char *key, struct counter *out)
{
	const msgpack_object *inner;
	int rc = view_map(map, key, &inner);

	return rc != 0 ? rc : counter_members(inner, out);
}

void
pack_key_books(struct pack *pack, const char *key, const struct books *books)
{
	pack_key_map(pack, key);
	pack_key_u64(pack, "packets", books->received.packets);
	pack_key_u64(pack, "bytes", books->received.bytes);
	pack_key_counter(pack, "in_flows", &books->in_flows);
	pack_key_counter(pack, "overflow", &books->overflow);
	pack_key_map(pack, "refused");
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		const struct counter *count = &books->refused[class];
		if (count->packets != 0 || count->bytes != 0)
			pack_key_counter(pack, refusal_name(class), count);
	}
	pack_end(pack);
	pack_end(pack);
}

static bool
is_class_name(const msgpack_object *key)
{
	if (key->type != MSGPACK_OBJECT_STR)
		return false;
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		const char *name = refusal_name(class);
		if (strlen(name) == key->via.str.size &&
		    memcmp(name, key->via.str.ptr, key->via.str.size) == 0)
			return true;
	}
	return false;
}

int
view_books(const msgpack_object *map, const char *key, struct books *out)
{
	const msgpack_object *inner, *refused;
	int rc = view_map(map, key, &inner);

	if (rc != 0)
		return rc;
	memset(out, 0, sizeof(*out));
	if ((rc = counter_members(inner, &out->received)) != 0 ||
	    (rc = view_counter(inner, "in_flows", &out->in_flows)) != 0 ||
	    (rc = view_counter(inner, "overflow", &out->overflow)) != 0 ||
	    (rc = view_map(inner, "refused", &refused)) != 0)
		return rc;
	for (uint32_t i = 0; i < refused->via.map.size; i++) {
		if (!is_class_name(&refused->via.map.ptr[i].key))
			return -EPROTO;
	}
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		rc = view_counter(refused, refusal_name(class), &out->refused[class]);
		if (rc != 0 && view_get(refused, refusal_name(class)))
			return rc;
	}
	return 0;
}

void
pack_key_link_counts(struct pack *pack, const char *key, const struct link_counts *link)
{
	if (!link->known) {
		pack_key_nil(pack, key);
		return;
	}
	pack_key_map(pack, key);
	pack_key_u64(pack, "packets", link->packets);
	pack_key_u64(pack, "dropped", link->dropped);
	pack_key_u64(pack, "missed", link->missed);
	pack_end(pack);
}

int
view_link_counts(const msgpack_object *map, const char *key, struct link_counts *out)
{
	const msgpack_object *link = view_get(map, key);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!link || link->type == MSGPACK_OBJECT_NIL)
		return 0;
	if (link->type != MSGPACK_OBJECT_MAP)
		return -EPROTO;
	if ((rc = view_u64(link, "packets", UINT64_MAX, &out->packets)) != 0 ||
	    (rc = view_u64(link, "dropped", UINT64_MAX, &out->dropped)) != 0 ||
	    (rc = view_u64(link, "missed", UINT64_MAX, &out->missed)) != 0)
		return rc;
	out->known = true;
	return 0;
}

void
pack_key_interval(struct pack *pack, const char *key, const struct interval *iv)
{
	pack_key_map(pack, key);
	pack_key_i64(pack, "begin_ms", iv->begin_ms);
	pack_key_i64(pack, "end_ms", iv->end_ms);
	pack_key_i64(pack, "length_ns", iv->length_ns);
	pack_key_i64(pack, "clock_step_ms", iv->clock_step_ms);
	pack_key_u64(pack, "flows", iv->flows);
	pack_key_u64(pack, "cuts", iv->cuts);
	pack_key_u64(pack, "busy", iv->busy);
	if (iv->kernel.known) {
		pack_key_map(pack, "kernel");
		pack_key_u64(pack, "received", iv->kernel.received);
		pack_key_u64(pack, "dropped", iv->kernel.dropped);
		pack_end(pack);
	} else {
		pack_key_nil(pack, "kernel");
	}
	pack_key_link_counts(pack, "link", &iv->link);
	pack_key_books(pack, "books", &iv->books);
	pack_end(pack);
}

static int
label_ms(const msgpack_object *map, const char *key, int64_t *out)
{
	int rc = view_i64(map, key, out);

	if (rc == 0 && (*out > LABEL_MS_MAX || *out < -LABEL_MS_MAX))
		return -ERANGE;
	return rc;
}

static int
view_kernel(const msgpack_object *map, struct kernel_counts *out)
{
	const msgpack_object *kernel = view_get(map, "kernel");
	int rc;

	if (!kernel)
		return -ENOENT;
	out->known = kernel->type != MSGPACK_OBJECT_NIL;
	if (!out->known)
		return 0;
	if (kernel->type != MSGPACK_OBJECT_MAP)
		return -EPROTO;
	rc = view_u64(kernel, "received", UINT64_MAX, &out->received);
	return rc != 0 ? rc : view_u64(kernel, "dropped", UINT64_MAX, &out->dropped);
}

int
view_interval(const msgpack_object *map, const char *key, struct interval *out)
{
	const msgpack_object *inner;
	int rc = view_map(map, key, &inner);

	if (rc != 0)
		return rc;
	memset(out, 0, sizeof(*out));
	if ((rc = label_ms(inner, "begin_ms", &out->begin_ms)) != 0 ||
	    (rc = label_ms(inner, "end_ms", &out->end_ms)) != 0 ||
	    (rc = view_i64(inner, "length_ns", &out->length_ns)) != 0 ||
	    (rc = label_ms(inner, "clock_step_ms", &out->clock_step_ms)) != 0 ||
	    (rc = view_u64(inner, "flows", UINT64_MAX, &out->flows)) != 0 ||
	    (rc = view_u32(inner, "cuts", UINT32_MAX, &out->cuts)) != 0 ||
	    (rc = view_u32(inner, "busy", UINT32_MAX, &out->busy)) != 0 ||
	    (rc = view_kernel(inner, &out->kernel)) != 0 ||
	    (rc = view_link_counts(inner, "link", &out->link)) != 0)
		return rc;
	if (out->length_ns < 0)
		return -ERANGE;
	return view_books(inner, "books", &out->books);
}
