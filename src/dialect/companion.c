/* SPDX-License-Identifier: MIT */
#include "dialect/companion.h"

#include "dialect/message.h"
#include "value/why.h"

static struct kn_str str(const struct koine_string *string)
{
    return (struct kn_str){string->ptr, string->length};
}

static const struct koine_feature *find(uint32_t *indexp, const struct koine_interface *interface,
                                        struct kn_str name)
{
    for (uint32_t i = 0; i < interface->features.length; i++) {
        if (!kn_str_equal(str(&interface->features.ptr[i].name), name))
            continue;
        *indexp = i;
        return &interface->features.ptr[i];
    }
    return NULL;
}

static bool strip(struct kn_str *restp, struct kn_str name, struct kn_str prefix)
{
    if (name.length <= prefix.length || memcmp(name.ptr, prefix.ptr, prefix.length) != 0)
        return false;
    *restp = (struct kn_str){name.ptr + prefix.length, name.length - prefix.length};
    return true;
}

static int refuse(struct koine_why *why, struct kn_str name, const char *what)
{
    return kn_refuse(why, KOINE_EMEMBER, NULL, "'%.*s' %s", (int)name.length, name.ptr, what);
}

int kn_companion_find(uint8_t *kindp, uint32_t *memberp, const struct koine_interface *interface,
                      struct kn_str name, struct koine_why *why)
{
    struct kn_str attribute;
    uint32_t index;
    const struct koine_feature *feature = find(&index, interface, name);
    uint8_t kind = KN_MESSAGE_CALL;
    if (feature && feature->sort == KOINE_ATTRIBUTE)
        return refuse(why, name,
                      "is an attribute: " KN_COMPANION_GET " or " KN_COMPANION_SET
                      " before its name reads or writes it");
    if (feature && feature->sort == KOINE_EVENT)
        return refuse(why, name, "is an event: events are not reachable this way in this version");
    if (!feature) {
        if (strip(&attribute, name, KN_STR(KN_COMPANION_GET)))
            kind = KN_MESSAGE_GET;
        else if (strip(&attribute, name, KN_STR(KN_COMPANION_SET)))
            kind = KN_MESSAGE_SET;
        else
            return refuse(why, name, "is no member of the interface");
        feature = find(&index, interface, attribute);
        if (!feature || feature->sort != KOINE_ATTRIBUTE)
            return refuse(why, attribute, "is no attribute of the interface");
        if (kind == KN_MESSAGE_SET && (feature->flags & KOINE_READONLY))
            return refuse(why, attribute, "is read-only");
    }
    *kindp = kind;
    *memberp = index;
    return 0;
}
