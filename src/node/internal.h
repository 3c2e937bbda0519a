/* SPDX-License-Identifier: MIT
 *
 * The node's own structures.
 *
 * A node owns links; a link is one connected socket and two segments, either accepted by a service or
 * made by a reference. Everything is used by one thread. Nothing is freed while a callback runs that
 * might still stand on it: links are counted (`users`), and handles closed inside a callback are swept
 * when the outermost node function returns.
 */
#ifndef KN_NODE_INTERNAL_H
#define KN_NODE_INTERNAL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "node/head.h"
#include "node/names.h"
#include "node/reach.h"
#include "node/room.h"
#include "plane/pool.h"
#include "plane/ring.h"
#include "plane/segment.h"
#include "plane/wake.h"
#include "value/border.h"
#include "value/why.h"

#include <koine/koine.h>

enum {
    KN_DEPTH_MAX = 16,
    KN_GREETINGS_MAX = 64,
    KN_LATE_MAX = 1024,
    KN_LATE_OCTETS = 2 * KN_BODY_MAX
};
#define KN_NODE_OCTETS (UINT64_C(1) << 30) /* further memory for answers and samples */
#define KN_HELLO_NS    (5 * KOINE_SECOND)

/* What an epoll event leads to: the first member of everything that is polled. */
struct kn_watch {
    void (*ready)(struct kn_watch *watch, uint32_t events);
};

/* Of a node that serves: users.c. */
struct kn_user {
    struct kn_list in_node;
    uid_t uid;
    uint32_t links, greeting; /* greeting: those of the links that are not greeted yet */
};

enum kn_link_state { KN_GREETING, KN_LINKED, KN_DEAD };

struct kn_link {
    struct kn_watch watch; /* the socket */
    struct kn_watch life;  /* the peer's pidfd */
    struct kn_list in_node;
    struct kn_list in_service;
    struct koine_node *node;
    struct koine_service *service; /* the serving end; else NULL */
    struct koine_ref *ref;         /* the calling end; else NULL */
    struct kn_user *user;          /* the serving end: who connected */
    int fd, pidfd, offered;        /* offered: the caller's memfd until it is verified */
    enum kn_link_state state;
    bool unsent;  /* the last control message did not go out: the peer is gone, or reads none */
    bool hung_up; /* the peer did, or died; else it was this end that dropped the link */
    int users;    /* frames that stand on this link, and values that lie in its memory */
    int64_t greeted_by;
    struct koine_caller peer;
    struct kn_segment out, in;
    struct kn_ring_out ring_out;
    struct kn_ring_in ring_in;
    struct kn_room rooms[KN_POOLS];
    struct kn_view views[KN_POOLS];
    struct kn_wake wake;
    struct kn_list pending;  /* struct koine_pending: calls of ours that wait for an answer */
    struct kn_list requests; /* struct koine_request: calls of theirs that wait for our answer */
    uint32_t request_count;
    struct kn_list late; /* struct kn_late: what there is no room for yet */
    uint32_t late_count;
    size_t late_octets;
    bool choked;            /* the serving end: so much waits that no more requests are taken */
    struct kn_list readers; /* struct kn_reader: their subscriptions to our events */
    uint64_t serial;
    int error;                 /* why the greeting failed */
    uid_t dir_owner;           /* the calling end: who may serve here, besides root and this user */
    uint64_t hash;             /* the calling end: of the service's interface */
    struct koine_sub *joining; /* the calling end: a subscription that waits for its answer */
    uint32_t abandoned;        /* answers to come for subscriptions that wait no more */
};

/* A reference that is being opened without anybody waiting for it. */
struct kn_opening {
    struct kn_link *link;
    koine_ref_ready *ready; /* NULL: not being opened */
    void *arg;
    int64_t deadline;
};

/* A chunk of the peer that is kept: held, and its memory mapped, until it is given back. */
struct kn_loan {
    struct kn_link *link; /* NULL: none */
    int hold;
};

/* A message's body as it arrived: private if it is small, else in the chunk that `loan` keeps. */
struct kn_body {
    const void *octets;
    size_t length;
    int error; /* it is there and cannot be had: KOINE_ENOMEM, KOINE_EHOLDS */
    struct kn_loan loan;
};

struct koine_node {
    struct kn_list links, services, refs, watches, users;
    struct kn_watch stop, alarm;
    struct kn_heap timers;
    size_t timer_count, watch_count;
    int epoll, stop_fd, spare_fd, alarm_fd;
    int64_t alarm_at;
    char *dirs;
    kn_reach *reach; /* instead of looking into `dirs` */
    void *reach_arg;
    int64_t timeout, spin;
    int64_t looked,
        clock; /* when sockets, deadlines and timers were looked at; and the last of all */
    uint32_t max_links, max_pending, turns, spins_failed, pauses_failed;
    uint64_t handled; /* things, since koine_node_process began to wait */
    uint32_t expired; /* calls and greetings, ever */
    int depth;
    bool running, stopping, closing;
    bool unswept; /* something is closed or dead and not freed yet */
    struct koine_why why;
    volatile uint64_t *guard; /* 0 in a forked child */
    struct kn_list spare;     /* struct koine_request, to be used again */
    uint64_t links_dropped;
    uint64_t octets, max_octets; /* of further memory that was made for answers and samples */
    int full;                    /* calls that wait for room in a ring */
};

struct koine_service {
    struct kn_watch watch; /* the listener */
    struct kn_list in_node, links;
    struct kn_list orphans; /* kept requests whose callers are gone */
    struct koine_node *node;
    struct kn_name_claim claim;
    int listener;
    bool closed;
    const struct koine_interface *interface;
    const struct koine_face *face;
    const void *handlers;
    koine_handler *handler;
    void *self;
    struct koine_service_options options;
    struct kn_topic **topics; /* per feature; NULL until somebody subscribes */
    uint64_t *serials;        /* per feature: samples published */
    void **staging;           /* per feature: a private loan */
    struct koine_service_counts counts;
    uint32_t link_count;
    char name[];
};

struct koine_request {
    struct kn_list in_link;
    struct kn_link *link; /* NULL: the caller is gone */
    struct koine_service *service;
    struct kn_arena arena;
    struct kn_buffer text;
    struct kn_loan loan; /* where the leaves of large arguments lie */
    uint64_t serial;
    uint32_t member;
    enum koine_request_sort sort;
    bool oneway, cancelled, inside, answered, faulted;
    int64_t deadline;
    const void *in;
    struct koine_caller caller;
};

struct koine_pending {
    struct kn_list in_link;
    struct kn_link *link;
    uint64_t serial;
    const struct koine_type *out;
    uint32_t member;
    struct kn_arena *arena;
    int64_t begun, deadline; /* begun: the clock when it was sent, or soon before */
    koine_done *done;
    void *arg;
    struct koine_ref *ref;
    bool owned; /* to be freed after `done` */
    bool waits; /* its caller waits: it is sent when there is room, and not queued */
    bool whole; /* the answer is copied, and stays when its message is gone */
};

/* The last answer's leaves lie there until it is given back. In the arena of that answer. */
struct kn_kept {
    struct kn_kept *next;
    struct kn_loan loan;
};

struct koine_ref {
    struct kn_list in_node, subs;
    struct koine_node *node;
    struct kn_link *link; /* NULL: not connected */
    const struct koine_face *face;
    const struct koine_interface *interface;
    uint64_t hash; /* of the service's interface, as it said */
    struct kn_arena described, answer;
    struct kn_kept *kept;
    struct kn_buffer text;
    struct koine_fault fault;
    struct kn_opening opening;
    int waiting; /* frames that stand on it */
    int held; /* of those, calls whose answer lies in `answer` and is not yet with who waits for it */
    bool closed;
    char name[];
};

void kn_link_free(struct kn_link *link);

/* ---- node.c */
int kn_node_enter(struct koine_node *node);
void kn_node_leave(struct koine_node *node);
/* Frees what is dead or closed and no frame stands on. */
void kn_node_sweep(struct koine_node *node);
int kn_node_fail(struct koine_node *node, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int kn_watch_add(struct koine_node *node, int fd, struct kn_watch *watch);

/* ---- foreign.c */
void kn_watches_sweep(struct koine_node *node, bool all);
int64_t kn_timers_next(const struct koine_node *node);
/* Runs what is due; the number of timers that ran. */
int kn_timers_run(struct koine_node *node, int64_t now);
int kn_alarm_open(struct koine_node *node);
/* The node's descriptor becomes readable at `when`; INT64_MAX: no more. */
int kn_alarm_set(struct koine_node *node, int64_t when);

/* ---- wait.c */
typedef bool kn_ready(void *arg);
/* Serves until ready(arg) or the deadline (KOINE_EDEADLINE). `hot` is the link on which the answer is
 * awaited, or NULL. `streams`: what is awaited is published without a fence. */
int kn_node_until(struct koine_node *node, kn_ready *ready, void *arg, struct kn_link *hot,
                  int64_t deadline, bool streams);
/* A short spin for an answer that is about to come, before anybody looks at a clock. True: ready. */
bool kn_node_spin(struct koine_node *node, kn_ready *ready, void *arg, struct kn_link *hot);
/* What was called back took so long that it is time to look beyond the rings. */
static inline bool kn_node_lags(const struct koine_node *node)
{
    return node->clock - node->looked >= KN_BELL_NS;
}
/* One look at everything without waiting: the number of things handled. */
int kn_node_look(struct koine_node *node);
/* The same for who looks all the time: beyond the rings only when that was not done for KN_BELL_NS. */
int kn_node_glance(struct koine_node *node);

/* ---- service.c */
void kn_service_free(struct koine_service *service);

/* ---- link.c */
struct kn_link *kn_link_new(struct koine_node *node, int fd);
/* Frees what the link holds; everybody who waits on it is told. The struct lives while used. */
void kn_link_drop(struct kn_link *link);
/* The same where the peer broke the rules: counted. */
void kn_link_break(struct kn_link *link);
int kn_link_attach(struct kn_link *link);
/* Sends a message. KOINE_EFULL: no room in the ring or the pool now. */
int kn_link_send(struct kn_link *link, const struct kn_head *head, const struct koine_type *type,
                 const void *value, struct koine_why *why);
/* The same, but what there is no room for is kept until there is some. KOINE_EFULL: too much waits. May
 * call back. */
int kn_link_post(struct kn_link *link, const struct kn_head *head, const struct koine_type *type,
                 const void *value, struct koine_why *why);
/* A body in flight form, or (`type`) one that is to be gathered where it will lie. */
struct kn_outgoing {
    const struct koine_type *type;
    const void *value;
    size_t size;
};
int kn_outgoing_put(void *to, const struct kn_outgoing *outgoing, struct koine_why *why);
/* Sends past what waits. */
int kn_link_put(struct kn_link *link, const struct kn_head *head,
                const struct kn_outgoing *outgoing, struct koine_why *why);
/* Handles what the ring holds; the number of messages. */
int kn_link_poll(struct kn_link *link);
bool kn_link_has_news(const struct kn_link *link);

/* ---- users.c */
/* Counts an accepted link for whoever connected; false: that user has enough. */
bool kn_user_enter(struct kn_link *link);
void kn_user_greeted(struct kn_link *link);
void kn_user_leave(struct kn_link *link);

/* ---- late.c */
int kn_late_add(struct kn_link *link, const struct kn_head *head,
                const struct kn_outgoing *outgoing, struct koine_why *why);
void kn_late_send(struct kn_link *link);
/* Takes a call that was not sent yet out of the queue. */
bool kn_late_cancel(struct kn_link *link, uint64_t serial);
void kn_late_clear(struct kn_link *link);

/* ---- more.c */
/* A chunk for `size` octets. KOINE_EFULL: not now; the link may be gone after any error. */
int kn_link_take(uint32_t *refp, void **chunkp, struct kn_link *link, size_t size);
/* Waits for memory that the service was asked for: the socket tells of it. */
bool kn_link_asks(const struct kn_link *link);
/* Where a chunk of the peer lies. KOINE_EPROTOCOL, KOINE_ENOMEM. */
int kn_link_find(const void **chunkp, struct kn_link *link, uint32_t ref, uint32_t length);
/* Before the cursor passes it. KOINE_EHOLDS. */
int kn_loan_take(struct kn_loan *loan, struct kn_link *link, uint32_t ref);
/* NULL and an empty loan are allowed. */
void kn_loan_give(struct kn_loan *loan);
/* Makes a room within the node's limit; the descriptor is to be sent. KOINE_ENOMEM, KOINE_ELIMIT. */
int kn_octets_create(struct kn_room *room, uint32_t id, int *fdp, struct koine_node *node);
/* Before such rooms are freed. */
void kn_octets_give(struct koine_node *node, const struct kn_room rooms[KN_POOLS]);

/* ---- hello.c */
void kn_service_accept(struct kn_watch *watch, uint32_t events);
void kn_link_socket(struct kn_watch *watch, uint32_t events);
/* Handles the control messages that are there, and nothing that runs a handler: a hang-up is left where
 * it is. Their number. */
int kn_link_controls(struct kn_link *link);
void kn_link_died(struct kn_watch *watch, uint32_t events);
/* Connects and says HELLO; what comes of it is seen later. */
int kn_link_begin(struct kn_link **linkp, struct koine_ref *ref);
int kn_link_connect(struct kn_link **linkp, struct koine_ref *ref, int64_t deadline);
/* Sends one control message; the link is dropped when the socket takes no more. */
struct kn_control;
int kn_control_send(struct kn_link *link, const struct kn_control *control, const int *fds,
                    size_t count);
/* What is not greeting: further memory of the link, or events. False: the peer broke the rules. A
 * descriptor that was used is -1 after it. */
bool kn_more_control(struct kn_link *link, const struct kn_control *control, int *fdp);
bool kn_event_control(struct kn_link *link, const struct kn_control *control, int *fdp);
/* Handles what the socket holds now, of a link that is up. */
void kn_link_drain(struct kn_link *link);

/* ---- request.c, call.c */
/* Both may take the body's loan over. */
void kn_request_arrived(struct kn_link *link, const struct kn_head *head, struct kn_body *body);
void kn_request_cancelled(struct kn_link *link, uint64_t serial);
void kn_request_orphan(struct koine_request *request);
void kn_request_free(struct koine_request *request);
void kn_answer_arrived(struct kn_link *link, const struct kn_head *head, struct kn_body *body);
/* What waited for room could not be sent: the caller is told, or the call ends with `error`. */
void kn_answer_lost(struct kn_link *link, const struct kn_head *head, int error);
void kn_call_lost(struct kn_link *link, uint64_t serial, int error);
void kn_pending_finish(struct koine_pending *pending, int error, const void *out,
                       const struct koine_fault *fault);
/* ---- event_out.c, event_in.c */
void kn_event_leave_all(struct kn_link *link);
void kn_topics_close(struct koine_service *service);
void kn_sub_ended(struct koine_ref *ref);
void kn_subs_unlink(struct kn_link *link);
bool kn_node_has_subs(struct koine_node *node);
/* Samples that nobody has taken yet. */
bool kn_node_has_samples(struct koine_node *node);

/* The next deadline of a call of ours; ends those that are over. */
int64_t kn_link_expire(struct kn_link *link, int64_t now);
int kn_ref_link(struct koine_ref *ref, int64_t deadline);
/* Only where nobody waits on it. May call back. */
void kn_ref_free(struct koine_ref *ref);
/* `rc`, or KOINE_ECLOSED in its place when what was answered goes with the reference or the node as soon
 * as the node is left. */
int kn_ref_ended(const struct koine_ref *ref, int rc);
/* The greeting of a reference that is being opened went well (0) or not. */
void kn_ref_greeted(struct kn_link *link, int error);

#endif
