/* SPDX-License-Identifier: MIT
 *
 * An interface as protocols see it that know nothing but procedures: operations, and for everything else
 * companion operations, all of them with numbers. One place for who prints them and who speaks them.
 *
 *     operation f          f(its in and inout) -> return, inout and out       1, 2, 3 ... or its id
 *     attribute x          _get_x() -> return                                 0x10001 ...
 *                          _set_x(value), unless it is read-only              0x20001 ...
 *     event e              _subscribe_e() -> return: a subscription           0x30001 ...
 *                          _next_e(subscription, wait, most) -> lost, events  0x40001 ...
 *                          _unsubscribe_e(subscription)                       0x50001 ...
 *
 * Within each of these six rows numbers count up in the order of the members, inherited first, and skip
 * those that are an id; so an event that is added later renumbers no operation, and an attribute no event.
 * Parameters and results are structs, whose members follow one another on a wire; an attribute or an
 * event is a member of one at offset 0, so its value is also the struct's.
 *
 * `wait` is the longest time to wait for the first event, in milliseconds; `most` how many events to
 * answer at most, 0 for as many as fit; `lost` counts those that were dropped before the first answered. An
 * event without members is only counted: `events` is then a number.
 */
#ifndef KN_VALUE_PROCEDURE_H
#define KN_VALUE_PROCEDURE_H

#include "base/arena.h"
#include "value/types.h"

enum kn_procedure_sort {
    KN_PROCEDURE_CALL,
    KN_PROCEDURE_GET,
    KN_PROCEDURE_SET,
    KN_PROCEDURE_SUBSCRIBE,
    KN_PROCEDURE_NEXT,
    KN_PROCEDURE_UNSUBSCRIBE
};

enum { KN_PROCEDURE_ROW = 0x10000 }; /* distance between the rows' numbers */

#define KN_PROCEDURE_GET_PREFIX   "_get_"
#define KN_PROCEDURE_SET_PREFIX   "_set_"
#define KN_PROCEDURE_VALUE        "value"
#define KN_PROCEDURE_SUBSCRIPTION "subscription"

struct kn_procedure {
    struct koine_string name;
    uint32_t number;
    uint32_t member;                /* in the interface */
    enum kn_procedure_sort sort;    /* what is done with the member */
    uint32_t in, out;               /* structs, indices in `types` below */
    struct koine_seq_uint32 raises; /* of an operation, in `types` */
};

struct kn_procedures {
    struct kn_arena arena;
    struct kn_procedure *list; /* by sort, then by member */
    uint32_t count;
    struct koine_type *types; /* those of the interface, then what companions need besides */
    uint32_t type_count;
    uint32_t program, version;
};

/* Of a checked interface, which must outlive them. KOINE_EDATA, and `why` says what: two operations with
 * one id, a note that is no number, more than KN_TYPES_MAX types; KOINE_ENOMEM. */
int kn_procedures_new(struct kn_procedures **proceduresp, const struct koine_interface *interface,
                      struct koine_why *why);
struct kn_procedures *kn_procedures_free(struct kn_procedures *procedures);

/* NULL: there is none of that number. */
const struct kn_procedure *kn_procedures_find(const struct kn_procedures *procedures,
                                              uint32_t number);

/* The number of a program that has none of its own: 0x20000000, where users' programs begin (RFC 5531,
 * 8.3), and 29 bits of the name's digest. */
uint32_t kn_procedures_program(struct kn_str name);

#endif
