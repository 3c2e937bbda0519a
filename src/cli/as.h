/* SPDX-License-Identifier: MIT
 *
 * What foreign clients use to reach a member. Each dialect says that itself; as-dialects.c asks them,
 * as-none.c stands in its place in a build without dialects.
 */
#ifndef KN_CLI_AS_H
#define KN_CLI_AS_H

#include "cli/cli.h"

/* Whether cli->as, if given, is a dialect of this build; an exit code. */
int kn_cli_as_check(const struct cli *cli);
/* One line for a client of cli->as, heap; free(). A koine_error. */
int kn_cli_as_print(char **textp, const struct cli *cli, const char *service,
                    const struct koine_interface *interface, uint32_t member);

#endif
