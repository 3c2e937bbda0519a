/* SPDX-License-Identifier: MIT
 *
 * Interfaces as wholes: look-up, checking, hash, first difference.
 *
 * The hash and the difference walk the types from the features on. A type is entered once and later
 * named by the number of its first visit, so recursion ends and the order of the table, which is an
 * accident of whoever built it, does not matter.
 */
#include "value/types.h"

#include "base/hash.h"
#include "value/why.h"

#include <stdlib.h>

static struct kn_str str(struct koine_string string)
{
    return (struct kn_str){string.ptr, string.length};
}

struct koine_string koine_string(const char *text)
{
    return (struct koine_string){{text ? text : ""}, text ? (uint32_t)strlen(text) : 0, 0};
}

int koine_interface_find(uint32_t *memberp, const struct koine_interface *interface,
                         const char *name)
{
    struct kn_str wanted = kn_str(name);
    for (uint32_t i = 0; i < interface->features.length; i++) {
        if (!kn_str_equal(str(interface->features.ptr[i].name), wanted))
            continue;
        *memberp = i;
        return 0;
    }
    return KOINE_EMEMBER;
}

struct koine_string kn_interface_note(const struct koine_interface *interface, const char *name)
{
    for (uint32_t i = 0; i < interface->notes.length; i++)
        if (kn_str_equal(str(interface->notes.ptr[i].name), kn_str(name)))
            return interface->notes.ptr[i].value;
    return (struct koine_string)KOINE_NOTHING;
}

/* ---------------------------------------------------------------- check */

static bool is_struct(const struct koine_interface *interface, uint32_t index)
{
    return index < interface->types.length && interface->types.ptr[index].kind == KOINE_KIND_STRUCT;
}

static const char *feature_fault(const struct koine_interface *interface,
                                 const struct koine_feature *feature)
{
    if (!feature->name.length)
        return "has no name";
    if (feature->sort < KOINE_OPERATION || feature->sort > KOINE_EVENT)
        return "is of no known sort";
    if (feature->origin > interface->bases.length)
        return "comes from an unknown interface";
    if (feature->in >= interface->types.length || feature->out >= interface->types.length)
        return "names a type outside of the table";
    bool parameters = feature->sort != KOINE_ATTRIBUTE;
    if (parameters && !(is_struct(interface, feature->in) && is_struct(interface, feature->out)))
        return "has parameters that are no struct";
    for (uint32_t i = 0; i < feature->raises.length; i++)
        if (feature->raises.ptr[i] >= interface->types.length ||
            interface->types.ptr[feature->raises.ptr[i]].kind != KOINE_KIND_EXCEPTION)
            return "raises what is no exception";
    return NULL;
}

int kn_interface_check(const struct koine_interface *interface, struct koine_why *why)
{
    int rc = kn_types_check(interface->types.ptr, interface->types.length, why);
    if (rc)
        return rc;
    if (interface->features.length > KN_TYPES_MAX || interface->bases.length > KN_TYPE_DEPTH)
        return kn_refuse(why, KOINE_EDATA, NULL, "too many features or bases");
    if (interface->notes.length > KN_NOTES_MAX)
        return kn_refuse(why, KOINE_EDATA, NULL, "more than %d notes", KN_NOTES_MAX);
    for (uint32_t i = 0; i < interface->features.length; i++) {
        const struct koine_feature *feature = &interface->features.ptr[i];
        const char *fault = feature_fault(interface, feature);
        if (fault)
            return kn_refuse(why, KOINE_EDATA, NULL, "feature %u (%.*s) %s", i,
                             (int)feature->name.length, feature->name.ptr, fault);
    }
    uint64_t hash;
    if ((rc = kn_interface_hash(&hash, interface)))
        return rc;
    if (hash != interface->hash)
        return kn_refuse(why, KOINE_EDATA, NULL, "the hash does not belong to the interface");
    return 0;
}

/* ---------------------------------------------------------------- hash */

struct hashing {
    const struct koine_type *types;
    uint32_t *visits; /* per type: 0 not yet, else its number */
    uint32_t next;
    uint64_t hash;
};

static void hash_number(struct hashing *hashing, uint64_t number)
{
    hashing->hash = kn_hash_u64(hashing->hash, number);
}

static void hash_string(struct hashing *hashing, struct koine_string string)
{
    hash_number(hashing, string.length);
    hashing->hash = kn_hash(hashing->hash, string.ptr, string.length);
}

/* Depth is bounded: kn_types_* refuses what is nested deeper by value, and a walk through sequences
 * enters each type once, of at most KN_TYPES_MAX. */
static void hash_type(struct hashing *hashing, const struct koine_type *type)
{
    uint32_t *visit = &hashing->visits[type - hashing->types];
    hash_number(hashing, *visit);
    if (*visit)
        return;
    *visit = ++hashing->next;
    hash_number(hashing, type->kind);
    hash_number(hashing, type->count);
    hash_string(hashing, type->name);
    hash_number(hashing, type->members.length);
    for (uint32_t i = 0; i < type->members.length; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        hash_string(hashing, member->name);
        if (type->kind == KOINE_KIND_ENUM)
            hash_number(hashing, (uint64_t)(int64_t)member->type);
        else
            hash_type(hashing, koine_type_of_member(type, member));
    }
    if (type->element)
        hash_type(hashing, koine_type_element(type));
}

static void hash_feature(struct hashing *hashing, const struct koine_feature *feature)
{
    hash_string(hashing, feature->name);
    hash_number(hashing, feature->sort);
    hash_number(hashing, feature->flags);
    hash_type(hashing, hashing->types + feature->in);
    hash_type(hashing, hashing->types + feature->out);
    hash_number(hashing, feature->raises.length);
    for (uint32_t i = 0; i < feature->raises.length; i++)
        hash_type(hashing, hashing->types + feature->raises.ptr[i]);
}

int kn_interface_hash(uint64_t *hashp, const struct koine_interface *interface)
{
    size_t count = interface->types.length;
    struct hashing hashing = {interface->types.ptr, calloc(count ? count : 1, sizeof(uint32_t)), 0,
                              KN_HASH_START};
    if (!hashing.visits)
        return KOINE_ENOMEM;
    hash_string(&hashing, interface->name);
    for (uint32_t i = 0; i < interface->bases.length; i++)
        hash_string(&hashing, interface->bases.ptr[i]);
    hash_number(&hashing, interface->features.length);
    for (uint32_t i = 0; i < interface->features.length; i++)
        hash_feature(&hashing, &interface->features.ptr[i]);
    free(hashing.visits);
    *hashp = hashing.hash;
    return 0;
}

/* ---------------------------------------------------------------- difference */

enum { STEPS = 100000 };

struct bound {
    int depth;
    int *budget;
};

static struct bound deeper(struct bound bound)
{
    return (struct bound){bound.depth + 1, bound.budget};
}

static int differ_names(struct koine_why *why, const struct kn_frame *frame,
                        struct koine_string ours, struct koine_string theirs)
{
    if (kn_str_equal(str(ours), str(theirs)))
        return 0;
    kn_refuse(why, 1, frame, "ours is '%.*s', theirs '%.*s'", (int)ours.length, ours.ptr,
              (int)theirs.length, theirs.ptr);
    return 1;
}

static int differ_numbers(struct koine_why *why, const struct kn_frame *frame, const char *what,
                          int64_t ours, int64_t theirs)
{
    if (ours == theirs)
        return 0;
    kn_refuse(why, 1, frame, "%s: ours %lld, theirs %lld", what, (long long)ours,
              (long long)theirs);
    return 1;
}

static int differ_types(struct koine_why *why, const struct kn_frame *frame,
                        const struct koine_type *ours, const struct koine_type *theirs,
                        struct bound bound);

static int differ_members(struct koine_why *why, const struct kn_frame *frame,
                          const struct koine_type *ours, const struct koine_type *theirs,
                          struct bound bound)
{
    for (uint32_t i = 0; i < ours->members.length && i < theirs->members.length; i++) {
        const struct koine_member *a = &ours->members.ptr[i], *b = &theirs->members.ptr[i];
        struct kn_frame inner = {frame, str(a->name), i};
        int found = differ_names(why, &inner, a->name, b->name);
        if (!found && ours->kind == KOINE_KIND_ENUM)
            found = differ_numbers(why, &inner, "number", a->type, b->type);
        else if (!found)
            found = differ_types(why, &inner, koine_type_of_member(ours, a),
                                 koine_type_of_member(theirs, b), deeper(bound));
        if (found)
            return found;
    }
    return differ_numbers(why, frame, "members", ours->members.length, theirs->members.length);
}

/* Types repeat and recur, so the walk is bounded; what differs beyond it only the hashes tell. */
static int differ_types(struct koine_why *why, const struct kn_frame *frame,
                        const struct koine_type *ours, const struct koine_type *theirs,
                        struct bound bound)
{
    if (bound.depth > KN_VALUE_DEPTH || (*bound.budget)-- <= 0)
        return 0;
    if (ours->kind != theirs->kind) {
        kn_refuse(why, 1, frame, "ours is %s, theirs %s", kn_kind_name(ours->kind),
                  kn_kind_name(theirs->kind));
        return 1;
    }
    int found = differ_names(why, frame, ours->name, theirs->name);
    if (!found)
        found = differ_numbers(why, frame, "count", ours->count, theirs->count);
    if (!found)
        found = differ_members(why, frame, ours, theirs, bound);
    if (!found && ours->element) {
        struct kn_frame inner = {frame, KN_STR("element"), 0};
        found = differ_types(why, &inner, koine_type_element(ours), koine_type_element(theirs),
                             deeper(bound));
    }
    return found;
}

static int differ_features(struct koine_why *why, const struct koine_interface *ours,
                           const struct koine_interface *theirs, uint32_t index, struct bound bound)
{
    const struct koine_feature *a = &ours->features.ptr[index], *b = &theirs->features.ptr[index];
    struct kn_frame frame = {NULL, str(a->name), 0};
    int found = differ_names(why, &frame, a->name, b->name);
    if (!found)
        found = differ_numbers(why, &frame, "sort", a->sort, b->sort);
    if (!found)
        found = differ_numbers(why, &frame, "flags", a->flags, b->flags);
    if (!found)
        found =
            differ_types(why, &frame, ours->types.ptr + a->in, theirs->types.ptr + b->in, bound);
    if (!found)
        found =
            differ_types(why, &frame, ours->types.ptr + a->out, theirs->types.ptr + b->out, bound);
    if (!found)
        found = differ_numbers(why, &frame, "exceptions", a->raises.length, b->raises.length);
    for (uint32_t i = 0; i < a->raises.length && !found; i++)
        found = differ_types(why, &frame, ours->types.ptr + a->raises.ptr[i],
                             theirs->types.ptr + b->raises.ptr[i], bound);
    return found;
}

int kn_interface_difference(struct koine_why *why, const struct koine_interface *ours,
                            const struct koine_interface *theirs)
{
    struct kn_frame frame = {NULL, KN_STR("interface"), 0};
    int budget = STEPS;
    struct bound bound = {0, &budget};
    int found = differ_names(why, &frame, ours->name, theirs->name);
    uint32_t shared = ours->features.length < theirs->features.length ? ours->features.length
                                                                      : theirs->features.length;
    for (uint32_t i = 0; i < shared && !found; i++)
        found = differ_features(why, ours, theirs, i, bound);
    if (!found)
        found =
            differ_numbers(why, &frame, "features", ours->features.length, theirs->features.length);
    if (!found && ours->hash != theirs->hash) {
        kn_refuse(why, 1, &frame, "the hashes differ, deep inside a type or in the bases");
        found = 1;
    }
    return found;
}
