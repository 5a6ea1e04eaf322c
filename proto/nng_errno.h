/* nng's errors as negative errno, for what speaks nng. */
#ifndef WEIR_PROTO_NNG_ERRNO_H
#define WEIR_PROTO_NNG_ERRNO_H

#include <errno.h>
#include <nng/nng.h>

/* nng limits the bytes on the wire, which has the request's number before the message. */
#define NNG_RECEIVE_MAX (MSG_SIZE_MAX + 64)

static inline int
nng_errno(int error)
{
	switch (error) {
	case 0:
		return 0;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_ETIMEDOUT:
		return -ETIMEDOUT;
	case NNG_ECONNREFUSED:
		return -ECONNREFUSED;
	case NNG_ENOENT:
		return -ENOENT;
	case NNG_EPERM:
		return -EACCES;
	case NNG_ECLOSED:
	case NNG_ECONNRESET:
	case NNG_ECONNABORTED:
	case NNG_ECONNSHUT:
		return -ECONNRESET;
	case NNG_EADDRINVAL:
		return -EINVAL;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	case NNG_EMSGSIZE:
		return -EMSGSIZE;
	case NNG_ENOFILES:
		return -EMFILE;
	case NNG_ECANCELED:
		return -ECANCELED;
	case NNG_EPROTO:
		return -EPROTO;
	default:
		return error & NNG_ESYSERR ? -(error & ~NNG_ESYSERR) : -EIO;
	}
}

#endif
