/* Stands in the place of a program of weir (in a directory named by WEIR_LIBEXECDIR): puts
 * the library REAL_PRELOAD in front of it, takes memory from it, or dies in its place. -DREAL_PROGRAM, the program
 * itself; -DREAL_PRELOAD, empty for none. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS_FD 4 /* common/child.h */

/* What the test wants, as in faults.py: */
struct orders {
	uint32_t adopters_die; /* so many of those that would take over records */
	uint32_t memory_mib; /* most memory of its own; 0: no limit */
};
#define ORDERS_AT 64

static void
orders_follow(void)
{
	const char *path = getenv("WEIR_FAULT_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	struct orders orders = {0, 0};
	struct stat records;
	bool adopter;

	if (fd < 0 || pread(fd, &orders, sizeof(orders), ORDERS_AT) != sizeof(orders))
		return;
	adopter = fstat(RECORDS_FD, &records) == 0 && S_ISREG(records.st_mode) &&
	    records.st_size > 0;
	if (adopter && orders.adopters_die > 0) {
		orders.adopters_die--;
		if (pwrite(fd, &orders, sizeof(orders), ORDERS_AT) == sizeof(orders))
			abort();
	}
	if (orders.memory_mib > 0) {
		rlim_t bytes = (rlim_t)orders.memory_mib << 20;
		const struct rlimit limit = {bytes, bytes};

		if (setrlimit(RLIMIT_DATA, &limit) < 0)
			abort();
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	(void)argc;
	orders_follow();
	if (REAL_PRELOAD[0] != '\0')
		setenv("LD_PRELOAD", REAL_PRELOAD, 1);
	execv(REAL_PROGRAM, argv);
	perror(REAL_PROGRAM);
	return 127;
}
