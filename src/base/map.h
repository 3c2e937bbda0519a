/* SPDX-License-Identifier: MIT
 *
 * From a 64-bit number, or from a text, to a pointer. Open addressing; grows with what is in it.
 */
#ifndef KN_BASE_MAP_H
#define KN_BASE_MAP_H

#include "base/str.h"

#include <stdint.h>

struct kn_map_entry;

struct kn_map {
    struct kn_map_entry *entries;
    size_t room, count, graves;
    uint64_t seed; /* unknown to peers, so that they cannot choose colliding keys */
};

void kn_map_init(struct kn_map *map, uint64_t seed);
void kn_map_deinit(struct kn_map *map);

/* `value` is not NULL. KOINE_EEXIST when the key is there, KOINE_ENOMEM. A text is borrowed: it must
 * live as long as its entry. One map holds numbers or texts, not both. */
int kn_map_put(struct kn_map *map, uint64_t key, void *value);
int kn_map_put_text(struct kn_map *map, struct kn_str key, void *value);

/* NULL when it is not there; take also removes it. */
void *kn_map_get(const struct kn_map *map, uint64_t key);
void *kn_map_get_text(const struct kn_map *map, struct kn_str key);
void *kn_map_take(struct kn_map *map, uint64_t key);
void *kn_map_take_text(struct kn_map *map, struct kn_str key);

/* Any entry's value, for emptying a map; NULL when it is empty. */
void *kn_map_any(const struct kn_map *map, uint64_t *keyp);

#endif
