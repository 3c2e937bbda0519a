/* SPDX-License-Identifier: MIT
 *
 * The endpoint of its argument in this process, with no sandbox around it: what is attempted here shows that
 * the attempts would do something.
 */
#include <koine/dialects.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    struct koine_node *node;
    struct koine_attachment *attachment;
    struct koine_why why = {""};
    if (argc != 2 || koine_node_open(&node, NULL) ||
        koine_attach(&attachment, node, argv[1], &why)) {
        fprintf(stderr, "free: %s\n", why.text);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    return koine_node_run(node) != 0;
}
