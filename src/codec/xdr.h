/* SPDX-License-Identifier: MIT
 *
 * XDR (RFC 4506) straight into values and out of them.
 *
 * XDR writes no types: both sides have the same. Everything is a multiple of four octets, big-endian;
 * what is shorter is followed by zeros. A struct is its members in order and nothing else, so several
 * arguments one after another are the struct of them.
 *
 *      boolean                       bool: 0 or 1                  int64         hyper
 *      int8, int16, int32            int                           uint64        unsigned hyper
 *      uint8, uint16, uint32         unsigned int                  float, double the same, bit for bit
 *      string, string<N>             string<>, string<N>           enum          enum
 *      octets, sequence of uint8     opaque<>, opaque<N>           struct, exception   struct
 *      array of uint8                opaque[N]                     sequence, array     T<>, T[N]
 *
 * An XDR file can only say `unsigned int x[4]` for an array of small numbers, which is sixteen octets, and
 * `opaque x[4]` for four octets of data. Data is what uint8 (IDL octet) in a row is, in files of both
 * sorts; a lonely one is a number. int8 is a number also in a row.
 *
 * Strict, both ways: a number that its kind does not hold (300 for a uint8), a boolean of 2, an enum that
 * is no label, text that is no UTF-8, a fill that is not zero, and a length beyond the bound or beyond
 * what is left are refused with path and octet. A NUL in a string is a character like others. What is read
 * passes the border (value/border.h).
 *
 * What a peer can make the reader allocate is bounded by what it sent, not by what it says (xdr_read.c).
 */
#ifndef KN_CODEC_XDR_H
#define KN_CODEC_XDR_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cursor.h"

#include <koine/type.h>
#include <koine/value.h>

#include <endian.h>

/* Reads one value of `type`, at rest, into `arena`; the cursor stands behind it then, so what is left
 * over is the caller's to judge. The octets must be private. `why` (may be NULL) says path, and the octet
 * counted from the cursor's start. Errors: KOINE_EDATA, KOINE_EDEPTH, KOINE_ENOMEM, and KOINE_ETOOBIG
 * beyond the arena's limit; the cursor has failed then. */
int kn_xdr_read(void **valuep, struct kn_cursor *cursor, struct kn_arena *arena,
                const struct koine_type *type, struct koine_why *why);

/* Writes a value at rest behind what `buffer` holds; on failure it holds what it held. Errors:
 * KOINE_EDATA, KOINE_EDEPTH, and the buffer's own. */
int kn_xdr_write(struct kn_buffer *buffer, const struct koine_type *type, const void *value,
                 struct koine_why *why);

/* ---------------------------------------------------------------- parts, for headers in XDR */

/* Zero once the cursor has failed. */
static inline uint32_t kn_xdr_u32(struct kn_cursor *cursor)
{
    return be32toh(kn_cursor_u32(cursor));
}

static inline uint64_t kn_xdr_u64(struct kn_cursor *cursor)
{
    return be64toh(kn_cursor_u64(cursor));
}

/* opaque<most> or string<most>, in place. The cursor fails when it is longer, or its fill is not zero. */
struct kn_str kn_xdr_opaque(struct kn_cursor *cursor, uint32_t most);

void kn_xdr_put_u32(struct kn_buffer *buffer, uint32_t number);
void kn_xdr_put_u64(struct kn_buffer *buffer, uint64_t number);
/* opaque<> or string<>; `octets` below 4 GiB. */
void kn_xdr_put_opaque(struct kn_buffer *buffer, struct kn_str octets);

#endif
