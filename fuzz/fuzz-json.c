/* SPDX-License-Identifier: MIT
 *
 * Any text as JSON of a type: two octets of type, then the text. What is read must print, fly and read
 * again; what is read as a value is also JSON for whoever only skips it.
 */
#include "fuzz.h"
#include "round.h"

#include "value/json.h"

static void skip(const char *text, size_t length, int needed)
{
    struct kn_json json;
    struct koine_why why;
    kn_json_init(&json, (struct kn_str){text, length}, &why);
    int rc = kn_json_skip(NULL, &json);
    if (!rc)
        rc = kn_json_end(&json);
    FUZZ_HOLDS(!rc || !needed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct koine_why why = {""};
    struct kn_arena arena;
    kn_arena_init(&arena, 0);
    const struct koine_type *type = fuzz_type(&arena, (uint16_t)fuzz_number(&input, 2));
    char *text = malloc(input.left ? input.left : 1);
    void *value;
    if (type && text) {
        memcpy(text, input.at, input.left);
        int rc = koine_value_read(&value, type, text, input.left, &why);
        FUZZ_HOLDS((rc == 0) == (why.text[0] == 0));
        skip(text, input.left, !rc);
        if (!rc) {
            fuzz_round(type, value);
            free(value);
        }
    }
    free(text);
    kn_arena_deinit(&arena);
    return 0;
}
