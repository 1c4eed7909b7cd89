/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of JPEGs that are cut short, damaged, hostile or no JPEGs at all: an error that says where, never
 * grey pixels, never more memory than allowed. */
#include "jpeg_fixture.h"

static mill__renderer *renderer;

static void open_renderer(void)
{
    renderer = mill__renderer_new(1 << 24);
}

static void close_renderer(void)
{
    mill__renderer_free(renderer);
}

static mill_status decode(const void *data, size_t nbytes, const mill__rect *rect, picture *p,
                          mill_error *err)
{
    return jpeg_decode_part(renderer, data, nbytes, &jpeg_as_rgb, rect, p, err);
}

/* ---- truncated ---- */

START_TEST(no_cut_file_gives_a_picture)
{
    const jpeg_kind *kind = &jpeg_kinds[_i];
    jpeg_file file = jpeg_random(random_between(9, 40), random_between(9, 40), kind, 0);
    for (unsigned long n = 0; n + 2 < file.nbytes; n++) { /* the last two are the end-of-image marker */
        unsigned char *cut = malloc(n + 1); /* of its own: a sanitizer sees what is read behind it */
        memcpy(cut, file.data, n);
        picture p;
        mill_error err;
        mill_status status = decode(cut, n, NULL, &p, &err);
        EXPECT_MSG(status == MILL_BAD_DATA, "%s: %lu of %lu bytes: status %d", kind->name, n, file.nbytes,
                   (int)status);
        EXPECT_MSG(!strcmp(err.kind, "decode") && err.offset <= n && err.message[0],
                   "%s: %lu bytes: %s at %llu", kind->name, n, err.kind, (unsigned long long)err.offset);
        free(cut);
    }
    free(file.data);
}
END_TEST

/* Rows that are all there may be had of a cut file, the true ones. */
START_TEST(what_is_there_of_a_cut_file_is_right)
{
    int made = 0, refused = 0;
    for (int round = 0; round < 600; round++) {
        jpeg_file file = jpeg_random(40, 60, &jpeg_kinds[random_between(0, JPEG_KINDS - 1)], 0);
        mill__rect rect = {3, random_between(0, 20), 30, random_between(1, 30)};
        unsigned long n = file.nbytes * (unsigned long)random_between(50, 100) / 100;
        picture p, whole;
        mill_error err;
        if (decode(file.data, n, &rect, &p, &err) == MILL_OK) {
            EXPECT(jpeg_decode_whole(file.data, file.nbytes, 3, &whole));
            picture wanted = picture_crop(&whole, rect.x, rect.y, rect.width, rect.height, 77);
            EXPECT(picture_equal(&p, &wanted));
            picture_free(&p);
            picture_free(&whole);
            picture_free(&wanted);
            made++;
        } else {
            EXPECT(!strcmp(err.kind, "decode"));
            refused++;
        }
        free(file.data);
    }
    EXPECT(made > 20 && refused > 20);
}
END_TEST

/* ---- damaged ---- */

/* Where libjpeg has nothing to say against a file, neither have we, and the pixels are the same; where it
 * warns, we refuse. */
START_TEST(damage_is_found_or_does_no_harm)
{
    int made = 0, refused = 0;
    for (int round = 0; round < 4000; round++) {
        jpeg_file file = jpeg_random(random_between(1, 40), random_between(1, 40),
                                     &jpeg_kinds[random_between(0, JPEG_KINDS - 1)], 0);
        for (int64_t k = random_between(1, 3); k > 0; k--)
            file.data[random_between(2, (int64_t)file.nbytes - 1)] ^= (uint8_t)(1 << random_between(0, 7));
        picture p, whole;
        mill_error err;
        mill_status status = decode(file.data, file.nbytes, NULL, &p, &err);
        if (status == MILL_OK) {
            EXPECT_MSG(jpeg_decode_whole(file.data, file.nbytes, 3, &whole), "round %d", round);
            EXPECT_MSG(picture_equal(&p, &whole), "round %d: other pixels", round);
            picture_free(&whole);
            picture_free(&p);
            made++;
        } else {
            EXPECT(status == MILL_BAD_DATA || status == MILL_UNSUPPORTED || status == MILL_LIMIT);
            EXPECT(!strcmp(err.kind, "decode") || !strcmp(err.kind, "unsupported") ||
                   !strcmp(err.kind, "limit"));
            EXPECT(err.message[0] && (err.offset == MILL_NO_OFFSET || err.offset <= file.nbytes));
            refused++;
        }
        free(file.data);
    }
    EXPECT(made > 100 && refused > 100);
}
END_TEST

START_TEST(a_good_picture_after_a_bad_one)
{
    for (int round = 0; round < 300; round++) {
        const jpeg_kind *kind = &jpeg_kinds[random_between(0, JPEG_KINDS - 1)];
        jpeg_file good = jpeg_random(30, 20, kind, 0);
        jpeg_file bad = jpeg_random(30, 20, &jpeg_kinds[random_between(0, JPEG_KINDS - 1)], 0);
        picture p, whole;
        mill_error err;
        if (decode(bad.data, (size_t)random_between(0, (int64_t)bad.nbytes - 3), NULL, &p, &err) == MILL_OK)
            picture_free(&p);
        EXPECT_MSG(decode(good.data, good.nbytes, NULL, &p, &err) == MILL_OK, "%s", err.message);
        EXPECT(jpeg_decode_whole(good.data, good.nbytes, 3, &whole) && picture_equal(&p, &whole));
        picture_free(&p);
        picture_free(&whole);
        free(good.data);
        free(bad.data);
    }
}
END_TEST

/* Take every segment of a kind out. */
static void strip_segments(jpeg_file *file, int marker)
{
    size_t at = 2;
    while (at + 4 <= file->nbytes && file->data[at] == 0xff && file->data[at + 1] != 0xda) {
        size_t nbytes = 2 + ((size_t)file->data[at + 2] << 8 | file->data[at + 3]);
        if (file->data[at + 1] == marker) {
            memmove(file->data + at, file->data + at + nbytes, file->nbytes - at - nbytes);
            file->nbytes -= nbytes;
        } else {
            at += nbytes;
        }
    }
}

START_TEST(tables_of_one_file_do_not_serve_the_next)
{
    for (int i = 0; i < 2; i++) {
        jpeg_file good = jpeg_random(30, 20, &jpeg_kinds[2], 0),
                  bare = jpeg_random(30, 20, &jpeg_kinds[2], 0);
        picture p;
        mill_error err;
        strip_segments(&bare, 0xdb); /* quantization */
        ck_assert_int_eq(decode(good.data, good.nbytes, NULL, &p, &err), MILL_OK);
        picture_free(&p);
        ck_assert_int_eq(decode(bare.data, bare.nbytes, NULL, &p, &err), MILL_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(err.message, "uantization table"));
        free(good.data);
        free(bare.data);
    }
}
END_TEST

/* ---- hostile ---- */

/* The marker of the frame header and its width and height. */
static uint8_t *frame_of(const jpeg_file *file)
{
    size_t at = 2;
    while (file->data[at + 1] < 0xc0 || file->data[at + 1] > 0xcf || file->data[at + 1] == 0xc4 ||
           file->data[at + 1] == 0xcc)
        at += 2 + ((size_t)file->data[at + 2] << 8 | file->data[at + 3]);
    return file->data + at;
}

START_TEST(more_pixels_than_allowed_are_refused)
{
    jpeg_file file = jpeg_random(100, 50, &jpeg_kinds[2], 0);
    mill__decode_options options = jpeg_as_rgb;
    picture p;
    mill_error err;
    options.max_pixels = 5000;
    ck_assert_int_eq(jpeg_decode_part(renderer, file.data, file.nbytes, &options, NULL, &p, &err), MILL_OK);
    picture_free(&p);
    options.max_pixels = 4999;
    ck_assert_int_eq(jpeg_decode_part(renderer, file.data, file.nbytes, &options, NULL, &p, &err),
                     MILL_LIMIT);
    ck_assert_str_eq(err.kind, "limit");
    ck_assert_ptr_nonnull(strstr(err.message, "100x50"));
    ck_assert_ptr_nonnull(strstr(err.message, "4999"));
    free(file.data);
}
END_TEST

START_TEST(a_header_that_lies_about_its_size_costs_no_memory)
{
    for (int k = 0; k < JPEG_KINDS; k++) {
        if (jpeg_kinds[k].arithmetic)
            continue; /* its decoder cannot tell an early end from a flat rest */
        jpeg_file file = jpeg_random(40, 40, &jpeg_kinds[k], 0);
        memset(frame_of(&file) + 5, 0xfe, 4); /* 65278 x 65278 */
        mill__image_info info;
        mill_error err;
        mill__decode_options options = jpeg_as_rgb;
        options.max_pixels = 0; /* any number: memory is the limit that is left */
        if (mill__jpeg_begin(renderer, file.data, file.nbytes, &options, &info, &err) == MILL_OK) {
            mill_view view;
            uint8_t pixels[3 * 8 * 8];
            mill__target target = {.data = pixels, .layout = MILL_HWC, .channels = 3, .dtype = MILL_U8};
            mill__view_init(&view, info.width, info.height);
            ck_assert_int_eq(mill_view_crop(&view, 0, info.height - 8, 8, 8, 0), MILL_OK);
            mill_status status = mill__jpeg_render(renderer, &view, &target, &err);
            EXPECT_MSG(status == MILL_BAD_DATA || status == MILL_LIMIT, "%s: %d", jpeg_kinds[k].name,
                       (int)status);
        }
        EXPECT(mill__renderer_nbytes(renderer) < (1 << 24) + 4096);
        free(file.data);
    }
}
END_TEST

/* A legal progressive file with a scan for every coefficient of every component. */
static jpeg_file many_scans(int *n)
{
    static jpeg_scan_info scans[1 + 3 * 63];
    *n = 0;
    scans[(*n)++] = (jpeg_scan_info){.comps_in_scan = 3, .component_index = {0, 1, 2}};
    for (int c = 0; c < 3; c++)
        for (int k = 1; k < 64; k++)
            scans[(*n)++] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {c}, .Ss = k, .Se = k};
    picture p = picture_random(64, 48, 3);
    jpeg_file file = jpeg_make_scans(&p, &jpeg_kinds[0], 90, 0, scans, *n);
    picture_free(&p);
    return file;
}

START_TEST(scans_are_counted)
{
    int n;
    jpeg_file file = many_scans(&n);
    mill__decode_options options = jpeg_as_rgb;
    picture p, whole;
    mill_error err;
    options.max_scans = n;
    ck_assert_int_eq(jpeg_decode_part(renderer, file.data, file.nbytes, &options, NULL, &p, &err), MILL_OK);
    ck_assert(jpeg_decode_whole(file.data, file.nbytes, 3, &whole) && picture_equal(&p, &whole));
    picture_free(&p);
    picture_free(&whole);
    options.max_scans = n - 1;
    ck_assert_int_eq(jpeg_decode_part(renderer, file.data, file.nbytes, &options, NULL, &p, &err),
                     MILL_LIMIT);
    ck_assert_str_eq(err.kind, "limit");
    ck_assert_ptr_nonnull(strstr(err.message, "scans"));
    free(file.data);
}
END_TEST

/* One scan of a sequential file, repeated ten thousand times. */
START_TEST(a_scan_bomb_is_cut_off)
{
    enum { TIMES = 10000 };
    static const jpeg_scan_info scans[] = {{.comps_in_scan = 1, .component_index = {0}, .Se = 63},
                                           {.comps_in_scan = 1, .component_index = {1}, .Se = 63},
                                           {.comps_in_scan = 1, .component_index = {2}, .Se = 63}};
    picture p = picture_random(64, 64, 3), made;
    jpeg_file file = jpeg_make_scans(&p, &jpeg_kinds[0], 75, 0, scans, 3);
    uint8_t *first = memmem(file.data, file.nbytes, "\xff\xda", 2);
    uint8_t *second = memmem(first + 2, (size_t)(file.data + file.nbytes - first) - 2, "\xff\xda", 2);
    size_t head = (size_t)(second - file.data), scan = (size_t)(second - first), tail = file.nbytes - head;
    uint8_t *bomb = malloc(head + TIMES * scan + tail);
    memcpy(bomb, file.data, head);
    for (size_t i = 0; i < TIMES; i++)
        memcpy(bomb + head + i * scan, first, scan);
    memcpy(bomb + head + TIMES * scan, second, tail);
    mill_error err;
    ck_assert_int_eq(decode(file.data, file.nbytes, NULL, &made, &err), MILL_OK);
    picture_free(&made);
    ck_assert_int_eq(decode(bomb, head + TIMES * scan + tail, NULL, &made, &err), MILL_LIMIT);
    ck_assert_str_eq(err.kind, "limit");
    ck_assert_ptr_nonnull(strstr(err.message, "more than 64 scans"));
    free(bomb);
    free(file.data);
    picture_free(&p);
}
END_TEST

START_TEST(memory_is_limited_for_every_kind)
{
    for (int k = 0; k < JPEG_KINDS; k++)
        for (uint64_t limit = 1000; limit < 4000000; limit = limit * 3 / 2) {
            mill__renderer *small = mill__renderer_new(limit);
            uint64_t empty = mill__renderer_nbytes(small);
            jpeg_file file = jpeg_random(300, 200, &jpeg_kinds[k], 1 + k % 8);
            mill__decode_options options = jpeg_as_rgb;
            options.orient = true;
            picture p = {0};
            mill_error err;
            mill_status status = jpeg_decode_part(small, file.data, file.nbytes, &options, NULL, &p, &err);
            EXPECT_MSG(status == MILL_OK || (status == MILL_LIMIT && strstr(err.message, "memory")), "%s: %s",
                       jpeg_kinds[k].name, err.message);
            EXPECT(mill__renderer_nbytes(small) - empty <= limit);
            EXPECT(limit > 1500 || status == MILL_LIMIT);
            EXPECT(limit < 2000000 || status == MILL_OK);
            if (!status)
                picture_free(&p);
            free(file.data);
            mill__renderer_free(small);
        }
}
END_TEST

/* ---- no JPEG at all ---- */

static const struct {
    const char *bytes;
    size_t nbytes;
    const char *word;
} strangers[] = {
    {"", 0, "empty"},
    {"\x89PNG\r\n\x1a\n....", 12, "PNG"},
    {"GIF89a......", 12, "GIF"},
    {"RIFF....WEBPVP8 ", 16, "WebP"},
    {"BM..........", 12, "BMP"},
    {"\n <!DOCTYPE html><html>", 23, "HTML"},
    {"<?xml version", 13, "XML"},
    {"\0\0\0\0\0\0\0\0", 8, "zeros"},
    {"\x1f\x8b\x08.....", 8, "gzip"},
    {"PK\3\4....", 8, "ZIP"},
    {"hello, world", 12, "something else"},
    {"\xff\xd8", 2, "truncated"},
};

START_TEST(what_is_no_jpeg_is_told_by_name)
{
    picture p;
    mill_error err;
    ck_assert_int_eq(decode(strangers[_i].bytes, strangers[_i].nbytes, NULL, &p, &err), MILL_BAD_DATA);
    ck_assert_str_eq(err.kind, "decode");
    ck_assert_msg(strstr(err.message, strangers[_i].word), "\"%s\" lacks %s", err.message,
                  strangers[_i].word);
    ck_assert(err.offset <= strangers[_i].nbytes);
}
END_TEST

START_TEST(components_that_cannot_be_shown_are_unsupported)
{
    jpeg_file file = jpeg_random(20, 20, &jpeg_kinds[0], 0);
    uint8_t *frame = frame_of(&file);
    frame[4] = 12; /* bits a sample */
    picture p;
    mill_error err;
    ck_assert_int_eq(decode(file.data, file.nbytes, NULL, &p, &err), MILL_UNSUPPORTED);
    ck_assert_str_eq(err.kind, "unsupported");
    frame[4] = 8;
    frame[1] = 0xc3; /* lossless */
    ck_assert_int_eq(decode(file.data, file.nbytes, NULL, &p, &err), MILL_UNSUPPORTED);
    free(file.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broken jpeg");
    TCase *tests = tcase_create("broken jpeg");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, open_renderer, close_renderer);
    tcase_add_loop_test(tests, no_cut_file_gives_a_picture, 0, JPEG_KINDS);
    tcase_add_test(tests, what_is_there_of_a_cut_file_is_right);
    tcase_add_test(tests, damage_is_found_or_does_no_harm);
    tcase_add_test(tests, a_good_picture_after_a_bad_one);
    tcase_add_test(tests, tables_of_one_file_do_not_serve_the_next);
    tcase_add_test(tests, more_pixels_than_allowed_are_refused);
    tcase_add_test(tests, a_header_that_lies_about_its_size_costs_no_memory);
    tcase_add_test(tests, scans_are_counted);
    tcase_add_test(tests, a_scan_bomb_is_cut_off);
    tcase_add_test(tests, memory_is_limited_for_every_kind);
    tcase_add_loop_test(tests, what_is_no_jpeg_is_told_by_name, 0, sizeof strangers / sizeof *strangers);
    tcase_add_test(tests, components_that_cannot_be_shown_are_unsupported);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
