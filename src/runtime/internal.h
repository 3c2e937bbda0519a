/* SPDX-License-Identifier: MIT
 *
 * An attachment: one endpoint of a dialect, run in the loop of a node.
 *
 *      listener -> connection -> channel(s) -> dialect -> host -> bond -> native link
 *
 * A connection is a foreign peer's socket with its output queue. On a stream it is one channel; over HTTP
 * each exchange is a channel, one after the other. A bond is the connection's own way to one service:
 * what a peer may use up (octets, calls, services) is counted per connection, and the services see one
 * link for each.
 *
 * The dialect is called from the node's callbacks only, never while it is itself calling the host
 * (`inside`). What must not happen then (closing what it stands on, answers that are ready at once) is
 * put into `todo` and done by kn_settle, at the end of each callback, or by the timer `soon`, which also
 * gathers the answers of one turn of the loop into one send.
 */
#ifndef KN_RUNTIME_INTERNAL_H
#define KN_RUNTIME_INTERNAL_H

#include "base/list.h"
#include "dialect/dialect.h"
#include "runtime/uri.h"

#include <koine/dialects.h>

#include <sys/types.h>

enum {
    KN_CONNECTIONS_MAX = 1024,      /* of an attachment, by option */
    KN_CALLS_MAX = 256,             /* of a connection, waiting for their answers, by option */
    KN_BONDS_MAX = 64,              /* services that a connection uses at a time */
    KN_OPENINGS_MAX = 16,           /* links of an attachment that are being greeted at a time */
    KN_BODY_MAX_DEFAULT = 16 << 20, /* octets of the body of a request, by option */
    KN_PEER_OCTETS = 64 << 20,      /* held for one connection */
    KN_ALL_OCTETS = 512 << 20,      /* held for all connections of an attachment */
    KN_QUEUE_HIGH = 256 << 10,      /* output that waits: above it nothing is read */
    KN_QUEUE_LOW = 64 << 10,        /* below it the peer may go on */
    KN_AHEAD_MAX = 64 << 10,        /* input that came while an exchange runs */
    KN_READ_SIZE = 64 << 10,
    KN_LINGER_OCTETS = 16 << 20 /* swallowed from a peer that still sends while it is hung up on */
};

#define KN_STALL_NS  (30 * KOINE_SECOND) /* for a request that has begun, for output; by option */
#define KN_LINGER_NS (2 * KOINE_SECOND)
#define KN_OPEN_NS   (5 * KOINE_SECOND) /* for reaching a service */
#define KN_RETRY_NS  (10 * KOINE_MILLISECOND)

struct kn_conn;
struct kn_chan;

/* How octets become channels. */
struct kn_transport {
    const char *name;
    bool local; /* a unix socket */
    int (*open)(struct kn_conn *conn);
    void (*close)(struct kn_conn *conn);
    void (*input)(struct kn_conn *conn, struct kn_str octets);
    void (*end)(struct kn_conn *conn);        /* the peer writes no more */
    void (*writable)(struct kn_conn *conn);   /* the queue is low again */
    void (*settle)(struct kn_conn *conn);     /* after everything that may have changed it */
    bool (*owes)(const struct kn_conn *conn); /* the peer has begun something and not ended it */
};

extern const struct kn_transport kn_transport_stream, kn_transport_unix, kn_transport_http;

struct kn_limits {
    size_t connections, calls, body;
    int64_t stall, timeout;
    mode_t mode;
    bool public;
    const char *origins, *hosts;
    const char *callers_allowed, *calls_allowed; /* policy.h; NULL: no rules */
};

struct kn_listener {
    int fd, spare; /* spare: a descriptor in reserve, for hanging up when there is none */
    char *path;    /* of a unix socket, to be removed */
    dev_t device;
    ino_t inode;
};

struct koine_attachment {
    struct koine_node *node;
    const struct kn_dialect *dialect;
    const struct kn_transport *transport;
    struct kn_endpoint *endpoint;
    struct kn_channel home;
    struct kn_uri *uri;
    char *text; /* the URI with the real port */
    struct kn_limits limits;
    struct kn_listener listener;
    int netlink; /* kn_gone_open */
    struct koine_watch *watch;
    struct koine_timer *soon, *retry;
    struct kn_list conns;    /* the one that was quiet longest first */
    struct kn_list todo;     /* struct kn_conn: to be settled */
    struct kn_list late;     /* struct kn_call: answers that came inside the dialect */
    struct kn_list openings; /* struct kn_bond: waiting for their turn */
    size_t opening;
    size_t octets;
    int inside;
    bool draining, settling;
    struct koine_attachment_counts counts;
    char input[KN_READ_SIZE];
};

struct kn_conn {
    struct kn_list in_attachment, in_todo;
    struct koine_attachment *attachment;
    struct koine_watch *watch;
    struct koine_timer *timer;
    int fd;
    struct kn_buffer queue;
    size_t sent; /* of the queue */
    int64_t write_by, owes_by, linger_by, probe_at, probe_step;
    size_t swallowed;
    bool reading;   /* the transport wants input */
    bool ended;     /* the peer writes no more */
    bool full;      /* the transport was told to wait */
    bool finishing; /* closed when the queue is out */
    bool lingering; /* said everything; waits for the peer's end */
    bool doomed;    /* closed at the next settling */
    struct koine_caller caller;
    size_t octets, calls, asks;
    struct kn_list bonds; /* the one that was used longest ago first */
    void *self;           /* the transport's */
};

struct kn_chan {
    struct kn_channel channel;
    struct kn_conn *conn;
    struct kn_list calls, asks;
    size_t idle_octets; /* held when it was opened */
    bool collecting;    /* an exchange: what is written goes to `body` */
    struct kn_buffer body;
    bool closing; /* by the dialect */
    bool failed;  /* a function of the dialect answered an error */
};

/* -- listener.c: sockets that accept, and their names in the file system -- */

/* Opens what the attachment's URI says and sets its text. `why` says what to try. */
int kn_listener_open(struct koine_attachment *attachment, struct koine_why *why);
/* What is wrong with the URI's address, without opening anything. */
int kn_listener_check(const struct koine_attachment *attachment, struct koine_why *why);
/* Takes a socket that listens already, in every case. */
int kn_listener_take(struct koine_attachment *attachment, int fd);
void kn_listener_close(struct kn_listener *listener);
/* A connection's socket; -1 when there is none. */
int kn_listener_accept(struct koine_attachment *attachment);

/* -- conn.c: one connection -- */

void kn_conn_accept(struct koine_attachment *attachment);
/* A request was read to its end, so what there is of the next one has its own time. Writing says so. */
void kn_conn_begin_anew(struct kn_conn *conn);
/* Queues; goes out at the next settling. KOINE_EFULL: taken, but write no more before `writable`. */
int kn_conn_write(struct kn_conn *conn, struct kn_str octets);
/* Whether the transport wants input now. */
void kn_conn_flow(struct kn_conn *conn, bool reading);
/* Closes when everything that was written has gone out, so that the peer gets it. */
void kn_conn_finish(struct kn_conn *conn);
/* Closes at the next settling. */
void kn_conn_doom(struct kn_conn *conn);
/* Settles it soon. */
void kn_conn_touch(struct kn_conn *conn);
void kn_conn_free(struct kn_conn *conn);
bool kn_conn_is_idle(const struct kn_conn *conn);
/* Counts `size` octets more; false beyond a limit. */
bool kn_conn_hold(struct kn_conn *conn, size_t size);
void kn_conn_release(struct kn_conn *conn, size_t size);
/* Sends, closes, goes on reading: everything that `todo` and `late` hold. Not inside the dialect. */
void kn_settle(struct koine_attachment *attachment);
/* What the kernel is asked with, opened early: later the process may open nothing any more. -1: not. */
int kn_gone_open(void);
/* Whether the other end of a connected socket is gone, as far as can be told from here. */
bool kn_peer_is_gone(int netlink, int fd);

/* -- host.c: channels, and what the dialect asks for -- */

extern const struct kn_host kn_runtime_host;

/* Opens a channel; NULL without memory, or when the dialect refuses it. */
struct kn_chan *kn_chan_open(struct kn_conn *conn, enum kn_shape shape);
/* Cancels its calls and tells the dialect; answers NULL. */
struct kn_chan *kn_chan_close(struct kn_chan *chan);
void kn_chan_feed(struct kn_chan *chan, const struct kn_input *input);
void kn_chan_writable(struct kn_chan *chan);
/* Answers that came inside the dialect. */
void kn_calls_settle(struct koine_attachment *attachment);

/* -- bond.c: a connection's ways to services -- */

struct kn_ask {
    struct kn_list in_chan, in_bond;
    struct kn_chan *chan;
    uint64_t cookie;
};

struct kn_bond {
    struct kn_list in_conn, in_openings, asks;
    struct kn_conn *conn;
    struct koine_ref *ref;                   /* opening or open; NULL: waits for its turn */
    const struct koine_interface *interface; /* NULL: not open */
    int64_t open_by;
    size_t users; /* calls */
    char name[];
};

int kn_bond_ask(struct kn_answer *answerp, struct kn_chan *chan, struct kn_str name,
                uint64_t cookie);
/* The open bond, or NULL. */
struct kn_bond *kn_bond_find(struct kn_conn *conn, struct kn_str name);
void kn_bonds_close(struct kn_conn *conn);
void kn_ask_free(struct kn_ask *ask);
/* Starts as many of those that wait as may be. */
void kn_bonds_pump(struct koine_attachment *attachment);

#endif
