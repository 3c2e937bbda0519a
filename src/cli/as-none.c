/* SPDX-License-Identifier: MIT */
#include "cli/as.h"

int kn_cli_as_check(const struct cli *cli)
{
    return cli->as ? kn_cli_error(cli, CLI_USAGE,
                                  "no dialect '%s': this build has none of the dialects", cli->as)
                   : CLI_DONE;
}

int kn_cli_as_print(char **textp, const struct cli *cli, const char *service,
                    const struct koine_interface *interface, uint32_t member)
{
    (void)textp;
    (void)cli;
    (void)service;
    (void)interface;
    (void)member;
    return KOINE_EUNSUPPORTED;
}
