/* SPDX-License-Identifier: MIT */
#include "cli/as.h"

#include <koine/dialects.h>

#include <string.h>

int kn_cli_as_check(const struct cli *cli)
{
    char known[256] = "";
    size_t used = 0;
    if (!cli->as)
        return CLI_DONE;
    for (size_t i = 0; koine_dialect_name(i); i++) {
        if (!strcmp(koine_dialect_name(i), cli->as))
            return CLI_DONE;
        if (used < sizeof known)
            used +=
                (size_t)snprintf(known + used, sizeof known - used, " %s", koine_dialect_name(i));
    }
    return kn_cli_error(cli, CLI_USAGE, "no dialect '%s'; there are:%s", cli->as, known);
}

int kn_cli_as_print(char **textp, const struct cli *cli, const char *service,
                    const struct koine_interface *interface, uint32_t member)
{
    return koine_dialect_address(textp, cli->as, service, interface, member);
}
