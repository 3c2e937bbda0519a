/* SPDX-License-Identifier: MIT */
#include "dialect/jsonrpc/server.h"

#include "dialect/companion.h"
#include "value/types.h"

static void write_name(struct kn_buffer *to, struct kn_str service, const char *prefix,
                       const struct koine_feature *feature)
{
    kn_buffer_str(to, service);
    kn_buffer_char(to, '.');
    kn_buffer_text(to, prefix);
    kn_buffer_add(to, feature->name.ptr, feature->name.length);
}

static void write_params(struct kn_buffer *to, const struct koine_type *type)
{
    kn_buffer_text(to, " {");
    for (uint32_t i = 0; i < type->members.length; i++) {
        const struct koine_member *member = &type->members.ptr[i];
        kn_buffer_print(to, "%s\"%.*s\": %s", i ? ", " : "", (int)member->name.length,
                        member->name.ptr, kn_kind_name(koine_type_of_member(type, member)->kind));
    }
    kn_buffer_char(to, '}');
}

/* "plant/thermostat.set_target {"room": string, "celsius": double}" */
static void address(struct kn_buffer *to, struct kn_str service,
                    const struct koine_interface *interface, uint32_t member)
{
    const struct koine_feature *feature = &interface->features.ptr[member];
    const struct koine_type *in = kn_feature_in(interface, member);
    if (feature->sort == KOINE_OPERATION) {
        write_name(to, service, "", feature);
        write_params(to, in);
    } else if (feature->sort == KOINE_ATTRIBUTE) {
        write_name(to, service, KN_COMPANION_GET, feature);
        kn_buffer_text(to, " {}");
        if (feature->flags & KOINE_READONLY)
            return;
        kn_buffer_text(to, ", ");
        write_name(to, service, KN_COMPANION_SET, feature);
        kn_buffer_print(to, " {\"" KN_COMPANION_VALUE "\": %s}", kn_kind_name(in->kind));
    } else {
        kn_buffer_text(to, "not reachable in this version");
    }
}

static const char *const transports[] = {"http", "tcp", "unix", NULL};
static const char *const no_options[] = {NULL};

static const struct kn_identity identity = {
    .name = "jsonrpc",
    .title = "JSON-RPC",
    .spec = "JSON-RPC 2.0 (2010-03-26, updated 2013-01-04)",
    .transports = transports,
    .exchange_methods = "POST",
    .exchange_type = "application/json",
    .options = no_options,
    .stateless = true,
    .address = address,
};

const struct kn_dialect kn_dialect_jsonrpc = {
    .identity = &identity,
    .start = jsonrpc_start,
    .stop = jsonrpc_stop,
    .channel = jsonrpc_change,
    .feed = jsonrpc_feed,
    .send = jsonrpc_send,
    .wake = jsonrpc_wake,
};
