/* SPDX-License-Identifier: MIT
 *
 * A connection's own links to services. They are opened when somebody asks for the service's interface,
 * a few at a time for all connections together, since a service greets a limited number at once; what
 * is refused for being too much just now is tried again. A link that broke is opened again at the next
 * question, and then the service may have another interface.
 */
#include "runtime/internal.h"
#include "runtime/policy.h"

#include "base/clock.h"

#include <stdlib.h>

static void opened(void *arg, struct koine_ref *ref, int error);

/* ---------------------------------------------------------------- questions */

void kn_ask_free(struct kn_ask *ask)
{
    kn_list_unlink(&ask->in_chan);
    kn_list_unlink(&ask->in_bond);
    ask->chan->conn->asks--;
    free(ask);
}

static int keep_ask(struct kn_bond *bond, struct kn_chan *chan, uint64_t cookie)
{
    struct kn_ask *ask = NULL;
    if (chan->conn->asks < chan->conn->attachment->limits.calls)
        ask = calloc(1, sizeof *ask);
    if (!ask)
        return KOINE_ENOMEM;
    *ask = (struct kn_ask){.chan = chan, .cookie = cookie};
    kn_list_append(&chan->asks, &ask->in_chan);
    kn_list_append(&bond->asks, &ask->in_bond);
    chan->conn->asks++;
    return 0;
}

static void wake(struct kn_ask *ask, struct kn_answer *answer)
{
    struct kn_chan *chan = ask->chan;
    struct koine_attachment *attachment = chan->conn->attachment;
    uint64_t cookie = ask->cookie;
    answer->channel = &chan->channel;
    kn_ask_free(ask);
    attachment->inside++;
    if (attachment->dialect->wake(attachment->endpoint, cookie, answer))
        chan->failed = true;
    attachment->inside--;
    kn_conn_touch(chan->conn);
}

/* ---------------------------------------------------------------- life */

static void free_bond(struct kn_bond *bond)
{
    kn_list_unlink(&bond->in_conn);
    kn_list_unlink(&bond->in_openings);
    if (bond->ref && !bond->interface)
        bond->conn->attachment->opening--;
    koine_ref_close(bond->ref);
    free(bond);
}

void kn_bonds_close(struct kn_conn *conn)
{
    while (!kn_list_empty(&conn->bonds))
        free_bond(KN_LIST_ENTRY(conn->bonds.next, struct kn_bond, in_conn));
}

static struct kn_bond *find(struct kn_conn *conn, struct kn_str name)
{
    KN_LIST_EACH(at, &conn->bonds)
    {
        struct kn_bond *bond = KN_LIST_ENTRY(at, struct kn_bond, in_conn);
        if (kn_str_equal(kn_str(bond->name), name))
            return bond;
    }
    return NULL;
}

struct kn_bond *kn_bond_find(struct kn_conn *conn, struct kn_str name)
{
    struct kn_bond *bond = find(conn, name);
    return bond && bond->interface ? bond : NULL;
}

static size_t count(const struct kn_list *list)
{
    size_t sum = 0;
    for (const struct kn_list *at = list->next; at != list; at = at->next)
        sum++;
    return sum;
}

/* Of those that nobody uses the one whose last use is longest ago gives way. */
static bool make_room(struct kn_conn *conn)
{
    if (count(&conn->bonds) < KN_BONDS_MAX)
        return true;
    KN_LIST_EACH(at, &conn->bonds)
    {
        struct kn_bond *bond = KN_LIST_ENTRY(at, struct kn_bond, in_conn);
        if (bond->users || !kn_list_empty(&bond->asks))
            continue;
        free_bond(bond);
        return true;
    }
    return false;
}

static struct kn_bond *new_bond(struct kn_conn *conn, struct kn_str name)
{
    struct kn_bond *bond = calloc(1, sizeof *bond + name.length + 1);
    if (!bond)
        return NULL;
    memcpy(bond->name, name.ptr, name.length);
    bond->conn = conn;
    kn_list_init(&bond->in_openings);
    kn_list_init(&bond->asks);
    kn_list_append(&conn->bonds, &bond->in_conn);
    return bond;
}

/* ---------------------------------------------------------------- opening */

/* KOINE_EAGAIN: not now, but it may be tried again. */
static int start(struct kn_bond *bond)
{
    struct koine_attachment *attachment = bond->conn->attachment;
    int64_t left = kn_remaining(bond->open_by, kn_now());
    if (attachment->opening >= KN_OPENINGS_MAX)
        return KOINE_EAGAIN;
    if (!left)
        return KOINE_EDEADLINE;
    int rc = koine_ref_start(&bond->ref, attachment->node, bond->name, NULL, left, opened, bond);
    attachment->opening += !rc;
    return rc;
}

static void queue(struct kn_bond *bond)
{
    struct koine_attachment *attachment = bond->conn->attachment;
    kn_list_append(&attachment->openings, &bond->in_openings);
    koine_timer_set(attachment->retry, kn_deadline(kn_now(), KN_RETRY_NS));
}

/* Answers that came inside the dialect may stand on it. */
static void give_up(struct kn_bond *bond)
{
    if (!bond->users)
        free_bond(bond);
}

/* The bond is found by nobody while it tells that it is none. */
static void fail(struct kn_bond *bond, int error)
{
    struct kn_answer answer = {.kind = KN_ASK_INTERFACE, .error = error};
    kn_list_unlink(&bond->in_conn);
    bond->ref = koine_ref_close(bond->ref);
    while (!kn_list_empty(&bond->asks))
        wake(KN_LIST_ENTRY(bond->asks.next, struct kn_ask, in_bond), &answer);
    kn_list_append(&bond->conn->bonds, &bond->in_conn);
    give_up(bond);
}

static void succeed(struct kn_bond *bond)
{
    struct kn_answer answer = {.kind = KN_ASK_INTERFACE, .interface = bond->interface};
    bond->users++;
    while (!kn_list_empty(&bond->asks))
        wake(KN_LIST_ENTRY(bond->asks.next, struct kn_ask, in_bond), &answer);
    bond->users--;
}

static void opened(void *arg, struct koine_ref *ref, int error)
{
    struct kn_bond *bond = arg;
    struct koine_attachment *attachment = bond->conn->attachment;
    attachment->opening--;
    if (!error)
        error = koine_ref_interface(&bond->interface, ref, 1);
    if (!error) {
        succeed(bond);
    } else {
        bond->ref = koine_ref_close(ref);
        if (error == KOINE_EDOWN && kn_now() < bond->open_by)
            queue(bond);
        else
            fail(bond, error);
    }
    koine_timer_set(attachment->soon, 0);
    if (!kn_list_empty(&attachment->openings))
        koine_timer_set(attachment->retry, error ? kn_deadline(kn_now(), KN_RETRY_NS) : 0);
}

void kn_bonds_pump(struct koine_attachment *attachment)
{
    size_t left = count(&attachment->openings);
    for (; left && attachment->opening < KN_OPENINGS_MAX; left--) {
        struct kn_bond *bond =
            KN_LIST_ENTRY(attachment->openings.next, struct kn_bond, in_openings);
        kn_list_unlink(&bond->in_openings);
        int rc = start(bond);
        if (rc == KOINE_EAGAIN)
            queue(bond);
        else if (rc)
            fail(bond, rc);
    }
    kn_settle(attachment);
}

/* ---------------------------------------------------------------- asking */

static int answer_now(struct kn_answer *answerp, struct kn_chan *chan, int error,
                      const struct koine_interface *interface)
{
    *answerp = (struct kn_answer){.kind = KN_ASK_INTERFACE,
                                  .error = error,
                                  .channel = &chan->channel,
                                  .interface = interface};
    return 1;
}

static bool is_up(const struct kn_bond *bond)
{
    struct koine_caller unused;
    return bond->interface && !koine_ref_peer(&unused, bond->ref);
}

/* A bond that is new, or whose link broke. */
static int begin(struct kn_bond *bond)
{
    bond->open_by = kn_deadline(kn_now(), KN_OPEN_NS);
    bond->interface = NULL;
    bond->ref = koine_ref_close(bond->ref);
    int rc = start(bond);
    if (rc != KOINE_EAGAIN)
        return rc;
    queue(bond);
    return 0;
}

int kn_bond_ask(struct kn_answer *answerp, struct kn_chan *chan, struct kn_str name,
                uint64_t cookie)
{
    struct kn_conn *conn = chan->conn;
    struct kn_bond *bond = find(conn, name);
    bool waits = bond && !bond->interface && (bond->ref || !kn_list_empty(&bond->in_openings));
    if (bond && is_up(bond)) {
        kn_list_unlink(&bond->in_conn);
        kn_list_append(&conn->bonds, &bond->in_conn);
        return answer_now(answerp, chan, 0, bond->interface);
    }
    if (!kn_policy_reaches(conn->attachment->limits.calls_allowed, name)) {
        (void)answer_now(answerp, chan, KOINE_EPERM, NULL);
        answerp->why = KN_NOT_ALLOWED;
        return 1;
    }
    if (!bond && memchr(name.ptr, '\0', name.length))
        return answer_now(answerp, chan, KOINE_EINVAL, NULL);
    if (!bond && !make_room(conn))
        return answer_now(answerp, chan, KOINE_ELIMIT, NULL);
    if (!bond && !(bond = new_bond(conn, name)))
        return answer_now(answerp, chan, KOINE_ENOMEM, NULL);
    int rc = waits ? 0 : begin(bond);
    if (!rc)
        rc = keep_ask(bond, chan, cookie);
    else
        give_up(bond);
    return rc ? answer_now(answerp, chan, rc, NULL) : 0;
}
