/* SPDX-License-Identifier: MIT */
#include "value/procedure.h"

#include "base/map.h"
#include "base/sha256.h"
#include "value/why.h"

#include <stdlib.h>

enum { BASICS = 2, PER_ATTRIBUTE = 4, PER_EVENT = 7 }; /* types that are added, at most */
enum { PROCEDURES_PER_MEMBER = 3 };

struct maker {
    struct kn_procedures *made;
    const struct koine_interface *interface;
    struct koine_why *why;
    struct kn_map taken; /* numbers */
    uint32_t next[KN_PROCEDURE_UNSUBSCRIBE + 1];
    uint32_t number, large; /* types: uint32, uint64 */
    int failed;
};

static struct kn_str str(struct koine_string string)
{
    return (struct kn_str){string.ptr, string.length};
}

uint32_t kn_procedures_program(struct kn_str name)
{
    uint8_t digest[KN_SHA256_SIZE];
    kn_sha256(digest, name);
    uint32_t first = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 |
                     (uint32_t)digest[2] << 8 | digest[3];
    return 0x20000000u + (first & 0x1fffffffu);
}

/* ---- memory */

static void *zalloc(struct maker *m, size_t count, size_t size)
{
    void *got = m->failed ? NULL : kn_arena_zalloc(&m->made->arena, count, size);
    if (!got && !m->failed)
        m->failed = KOINE_ENOMEM;
    return got;
}

static struct koine_string join(struct maker *m, struct kn_str a, const char *b, struct kn_str c)
{
    size_t middle = strlen(b), length = a.length + middle + c.length;
    char *text = zalloc(m, length + 1, 1);
    if (!text)
        return (struct koine_string)KOINE_TEXT("");
    if (a.length)
        memcpy(text, a.ptr, a.length);
    memcpy(text + a.length, b, middle);
    if (c.length)
        memcpy(text + a.length + middle, c.ptr, c.length);
    return (struct koine_string){{text}, (uint32_t)length, 0};
}

/* ---- types */

static uint32_t add_type(struct maker *m, struct koine_type type)
{
    m->made->types[m->made->type_count] = type;
    return m->made->type_count++;
}

static uint32_t sequence_of(struct maker *m, uint32_t element)
{
    uint32_t index = m->made->type_count;
    return add_type(m, (struct koine_type){.kind = KOINE_KIND_SEQUENCE,
                                           .element = (int32_t)element - (int32_t)index});
}

/* Of events that say nothing there is but their number. */
static uint32_t events(struct maker *m, uint32_t event)
{
    return m->made->types[event].members.length ? sequence_of(m, event) : m->number;
}

struct part {
    const char *name;
    uint32_t type;
};

/* struct "demo::Thermostat::_next_reading::in" of `count` members. */
static uint32_t side(struct maker *m, const struct kn_procedure *p, const char *suffix,
                     const struct part *parts, uint32_t count)
{
    struct koine_string whole = join(m, str(m->interface->name), "::", str(p->name));
    struct koine_member *members = zalloc(m, count + 1, sizeof *members);
    whole = join(m, str(whole), suffix, KN_STR(""));
    if (m->failed)
        return 0;
    uint32_t index = m->made->type_count;
    for (uint32_t i = 0; i < count; i++)
        members[i] = (struct koine_member){.name = koine_string(parts[i].name),
                                           .type = (int32_t)parts[i].type - (int32_t)index};
    return add_type(m, (struct koine_type){.name = whole,
                                           .kind = KOINE_KIND_STRUCT,
                                           .members = KOINE_MANY(members, count)});
}

/* ---- procedures */

/* A number of its own: the next of its row that is free. */
static uint32_t number(struct maker *m, struct kn_procedure *p, uint32_t id)
{
    if (id)
        return id;
    uint32_t row = (uint32_t)p->sort * KN_PROCEDURE_ROW, free = row + m->next[p->sort];
    do
        free++;
    while (kn_map_get(&m->taken, free));
    m->next[p->sort] = free - row;
    return free;
}

static struct kn_procedure *add(struct maker *m, uint32_t member, enum kn_procedure_sort sort)
{
    static const char *const prefixes[] = {
        "",       KN_PROCEDURE_GET_PREFIX, KN_PROCEDURE_SET_PREFIX, "_subscribe_",
        "_next_", "_unsubscribe_"};
    const struct koine_feature *f = m->interface->features.ptr + member;
    struct kn_procedure *p = m->made->list + m->made->count;
    *p = (struct kn_procedure){.member = member, .sort = sort, .in = f->in, .out = f->out};
    p->name =
        sort == KN_PROCEDURE_CALL ? f->name : join(m, KN_STR(""), prefixes[sort], str(f->name));
    p->raises = f->raises;
    p->number = number(m, p, sort == KN_PROCEDURE_CALL ? f->id : 0);
    m->made->count++;
    return p;
}

static void add_of_sort(struct maker *m, uint32_t member, enum kn_procedure_sort sort)
{
    const struct koine_feature *f = m->interface->features.ptr + member;
    const struct part value = {KN_PROCEDURE_VALUE, f->in}, result = {"return", f->in};
    const struct part ticket = {"return", m->large};
    struct part next[] = {
        {KN_PROCEDURE_SUBSCRIPTION, m->large}, {"wait", m->number}, {"most", m->number}};
    struct kn_procedure *p = add(m, member, sort);
    if (sort == KN_PROCEDURE_CALL || m->failed)
        return;
    p->in = side(m, p, "::in", sort == KN_PROCEDURE_SET ? &value : next,
                 sort == KN_PROCEDURE_SET || sort == KN_PROCEDURE_UNSUBSCRIBE ? 1
                 : sort == KN_PROCEDURE_NEXT                                  ? 3
                                                                              : 0);
    if (sort == KN_PROCEDURE_GET) {
        p->out = side(m, p, "::out", &result, 1);
    } else if (sort == KN_PROCEDURE_SUBSCRIBE) {
        p->out = side(m, p, "::out", &ticket, 1);
    } else if (sort == KN_PROCEDURE_NEXT) {
        struct part got[] = {{"lost", m->large}, {"events", events(m, f->in)}};
        p->out = side(m, p, "::out", got, 2);
    } else {
        p->out = side(m, p, "::out", NULL, 0);
    }
}

static bool has(const struct koine_feature *f, enum kn_procedure_sort sort)
{
    if (sort == KN_PROCEDURE_CALL)
        return f->sort == KOINE_OPERATION;
    if (sort == KN_PROCEDURE_SET && (f->flags & KOINE_READONLY))
        return false;
    return f->sort == (sort <= KN_PROCEDURE_SET ? KOINE_ATTRIBUTE : KOINE_EVENT);
}

/* ---- the whole */

static int refuse(struct maker *m, const char *what, struct koine_string name)
{
    return kn_refuse(m->why, KOINE_EDATA, NULL, "%s '%.*s'", what, (int)name.length, name.ptr);
}

static int take_ids(struct maker *m)
{
    for (uint32_t i = 0; i < m->interface->features.length; i++) {
        const struct koine_feature *f = m->interface->features.ptr + i;
        if (f->sort != KOINE_OPERATION || !f->id)
            continue;
        int rc = kn_map_put(&m->taken, f->id, m);
        if (rc)
            return rc == KOINE_EEXIST ? refuse(m, "another operation has the id of", f->name) : rc;
    }
    return 0;
}

/* A note's number, 0xffffffff at most. */
static int note(struct maker *m, uint32_t *numberp, const char *name)
{
    struct koine_string text = kn_interface_note(m->interface, name);
    uint64_t value = 0;
    if (!text.ptr)
        return 0;
    for (uint32_t i = 0; i < text.length; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return refuse(m, "no number in", text);
        value = value * 10 + (uint64_t)(text.ptr[i] - '0');
        if (value > UINT32_MAX)
            return refuse(m, "no number of 32 bits in", text);
    }
    if (!text.length)
        return refuse(m, "no number in", text);
    *numberp = (uint32_t)value;
    return 0;
}

static int room(struct maker *m)
{
    size_t types = m->interface->types.length + (size_t)BASICS, members = 0;
    for (uint32_t i = 0; i < m->interface->features.length; i++) {
        uint8_t sort = m->interface->features.ptr[i].sort;
        types += sort == KOINE_ATTRIBUTE ? PER_ATTRIBUTE : sort == KOINE_EVENT ? PER_EVENT : 0;
        members++;
    }
    if (types > KN_TYPES_MAX)
        return kn_refuse(m->why, KOINE_EDATA, NULL, "more than %d types", KN_TYPES_MAX);
    m->made->types = zalloc(m, types, sizeof *m->made->types);
    m->made->list = zalloc(m, members * PROCEDURES_PER_MEMBER + 1, sizeof *m->made->list);
    return m->failed;
}

static int fill(struct maker *m)
{
    const struct koine_interface *interface = m->interface;
    if (interface->types.length)
        memcpy(m->made->types, interface->types.ptr,
               interface->types.length * sizeof *m->made->types);
    m->made->type_count = interface->types.length;
    m->number = add_type(m, (struct koine_type){.kind = KOINE_KIND_UINT32});
    m->large = add_type(m, (struct koine_type){.kind = KOINE_KIND_UINT64});
    for (uint32_t sort = KN_PROCEDURE_CALL; sort <= KN_PROCEDURE_UNSUBSCRIBE; sort++) {
        for (uint32_t i = 0; i < interface->features.length && !m->failed; i++) {
            if (has(interface->features.ptr + i, (enum kn_procedure_sort)sort))
                add_of_sort(m, i, (enum kn_procedure_sort)sort);
        }
    }
    return m->failed ? m->failed : kn_types_layout(m->made->types, m->made->type_count, m->why);
}

int kn_procedures_new(struct kn_procedures **proceduresp, const struct koine_interface *interface,
                      struct koine_why *why)
{
    struct kn_procedures *made = calloc(1, sizeof *made);
    struct maker m = {.made = made, .interface = interface, .why = why};
    if (!made)
        return KOINE_ENOMEM;
    kn_arena_init(&made->arena, 0);
    kn_map_init(&m.taken, 0);
    made->program = kn_procedures_program(str(interface->name));
    made->version = 1;
    int rc = take_ids(&m);
    if (!rc)
        rc = note(&m, &made->program, "onc.program");
    if (!rc)
        rc = note(&m, &made->version, "onc.version");
    if (!rc)
        rc = room(&m);
    if (!rc)
        rc = fill(&m);
    kn_map_deinit(&m.taken);
    if (rc)
        kn_procedures_free(made);
    else
        *proceduresp = made;
    return rc;
}

struct kn_procedures *kn_procedures_free(struct kn_procedures *procedures)
{
    if (!procedures)
        return NULL;
    kn_arena_deinit(&procedures->arena);
    free(procedures);
    return NULL;
}

const struct kn_procedure *kn_procedures_find(const struct kn_procedures *procedures,
                                              uint32_t number)
{
    if (number && number <= procedures->count && procedures->list[number - 1].number == number)
        return procedures->list + number - 1;
    for (uint32_t i = 0; i < procedures->count; i++)
        if (procedures->list[i].number == number)
            return procedures->list + i;
    return NULL;
}
