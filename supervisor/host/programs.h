/* Where the executables of the children are. */
#ifndef WEIR_SUPERVISOR_PROGRAMS_H
#define WEIR_SUPERVISOR_PROGRAMS_H

/* A descriptor of the directory that has weir-worker and weir-store: $WEIR_LIBEXECDIR,
 * else that of this executable, else the compiled-in one. Negative errno after having said
 * in the log where was looked. */
int programs_open(void);

#endif
