/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, buffers, arenas, checksums. */
#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

START_TEST(a_failure_fills_the_error_and_answers_the_status)
{
    mill_error err;
    memset(&err, 0xa5, sizeof err);
    ck_assert_int_eq(mill_fail(&err, MILL_LIMIT, "limit", "%d is more than %s", 7, "six"), MILL_LIMIT);
    ck_assert(err.status == MILL_LIMIT && err.os_error == 0 && err.offset == MILL_NO_OFFSET);
    ck_assert_str_eq(err.message, "7 is more than six");
    ck_assert_str_eq(err.kind, "limit");
    ck_assert(!err.shard[0] && !err.key[0]);
    mill__error_where(&err, "s", NULL, MILL_NO_OFFSET);
    mill__error_where(&err, NULL, "k", 5);
    ck_assert(!strcmp(err.shard, "s") && !strcmp(err.key, "k") && err.offset == 5);
    mill__error_clear(&err);
    ck_assert(err.status == MILL_OK && err.offset == MILL_NO_OFFSET && !err.message[0]);
}
END_TEST

START_TEST(no_error_is_fine)
{
    ck_assert_int_eq(mill_fail(NULL, MILL_IO, "io", "x"), MILL_IO);
    ck_assert_int_eq(mill__fail_os(NULL, ENOENT, "x"), MILL_IO);
    ck_assert_int_eq(mill__fail_os(NULL, ENOMEM, "x"), MILL_NO_MEMORY);
    ck_assert_int_eq(mill__no_memory(NULL, 5, "x"), MILL_NO_MEMORY);
    mill__error_where(NULL, "s", "k", 1);
    mill__error_clear(NULL);
}
END_TEST

START_TEST(an_error_can_be_wrapped_in_itself)
{
    mill_error err;
    mill_fail(&err, MILL_BAD_DATA, "decode", "the inner reason");
    mill_fail(&err, MILL_IO, err.kind, "outer: %s", err.message);
    ck_assert_str_eq(err.message, "outer: the inner reason");
    ck_assert_str_eq(err.kind, "decode");
}
END_TEST

START_TEST(a_message_is_one_line)
{
    mill_error err;
    mill_fail(&err, MILL_IO, "io", "a\nb\tc\x7f%s", "\r\x1b[31m");
    ck_assert_str_eq(err.message, "a b c   [31m");
    mill__error_where(&err, "x\ny", "k\n", 1);
    ck_assert(!strcmp(err.shard, "x y") && !strcmp(err.key, "k "));
}
END_TEST

START_TEST(long_text_is_cut_between_characters)
{
    char text[2000];
    mill_error err;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4); /* the euro sign */
        mill_fail(&err, MILL_IO, text, "%s", text);
        mill__error_where(&err, text, text, 0);
        size_t n = strlen(err.message), m = strlen(err.shard);
        ck_assert(n % 3 == shift % 3 && n > sizeof err.message - 4);
        ck_assert(m % 3 == shift % 3 && m > sizeof err.shard - 4);
        ck_assert(!memcmp(err.message, text, n) && !memcmp(err.key, text, strlen(err.key)));
    }
}
END_TEST

START_TEST(the_reason_survives_a_long_path)
{
    char path[4000];
    mill_error err;
    memset(path, 'p', sizeof path);
    path[sizeof path - 1] = 0;
    ck_assert_int_eq(mill__fail_os(&err, ENOSPC, "cannot write \"%s\"", path), MILL_IO);
    ck_assert_int_eq(err.os_error, ENOSPC);
    ck_assert(strstr(err.message, "cannot write \"ppp") == err.message);
    ck_assert(strstr(err.message, strerror(ENOSPC)) && strlen(err.message) < sizeof err.message);
    mill__fail_os(&err, ENOENT, "no \"%s\"", "x");
    ck_assert_str_eq(err.message, "no \"x\": No such file or directory");
}
END_TEST

START_TEST(every_status_has_a_name)
{
    for (int s = MILL_OK; s <= MILL_INTERNAL; s++) {
        ck_assert(strlen(mill_status_name((mill_status)s)) > 1);
        for (int other = MILL_OK; other < s; other++)
            ck_assert_str_ne(mill_status_name((mill_status)s), mill_status_name((mill_status)other));
    }
    ck_assert_str_eq(mill_status_name((mill_status)99), "unknown status");
    ck_assert_str_eq(mill_status_name((mill_status)-1), "unknown status");
}
END_TEST

/* ---- memory ---- */

START_TEST(buffers_grow_and_stay_aligned)
{
    mill__buffer b = {0};
    char want[5000];
    for (size_t i = 0; i < sizeof want; i++)
        want[i] = (char)(i * 31);
    for (size_t i = 0; i < sizeof want; i += 50) {
        ck_assert(!mill__buffer_append(&b, want + i, 50));
        ck_assert_uint_eq((uintptr_t)b.data % 64, 0);
    }
    ck_assert(b.nbytes == sizeof want && !memcmp(b.data, want, sizeof want));
    ck_assert(mill__buffer_append(&b, want, SIZE_MAX / 2) && mill__buffer_reserve(&b, SIZE_MAX - 7));
    ck_assert(b.nbytes == sizeof want && !memcmp(b.data, want, sizeof want)); /* unharmed */
    b.nbytes = 0;
    ck_assert(!mill__buffer_printf(&b, "%s-%d", "x", 5) && !mill__buffer_printf(&b, "%0100d", 7));
    ck_assert(b.nbytes == 103 && !memcmp(b.data, "x-50", 4));
    mill__buffer_free(&b);
    ck_assert(!b.data && !b.nbytes && !b.capacity);
    ck_assert_ptr_null(mill__alloc(SIZE_MAX));
    void *none = mill__alloc(0);
    ck_assert_ptr_nonnull(none);
    mill__free(none);
    mill__free(NULL);
}
END_TEST

START_TEST(json_strings_are_quoted)
{
    mill__buffer b = {0};
    ck_assert(!mill__buffer_json_string(&b, "a\"b\\\n\x7f\xc3\xa9\xff\xed\xa0\x80\xf0\x9f\x98\x80") &&
              !mill__buffer_append(&b, "", 1));
    ck_assert_str_eq((char *)b.data,
                     "\"a\\\"b\\\\\\u000a\\u007f\xc3\xa9\\u00ff\\u00ed\\u00a0\\u0080\xf0\x9f\x98\x80\"");
    mill__buffer_free(&b);
}
END_TEST

START_TEST(arenas_keep_what_they_gave)
{
    mill__arena arena = {0};
    char *pieces[500];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++) {
            char text[300];
            size_t n = (size_t)(i * 7 % 299);
            memset(text, 'a' + i % 26, n);
            pieces[i] = mill__arena_copy(&arena, text, n);
            ck_assert(pieces[i] && (uintptr_t)pieces[i] % 16 == 0);
        }
        ck_assert_ptr_nonnull(mill__arena_alloc(&arena, 100000));
        for (int i = 0; i < 500; i++) {
            size_t n = (size_t)(i * 7 % 299);
            ck_assert_uint_eq(strlen(pieces[i]), n);
            ck_assert(!n || pieces[i][n - 1] == 'a' + i % 26);
        }
        mill__arena_reset(&arena);
        ck_assert_uint_le(arena.nbytes, 16384);
    }
    ck_assert_ptr_null(mill__arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_nonnull(mill__arena_copy(&arena, NULL, 0));
    mill__arena_free(&arena);
    ck_assert(!arena.pages && !arena.nbytes);
}
END_TEST

/* ---- checksums ---- */

/* Values from the specification of xxHash: XXH3 of nothing, and independence of how bytes are handed over. */
START_TEST(checksums_do_not_depend_on_pieces)
{
    char data[10000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * i >> 3);
    ck_assert(mill__hash_bytes("", 0) == UINT64_C(0x2d06800538d394c2));
    mill__hash *h = mill__hash_new();
    for (size_t piece = 1; piece < 3000; piece = piece * 3 + 1) {
        mill__hash_reset(h);
        for (size_t i = 0; i < sizeof data; i += piece)
            mill__hash_update(h, data + i, piece < sizeof data - i ? piece : sizeof data - i);
        ck_assert(mill__hash_digest(h) == mill__hash_bytes(data, sizeof data));
    }
    mill__hash_free(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, a_failure_fills_the_error_and_answers_the_status);
    tcase_add_test(tests, no_error_is_fine);
    tcase_add_test(tests, an_error_can_be_wrapped_in_itself);
    tcase_add_test(tests, a_message_is_one_line);
    tcase_add_test(tests, long_text_is_cut_between_characters);
    tcase_add_test(tests, the_reason_survives_a_long_path);
    tcase_add_test(tests, every_status_has_a_name);
    tcase_add_test(tests, buffers_grow_and_stay_aligned);
    tcase_add_test(tests, json_strings_are_quoted);
    tcase_add_test(tests, arenas_keep_what_they_gave);
    tcase_add_test(tests, checksums_do_not_depend_on_pieces);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
