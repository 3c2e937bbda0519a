/* SPDX-License-Identifier: MIT
 *
 * serve: a service whose answers come from a command, in JSON lines.
 *
 *     to the command     {"id":7,"member":"add","in":{"a":1,"b":2}}
 *                        {"id":8,"get":"label"}     {"id":9,"set":"label","value":"x"}
 *                        {"member":"log","in":{"line":"hello"}}                       one-way
 *     from the command   {"id":7,"out":{"return":3}}      {"id":9,"out":{}}
 *                        {"id":7,"fault":{"name":"demo::OutOfRange","value":{...},"message":"..."}}
 *                        {"id":7,"fault":{"code":"not_found","message":"..."}}
 *                        {"event":"reading","value":{...}}     {"changed":"label","value":"y"}
 *
 * Requests are pipelined: the command answers when and in which order it likes. What waits is bounded:
 * SERVE_PENDING requests, SERVE_QUEUE octets that the command did not read yet; what is above is
 * refused with a fault, or, having no answer, dropped with a note. What the command writes wrong is
 * noted on standard error, NOTES a second at most, and the call that it should have answered, if it can
 * be told, gets a fault. Nothing that the command writes ends the service but its end.
 */
#ifndef KN_CLI_SERVE_H
#define KN_CLI_SERVE_H

#include "cli/child.h"
#include "cli/cli.h"
#include "cli/lines.h"

enum { SERVE_PENDING = 4096, SERVE_QUEUE = 8 << 20, SERVE_NOTES = 10, SERVE_MESSAGE = 4096 };

/* A request that the command was given. `request` is NULL when its caller stopped waiting; the answer
 * that may still come is then thrown away. */
struct serve_asked {
    uint64_t id; /* 0: free */
    struct koine_request *request;
};

struct serve {
    struct cli *cli;
    const struct koine_interface *interface;
    struct koine_service *service;
    struct cli_child child;
    struct koine_watch *input, *output, *life;
    struct koine_timer *timer;
    char **names; /* of the features, as JSON strings */
    char *queue;  /* for the command: queued octets from `sent` to `queued` */
    size_t sent, queued, room;
    struct serve_asked asked[SERVE_PENDING]; /* by id modulo SERVE_PENDING */
    uint64_t last;                           /* id given last */
    size_t pending;
    struct cli_lines lines;
    int64_t noted; /* when the present second of notes began */
    unsigned long notes, unsaid;
    bool ending; /* the command ends: nothing is asked any more */
    bool ended;  /* by itself, and not because serve was told to end */
};

/* ---- serve.c */

/* Something that is wrong with the command. */
void kn_serve_note(struct serve *serve, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Ends a request with a fault; `message` for people. */
void kn_serve_fault(struct koine_request *request, int32_t code, const char *message);

/* ---- answer.c */

/* What the command wrote. */
void kn_serve_line(struct serve *serve, const char *line, size_t length);

#endif
