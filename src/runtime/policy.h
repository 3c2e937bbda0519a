/* SPDX-License-Identifier: MIT
 *
 * Who may use an endpoint, and what may be called through it. Rules stand in the options `allow` and
 * `allow-call` of a URI, with commas between; where a list is given, what no rule of it names is refused.
 *
 *      allow      = uid:1000, gid:50, uid:*       of unix sockets; no list: the uid of this process
 *      allow-call = plant/thermostat.get_*, lab/x.*      no list: everything
 *
 * A rule of `allow-call` is a service and, behind the last dot, a member; without a dot it is a service
 * with all its members. In both, a star stands for any octets, also none and also slashes. An attribute
 * is a member: who may read it may write it.
 */
#ifndef KN_RUNTIME_POLICY_H
#define KN_RUNTIME_POLICY_H

#include "base/str.h"

#include <stdbool.h>

/* What a caller is told. */
#define KN_NOT_ALLOWED "the endpoint's rules, allow-call, do not permit it"

bool kn_policy_callers_valid(const char *rules);
bool kn_policy_calls_valid(const char *rules);

/* Whether who connected the unix socket `fd` may use it, with any of its groups. */
bool kn_policy_admits(const char *rules, int fd);
/* Whether some member of `service` may be called. */
bool kn_policy_reaches(const char *rules, struct kn_str service);
bool kn_policy_calls(const char *rules, struct kn_str service, struct kn_str member);

#endif
