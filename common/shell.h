/* Commands that are told to people, to be copied into a shell. */
#ifndef WEIR_COMMON_SHELL_H
#define WEIR_COMMON_SHELL_H

#include <stddef.h>

/* The text as one word of a shell's command line: as it is, or quoted where it has to be.
 * `size` of 4 times its length and 8 always suffices. */
void shell_quote(char *out, size_t size, const char *text);

#endif
