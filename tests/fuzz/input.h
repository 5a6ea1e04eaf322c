/* What the fuzzers share: taking an input apart, and saying what does not hold. An input
 * that ends early reads as zeros, so every input is a valid one. */
#ifndef WEIR_TESTS_FUZZ_INPUT_H
#define WEIR_TESTS_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's entry. 0: the input was of use. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(3) it is never compiled out. */
#define fuzz_check(holds) ((holds) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #holds))

static inline __attribute__((noreturn)) void
fuzz_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

struct input {
	const uint8_t *at;
	const uint8_t *end;
};

static inline struct input
input_of(const uint8_t *data, size_t size)
{
	return (struct input){data, data + size};
}

static inline size_t
input_left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

/* Little endian. */
static inline uint64_t
input_number(struct input *in, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width && in->at < in->end; i++)
		value |= (uint64_t)*in->at++ << (8 * i);
	return value;
}

static inline uint8_t
input_u8(struct input *in)
{
	return (uint8_t)input_number(in, 1);
}

static inline uint16_t
input_u16(struct input *in)
{
	return (uint16_t)input_number(in, 2);
}

static inline uint32_t
input_u32(struct input *in)
{
	return (uint32_t)input_number(in, 4);
}

static inline uint64_t
input_u64(struct input *in)
{
	return input_number(in, 8);
}

/* At most `len` bytes, fewer at the end of the input; they stay the input's. */
static inline struct input
input_bytes(struct input *in, size_t len)
{
	struct input part = {in->at, in->at};

	if (len > input_left(in))
		len = input_left(in);
	part.end += len;
	in->at += len;
	return part;
}

#endif
