/* SPDX-License-Identifier: MIT */
#include "runtime/policy.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024 };

/* The next rule of a list, without blanks; ptr NULL behind the last. */
static struct kn_str next_rule(const char **at)
{
    if (!**at)
        return (struct kn_str){NULL, 0};
    const char *begin = *at + strspn(*at, " ");
    size_t whole = strcspn(begin, ","), length = whole;
    while (length && begin[length - 1] == ' ')
        length--;
    *at = begin + whole + (begin[whole] == ',');
    return (struct kn_str){begin, length};
}

/* ---------------------------------------------------------------- callers */

static bool begins(struct kn_str rule, const char *with)
{
    return rule.length > 4 && !memcmp(rule.ptr, with, 4);
}

static bool is_any(struct kn_str rule)
{
    return rule.length == 5 && rule.ptr[4] == '*';
}

/* False: it is none. */
static bool read_id(uint32_t *idp, struct kn_str rule)
{
    uint64_t id = 0;
    if (rule.length > 14)
        return false;
    for (size_t i = 4; i < rule.length; i++) {
        if (rule.ptr[i] < '0' || rule.ptr[i] > '9')
            return false;
        id = 10 * id + (uint64_t)(rule.ptr[i] - '0');
    }
    *idp = (uint32_t)id;
    return id < UINT32_MAX;
}

bool kn_policy_callers_valid(const char *rules)
{
    uint32_t id;
    struct kn_str rule = next_rule(&rules);
    for (bool first = true; rule.ptr || first; rule = next_rule(&rules), first = false)
        if (!rule.ptr || !(begins(rule, "uid:") || begins(rule, "gid:")) ||
            !(is_any(rule) || read_id(&id, rule)))
            return false;
    return true;
}

struct caller {
    struct ucred sender;
    gid_t groups[GROUPS_MAX];
    size_t group_count;
};

static bool has_group(const struct caller *caller, gid_t gid)
{
    bool has = caller->sender.gid == gid;
    for (size_t i = 0; !has && i < caller->group_count; i++)
        has = caller->groups[i] == gid;
    return has;
}

static bool is_named(const struct caller *caller, struct kn_str rule)
{
    uint32_t id;
    if (is_any(rule))
        return true;
    if (!read_id(&id, rule))
        return false;
    return begins(rule, "uid:") ? caller->sender.uid == id : has_group(caller, id);
}

/* Who is in more groups than there is room for has its first one only. */
bool kn_policy_admits(const char *rules, int fd)
{
    struct caller caller;
    socklen_t length = sizeof caller.sender, groups = sizeof caller.groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &caller.sender, &length))
        return false;
    if (!rules)
        return caller.sender.uid == geteuid();
    bool listed = !getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, caller.groups, &groups);
    caller.group_count = listed ? groups / sizeof(gid_t) : 0;
    for (struct kn_str rule; (rule = next_rule(&rules)).ptr;)
        if (is_named(&caller, rule))
            return true;
    return false;
}

/* ---------------------------------------------------------------- calls */

/* Goes back to the last star only, which is enough, and so takes length times length steps at most. */
static bool matches(struct kn_str pattern, struct kn_str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, behind = 0;
    while (t < text.length) {
        if (p < pattern.length && pattern.ptr[p] == '*') {
            star = p++;
            behind = t;
        } else if (p < pattern.length && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++behind;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.ptr[p] == '*')
        p++;
    return p == pattern.length;
}

static void split(struct kn_str *servicep, struct kn_str *memberp, struct kn_str rule)
{
    const char *dot = memrchr(rule.ptr, '.', rule.length);
    *servicep = (struct kn_str){rule.ptr, dot ? (size_t)(dot - rule.ptr) : rule.length};
    *memberp = dot ? (struct kn_str){dot + 1, rule.length - servicep->length - 1} : KN_STR("*");
}

bool kn_policy_calls_valid(const char *rules)
{
    struct kn_str rule = next_rule(&rules), service, member;
    for (bool first = true; rule.ptr || first; rule = next_rule(&rules), first = false) {
        if (!rule.ptr)
            return false;
        split(&service, &member, rule);
        if (!service.length || !member.length || memchr(rule.ptr, ' ', rule.length) ||
            memchr(member.ptr, '/', member.length))
            return false;
    }
    return true;
}

static bool permits(const char *rules, struct kn_str service, const struct kn_str *member)
{
    struct kn_str of_service, of_member;
    for (struct kn_str rule; (rule = next_rule(&rules)).ptr;) {
        split(&of_service, &of_member, rule);
        if (matches(of_service, service) && (!member || matches(of_member, *member)))
            return true;
    }
    return false;
}

bool kn_policy_reaches(const char *rules, struct kn_str service)
{
    return !rules || permits(rules, service, NULL);
}

bool kn_policy_calls(const char *rules, struct kn_str service, struct kn_str member)
{
    return !rules || permits(rules, service, &member);
}
