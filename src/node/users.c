/* SPDX-License-Identifier: MIT
 *
 * What each user of the machine takes of a node that serves. Links and greetings are limited per user, so
 * that nobody can shut out the others: whoever connects is counted from the accept on, by the uid that
 * the kernel noted at connect(). Other users than the node's own and root get links for at most an eighth of the
 * process's descriptors (a link has two).
 */
#include "node/internal.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHARE_OF_STRANGERS = 16 };

static uint32_t most_links(const struct koine_node *node, uid_t uid)
{
    struct rlimit limit;
    if (uid == 0 || uid == geteuid() || getrlimit(RLIMIT_NOFILE, &limit))
        return node->max_links;
    uint64_t share = limit.rlim_cur / SHARE_OF_STRANGERS;
    return share < node->max_links ? (uint32_t)share : node->max_links;
}

static struct kn_user *find_or_make(struct koine_node *node, uid_t uid)
{
    KN_LIST_EACH(at, &node->users)
    {
        struct kn_user *user = KN_LIST_ENTRY(at, struct kn_user, in_node);
        if (user->uid == uid)
            return user;
    }
    struct kn_user *user = calloc(1, sizeof *user);
    if (!user)
        return NULL;
    user->uid = uid;
    kn_list_append(&node->users, &user->in_node);
    return user;
}

static void free_if_idle(struct kn_user *user)
{
    if (user->links)
        return;
    kn_list_unlink(&user->in_node);
    free(user);
}

bool kn_user_enter(struct kn_link *link)
{
    struct koine_node *node = link->node;
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return false;
    struct kn_user *user = find_or_make(node, peer.uid);
    if (!user)
        return false;
    if (user->links >= most_links(node, peer.uid) || user->greeting >= KN_GREETINGS_MAX) {
        free_if_idle(user);
        return false;
    }
    user->links++;
    user->greeting++;
    link->user = user;
    return true;
}

void kn_user_greeted(struct kn_link *link)
{
    link->user->greeting--;
}

void kn_user_leave(struct kn_link *link)
{
    struct kn_user *user = link->user;
    if (!user)
        return;
    user->links--;
    if (link->state == KN_GREETING)
        user->greeting--;
    link->user = NULL;
    free_if_idle(user);
}
