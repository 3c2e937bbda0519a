/* SPDX-License-Identifier: MIT
 *
 * Any octets as a file of the RPC language. What is read must print as IDL that reads and prints the
 * same; and print in its own language, unless it cannot, which reads as interfaces that print it again.
 */
#include <koine/idl.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct koine_idl *again(const char *file, const char *text)
{
    struct koine_idl *idl;
    if (koine_idl_read(&idl, file, text, strlen(text), NULL, NULL, NULL))
        abort();
    return idl;
}

static void check_idl(const struct koine_idl *idl)
{
    char *once, *twice;
    if (koine_idl_print(&once, idl))
        abort();
    struct koine_idl *copy = again("again.idl", once);
    if (koine_idl_print(&twice, copy) || strcmp(once, twice))
        abort();
    koine_idl_free(copy);
    free(once);
    free(twice);
}

/* The file's own names are C's from the second time on, so from there nothing changes any more. */
static struct koine_idl *through_x(const struct koine_idl *idl)
{
    char *text;
    if (koine_idl_print_x(&text, idl))
        return NULL;
    struct koine_idl *copy = again("again.x", text);
    free(text);
    return copy;
}

static void check_x(const struct koine_idl *idl)
{
    struct koine_idl *once = through_x(idl);
    struct koine_idl *twice = once ? through_x(once) : NULL;
    if (once && (!twice || koine_idl_interfaces(once) != koine_idl_interfaces(idl) ||
                 koine_idl_interfaces(twice) != koine_idl_interfaces(idl)))
        abort();
    for (size_t i = 0; once && i < koine_idl_interfaces(idl); i++)
        if (koine_idl_interface(once, i)->features.length !=
                koine_idl_interface(idl, i)->features.length ||
            koine_idl_interface(once, i)->hash != koine_idl_interface(twice, i)->hash)
            abort();
    koine_idl_free(once);
    koine_idl_free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct koine_idl *idl;
    char *errors = NULL, *header, *source;
    if (koine_idl_read(&idl, "fuzz.x", (const char *)data, size, NULL, NULL, &errors)) {
        free(errors);
        return 0;
    }
    check_idl(idl);
    check_x(idl);
    if (!koine_idl_generate_c(&header, &source, idl, "fuzz")) {
        free(header);
        free(source);
    }
    koine_idl_free(idl);
    return 0;
}
