/* Between the parts of this folder. */
#ifndef WEIR_COMMON_SANDBOX_PRIVATE_H
#define WEIR_COMMON_SANDBOX_PRIVATE_H

#include <stdbool.h>

/* Prepares the line that names a refused call and installs the handler that writes it
 * and ends the process. Before the filter: afterwards the handler cannot be changed, and
 * a second call does nothing. 0 or negative errno. */
int sandbox_report_install(const char *line_head, bool debugger);

#endif
