/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share. A target is one file fuzz-<name>.c with LLVMFuzzerTestOneInput; it is
 * built twice: with libFuzzer, and with replay.c as an ordinary test of the stored inputs.
 */
#ifndef KN_FUZZ_H
#define KN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is. */
#define FUZZ_HOLDS(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* The input, taken from the front; behind its end it is zeros. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_octet(struct fuzz_input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint64_t fuzz_number(struct fuzz_input *input, int octets)
{
    uint64_t number = 0;
    for (int i = 0; i < octets; i++)
        number |= (uint64_t)fuzz_octet(input) << 8 * i;
    return number;
}

/* Spoils `length` octets at `to` as the rest of the input says: two octets where, one what. */
static inline void fuzz_spoil(struct fuzz_input *input, uint8_t *to, size_t length)
{
    while (length && input->left > 2) {
        size_t at = (size_t)fuzz_number(input, 2) % length;
        to[at] = fuzz_octet(input);
    }
}

#endif
