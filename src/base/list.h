/* SPDX-License-Identifier: MIT
 *
 * An intrusive circular list. A node that is in no list points to itself, so unlinking is always safe.
 */
#ifndef KN_BASE_LIST_H
#define KN_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct kn_list {
    struct kn_list *next, *prev;
};

#define KN_LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Walks `head`; the current entry may be unlinked by the body. */
#define KN_LIST_EACH(at, head)                                                   \
    for (struct kn_list *at = (head)->next, *at##_next = at->next; at != (head); \
         at = at##_next, at##_next = at->next)

static inline void kn_list_init(struct kn_list *list)
{
    list->next = list->prev = list;
}

static inline bool kn_list_empty(const struct kn_list *list)
{
    return list->next == list;
}

static inline void kn_list_append(struct kn_list *head, struct kn_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void kn_list_unlink(struct kn_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    kn_list_init(node);
}

#endif
