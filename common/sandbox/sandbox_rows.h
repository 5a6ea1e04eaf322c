/* How the rows of a list say what must hold for an argument (enum sandbox_test). For the
 * files that are lists; the names are too short for any other. */
#ifndef WEIR_COMMON_SANDBOX_ROWS_H
#define WEIR_COMMON_SANDBOX_ROWS_H

#include "common/sandbox/sandbox.h"

#define ROW_TEST(argument, test, value, mask) \
	{ \
		argument, test, (uint64_t)(value), (uint64_t)(mask) \
	}

#define IS(argument, what) ROW_TEST(argument, SANDBOX_IS, what, 0)
#define WITHOUT(argument, bits) ROW_TEST(argument, SANDBOX_WITHOUT, bits, 0)
#define WITH(argument, bits) ROW_TEST(argument, SANDBOX_WITH, bits, 0)
#define BELOW(argument, bound) ROW_TEST(argument, SANDBOX_BELOW, bound, 0)
#define KIND(argument, bits, what) ROW_TEST(argument, SANDBOX_KIND, what, bits)
#define OWN_PID(argument) ROW_TEST(argument, SANDBOX_OWN_PID, 0, 0)
#define OUTLET(argument) ROW_TEST(argument, SANDBOX_OUTLET, 0, 0)
#define PACKETS(argument) ROW_TEST(argument, SANDBOX_PACKETS, 0, 0)
#define LATER(argument) ROW_TEST(argument, SANDBOX_LATER, 0, 0)

#endif
