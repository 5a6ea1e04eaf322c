#include "client/output/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/client.h"
#include "client/output/flow_rows.h"

static const struct column columns[] = {
    {"name", "NAME", UNIT_NONE, .left = true, .shrink = 5},
    {"count", "COUNT", .unit = UNIT_COUNT},
    {"size", "SIZE", .unit = UNIT_BYTES, .drop = 1},
    {"at", "AT", .unit = UNIT_TIME_MS, .drop = 4},
    {"both", NULL, .unit = UNIT_COUNTER},
    {"share", "SHARE", .unit = UNIT_SHARE},
    {"good", "GOOD", UNIT_NONE, .left = true},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct value first[COLUMNS] = {
    {VALUE_TEXT, .text = "2001:db8::1"},
    {VALUE_U64, .u64 = UINT64_MAX},
    {VALUE_U64, .u64 = 1536},
    {VALUE_I64, .i64 = INT64_C(1767225600123)},
    {VALUE_COUNTER, .counter = {UINT64_MAX, UINT64_MAX - 1}},
    {VALUE_REAL, .real = 33.25},
    {VALUE_BOOL, .boolean = true},
};

static const struct value second[COLUMNS] = {
    {VALUE_TEXT, .text = "a \"b\",c\xff\x1b\n\\"},
    {VALUE_NONE, .u64 = 0},
    {VALUE_U64, .u64 = 0},
    {VALUE_I64, .i64 = -1},
    {VALUE_NONE, .u64 = 0},
    {VALUE_REAL, .real = 0},
    {VALUE_BOOL, .boolean = false},
};

/* What the two rows become; the caller frees it. */
static char *
two_rows(const struct output_ops *ops, const char *terminal, const struct value *totals)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	struct output out;

	if (terminal)
		setenv("COLUMNS", terminal, 1);
	else
		unsetenv("COLUMNS");
	output_open(&out, ops, file);
	ops->rows_begin(&out, "rows", columns, COLUMNS);
	ops->row(&out, first);
	ops->row(&out, second);
	ops->rows_end(&out, totals);
	assert_int_equal(output_close(&out), 0);
	fclose(file);
	return text;
}

static void
test_json(void **state)
{
	(void)state;
	char *text = two_rows(&output_json, NULL, NULL);

	assert_string_equal(text,
	    "{\"rows\":[\n"
	    "{\"name\":\"2001:db8::1\",\"count\":18446744073709551615,\"size\":1536,"
	    "\"at\":\"2026-01-01T00:00:00.123Z\",\"both\":{\"packets\":"
	    "18446744073709551615,\"bytes\":18446744073709551614},\"share\":33.25,"
	    "\"good\":true},\n"
	    "{\"name\":\"a \\\"b\\\",c\\\\xff\\u001b\\u000a\\\\\",\"count\":null,"
	    "\"size\":0,\"at\":\"1969-12-31T23:59:59.999Z\",\"both\":null,\"share\":0,"
	    "\"good\":false}]}\n");
	free(text);
}

static void
test_keys(void **state)
{
	static const char *const names[] = {"\xff", "\\xff"};
	msgpack_object_kv pairs[2];
	msgpack_object map = {.type = MSGPACK_OBJECT_MAP, .via.map = {2, pairs}};
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	struct output out;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pairs[i].key.type = MSGPACK_OBJECT_STR;
		pairs[i].key.via.str.ptr = names[i];
		pairs[i].key.via.str.size = (uint32_t)strlen(names[i]);
		pairs[i].val.type = MSGPACK_OBJECT_NIL;
	}
	output_open(&out, &output_json, file);
	out.ops->members(&out, &map);
	output_close(&out);
	fclose(file);
	assert_string_equal(text, "{\"\\\\xff\":null,\"\\\\x5cxff\":null}\n");
	free(text);
}

static void
test_csv(void **state)
{
	(void)state;
	char *text = two_rows(&output_csv, NULL, first);

	assert_string_equal(text,
	    "name,count,size,at,both_packets,both_bytes,share,good\n"
	    "2001:db8::1,18446744073709551615,1536,2026-01-01T00:00:00.123Z,"
	    "18446744073709551615,18446744073709551614,33.25,true\n"
	    "\"a \"\"b\"\",c\\xff\\x1b\\x0a\\\",,0,1969-12-31T23:59:59.999Z,,,0,false\n");
	free(text);
}

static void
test_table(void **state)
{
	(void)state;
	char *text = two_rows(&output_table, NULL, first);

	assert_string_equal(text,
	    "NAME                   COUNT      SIZE                        AT  "
	    "SHARE  GOOD\n"
	    "2001:db8::1           18.4 E  1.50 KiB  2026-01-01T00:00:00.123Z  "
	    "33.2%  yes\n"
	    "a \"b\",c\\xff\\x1b\\x0a\\       -       0 B  1969-12-31T23:59:59.999Z   "
	    "0.0%  no\n"
	    "2001:db8::1           18.4 E  1.50 KiB  2026-01-01T00:00:00.123Z  "
	    "33.2%  yes\n");
	free(text);
}

static void
test_narrow(void **state)
{
	(void)state;
	char *text = two_rows(&output_table, "84", NULL);

	assert_null(strstr(text, "~"));
	assert_non_null(strstr(text, "SIZE"));
	free(text);
	text = two_rows(&output_table, "75", NULL); /* the least important goes first */
	assert_null(strstr(text, "~"));
	assert_null(strstr(text, "SIZE"));
	assert_non_null(strstr(text, "AT"));
	free(text);
	text =
	    two_rows(&output_table, "55", NULL); /* then cut, so that both ends show */
	assert_non_null(strstr(text, "2001~::1"));
	assert_null(strstr(text, "2001:db8::1"));
	assert_non_null(strstr(text, "AT"));
	free(text);
	text = two_rows(&output_table, "40", NULL); /* then the others */
	assert_null(strstr(text, "AT"));
	free(text);
	for (unsigned width = 26; width < 90; width++) {
		char number[16];
		snprintf(number, sizeof(number), "%u", width);
		text = two_rows(&output_table, number, NULL);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_in_range(strlen(line), 1, width);
		free(text);
	}
}

static void
test_many(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len, lines = 0;
	FILE *file = open_memstream(&text, &len);
	struct output out;

	unsetenv("COLUMNS");
	output_open(&out, &output_table, file);
	output_table.rows_begin(&out, NULL, columns, COLUMNS);
	for (int i = 0; i < 5000; i++)
		output_table.row(&out, i % 2 ? second : first);
	output_table.rows_end(&out, NULL);
	assert_int_equal(output_close(&out), 0);
	fclose(file);
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	assert_int_equal(lines, 5001);
	free(text);
}

static void
test_live(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len, heads = 0;
	FILE *file = open_memstream(&text, &len);
	struct output out;

	unsetenv("COLUMNS");
	output_open(&out, &output_table, file);
	out.live = true;
	output_table.rows_begin(&out, NULL, columns, COLUMNS);
	for (int i = 0; i < 41; i++)
		output_table.row(&out, first);
	output_table.rows_end(&out, NULL);
	assert_int_equal(output_close(&out), 0);
	fclose(file);
	for (char *at = text; (at = strstr(at, "NAME")) != NULL; at++)
		heads++;
	assert_int_equal(heads, 3); /* before lines 1, 21 and 41 */
	free(text);
}

static const struct books books = {
    .received = {10, 1000},
    .in_flows = {7, 700},
    .refused = {[REFUSED_NOT_IP] = {2, 200}, [REFUSED_TRUNCATED] = {1, 100}},
};

static void
test_read_json(void **state)
{
	(void)state;
	struct flow_record flow = {
	    .src = {10, 0, 0, 1},
	    .dst = {192, 0, 2, 1},
	    .family = FAMILY_IPV4,
	    .proto = 6,
	    .sport = 50000,
	    .dport = 443,
	    .orientation = ORIENT_HANDSHAKE,
	    .tcp_flags = {0x1b, 0x12},
	    .first_ns = -5,
	    .last_ns = INT64_C(1767225600123456789),
	    .count = {{{4, 400}, {3, 300}}, {{0, 0}, {0, 0}}},
	};
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	struct output out;
	struct flow_rows rows = {.out = &out};

	output_open(&out, &output_json, file);
	flow_rows_begin(&rows);
	assert_int_equal(flow_rows_add(&rows, &flow), 0);
	output_json.rows_end(&out, NULL);
	output_json.books(&out, "books", &books);
	assert_int_equal(output_close(&out), 0);
	fclose(file);
	assert_string_equal(text,
	    "{\"flows\":[\n"
	    "{\"src\":\"10.0.0.1\",\"dst\":\"192.0.2.1\",\"sport\":50000,\"dport\":443,"
	    "\"proto\":6,\"proto_name\":\"tcp\",\"family\":4,\"orientation\":"
	    "\"handshake\",\"confidence\":\"sure\",\"tcp_flags_fwd\":27,"
	    "\"tcp_flags_rev\":18,\"first_ns\":-5,\"last_ns\":1767225600123456789,"
	    "\"received_fwd\":{\"packets\":4,\"bytes\":400},\"received_rev\":"
	    "{\"packets\":3,\"bytes\":300},\"sent_fwd\":{\"packets\":0,\"bytes\":0},"
	    "\"sent_rev\":{\"packets\":0,\"bytes\":0},\"packets\":7,\"bytes\":700}],"
	    "\"books\":{\"packets\":10,\"bytes\":1000,\"in_flows\":{\"packets\":7,"
	    "\"bytes\":700},\"refused\":{\"not_ip\":{\"packets\":2,\"bytes\":200},"
	    "\"truncated\":{\"packets\":1,\"bytes\":100},\"bad_header\":{\"packets\":0,"
	    "\"bytes\":0},\"link_type\":{\"packets\":0,\"bytes\":0}}}}\n");
	free(text);
}

static void
test_empty_csv(void **state)
{
	(void)state;
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	struct output out;

	output_open(&out, &output_csv, file);
	books_rows_begin(&out);
	books_row(&out, "a,b", &books, "EN10MB");
	output_csv.rows_end(&out, NULL);
	assert_int_equal(output_close(&out), 0);
	fclose(file);
	assert_string_equal(text,
	    "file,link_type,packets,bytes,in_flows_packets,in_flows_bytes,"
	    "overflow_packets,overflow_bytes,refused_not_ip_packets,refused_not_ip_bytes,"
	    "refused_truncated_packets,refused_truncated_bytes,"
	    "refused_bad_header_packets,refused_bad_header_bytes,"
	    "refused_link_type_packets,refused_link_type_bytes\n"
	    "\"a,b\",EN10MB,10,1000,7,700,0,0,2,200,1,100,0,0,0,0\n");
	free(text);
	file = open_memstream(&text, &len);
	output_open(&out, &output_csv, file);
	output_csv.rows_begin(&out, NULL, columns, COLUMNS);
	output_csv.rows_end(&out, NULL);
	output_csv.rows_begin(&out, NULL, columns, COLUMNS); /* the next file */
	output_csv.rows_end(&out, NULL);
	assert_int_equal(output_close(&out), 0);
	fclose(file);
	assert_string_equal(
	    text, "name,count,size,at,both_packets,both_bytes,share,good\n");
	free(text);
}

static void
test_full_disk(void **state)
{
	(void)state;
	FILE *file = fopen("/dev/full", "w");
	struct output out;

	if (!file)
		skip();
	output_open(&out, &output_json, file);
	output_json.rows_begin(&out, "rows", columns, COLUMNS);
	for (int i = 0; i < 100; i++)
		output_json.row(&out, first);
	output_json.rows_end(&out, NULL);
	assert_true(output_close(&out) < 0);
	fclose(file);
}

static void
test_find(void **state)
{
	(void)state;
	assert_ptr_equal(output_find("table"), &output_table);
	assert_ptr_equal(output_find("csv"), &output_csv);
	assert_ptr_equal(output_find("json"), &output_json);
	assert_null(output_find("JSON"));
	assert_null(output_find(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    {"formats are found by name", test_find, 0, 0, 0},
	    {"JSON is valid for any bytes and exact to 64 bits", test_json, 0, 0, 0},
	    {"JSON has a key for each name, whatever its bytes", test_keys, 0, 0, 0},
	    {"CSV quotes what must be quoted and is exact", test_csv, 0, 0, 0},
	    {"CSV has one header, also without rows", test_empty_csv, 0, 0, 0},
	    {"tables have human units and escaped text", test_table, 0, 0, 0},
	    {"tables fit the terminal: cut, then left out", test_narrow, 0, 0, 0},
	    {"a table of many rows has each of them once", test_many, 0, 0, 0},
	    {"a live table repeats its head every 20 lines", test_live, 0, 0, 0},
	    {"flows and books of a file in JSON", test_read_json, 0, 0, 0},
	    {"a full disk is not silent", test_full_disk, 0, 0, 0},
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
