/* What the tests of the store share: a directory of their own, and flow maps. */
#ifndef WEIR_STORE_TESTING_H
#define WEIR_STORE_TESTING_H

#include <stddef.h>
#include <stdint.h>

#include "common/flow.h"
#include "common/interval.h"
#include "proto/pack.h"
#include "store/append.h"

/* 2026-01-01 00:00 UTC, a rotation boundary. */
#define TESTING_BEGIN_MS INT64_C(1767225600000)
#define TESTING_ROTATION_MS INT64_C(300000)

/* Makes a temporary directory and enters it; remembers where it was. For cmocka's
 * setup and teardown: *state is the path. */
int testing_enter(void **state);
int testing_leave(void **state);

/* An IPv4 flow 10.0.`client` -> 192.0.2.`server`, dport 443, TCP, one conversation,
 * with received forward and sent reverse packets. */
struct flow_record testing_flow(uint16_t client, uint8_t server, uint16_t sport);

/* Plausible flows of a site, the same for the same seed: clients in private ranges
 * and IPv6, servers by Zipf, service ports, heavy-tailed counters. */
void testing_flows(struct flow_record *flows, size_t count, uint64_t seed,
    int64_t begin_ms, int64_t length_ms);

/* The interval that honest books for those flows make, with some ARP refused. */
struct interval testing_interval(
    const struct flow_record *flows, size_t count, int64_t begin_ms, int64_t end_ms);

/* Hands a whole map in, in parts of `per_part` flows. Returns what the last part's
 * append_part() did; when it is 0, *result is set. */
int testing_append(struct append *append, sqlite3 *db, const char *iface,
    uint64_t file_id, uint64_t rotation, const struct interval *interval,
    const struct flow_record *flows, size_t count, size_t per_part,
    enum append_result *result, char why[static SCHEMA_WHY_SIZE]);

/* xorshift, so that tests repeat */
uint64_t testing_random(uint64_t *state);

#endif
