/* SPDX-License-Identifier: MIT
 *
 * JSON-RPC 2.0 texts: a request taken apart, an answer written. Sections are those of
 * https://www.jsonrpc.org/specification (2010-03-26, updated 2013-01-04).
 *
 * Nothing is copied that can be pointed at: id and params are the text as it stands. An id is therefore
 * returned octet by octet (1.0 stays 1.0), and arguments go straight from the text into the value.
 */
#ifndef KN_JSONRPC_CODEC_H
#define KN_JSONRPC_CODEC_H

#include "dialect/message.h"
#include "value/json.h"

enum {
    JSONRPC_PARSE_ERROR = -32700,
    JSONRPC_INVALID_REQUEST = -32600,
    JSONRPC_METHOD_NOT_FOUND = -32601,
    JSONRPC_INVALID_PARAMS = -32602,
    JSONRPC_SERVER_ERROR = -32000 /* minus the fault's canonical code */
};

enum {
    JSONRPC_TEXT_MAX = 16 << 20,   /* octets of a line, or of the body of an exchange */
    JSONRPC_BATCH_MAX = 1024,      /* requests in a batch */
    JSONRPC_WAITING_MAX = 256,     /* requests of one channel that are called and not answered */
    JSONRPC_ID_MAX = 4096,         /* octets of an id as it stands */
    JSONRPC_ANSWER_MAX = 16 << 20, /* octets of one answer */
    JSONRPC_VALUE_MAX = 64 << 20,  /* octets of one request's arguments, decoded */
    JSONRPC_KEPT_MAX = 64 << 10    /* octets of work space kept from one request to the next */
};

struct jsonrpc_request {
    struct kn_str id;     /* as it stands; ptr NULL: a notification */
    struct kn_str method; /* decoded */
    struct kn_str service,
        member;           /* `method` around its last dot; without one `service` is empty */
    struct kn_str params; /* as they stand; ptr NULL: none */
};

/* Section 4. KOINE_ESYNTAX or KOINE_EDEPTH: no JSON; KOINE_EDATA: JSON, but no request (`id` is set
 * all the same, to null where there is no usable one); KOINE_ENOMEM. `why` says where. */
int jsonrpc_read_request(struct jsonrpc_request *request, struct kn_str text,
                         struct kn_arena *arena, struct koine_why *why);

/* Section 6: the number of values in the array `text`, which is checked to its end. Errors as above. */
int jsonrpc_count(size_t *countp, struct kn_str text, struct koine_why *why);

/* Arguments of a call (an object or array for the in struct `type`), of a get (none) or of a set (one
 * value of `type`). KOINE_ENOMEM, else what is wrong with them. *valuep is NULL when there are none. */
int jsonrpc_read_arguments(void **valuep, struct kn_arena *arena, uint8_t kind,
                           const struct koine_type *type, struct kn_str params,
                           struct koine_why *why);

/* Section 5. The answer to a request of `kind`. Answers the buffer's failure, or the value's. */
int jsonrpc_write_result(struct kn_buffer *buffer, struct kn_str id, uint8_t kind,
                         const struct kn_body *body);
/* Section 5.1. `code` as above; JSONRPC_SERVER_ERROR stands for the code of `fault`. */
int jsonrpc_write_error(struct kn_buffer *buffer, struct kn_str id, int code,
                        const struct koine_fault *fault);

#endif
