/* SPDX-License-Identifier: MIT
 *
 * The native API: nodes, services, references, calls, events, attributes.
 *
 * A node is a process's attachment to Koine and is used by one thread; more threads open more nodes.
 * Services, references, subscriptions, requests and samples belong to their node's thread. Callbacks
 * run only inside functions of their node (koine_node_run, koine_node_process, and every function that
 * waits). Nothing here starts a thread, installs a signal handler, prints or exits.
 *
 * Times are signed 64-bit nanoseconds. A `timeout` is relative; 0 means the node's default (30 s) and
 * KOINE_FOREVER must be written out. After fork() every handle of the parent answers KOINE_EFORKED in
 * the child. A value handed to a callback or by an out-parameter is at rest, was checked, and is
 * private to this process, except its leaves (octets, sequences of plain elements, plain types), which
 * may lie in memory that the sender can still write.
 *
 * A call, an answer, an attribute and a sample of varying size hold at most 16 MiB in flight
 * (KOINE_ETOOBIG, and koine_node_why names both sizes). Above 64 KiB a link needs further shared memory,
 * which is made at the first such value and kept; without it the one call fails (KOINE_ENOMEM here, a
 * fault KOINE_FAULT_RESOURCE_EXHAUSTED from there). A value over 64 KiB occupies one of the sender's few
 * chunks of its size for as long as it is kept, so give it back soon.
 */
#ifndef KOINE_KOINE_H
#define KOINE_KOINE_H

#include <koine/error.h>
#include <koine/type.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KOINE_FOREVER     INT64_MAX
#define KOINE_MICROSECOND INT64_C(1000)
#define KOINE_MILLISECOND INT64_C(1000000)
#define KOINE_SECOND      INT64_C(1000000000)

struct koine_node;
struct koine_service;
struct koine_ref;
struct koine_sub;
struct koine_sample;
struct koine_request;
struct koine_pending;
struct koine_watch;
struct koine_timer;

/* ------------------------------------------------------------------ node */

struct koine_node_options {
    size_t size;     /* sizeof(struct koine_node_options): later versions append */
    const char *dir; /* colon list of name directories; NULL: $KOINE_DIR, else
                             $XDG_RUNTIME_DIR/koine:/run/koine (root: /run/koine). Serves in the first. */
    int64_t timeout; /* default for calls; 0: 30 s */
    int64_t spin;    /* longest spin before sleeping; 0: 50 us, the most allowed; -1: never spin */
    uint32_t max_links;   /* per user, serving side; 0: 1024. Users other than this one and root
                             get at most a sixteenth of RLIMIT_NOFILE */
    uint32_t max_pending; /* requests kept by handlers, per link; 0: 256 */
    uint64_t max_octets;  /* shared memory made for answers and samples over 64 KiB; 0: 1 GiB */
};

/* Opens a node. `options` may be NULL. Does not block. The name directory is made at the first service
 * (0700 below $XDG_RUNTIME_DIR). Errors: KOINE_ENOMEM, KOINE_ESYSTEM, KOINE_EINVAL. */
int koine_node_open(struct koine_node **nodep, const struct koine_node_options *options);

/* Closes the node and everything opened on it; peers see a hang-up. NULL is allowed; answers NULL.
 * Subscriptions end and are still to be given back by koine_unsubscribe. Inside a callback it is
 * deferred to the end of the callback. */
struct koine_node *koine_node_close(struct koine_node *node);

/* Serves until koine_node_stop or an error. KOINE_EBUSY inside a callback of this node. */
int koine_node_run(struct koine_node *node);

/* Ends koine_node_run after the present callback. May be called from a callback, and, being one
 * eventfd write, from a signal handler or another thread. */
int koine_node_stop(struct koine_node *node);

/* Handles what is there, waiting at most `timeout` (0: not at all, KOINE_FOREVER: until something
 * came) for the first. Answers the number of things handled; samples that are there to be taken count
 * as one. 0 also parks the node, so that koine_node_fd() becomes readable when there is more. */
int koine_node_process(struct koine_node *node, int64_t timeout);

/* A descriptor to poll for reading in a foreign loop, after koine_node_process(node, 0) answered 0. */
int koine_node_fd(const struct koine_node *node);

/* One English sentence about the last error of this node: what, where, why, what to try. Never NULL;
 * valid until the next function of this node. */
const char *koine_node_why(const struct koine_node *node);

/* ------------------------------------------------------------------ foreign descriptors, timers */

#define KOINE_READABLE 1u
#define KOINE_WRITABLE 2u

/* What else a process waits for, in the node's own loop. Both kinds of callback run inside functions of
 * the node, like handlers do, and may call, change and close everything, also themselves. Watches and
 * timers are closed before their node is. */
typedef void koine_watch_ready(void *arg, unsigned events);

/* `ready` runs while `fd` is readable or writable, as `events` asks (0: not now). An error or a hang-up
 * counts as both. One watch per descriptor; it is closed before the descriptor is. While the node waits
 * for an answer it may be two milliseconds late. Errors: KOINE_ENOMEM, KOINE_ESYSTEM (errno: EPERM for
 * what cannot be polled, EEXIST). */
int koine_watch_open(struct koine_watch **watchp, struct koine_node *node, int fd, unsigned events,
                     koine_watch_ready *ready, void *arg);
int koine_watch_change(struct koine_watch *watch, unsigned events);
/* NULL is allowed; answers NULL. `ready` runs no more. */
struct koine_watch *koine_watch_close(struct koine_watch *watch);

typedef void koine_timer_due(void *arg);

/* A timer that is not set. KOINE_ENOMEM. */
int koine_timer_open(struct koine_timer **timerp, struct koine_node *node, koine_timer_due *due,
                     void *arg);
/* `due` runs once, at `when` (CLOCK_MONOTONIC) or soon after; KOINE_FOREVER: not any more. */
void koine_timer_set(struct koine_timer *timer, int64_t when);
struct koine_timer *koine_timer_close(struct koine_timer *timer);
/* CLOCK_MONOTONIC now, in nanoseconds. */
int64_t koine_now(void);

/* ------------------------------------------------------------------ service */

enum koine_request_sort { KOINE_REQUEST_CALL = 1, KOINE_REQUEST_GET, KOINE_REQUEST_SET };

/* A face as the generator emits it: `demo_Thermostat`. `dispatch` calls the typed handler of `handlers`
 * (a struct demo_Thermostat_handlers), which answers 0, KOINE_PENDING, or a negative error that becomes
 * a fault; KOINE_EFAULT when it has set one with koine_request_fault. A handler that is NULL makes the
 * fault KOINE_FAULT_UNIMPLEMENTED. */
struct koine_face {
    const struct koine_interface *interface;
    int (*dispatch)(const void *handlers, void *self, struct koine_request *request,
                    uint32_t member, enum koine_request_sort sort, const void *in, void *out);
};

/* For services without generated code. `in` is read by koine_request_in or koine_request_text. */
typedef int koine_handler(void *self, struct koine_request *request);

enum koine_policy {
    KOINE_BLOCK = 0, /* the publisher waits for the slowest reader up to `block`, then drops it */
    KOINE_DISCONNECT_SLOW /* a reader without room is disconnected at once */
};

struct koine_service_options {
    size_t size;
    uint32_t mode; /* access mode of the name's socket; 0: 0600 */
    enum koine_policy policy;
    int64_t block;        /* KOINE_BLOCK: longest wait; 0: 1 s */
    uint32_t event_slots; /* ring of each event, a power of two; 0: 1024 */
    uint32_t max_links;   /* of this service, of all users together; 0: no limit but the node's */
};

/* Serves `name` ("plant/thermostat") with the generated `face`; `handlers` and `self` must outlive the
 * service. Does not block but for at most 1 s on the name directory's lock.
 * Errors: KOINE_EEXIST (a living service has it), KOINE_EINVAL (not a name, or below or above another
 * service's name), KOINE_EPERM, KOINE_ESYSTEM, KOINE_ENOMEM, KOINE_ELIMIT. */
int koine_service_open(struct koine_service **servicep, struct koine_node *node, const char *name,
                       const struct koine_face *face, const void *handlers, void *self,
                       const struct koine_service_options *options);
int koine_service_open_generic(struct koine_service **servicep, struct koine_node *node,
                               const char *name, const struct koine_interface *interface,
                               koine_handler *handler, void *self,
                               const struct koine_service_options *options);

/* Takes the name away and hangs up its links. NULL is allowed; answers NULL. */
struct koine_service *koine_service_close(struct koine_service *service);

/* Links connected now, for tests and metrics. */
size_t koine_service_links(const struct koine_service *service);

/* What this service did and refused since it opened. Set `size` before the call. */
struct koine_service_counts {
    size_t size;
    uint64_t calls, events, dropped_slow, refused, protocol_errors, revoked;
};
int koine_service_counts(struct koine_service_counts *counts, const struct koine_service *service);

/* ------------------------------------------------------------------ request */

struct koine_caller {
    uint32_t uid, gid; /* kernel credentials of the sender of the link's HELLO; 65534: unknown */
    int32_t pid;       /* 0: not visible from this pid namespace */
};

uint32_t koine_request_member(const struct koine_request *request);
enum koine_request_sort koine_request_sort(const struct koine_request *request);
const struct koine_caller *koine_request_caller(const struct koine_request *request);
/* Absolute CLOCK_MONOTONIC; KOINE_FOREVER: none. */
int64_t koine_request_deadline(const struct koine_request *request);
/* 1 when the caller cancelled, or is gone: a reply would be thrown away. */
int koine_request_cancelled(const struct koine_request *request);
/* The arguments (KOINE_REQUEST_SET: the new value; GET: NULL), until the reply. */
const void *koine_request_in(const struct koine_request *request);
/* The same as JSON, until the reply. */
int koine_request_text(const char **jsonp, size_t *lengthp, struct koine_request *request);
/* Memory that lives until the reply is sent; for the strings and sequences of an answer. */
void *koine_request_alloc(struct koine_request *request, size_t size);

/* Answers. After a reply the request is gone; after KOINE_EDATA, KOINE_ETOOBIG, KOINE_ENOMEM and
 * KOINE_EFULL (too many answers wait for this caller to read them) it stays, to be answered otherwise.
 * `out` is the out struct, the attribute's value for GET, NULL for SET and empty outs; it is copied
 * before return. */
int koine_reply(struct koine_request *request, const void *out);
int koine_reply_text(struct koine_request *request, const char *json, size_t length);
/* `fault->type` must be one of the operation's `raises` or NULL. */
int koine_reply_fault(struct koine_request *request, const struct koine_fault *fault);
/* From inside a handler that returns KOINE_EFAULT. Answers KOINE_EFAULT, so: return koine_request_fault(...). */
int koine_request_fault(struct koine_request *request, int32_t code, const char *message);
/* The same with a declared exception, `raises` index `which` of the operation. */
int koine_request_raise(struct koine_request *request, uint32_t which, const void *exception);

/* ------------------------------------------------------------------ reference */

/* Connects to the service `name`. With `face` the two sides' interfaces are compared here (KOINE_ETYPE
 * names the first difference in koine_node_why); with NULL the interface is asked for when needed.
 * Blocks up to `timeout`. A reference whose service went away connects again at its next use.
 * Errors: KOINE_ENOENT, KOINE_EDOWN, KOINE_EPERM, KOINE_ETYPE, KOINE_EVERSION, KOINE_EDEADLINE ... */
int koine_ref_open(struct koine_ref **refp, struct koine_node *node, const char *name,
                   const struct koine_face *face, int64_t timeout);
/* The same without waiting, and with the service's interface fetched: `ready` runs once, inside a function
 * of the node and never inside this one, with 0 or what koine_ref_open would answer (koine_node_why tells
 * more); it may close the reference. Not when the reference is closed before. What can be said at once
 * (KOINE_ENOENT, KOINE_EINVAL, KOINE_EAGAIN: too many connections wait there) is answered here, and then
 * there is no reference. Until `ready` ran nothing but koine_ref_close may be done with it. */
typedef void koine_ref_ready(void *arg, struct koine_ref *ref, int error);
int koine_ref_start(struct koine_ref **refp, struct koine_node *node, const char *name,
                    const struct koine_face *face, int64_t timeout, koine_ref_ready *ready,
                    void *arg);
/* NULL is allowed; answers NULL. Its subscriptions end; what is pending is called back with KOINE_ECLOSED. */
struct koine_ref *koine_ref_close(struct koine_ref *ref);
/* The service's interface; asks for it if need be. Lives as long as the reference. */
int koine_ref_interface(const struct koine_interface **interfacep, struct koine_ref *ref,
                        int64_t timeout);
/* The fault of the last call that answered KOINE_EFAULT; until the next call. Never NULL. */
const struct koine_fault *koine_ref_fault(const struct koine_ref *ref);
/* Kernel credentials of the serving process. */
int koine_ref_peer(struct koine_caller *peerp, const struct koine_ref *ref);

/* Calls and waits; serves incoming calls of the same node meanwhile. `*outp` (may be NULL) lives until
 * the next call on `ref` or koine_ref_done. One-way operations return when the call is on its way. At
 * most once: never repeated by the library. Errors: KOINE_EFAULT, KOINE_EDEADLINE (the call is
 * cancelled, a late reply is dropped), KOINE_EDOWN (died before an answer), KOINE_EDATA, KOINE_ETOOBIG ... */
int koine_call(const void **outp, struct koine_ref *ref, uint32_t member, const void *in,
               int64_t timeout);
/* By name, with JSON: an object by parameter name or an array by position; NULL for none. The answer
 * is an object with the out parameters by name and the result as "return". */
int koine_call_text(const char **jsonp, struct koine_ref *ref, const char *member, const char *json,
                    int64_t timeout);
/* Gives the last answer's memory back early. */
void koine_ref_done(struct koine_ref *ref);

int koine_get(const void **valuep, struct koine_ref *ref, uint32_t member, int64_t timeout);
int koine_set(struct koine_ref *ref, uint32_t member, const void *value, int64_t timeout);
/* *jsonp is the bare value. */
int koine_get_text(const char **jsonp, struct koine_ref *ref, const char *member, int64_t timeout);
int koine_set_text(struct koine_ref *ref, const char *member, const char *json, int64_t timeout);

/* Asynchronous. `done` runs exactly once, inside a function of the node, unless the call is one-way.
 * `out` (or `fault`, with KOINE_EFAULT) lives during it. `sort` CALL, GET or SET. *pendingp (may be
 * NULL) is valid until `done` began.
 * It does not wait for room: when the service is behind, the call is copied and sent later, in order, up to
 * 1024 calls and 32 MiB of a reference, and then KOINE_EFULL. A queued one-way call for which there is no
 * memory when its turn comes is dropped. It waits only where the reference must connect again or ask for
 * the interface first. */
typedef void koine_done(void *arg, int error, const void *out, const struct koine_fault *fault);
int koine_start(struct koine_pending **pendingp, struct koine_ref *ref,
                enum koine_request_sort sort, uint32_t member, const void *in, int64_t timeout,
                koine_done *done, void *arg);
/* Tells the service, or takes the call back when it was not sent yet; `done` runs with KOINE_ECANCELLED before this returns. */
int koine_cancel(struct koine_pending *pending);

/* ------------------------------------------------------------------ events and attributes */

/* A value of event `member` to fill in place. For a fixed type above the slot's room it lies in shared
 * memory; publish with the same pointer. It is zeroed, except where that type has no padding: then it holds
 * what an earlier sample of this event left there. One loan at a time per event. */
int koine_event_loan(void **valuep, struct koine_service *service, uint32_t member);
/* Publishes a loan or any value at rest. May wait by the service's policy; otherwise does not block.
 * Without subscribers it costs a few nanoseconds. */
int koine_event_publish(struct koine_service *service, uint32_t member, const void *value);
/* `count` values of a fixed type, `stride` octets apart; readers are looked at once per 16. */
int koine_event_publish_many(struct koine_service *service, uint32_t member, const void *values,
                             size_t count, size_t stride);
int koine_event_publish_text(struct koine_service *service, const char *member, const char *json);
/* Subscriptions of an event, or watchers of an attribute, now: whoever is counted receives what is
 * published from here on. 0 also for what is no such member. */
size_t koine_event_readers(const struct koine_service *service, uint32_t member);
void koine_event_discard(struct koine_service *service, uint32_t member);

/* Tells watchers of attribute `member` its new value. */
int koine_changed(struct koine_service *service, uint32_t member, const void *value);
int koine_changed_text(struct koine_service *service, const char *member, const char *json);

/* Subscribes to an event, or watches an attribute (the first sample is then its present value).
 * When this returns, what is published later is received: nothing is lost in between. */
int koine_subscribe(struct koine_sub **subp, struct koine_ref *ref, uint32_t member,
                    int64_t timeout);
/* Ends a subscription and frees it with its samples; nothing else does. It outlives its reference and
 * its node, and then answers KOINE_ECLOSED. NULL is allowed; answers NULL. */
struct koine_sub *koine_unsubscribe(struct koine_sub *sub);

/* The next sample: KOINE_EAGAIN when there is none, KOINE_EDOWN after the last one of a service that
 * is gone. `*samplep` lives until koine_sample_release, 16 at most at a time (KOINE_EHOLDS). */
int koine_event_take(struct koine_sample **samplep, struct koine_sub *sub);
/* The same, waiting. KOINE_EDEADLINE after `timeout`. */
int koine_event_wait(struct koine_sample **samplep, struct koine_sub *sub, int64_t timeout);
const void *koine_sample_value(const struct koine_sample *sample);
/* Samples lost just before this one. */
uint64_t koine_sample_lost(const struct koine_sample *sample);
/* 1, 2, 3 ... of the event since the service began. */
uint64_t koine_sample_serial(const struct koine_sample *sample);
int koine_sample_text(const char **jsonp, struct koine_sample *sample);
/* KOINE_EREVOKED: the publisher took the memory back; what was read of the leaves is void. */
int koine_sample_release(struct koine_sample *sample);

/* ------------------------------------------------------------------ names */

struct koine_name {
    const char *name;
    const char *dir;
    int alive; /* 1 yes, 0 its process is gone, -1 cannot tell (another network namespace) */
    uint32_t uid;
};
/* Lists the names in `dir` (a colon list; NULL as in koine_node_options), sorted. Wakes no service.
 * A directory that is not there holds no names; when there are none, and one could not be read:
 * KOINE_EPERM, KOINE_ESYSTEM. */
int koine_names(struct koine_name **namesp, size_t *countp, const char *dir);
struct koine_name *koine_names_free(struct koine_name *names);

#ifdef __cplusplus
}
#endif
#endif
