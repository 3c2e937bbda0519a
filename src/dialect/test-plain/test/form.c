/* SPDX-License-Identifier: MIT */
#include "dialect/test-form.h"

#include "dialect/test-plain/plain.h"

#include <stdio.h>
#include <stdlib.h>

size_t test_form_unit(struct kn_str output, enum kn_shape shape)
{
    struct plain_packet packet;
    uint32_t length = (uint32_t)output.length;
    size_t frame = shape == KN_STREAM ? sizeof length : 0;
    if (output.length < frame)
        return 0;
    memcpy(&length, output.ptr, frame);
    if (output.length - frame < length ||
        !plain_read(&packet, (struct kn_str){output.ptr + frame, length}))
        return 0;
    return frame + length;
}

static void add(struct kn_buffer *request, const struct plain_packet *packet)
{
    size_t length = plain_size(packet);
    char *octets = malloc(length);
    plain_write(octets, packet);
    kn_buffer_add(request, octets, length);
    free(octets);
}

/* Attributes of test/random are called T<index>. */
static uint32_t member_of(struct kn_str attribute)
{
    return (uint32_t)strtoul(attribute.ptr + 1, NULL, 10);
}

void test_form_get(struct kn_buffer *request, struct kn_str service, struct kn_str attribute)
{
    add(request,
        &(struct plain_packet){
            .kind = KN_MESSAGE_GET, .member = member_of(attribute), .id = 1, .service = service});
}

void test_form_set(struct kn_buffer *request, struct kn_str service, struct kn_str attribute,
                   struct kn_str answer)
{
    struct plain_packet packet;
    if (!plain_read(&packet, (struct kn_str){answer.ptr + 4, answer.length - 4}))
        return;
    packet.kind = KN_MESSAGE_SET;
    packet.member = member_of(attribute);
    packet.service = service;
    add(request, &packet);
}

const struct kn_option *test_form_options(size_t *countp, enum kn_role role, uint32_t choice)
{
    static const struct kn_option turn[] = {{"turn", "3"}}, auth[] = {{"auth", "yes"}},
                                  both[] = {{"turn", "2"}, {"auth", "yes"}},
                                  name[] = {{"name", "here"}};
    static const struct kn_option *const reaching[] = {NULL, turn, auth, both};
    static const size_t counts[] = {0, 1, 1, 2};
    *countp = role == KN_SERVE ? 1 : counts[choice % 4];
    return role == KN_SERVE ? name : reaching[choice % 4];
}
