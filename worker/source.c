/* What all sources share: names of faults. */
#include "worker/source.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const reason_names[] = {
    [SOURCE_OK] = "",
    [SOURCE_NO_SUCH_DEVICE] = "no_such_device",
    [SOURCE_DOWN] = "down",
    [SOURCE_PERMISSION] = "permission",
    [SOURCE_FILTER] = "filter",
    [SOURCE_LINK_TYPE] = "link_type",
    [SOURCE_GONE] = "gone",
    [SOURCE_READ_FAILED] = "read_failed",
    [SOURCE_OPEN_FAILED] = "open_failed",
    [SOURCE_UNDECODABLE] = "undecodable",
};
_Static_assert(sizeof(reason_names) / sizeof(reason_names[0]) == SOURCE_REASON_MAX,
    "every reason has a name");

const char *
source_reason_name(enum source_reason reason)
{
	return (unsigned)reason < SOURCE_REASON_MAX ? reason_names[reason] : "";
}

void
source_fault_set(
    struct source_fault *fault, enum source_reason reason, const char *format, ...)
{
	va_list ap;

	fault->reason = reason;
	va_start(ap, format);
	vsnprintf(fault->text, sizeof(fault->text), format, ap);
	va_end(ap);
}
