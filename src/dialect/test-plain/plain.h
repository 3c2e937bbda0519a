/* SPDX-License-Identifier: MIT
 *
 * The test dialect: as little protocol as uses all of the contract. It is in no list and is not installed.
 *
 * A packet, alone in a datagram, an exchange or a packet channel, behind its length on a stream:
 *
 *      0      1      2               4               8                              16
 *      +------+------+---------------+---------------+-------------------------------+----------
 *      | kind | flags| service length| member        | id                            | service, zeros up
 *      +------+------+---------------+---------------+-------------------------------+ to 8, then body
 *
 * `kind` is that of the message, or PLAIN_ASK ...; integers as the machine has them; a body is a value in
 * flight. Both sides may ask. Over datagrams a request is repeated until it is answered, and an answer is
 * kept for a while and given again. Over exchanges each has its own. On a stream requests go out on one
 * connection, which is shut after `turn` of them and read to its end, while the next ones take another.
 *
 *      option   of      is
 *      turn     reach   requests on a connection, 0: any number
 *      auth     reach   yes: proves who it is in three legs before it asks
 *      find     reach   connects to the place that the directory has under this name
 *      name     serve   puts its own place there
 *      second   serve   one more URI to listen at
 *      bug      both    one of the wrong variants below
 */
#ifndef KN_DIALECT_TEST_PLAIN_H
#define KN_DIALECT_TEST_PLAIN_H

#include "base/arena.h"
#include "base/list.h"
#include "dialect/dialect.h"
#include "dialect/held.h"
#include "dialect/outbox.h"

enum {
    PLAIN_ASK = 32, /* `member` is the question, `service` its name, the body its data */
    PLAIN_ANSWER,   /* `member` is the error, negated; flag 1: done */
    PLAIN_BACK,     /* give back the descriptors that came with this */
    PLAIN_PACKET_MAX = 1 << 20,
    PLAIN_FILL_MIN = 512,   /* octets of a packet that are worth being put in their place */
    PLAIN_QUEUE_MAX = 64,   /* requests that wait for a connection */
    PLAIN_SERVED_MAX = 256, /* requests of one channel */
    PLAIN_TRIES = 12        /* of a request over datagrams; of a connection: a third */
};

#define PLAIN_RETRY (20 * KOINE_MILLISECOND) /* and twice that each time */
#define PLAIN_KEEP  (300 * KOINE_SECOND)     /* an answer over datagrams */

/* Each is wrong in one place, and the generic tests have to find it. */
enum plain_bug {
    PLAIN_RIGHT,
    PLAIN_LOST,  /* a request over datagrams is not repeated */
    PLAIN_TWICE, /* one that comes twice runs twice */
    PLAIN_ORDER, /* an answer is taken to be that of the oldest request */
    PLAIN_HALF,  /* who writes no more gets no answers */
    PLAIN_TIMER, /* what waits for a connection waits for ever once one was refused */
    PLAIN_DEATH, /* what was asked on a connection that ended is forgotten */
    PLAIN_BUGS
};

struct plain {
    struct kn_endpoint base;
    enum kn_role role;
    enum plain_bug bug;
    struct kn_arena arena; /* of the packet at hand */
    struct kn_str find, name, second;
    char place[128]; /* that `find` is */
    struct kn_str target;
    struct kn_list asked;    /* struct plain_request, the oldest first */
    struct plain_link *link; /* that requests go out on */
    uint64_t id;
    unsigned turn, refused;
    bool exchanges, datagrams, auth;
    bool connecting; /* or about to: resolving, backing off */
};

struct plain_link {
    struct kn_channel *channel;
    struct plain *plain;
    struct kn_outbox outbox;
    struct kn_held held;
    struct kn_list served;
    size_t served_count;
    char *packet; /* that is being filled */
    uint64_t serial;
    unsigned sent;
    bool ready; /* requests may be sent */
    bool stopped, ended, closing, shut;
};

/* What we asked. Of `home`'s memory, or of the client's whom it was sent to. */
struct plain_request {
    struct kn_list in_plain;
    struct kn_channel *channel;
    struct plain_link *link; /* NULL: waits */
    const struct koine_interface *interface;
    uint64_t serial, id;
    uint32_t member;
    uint8_t kind, flags;
    unsigned tries;
    bool subscribed;
    size_t length;
    char packet[];
};

/* What we were asked. */
struct plain_served {
    struct kn_list in_link;
    struct kn_address from;
    const struct koine_interface *interface;
    uint64_t serial, id;
    uint32_t member;
    uint8_t kind;
    enum { PLAIN_NEW, PLAIN_ASKING, PLAIN_DELIVERED, PLAIN_SUBSCRIBED, PLAIN_DONE } state;
    char *answer; /* over datagrams, for whoever asks again */
    size_t answer_length, length;
    char packet[];
};

struct plain_packet {
    uint8_t kind, flags;
    uint32_t member;
    uint64_t id;
    struct kn_str service, body;
};

/* -- wire.c -- */

/* False: it is none. The views are of `octets`. */
bool plain_read(struct plain_packet *packet, struct kn_str octets);
/* The length of the packet and of its frame. */
size_t plain_size(const struct plain_packet *packet);
/* Writes the frame's length before it. */
void plain_write(char *to, const struct plain_packet *packet);
/* A value as a body, or back, in the arena. KOINE_ENOMEM, KOINE_EDATA ... */
int plain_flatten(struct kn_str *bodyp, struct kn_arena *arena, const struct kn_body *body);
int plain_raise(struct kn_body *bodyp, struct kn_arena *arena, const struct koine_type *type,
                struct kn_str octets);
int plain_flatten_fault(struct kn_str *bodyp, struct kn_arena *arena,
                        const struct koine_fault *fault);
int plain_raise_fault(struct koine_fault *fault, struct kn_arena *arena,
                      const struct plain_request *request, struct kn_str octets);

/* -- ask.c: what we ask; `error` ends a request, or all of a link -- */

int plain_ask(struct plain *plain, const struct kn_message *message);
int plain_stop_asking(struct plain *plain, const struct kn_message *message);
int plain_answered(struct plain_link *link, const struct plain_packet *packet);
/* An exchange that is open for request `id`. */
int plain_exchange(struct plain_link *link, uint64_t id);
/* What waits for a connection, on this one, as long as it takes them. */
int plain_ask_waiting(struct plain *plain);
int plain_connect(struct plain *plain);
void plain_fail_waiting(struct plain *plain, int error);
int plain_connect_to(struct plain *plain, const struct kn_answer *answer);
int plain_refused(struct plain *plain, uint64_t cookie);
void plain_asked_gone(struct plain_link *link);
/* The link is shut when it has had its turn. */
void plain_shut(struct plain_link *link);
/* A timer: of a request, or to connect again. */
int plain_again(struct plain *plain, uint64_t cookie);

/* -- serve.c: what we are asked -- */

int plain_asked(struct plain_link *link, const struct kn_input *input,
                const struct plain_packet *packet, struct kn_str octets);
/* Goes on with what was held up; `answer`: to its question. */
int plain_serve(struct plain_link *link, struct plain_served *served,
                const struct kn_answer *answer);
int plain_serve_all(struct plain_link *link);
int plain_reply(struct plain_link *link, const struct kn_message *message);
struct plain_served *plain_served_find(struct plain_link *link, uint64_t serial);
void plain_served_free(struct plain_link *link, struct plain_served *served);
/* Cancels what is being answered and closes. */
void plain_close(struct plain_link *link);
/* Closes, stops or lets go on, as things are. */
void plain_settle(struct plain_link *link);

/* -- dialect.c -- */

/* One packet, framed as the channel wants it; `to` NULL: to its peer. */
int plain_say(struct plain_link *link, const struct plain_packet *packet,
              const struct kn_address *to);

extern const struct kn_dialect kn_dialect_test_plain;

#endif
