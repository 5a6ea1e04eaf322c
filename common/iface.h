/* Interface names. The kernel allows up to 15 bytes of anything but '/', ':', white space
 * and NUL, not "." or "..". So a name is bytes, never a path and never a format: it is
 * escaped wherever it leaves the program. */
#ifndef WEIR_COMMON_IFACE_H
#define WEIR_COMMON_IFACE_H

#include <stdbool.h>
#include <stddef.h>

#define IFACE_NAME_SIZE 16 /* IFNAMSIZ, with the NUL */

/* Longest result of iface_file_name: every byte as %XX, and the NUL. */
#define IFACE_FILE_NAME_SIZE (3 * (IFACE_NAME_SIZE - 1) + 1)

/* As people and programs see it (text_escape_name): every byte as \xNN, and the NUL. */
#define IFACE_SHOWN_SIZE (4 * (IFACE_NAME_SIZE - 1) + 1)

struct iface_name {
	char s[IFACE_NAME_SIZE];
};

/* Whether the kernel would allow this name. */
bool iface_name_valid(const char *name);

/* 0, or -EINVAL when the name is not valid (out untouched). */
int iface_name_set(struct iface_name *out, const char *name);

/* The name as it is shown. Distinct names give distinct results. Returns `out`. */
char *iface_shown(const char *name, char out[static IFACE_SHOWN_SIZE]);

/* The name as one component of a path: letters, digits, '-', '_' and '.' (not first)
 * stay, every other byte becomes %XX. Distinct names give distinct results. */
void iface_file_name(const char *name, char out[static IFACE_FILE_NAME_SIZE]);

#endif
