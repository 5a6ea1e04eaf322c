#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/books.h"

static struct books
sample(void)
{
	struct books books = {.received = {10, 1000},
	    .in_flows = {6, 700},
	    .overflow = {2, 200},
	    .refused = {[REFUSED_NOT_IP] = {3, 180}, [REFUSED_BAD_HEADER] = {1, 120}}};

	return books;
}

static void
every_class_has_its_own_name_and_help(void **state)
{
	(void)state;
	for (int class = REFUSED_NONE + 1; class < REFUSED_MAX; class ++) {
		assert_non_null(refusal_name(class));
		assert_non_null(refusal_help(class));
		assert_int_equal(refusal_from_name(refusal_name(class)), class);
	}
	assert_string_equal(refusal_name(REFUSED_LINK_TYPE), "link_type");
}

static void
names_out_of_range_are_null(void **state)
{
	(void)state;
	assert_null(refusal_name(REFUSED_NONE));
	assert_null(refusal_name(REFUSED_MAX));
	assert_null(refusal_name((enum refusal) - 1));
	assert_null(refusal_help((enum refusal)1000));
	assert_int_equal(refusal_from_name("no such"), REFUSED_NONE);
	assert_int_equal(refusal_from_name(""), REFUSED_NONE);
}

static void
books_close_when_flows_and_refusals_make_up_what_was_received(void **state)
{
	struct books books = sample();

	(void)state;
	assert_true(books_close(&books));
	assert_int_equal(books_refused(&books).packets, 4);
	assert_int_equal(books_refused(&books).bytes, 300);
}

static void
a_single_packet_or_byte_too_many_keeps_them_open(void **state)
{
	struct books books = sample();

	(void)state;
	books.received.packets++;
	assert_false(books_close(&books));
	books = sample();
	books.refused[REFUSED_TRUNCATED].bytes++;
	assert_false(books_close(&books));
}

static void
overflow_is_part_of_the_flows_and_not_added_again(void **state)
{
	struct books books = sample();

	(void)state;
	books.overflow = (struct counter){6, 700};
	assert_true(books_close(&books));
}

static void
the_sum_of_closed_books_is_closed(void **state)
{
	struct books sum = sample(), more = sample();

	(void)state;
	books_add(&sum, &more);
	books_add(&sum, &more);
	assert_int_equal(sum.received.packets, 30);
	assert_int_equal(sum.overflow.bytes, 600);
	assert_int_equal(sum.refused[REFUSED_NOT_IP].packets, 9);
	assert_true(books_close(&sum));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_class_has_its_own_name_and_help),
	    cmocka_unit_test(names_out_of_range_are_null),
	    cmocka_unit_test(
		books_close_when_flows_and_refusals_make_up_what_was_received),
	    cmocka_unit_test(a_single_packet_or_byte_too_many_keeps_them_open),
	    cmocka_unit_test(overflow_is_part_of_the_flows_and_not_added_again),
	    cmocka_unit_test(the_sum_of_closed_books_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
