/* SPDX-License-Identifier: MIT */
#include <koine/value.h>

#include "value/json.h"

#include <stdlib.h>

struct piece {
    struct kn_str name, json;
};

static bool is_known(const struct piece *pieces, size_t count, struct kn_str name)
{
    for (size_t i = 0; i < count; i++)
        if (kn_str_equal(pieces[i].name, name))
            return true;
    return false;
}

static int read_piece(struct kn_json *json, struct kn_arena *arena, struct piece *pieces,
                      size_t count)
{
    struct piece piece;
    if (count == KOINE_JSON_PARTS)
        return kn_json_fail(json, KOINE_ELIMIT, "more than %d members", KOINE_JSON_PARTS);
    int rc = kn_json_name(&piece.name, json, arena);
    if (!rc && is_known(pieces, count, piece.name))
        rc = kn_json_fail(json, KOINE_ESYNTAX, "'%s' stands twice", piece.name.ptr);
    if (!rc)
        rc = kn_json_skip(&piece.json, json);
    if (!rc)
        pieces[count] = piece;
    return rc;
}

static int read_pieces(struct piece *pieces, size_t *countp, struct kn_json *json,
                       struct kn_arena *arena)
{
    int first = 1, more = 0;
    size_t count = 0;
    int rc = kn_json_enter(json, '{');
    while (!rc && (more = kn_json_more(json, '{', &first)) > 0) {
        rc = read_piece(json, arena, pieces, count);
        count += !rc;
    }
    if (!rc)
        rc = more < 0 ? more : kn_json_end(json);
    *countp = count;
    return rc;
}

static char *put(struct koine_string *to, char *at, struct kn_str text)
{
    memcpy(at, text.ptr, text.length);
    at[text.length] = 0;
    *to = (struct koine_string){{at}, (uint32_t)text.length, 0};
    return at + text.length + 1;
}

static int flatten(struct koine_json_part **partsp, const struct piece *pieces, size_t count)
{
    size_t size = count * sizeof(struct koine_json_part) + 1;
    for (size_t i = 0; i < count; i++)
        size += pieces[i].name.length + pieces[i].json.length + 2;
    struct koine_json_part *parts = malloc(size);
    if (!parts)
        return KOINE_ENOMEM;
    char *at = (char *)(parts + count);
    for (size_t i = 0; i < count; i++)
        at = put(&parts[i].json, put(&parts[i].name, at, pieces[i].name), pieces[i].json);
    *partsp = parts;
    return 0;
}

int koine_json_split(struct koine_json_part **partsp, size_t *countp, const char *json,
                     size_t length, struct koine_why *why)
{
    struct piece pieces[KOINE_JSON_PARTS];
    struct kn_arena arena;
    struct kn_json scanner;
    size_t count;
    if (length > UINT32_MAX)
        return KOINE_ETOOBIG;
    kn_arena_init(&arena, 0);
    kn_json_init(&scanner, (struct kn_str){json, length}, why);
    int rc = read_pieces(pieces, &count, &scanner, &arena);
    if (!rc)
        rc = flatten(partsp, pieces, count);
    if (!rc)
        *countp = count;
    kn_arena_deinit(&arena);
    return rc;
}
