/* SPDX-License-Identifier: MIT
 *
 * Any octets as a file of interfaces. What is read must print, read again and print the same, and C
 * and each interface alone must come out of it or be refused.
 */
#include <koine/idl.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_print(const struct koine_idl *idl)
{
    char *once, *twice;
    struct koine_idl *copy;
    if (koine_idl_print(&once, idl) ||
        koine_idl_read(&copy, "again.idl", once, strlen(once), NULL, NULL, NULL) ||
        koine_idl_print(&twice, copy) || strcmp(once, twice))
        abort();
    koine_idl_free(copy);
    free(once);
    free(twice);
}

static void check_bare(const struct koine_interface *interface)
{
    char *text;
    if (!koine_interface_print(&text, interface))
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct koine_idl *idl;
    char *errors = NULL, *header, *source;
    if (koine_idl_read(&idl, "fuzz.idl", (const char *)data, size, NULL, NULL, &errors)) {
        free(errors);
        return 0;
    }
    check_print(idl);
    for (size_t i = 0; i < koine_idl_interfaces(idl); i++)
        check_bare(koine_idl_interface(idl, i));
    if (!koine_idl_generate_c(&header, &source, idl, "fuzz")) {
        free(header);
        free(source);
    }
    koine_idl_free(idl);
    return 0;
}
