#include "proto/flows_query.h"

#include <errno.h>
#include <string.h>

#include "proto/view.h"

static const char *const flows_sort_names[] = {
    [FLOWS_BY_BYTES] = "bytes",
    [FLOWS_BY_PACKETS] = "packets",
    [FLOWS_BY_LAST] = "last",
};

int
flows_sort_from_name(const char *name, enum flows_sort *out)
{
	for (int sort = FLOWS_BY_BYTES; sort <= FLOWS_BY_LAST; sort++) {
		if (strcmp(name, flows_sort_names[sort]) == 0) {
			*out = (enum flows_sort)sort;
			return 0;
		}
	}
	return -EINVAL;
}

uint64_t
flows_sort_key(enum flows_sort sort, const struct flow_record *flow)
{
	struct counter total;

	if (sort == FLOWS_BY_LAST) /* signed, so that unsigned order is its order */
		return (uint64_t)flow->last_ns ^ UINT64_C(1) << 63;
	total = flow_total(flow);
	return sort == FLOWS_BY_BYTES ? total.bytes : total.packets;
}

void
pack_flows_query(struct pack *pack, const struct flows_query *query)
{
	pack_key_u64(pack, "limit", query->limit);
	pack_key_str(pack, "sort", flows_sort_names[query->sort]);
	if (query->family != FAMILY_NONE) {
		pack_key_bin(pack, "address", query->address,
		    query->family == FAMILY_IPV4 ? 4 : 16);
		pack_key_u64(pack, "prefix", query->prefix);
	}
	if (query->port_given)
		pack_key_u64(pack, "port", query->port);
	if (query->proto_given)
		pack_key_u64(pack, "proto", query->proto);
}

/* Whether it is as it has to be; *given tells whether it is there. */
static bool
view_number(const msgpack_object *map, const char *key, uint32_t max, uint32_t *out,
    bool *given)
{
	int rc = view_u32(map, key, max, out);

	*given = rc == 0;
	return rc == 0 || rc == -ENOENT;
}

static const char *
view_address(const msgpack_object *map, struct flows_query *out)
{
	static const char wrong[] = "address: 4 or 16 bytes, with a prefix";
	const void *address;
	uint32_t prefix;
	size_t len;
	int rc = view_bin(map, "address", &address, &len);

	if (rc == -ENOENT)
		return view_get(map, "prefix") ? wrong : NULL;
	if (rc != 0 || (len != 4 && len != 16))
		return wrong;
	if (view_u32(map, "prefix", (uint32_t)len * 8, &prefix) != 0)
		return "prefix: at most as many bits as the address has";
	out->family = len == 4 ? FAMILY_IPV4 : FAMILY_IPV6;
	memcpy(out->address, address, len);
	out->prefix = (uint8_t)prefix;
	return NULL;
}

static bool
view_sort(const msgpack_object *map, enum flows_sort *out)
{
	char name[16];
	int rc = view_str(map, "sort", name, sizeof(name));

	return rc == -ENOENT || (rc == 0 && flows_sort_from_name(name, out) == 0);
}

const char *
view_flows_query(const msgpack_object *map, struct flows_query *out)
{
	const char *wrong;
	uint32_t number = 0;
	bool given;

	*out = (struct flows_query){.limit = FLOWS_LIMIT_DEFAULT};
	if (!view_number(map, "limit", FLOWS_LIMIT_MAX, &out->limit, &given) ||
	    out->limit == 0)
		return "limit: 1 to 1000";
	if (!view_sort(map, &out->sort))
		return "sort: bytes, packets or last";
	wrong = view_address(map, out);
	if (wrong)
		return wrong;
	if (!view_number(map, "port", UINT16_MAX, &number, &out->port_given))
		return "port: 0 to 65535";
	if (out->port_given)
		out->port = (uint16_t)number;
	if (!view_number(map, "proto", UINT8_MAX, &number, &out->proto_given))
		return "proto: 0 to 255";
	if (out->proto_given)
		out->proto = (uint8_t)number;
	return NULL;
}
