/* SPDX-License-Identifier: Apache-2.0 */
/* test_fuzz.c: the fuzz targets on inputs of our own and mutations of them, the same in every run, so that a
 * plain `make check` has them without a fuzzer. */
#include "format/zip.h"
#include "transform/image.h"
#include <check.h>
#include <stdbool.h>

typedef int fuzz_target(const uint8_t *data, size_t nbytes);
fuzz_target fuzz_tar, fuzz_npy, fuzz_packed, fuzz_rows, fuzz_jpeg, fuzz_huffman, fuzz_codes, fuzz_pipeline,
    fuzz_manifest, fuzz_spec;

#define LLVMFuzzerTestOneInput fuzz_tar
#include "fuzz/fuzz_tar.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_npy
#include "fuzz/fuzz_npy.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_packed
#include "fuzz/fuzz_packed.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_rows
#include "fuzz/fuzz_rows.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_jpeg
#include "fuzz/fuzz_jpeg.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_huffman
#include "fuzz/fuzz_huffman.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_codes
#include "fuzz/fuzz_codes.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_pipeline
#include "fuzz/fuzz_pipeline.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_manifest
#include "fuzz/fuzz_manifest.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_spec
#include "fuzz/fuzz_spec.c"
#undef LLVMFuzzerTestOneInput

/* Bits flipped, bytes that parsers stumble over, pieces lost, doubled and moved. */
static void mutate(mill__buffer *b, uint64_t *state)
{
    static const char telling[] = "\0\x01\x7f\x80\xff\"'\\{}[](),|=. 09-+eLgx\n";
    size_t n = b->nbytes, at = n ? fuzz_draw(state, (uint32_t)n) : 0;
    size_t piece = n ? 1 + fuzz_draw(state, (uint32_t)(n - at < 40 ? n - at : 40)) : 0;
    switch (n ? fuzz_draw(state, 5) : 5) {
    case 0:
        b->data[at] ^= (uint8_t)(1u << fuzz_draw(state, 8));
        break;
    case 1:
        b->data[at] = (uint8_t)telling[fuzz_draw(state, sizeof telling - 1)];
        break;
    case 2:
        memmove(b->data + at, b->data + at + piece, n - at - piece);
        b->nbytes -= piece;
        break;
    case 3:
        mill__buffer_append(b, "----------------------------------------", piece);
        memmove(b->data + at + piece, b->data + at, n - at);
        break;
    case 4:
        memmove(b->data + at, b->data + fuzz_draw(state, (uint32_t)(n - piece + 1)), piece);
        break;
    default:
        mill__buffer_append(b, "x", 1);
        break;
    }
}

static void run_target(fuzz_target *run, const void *seed, size_t nbytes, int rounds)
{
    uint64_t state = 1;
    for (int i = 0; i < rounds; i++) {
        mill__buffer b = {0};
        mill__buffer_append(&b, seed, nbytes);
        for (uint32_t n = i ? 1 + fuzz_draw(&state, 6) : 0; n; n--)
            mutate(&b, &state);
        run(b.data ? b.data : (const uint8_t *)"", b.nbytes);
        mill__buffer_free(&b);
    }
    run((const uint8_t *)"", 0);
}

static void run_texts(fuzz_target *run, const char *const *texts, size_t n, int rounds)
{
    for (size_t i = 0; i < n; i++)
        run_target(run, texts[i], strlen(texts[i]), rounds);
}
#define RUN_TEXTS(run, texts, rounds) run_texts(run, texts, sizeof texts / sizeof *texts, rounds)

START_TEST(tar)
{
    static const char zeros[1024];
    mill__buffer a = {0};
    char name[200];
    memset(name, 'n', sizeof name);
    memcpy(name + 190, ".jpg", 5);
    ck_assert(!mill__tar_header(&a, "0.jpg", 512) && !mill__buffer_append(&a, zeros, 512));
    ck_assert(!mill__tar_header(&a, "0.cls", 0) && !mill__tar_header(&a, name, 0));
    ck_assert(!mill__tar_header(&a, "1.x", 0) && !mill__buffer_append(&a, zeros, 1024));
    run_target(fuzz_tar, a.data, a.nbytes, 3000);
    mill__buffer_free(&a);
}
END_TEST

START_TEST(npy)
{
    char file[MILL__NPY_HEADER_NBYTES + 24] = {0};
    const mill_type type = {.dtype = MILL_F32, .rank = 1, .shape = {3}};
    ck_assert_int_eq(mill__npy_header(file, &type, 2, NULL), MILL_OK);
    run_target(fuzz_npy, file, sizeof file, 6000);
}
END_TEST

START_TEST(packed)
{
    static char *const names[] = {"x.npy", "y.npy"};
    mill__buffer npz = {0}, directory = {0};
    mill__buffer_append(&npz, "\1", 1);
    for (int i = 0; i < 2; i++) {
        char file[MILL__NPY_HEADER_NBYTES + 24] = {0};
        const mill_type type = {.dtype = i ? MILL_I32 : MILL_F32, .rank = 1 - i, .shape = {3}};
        const size_t nbytes = MILL__NPY_HEADER_NBYTES + (i ? 8 : 24);
        ck_assert_int_eq(mill__npy_header(file, &type, 2, NULL), MILL_OK);
        const mill__zip_member m = {.name = names[i],
                                    .header = npz.nbytes - 1,
                                    .nbytes = nbytes,
                                    .crc = mill__crc32(0, file, nbytes)};
        ck_assert(!mill__zip_local(&npz, &m) && !mill__zip_central(&directory, &m));
        mill__buffer_append(&npz, file, nbytes);
    }
    uint64_t at = npz.nbytes - 1;
    mill__buffer_append(&npz, directory.data, directory.nbytes);
    ck_assert(!mill__zip_end(&npz, 2, at, directory.nbytes));
    run_target(fuzz_packed, npz.data, npz.nbytes, 6000);
    static const uint8_t hello[] = {0,    0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    0, 0, 3, 0xcb, 0x48,
                                    0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0};
    run_target(fuzz_packed, hello, sizeof hello, 3000);
    mill__buffer_free(&npz);
    mill__buffer_free(&directory);
}
END_TEST

START_TEST(rows)
{
    char idx[1 + 12 + 24] = "\0\0\0\x08\x02\0\0\0\4\0\0\0\6";
    run_target(fuzz_rows, idx, sizeof idx, 3000);
    static char raw[1 + 7 + 40] = "\1", cifar[1 + 3073] = "\2", plain[1 + 50] = "\4";
    run_target(fuzz_rows, raw, sizeof raw, 1000);
    run_target(fuzz_rows, cifar, sizeof cifar, 100);
    run_target(fuzz_rows, plain, sizeof plain, 1000);
    char tokens[1 + 1024 + 40] = "\3";
    const uint32_t header[3] = {20240520, 1, 20};
    memcpy(tokens + 1, header, sizeof header);
    run_target(fuzz_rows, tokens, sizeof tokens, 1000);
}
END_TEST

START_TEST(jpeg)
{
    uint8_t pixels[40 * 33 * 3];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * i / 97 + i);
    mill__renderer *renderer = mill__renderer_new(1 << 24);
    static const int subsamplings[] = {444, 422, 420};
    for (int i = 0; i < 4; i++) {
        mill__buffer file = {0};
        ck_assert_int_eq(
            mill__jpeg_encode(renderer, pixels, 40, 33, i < 3 ? 3 : 1, 80, subsamplings[i % 3], &file, NULL),
            MILL_OK);
        run_target(fuzz_jpeg, file.data, file.nbytes, 500);
        run_target(fuzz_huffman, file.data, file.nbytes, 500);
        mill__buffer_free(&file);
    }
    mill__renderer_free(renderer);
}
END_TEST

START_TEST(codes)
{
    uint8_t bytes[3000];
    uint64_t state = 1;
    for (int seed = 0; seed < 300; seed++) {
        size_t n = seed % 6 ? 100 + fuzz_draw(&state, 200) : sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = i > 60 && bytes[i - 1] == 0xff ? 0 : (uint8_t)fuzz_draw(&state, 256);
        run_target(fuzz_codes, bytes, n, 30);
    }
}
END_TEST

START_TEST(pipeline)
{
    static const char *const texts[] = {
        "decode | resize 256 | center_crop 224 | normalize imagenet | layout chw",
        "decode mode=grey field=\"a b\" | random_resized_crop 32 | hflip | pad 4 | cast f16",
        "scale 2 | add 1 | mul 3 | clip 0 1 | sin | log1p | standardize mean=1,2 std=3,4"};
    RUN_TEXTS(fuzz_pipeline, texts, 1500);
}
END_TEST

START_TEST(spec)
{
    static const char *const texts[] = {"a-{000..010}.tar b{x,y{1..3}}.tar", "\"a b\" c\\{d '{e'",
                                        "{0..9..3}*.tar [a-z]?"};
    RUN_TEXTS(fuzz_spec, texts, 1500);
}
END_TEST

START_TEST(manifest)
{
    const mill__output_file file = {.name = (char *)"a.image.npy", .nbytes = 5};
    const mill_issue issue = {.severity = MILL_ERROR,
                              .key = "k",
                              .kind = "decode",
                              .reason = "a \"reason\"",
                              .sample = 3,
                              .offset = 512,
                              .nbytes = 9};
    const mill__manifest_shard shard = {.name = "a",
                                        .locator = "a.tar",
                                        .nbytes = 10240,
                                        .samples = 2,
                                        .written = 1,
                                        .skipped = 1,
                                        .errors = 1,
                                        .files = &file,
                                        .nfiles = 1,
                                        .issues = &issue,
                                        .nissues = 1};
    char *entry = mill__manifest_text(&shard);
    ck_assert_ptr_nonnull(entry);
    mill__manifest_entry read = {0};
    ck_assert(mill__manifest_parse((mill__json_piece){entry, strlen(entry)}, &read));
    mill__manifest_entry_free(&read);
    run_target(fuzz_manifest, entry, strlen(entry), 2000);
    free(entry);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fuzz targets");
    TCase *tc = tcase_create("mutations");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, tar);
    tcase_add_test(tc, npy);
    tcase_add_test(tc, packed);
    tcase_add_test(tc, rows);
    tcase_add_test(tc, jpeg);
    tcase_add_test(tc, codes);
    tcase_add_test(tc, pipeline);
    tcase_add_test(tc, spec);
    tcase_add_test(tc, manifest);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
