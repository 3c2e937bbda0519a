/* SPDX-License-Identifier: MIT
 *
 * Prints what libtirpc and the code that rpcgen makes of vectors.x write for these values, which is
 * vectors.txt. A row is the operation or type of vectors.idl, the same value as JSON, and the octets.
 */
#include "vectors.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    const char *member, *json;
    xdrproc_t write;
    void *value;
};

static int many_ints[] = {0, 1, -1, INT_MAX, INT_MIN, 0x01020304, 7};
static u_int four[] = {0, 1, UINT_MAX, 0x01020304};
static quad_t many_hypers[] = {0, -1, LLONG_MAX, LLONG_MIN, 0x0102030405060708};
static float many_floats[] = {0, 1.5F, -2};
static double many_doubles[] = {-1, 0.1, 1e300};
static short many_shorts[] = {-2, 300, SHRT_MIN, SHRT_MAX};
static bool_t many_bits[] = {1, 0, 1};
static mode many_modes[] = {COOL, OFF, HEAT};
static digest many_digests[] = {{1, 2, 3, 4, 5, 6}, {(char)0xff, 0, 0, 0, 0, (char)0xfe}};
static reading many_readings[] = {{"hall", 21.5, TRUE, HEAT, 7}, {"", -0.0, FALSE, OFF, 255}};
static strings many_strings[] = {"a", "", "four", "fives"};
static texts many_texts[] = {{{4, many_strings}}, {{0, NULL}}, {{1, many_strings + 2}}};
static tree leaves[] = {{"left", {0, NULL}}, {"right", {0, NULL}}};
static tree branch[] = {{"branch", {2, leaves}}};

static booleans_args booleans = {TRUE, FALSE};
static small_args small_least = {SCHAR_MIN, SHRT_MIN, 0, 0};
static small_args small_most = {SCHAR_MAX, SHRT_MAX, UCHAR_MAX, USHRT_MAX};
static wide_args wide_least = {INT_MIN, 0, LLONG_MIN, 0};
static wide_args wide_most = {INT_MAX, UINT_MAX, LLONG_MAX, ULLONG_MAX};
static wide_args wide_order = {0x01020304, 0x05060708, 0x0102030405060708, 0x1112131415161718};
static reals_args reals[] = {{1.5F, -0.1}, {-0.0F, (double)INFINITY}, {FLT_MIN, DBL_MAX}};
static text_args text[] = {{""}, {"a"}, {"ab"}, {"abc"}, {"abcd"}, {"caf\xc3\xa9"}};
static bounded_args bounded = {"eight888"};
static data_args data[] = {{{0, NULL}}, {{1, "\xff"}}, {{4, "\0\1\2\3"}}, {{5, "\0\1\2\3\4"}}};
static bounded_data_args bounded_data = {{8, "\0\0\0\0\0\0\0\1"}};
static digest_args one_digest = {{1, 2, 3, 4, 5, 6}, -2};
static digests_args digests = {{2, many_digests}};
/* xdr_char writes to what it reads, so this is no literal. */
static char many_octets[] = {-128, -1, 127};
static signed_octets_args signed_octets = {{3, many_octets}};
static shorts_args shorts = {{4, many_shorts}};
static bits_args bits = {{3, many_bits}};
static modes_args modes = {HEAT, {3, many_modes}};
static readings_args readings[] = {{{0, NULL}}, {{2, many_readings}}};
static ints_args ints = {{7, many_ints}, {4, four}};
static hypers_args hypers = {{5, many_hypers}};
static floats_args floats = {{3, many_floats}, {3, many_doubles}};
static matrix_args matrix = {{{1, 2, 3}, {-1, -2, -3}}};
static table_args table = {{3, many_texts}};
static derived_args derived = {-7, 65535};
static tree root = {"root", {1, branch}};
static out_of_range range = {5, 30};

#define ROW(member, json, name, value)             \
    {                                              \
        member, json, (xdrproc_t)xdr_##name, value \
    }

static const struct row rows[] = {
    ROW("booleans", "{\"a\":true,\"b\":false}", booleans_args, &booleans),
    ROW("small", "{\"a\":-128,\"b\":-32768,\"c\":0,\"d\":0}", small_args, &small_least),
    ROW("small", "{\"a\":127,\"b\":32767,\"c\":255,\"d\":65535}", small_args, &small_most),
    ROW("wide", "{\"a\":-2147483648,\"b\":0,\"c\":-9223372036854775808,\"d\":0}", wide_args,
        &wide_least),
    ROW("wide",
        "{\"a\":2147483647,\"b\":4294967295,\"c\":9223372036854775807,\"d\":18446744073709551615}",
        wide_args, &wide_most),
    ROW("wide", "{\"a\":16909060,\"b\":84281096,\"c\":72623859790382856,\"d\":1230066625199609624}",
        wide_args, &wide_order),
    ROW("reals", "{\"a\":1.5,\"b\":-0.1}", reals_args, &reals[0]),
    ROW("reals", "{\"a\":-0,\"b\":\"Infinity\"}", reals_args, &reals[1]),
    ROW("reals", "{\"a\":1.1754944e-38,\"b\":1.7976931348623157e+308}", reals_args, &reals[2]),
    ROW("text", "{\"s\":\"\"}", text_args, &text[0]),
    ROW("text", "{\"s\":\"a\"}", text_args, &text[1]),
    ROW("text", "{\"s\":\"ab\"}", text_args, &text[2]),
    ROW("text", "{\"s\":\"abc\"}", text_args, &text[3]),
    ROW("text", "{\"s\":\"abcd\"}", text_args, &text[4]),
    ROW("text", "{\"s\":\"caf\xc3\xa9\"}", text_args, &text[5]),
    ROW("bounded", "{\"s\":\"eight888\"}", bounded_args, &bounded),
    ROW("data", "{\"o\":\"\"}", data_args, &data[0]),
    ROW("data", "{\"o\":\"/w==\"}", data_args, &data[1]),
    ROW("data", "{\"o\":\"AAECAw==\"}", data_args, &data[2]),
    ROW("data", "{\"o\":\"AAECAwQ=\"}", data_args, &data[3]),
    ROW("bounded_data", "{\"o\":\"AAAAAAAAAAE=\"}", bounded_data_args, &bounded_data),
    ROW("digest", "{\"d\":[1,2,3,4,5,6],\"behind\":-2}", digest_args, &one_digest),
    ROW("digests", "{\"d\":[[1,2,3,4,5,6],[255,0,0,0,0,254]]}", digests_args, &digests),
    ROW("signed_octets", "{\"o\":[-128,-1,127]}", signed_octets_args, &signed_octets),
    ROW("shorts", "{\"s\":[-2,300,-32768,32767]}", shorts_args, &shorts),
    ROW("bits", "{\"b\":[true,false,true]}", bits_args, &bits),
    ROW("modes", "{\"one\":\"heat\",\"many\":[\"cool\",\"off\",\"heat\"]}", modes_args, &modes),
    ROW("reading",
        "{\"r\":{\"room\":\"hall\",\"celsius\":21.5,\"heating\":true,\"mode\":\"heat\",\"channel\":"
        "7}}",
        reading, &many_readings[0]),
    ROW("readings", "{\"r\":[]}", readings_args, &readings[0]),
    ROW("readings",
        "{\"r\":[{\"room\":\"hall\",\"celsius\":21.5,\"heating\":true,\"mode\":\"heat\","
        "\"channel\":7},"
        "{\"room\":\"\",\"celsius\":-0,\"heating\":false,\"mode\":\"off\",\"channel\":255}]}",
        readings_args, &readings[1]),
    ROW("ints",
        "{\"a\":[0,1,-1,2147483647,-2147483648,16909060,7],\"b\":[0,1,4294967295,16909060]}",
        ints_args, &ints),
    ROW("hypers", "{\"a\":[0,-1,9223372036854775807,-9223372036854775808,72623859790382856]}",
        hypers_args, &hypers),
    ROW("floats", "{\"a\":[0,1.5,-2],\"b\":[-1,0.1,1e+300]}", floats_args, &floats),
    ROW("matrix", "{\"m\":[[1,2,3],[-1,-2,-3]]}", matrix_args, &matrix),
    ROW("table", "{\"t\":[[\"a\",\"\",\"four\",\"fives\"],[],[\"four\"]]}", table_args, &table),
    ROW("derived", "{\"d\":{\"first\":-7,\"second\":65535}}", derived_args, &derived),
    ROW("tree",
        "{\"t\":{\"name\":\"root\",\"sons\":[{\"name\":\"branch\",\"sons\":"
        "[{\"name\":\"left\",\"sons\":[]},{\"name\":\"right\",\"sons\":[]}]}]}}",
        tree, &root),
    ROW("nothing", "{}", void, NULL),
    ROW("vectors::OutOfRange", "{\"min\":5,\"max\":30}", out_of_range, &range),
};

int main(void)
{
    puts("# libtirpc and rpcgen, by record-vectors.c: operation or type, JSON, octets of XDR");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static unsigned char octets[4096];
        XDR xdr;
        xdrmem_create(&xdr, (char *)octets, sizeof octets, XDR_ENCODE);
        if (!rows[i].write(&xdr, rows[i].value)) {
            fprintf(stderr, "%s is not written\n", rows[i].member);
            return 1;
        }
        printf("%s %s ", rows[i].member, rows[i].json);
        for (u_int at = 0; at < xdr_getpos(&xdr); at++)
            printf("%02x", octets[at]);
        puts("");
    }
    return 0;
}
