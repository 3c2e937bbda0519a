/* SPDX-License-Identifier: MIT
 *
 * A thermostat in a process of its own, for the tests of the node.
 */
#ifndef KN_NODE_TEST_SERVER_H
#define KN_NODE_TEST_SERVER_H

#include <koine/koine.h>

#include <sys/types.h>

struct test_server {
    pid_t pid;
    int control; /* closing it ends the server; an octet makes it do something */
};

/* A fresh name directory for this test. */
extern char test_dir[128];
void test_make_dir(void);
void test_remove_dir(void);

/* Starts `plant/thermostat`; returns when it serves. */
struct test_server test_start(const struct koine_service_options *options);
/* Ends it in order; its exit status must be 0: it checks there that nothing was left. */
void test_stop(struct test_server *server);
void test_kill(struct test_server *server);
/* 'r': publishes 100 readings; 'c': changes the label; 'f': readings for ever. */
void test_tell(const struct test_server *server, char what);

struct koine_node *test_node(void);

#endif
