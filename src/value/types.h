/* SPDX-License-Identifier: MIT
 *
 * Tables of types: laying them out, and checking one that came from a peer.
 */
#ifndef KN_VALUE_TYPES_H
#define KN_VALUE_TYPES_H

#include <koine/type.h>
#include <koine/value.h>

enum {
    KN_TYPES_MAX = 4096,        /* in one table */
    KN_MEMBERS_MAX = 1024,      /* of one struct, exception or enum */
    KN_NOTES_MAX = 64,          /* of one interface */
    KN_TYPE_DEPTH = 64,         /* of types named by types, through sequences too */
    KN_VALUE_DEPTH = 32,        /* of a value */
    KN_VALUE_SIZE_MAX = 1 << 30 /* octets of one type in place */
};

/* Fills size, align, flags and the members' offsets of a table whose kinds, elements, counts and
 * members are set. The table and its members are the caller's and writable, although the struct says
 * const. Errors: KOINE_EDATA (a type holds itself by value, a distance leaves the table, a limit),
 * KOINE_ENOMEM. `why` may be NULL. */
int kn_types_layout(struct koine_type *types, size_t count, struct koine_why *why);

/* The same computation on a table that somebody else laid out: every number must agree. */
int kn_types_check(const struct koine_type *types, size_t count, struct koine_why *why);

/* kn_types_check, and the features, bases and hash. After it the description may be walked freely. */
int kn_interface_check(const struct koine_interface *interface, struct koine_why *why);

/* The hash of all that must agree; also for an interface whose `hash` is not set yet. Needs checked or
 * own types. KOINE_ENOMEM. */
int kn_interface_hash(uint64_t *hashp, const struct koine_interface *interface);

/* The first difference as a sentence that names both sides ("ours ..., theirs ..."); answers 1 when
 * there is one, 0 when there is none. */
int kn_interface_difference(struct koine_why *why, const struct koine_interface *ours,
                            const struct koine_interface *theirs);

/* The value of a note, or an empty string (ptr NULL) when there is none. */
struct koine_string kn_interface_note(const struct koine_interface *interface, const char *name);

/* "boolean", "sequence" ...; "?" for no kind. */
const char *kn_kind_name(unsigned kind);

/* koine::Interface, whose values are struct koine_interface. */
const struct koine_type *kn_interface_type(void);

static inline const struct koine_type *kn_feature_in(const struct koine_interface *interface,
                                                     uint32_t feature)
{
    return interface->types.ptr + interface->features.ptr[feature].in;
}

static inline const struct koine_type *kn_feature_out(const struct koine_interface *interface,
                                                      uint32_t feature)
{
    return interface->types.ptr + interface->features.ptr[feature].out;
}

#endif
