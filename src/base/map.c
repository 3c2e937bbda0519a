/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/hash.h"

#include <koine/error.h>

#include <stdlib.h>

enum { FIRST = 16 };

/* value NULL: never used, or (number 1) a grave that a search walks over. */
struct kn_map_entry {
    struct kn_str text; /* ptr NULL: the key is `number` */
    uint64_t number;
    uint64_t hash;
    void *value;
};

void kn_map_init(struct kn_map *map, uint64_t seed)
{
    *map = (struct kn_map){.seed = seed};
}

void kn_map_deinit(struct kn_map *map)
{
    free(map->entries);
    kn_map_init(map, map->seed);
}

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 28;
}

static struct kn_map_entry number_key(const struct kn_map *map, uint64_t number)
{
    return (struct kn_map_entry){.number = number, .hash = mix(number ^ map->seed)};
}

static struct kn_map_entry text_key(const struct kn_map *map, struct kn_str text)
{
    uint64_t hash = mix(kn_hash(KN_HASH_START ^ map->seed, text.ptr, text.length));
    return (struct kn_map_entry){.text = text, .hash = hash};
}

static bool same(const struct kn_map_entry *a, const struct kn_map_entry *b)
{
    return a->hash == b->hash && a->number == b->number && kn_str_equal(a->text, b->text);
}

static struct kn_map_entry *find(const struct kn_map *map, const struct kn_map_entry *key)
{
    if (!map->room)
        return NULL;
    for (size_t at = key->hash & (map->room - 1);; at = (at + 1) & (map->room - 1)) {
        struct kn_map_entry *entry = &map->entries[at];
        if (entry->value && same(entry, key))
            return entry;
        if (!entry->value && !entry->number)
            return NULL;
    }
}

static void insert(struct kn_map *map, const struct kn_map_entry *key, void *value)
{
    size_t at = key->hash & (map->room - 1);
    while (map->entries[at].value)
        at = (at + 1) & (map->room - 1);
    if (map->entries[at].number)
        map->graves--;
    map->entries[at] = *key;
    map->entries[at].value = value;
    map->count++;
}

/* At most three quarters are used, graves counted, so that every search ends. */
static int grow(struct kn_map *map)
{
    if ((map->count + map->graves + 1) * 4 <= map->room * 3)
        return 0;
    size_t room = map->room ? map->room : FIRST;
    while ((map->count + 1) * 2 > room)
        room *= 2;
    struct kn_map_entry *entries = calloc(room, sizeof *entries);
    if (!entries)
        return KOINE_ENOMEM;
    struct kn_map old = *map;
    *map = (struct kn_map){.entries = entries, .room = room, .seed = old.seed};
    for (size_t i = 0; i < old.room; i++)
        if (old.entries[i].value)
            insert(map, &old.entries[i], old.entries[i].value);
    free(old.entries);
    return 0;
}

static int put(struct kn_map *map, struct kn_map_entry key, void *value)
{
    if (find(map, &key))
        return KOINE_EEXIST;
    int rc = grow(map);
    if (rc)
        return rc;
    insert(map, &key, value);
    return 0;
}

static void *take(struct kn_map *map, struct kn_map_entry key)
{
    struct kn_map_entry *entry = find(map, &key);
    if (!entry)
        return NULL;
    void *value = entry->value;
    *entry = (struct kn_map_entry){.number = 1};
    map->graves++;
    map->count--;
    return value;
}

int kn_map_put(struct kn_map *map, uint64_t key, void *value)
{
    return put(map, number_key(map, key), value);
}

int kn_map_put_text(struct kn_map *map, struct kn_str key, void *value)
{
    return put(map, text_key(map, key), value);
}

void *kn_map_get(const struct kn_map *map, uint64_t key)
{
    struct kn_map_entry wanted = number_key(map, key), *entry = find(map, &wanted);
    return entry ? entry->value : NULL;
}

void *kn_map_get_text(const struct kn_map *map, struct kn_str key)
{
    struct kn_map_entry wanted = text_key(map, key), *entry = find(map, &wanted);
    return entry ? entry->value : NULL;
}

void *kn_map_take(struct kn_map *map, uint64_t key)
{
    return take(map, number_key(map, key));
}

void *kn_map_take_text(struct kn_map *map, struct kn_str key)
{
    return take(map, text_key(map, key));
}

void *kn_map_any(const struct kn_map *map, uint64_t *keyp)
{
    for (size_t i = 0; i < map->room; i++) {
        if (!map->entries[i].value)
            continue;
        if (keyp)
            *keyp = map->entries[i].number;
        return map->entries[i].value;
    }
    return NULL;
}
