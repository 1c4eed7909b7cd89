/* SPDX-License-Identifier: Apache-2.0 */
/* test_npy_order.c: arrays in the other byte order and in Fortran order are shown as rows in C order, in the
 * machine's byte order, whatever piece of them is read. */
#include "base/memory.h"
#include "registry.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a shard in memory, as a source would read it ---- */

typedef struct memory {
    const uint8_t *data;
    size_t nbytes, fails_at; /* fails_at: reads that reach it fail; 0: none */
} memory;

static mill_status read_memory(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    const memory *m = handle;
    if (m->fails_at && offset + n > m->fails_at)
        return mill_fail(err, MILL_IO, "io", "a bad block");
    *got = offset >= m->nbytes ? 0 : m->nbytes - offset < n ? m->nbytes - (size_t)offset : n;
    if (*got)
        memcpy(data, m->data + offset, *got);
    return MILL_OK;
}

typedef struct viewed {
    mill__buffer file;
    memory *memory; /* stays where it is when this struct is copied */
    mill__bytes view;
    mill_shard_info info;
    mill_status status;
    mill_error error;
} viewed;

static void put_header(mill__buffer *file, const char *descr, int fortran, const char *shape)
{
    mill__buffer_append(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    mill__buffer_printf(file, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr,
                        fortran ? "True" : "False", shape);
    while (file->nbytes < 127)
        mill__buffer_append(file, " ", 1);
    mill__buffer_append(file, "\n", 1);
}

static void look(viewed *v)
{
    v->memory = malloc(sizeof *v->memory);
    *v->memory = (memory){.data = v->file.data, .nbytes = v->file.nbytes};
    v->info = (mill_shard_info){.nbytes = v->file.nbytes};
    const mill__bytes stored = {.read = read_memory, .handle = v->memory};
    v->status = mill__format_npy.view(&mill__format_npy, &stored, &v->info, 0, &v->view, &v->error);
}

static void end(viewed *v)
{
    if (v->view.read)
        v->view.close(v->view.handle);
    free(v->memory);
    mill__buffer_free(&v->file);
}

/* ---- arrays, element by element ---- */

enum { MOST = 4096 };

/* Element number i, in C order, is i itself, as an integer of nbytes. */
static void put_element(uint8_t *to, uint64_t i, size_t nbytes, int big)
{
    for (size_t b = 0; b < nbytes; b++)
        to[big ? nbytes - 1 - b : b] = (uint8_t)(i >> 8 * b);
}

/* Where element i (C order) of an array lies if the first axis varies fastest. */
static size_t fortran_place(size_t i, const size_t *shape, int rank)
{
    size_t place = 0, index[9];
    for (int k = rank - 1; k >= 0; k--) {
        index[k] = i % shape[k];
        i /= shape[k];
    }
    for (int k = rank - 1; k >= 0; k--)
        place = place * shape[k] + index[k];
    return place;
}

static viewed array(size_t nbytes, const size_t *shape, int rank, int big, int fortran, size_t behind,
                    uint8_t *expected)
{
    viewed v = {0};
    char text[200] = "(", descr[8];
    size_t n = 1;
    for (int k = 0; k < rank; k++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%zu,", shape[k]);
        n *= shape[k];
    }
    strcat(text, ")");
    snprintf(descr, sizeof descr, "%c%c%zu", nbytes == 1 ? '|' : big ? '>' : '<', 'u', nbytes);
    put_header(&v.file, descr, fortran, text);
    ck_assert_uint_le(n * nbytes, MOST);
    uint8_t stored[MOST];
    for (size_t i = 0; i < n; i++) {
        put_element(stored + (fortran ? fortran_place(i, shape, rank) : i) * nbytes, i, nbytes, big);
        put_element(expected + i * nbytes, i, nbytes, 0);
    }
    mill__buffer_append(&v.file, stored, n * nbytes);
    mill__buffer_append(&v.file, "behind the rows!", behind);
    memcpy(expected + n * nbytes, "behind the rows!", behind);
    look(&v);
    ck_assert_int_eq(v.status, MILL_OK);
    ck_assert_uint_eq(v.info.nbytes, v.file.nbytes);
    return v;
}

/* Every piece of the shard that can be read is a piece of the whole. */
static void check_reads(const viewed *v, const uint8_t *expected)
{
    size_t all = v->file.nbytes;
    uint8_t *whole = malloc(all), *piece = malloc(all + 8);
    memcpy(whole, v->file.data, 128);
    memcpy(whole + 128, expected, all - 128);
    for (size_t from = 0; from <= all; from += from < 120 ? 40 : 1)
        for (size_t n = 0; n <= all + 5 - from; n += n < 40 ? 1 : 17) {
            size_t got = 99, there = all - from < n ? all - from : n;
            memset(piece, 0xee, all + 8);
            if (v->view.read(v->view.handle, from, piece, n, &got, NULL) || got != there ||
                memcmp(piece, whole + from, there) || piece[there] != 0xee)
                ck_abort_msg("%zu bytes from %zu on: got %zu", n, from, got);
        }
    free(whole);
    free(piece);
}

START_TEST(every_piece_is_right)
{
    static const size_t shapes[][4] = {{7, 5}, {1, 3, 4}, {4, 2, 3, 2}, {5, 1, 3}, {3, 3}};
    static const int ranks[] = {2, 3, 4, 3, 2};
    uint8_t expected[MOST + 32];
    for (size_t s = 0; s < sizeof ranks / sizeof *ranks; s++)
        for (size_t nbytes = 1; nbytes <= 8; nbytes *= 2)
            for (int big = 0; big < 2; big++)
                for (int fortran = 0; fortran < 2; fortran++) {
                    int long_axes = 0;
                    for (int k = 0; k < ranks[s]; k++)
                        long_axes += shapes[s][k] > 1;
                    viewed v = array(nbytes, shapes[s], ranks[s], big, fortran, s % 2 ? 0 : 11, expected);
                    int differs = (big && nbytes > 1) || (fortran && long_axes > 1);
                    ck_assert_int_eq(v.view.read != NULL, differs); /* else: no copy */
                    if (differs)
                        check_reads(&v, expected);
                    end(&v);
                }
}
END_TEST

/* More rows than a tile and longer columns than are read whole. */
START_TEST(large_arrays)
{
    enum { ROWS = 700001, COLUMNS = 3 };
    viewed v = {0};
    put_header(&v.file, ">u4", 1, "(700001, 3)");
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t r = 0; r < ROWS; r++) {
            uint8_t element[4];
            put_element(element, r * COLUMNS + c, 4, 1);
            mill__buffer_append(&v.file, element, 4);
        }
    look(&v);
    ck_assert_ptr_nonnull(v.view.read);
    static const size_t at[] = {0, 1, 349524, 349525, 600000, 699990}, n[] = {700001, 3, 2, 80000, 1, 11};
    uint32_t *rows = malloc((size_t)ROWS * COLUMNS * 4);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        size_t got = 0, nbytes = n[i] * COLUMNS * 4;
        ck_assert_int_eq(v.view.read(v.view.handle, 128 + at[i] * COLUMNS * 4, rows, nbytes, &got, NULL),
                         MILL_OK);
        ck_assert_uint_eq(got, nbytes);
        for (size_t k = 0; k < n[i] * COLUMNS; k++)
            if (rows[k] != at[i] * COLUMNS + k)
                ck_abort_msg("element %zu is %u", at[i] * COLUMNS + k, rows[k]);
    }
    free(rows);
    end(&v);
}
END_TEST

/* A header that cannot be believed is the walker's business: the bytes are shown as they are. */
START_TEST(truncated_at_every_byte)
{
    uint8_t expected[MOST + 32];
    static const size_t shape[] = {4, 3};
    viewed v = array(4, shape, 2, 1, 1, 0, expected);
    for (size_t nbytes = 0; nbytes < v.file.nbytes; nbytes++) {
        viewed cut = {0};
        mill__buffer_append(&cut.file, v.file.data, nbytes);
        look(&cut);
        ck_assert_int_eq(cut.status, MILL_OK);
        ck_assert_ptr_null(cut.view.read);
        end(&cut);
    }
    end(&v);
}
END_TEST

START_TEST(hostile_shapes)
{
    static const char *const shapes[] = {
        "(4611686018427387904, 2)", "(2, 9223372036854775807)", "(0, 3)", "(3, 0)", "(100, 100)", "()"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        viewed v = {0};
        put_header(&v.file, ">f4", 1, shapes[i]);
        mill__buffer_append(&v.file, "0123456789abcdef", 16);
        look(&v);
        ck_assert_int_eq(v.status, MILL_OK);
        ck_assert_ptr_null(v.view.read);
        end(&v);
    }
}
END_TEST

START_TEST(a_failed_read_is_told)
{
    uint8_t expected[MOST + 32], data[64];
    static const size_t shape[] = {4, 3};
    for (int fortran = 0; fortran < 2; fortran++) {
        viewed v = array(4, shape, 2, 1, fortran, 0, expected);
        size_t got = 0;
        v.memory->fails_at = v.file.nbytes - 4;
        ck_assert_int_eq(v.view.read(v.view.handle, 128, data, 48, &got, NULL), MILL_IO);
        v.memory->fails_at = 0;
        v.memory->nbytes -= 4; /* it has shrunk meanwhile */
        ck_assert_int_eq(v.view.read(v.view.handle, 128, data, 48, &got, NULL), MILL_BAD_DATA);
        end(&v);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npy orders");
    TCase *tc = tcase_create("views");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, every_piece_is_right);
    tcase_add_test(tc, large_arrays);
    tcase_add_test(tc, truncated_at_every_byte);
    tcase_add_test(tc, hostile_shapes);
    tcase_add_test(tc, a_failed_read_is_told);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
