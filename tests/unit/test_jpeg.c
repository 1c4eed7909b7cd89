/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of sound JPEGs: any region of any kind of file is what a full decode shows there. */
#include "base/memory.h"
#include "jpeg_fixture.h"
#include "transform/sniff.h"
#include <dirent.h>

static mill__renderer *renderer;

static void open_renderer(void)
{
    renderer = mill__renderer_new(1 << 26);
}

static void close_renderer(void)
{
    mill__renderer_free(renderer);
}

static int64_t random_side(void)
{
    static const int64_t edges[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64};
    return random_one_in(2) ? edges[random_between(0, 11)] : random_between(1, 140);
}

static mill__rect random_rect(int64_t width, int64_t height)
{
    mill__rect rect = {.width = random_between(1, width), .height = random_between(1, height)};
    rect.x = random_between(0, width - rect.width);
    rect.y = random_between(0, height - rect.height);
    return rect;
}

static void expect_part(const jpeg_file *file, const picture *whole, const mill__decode_options *options,
                        const mill__rect *rect, const char *what)
{
    picture part;
    mill_error err;
    mill_status status = jpeg_decode_part(renderer, file->data, file->nbytes, options, rect, &part, &err);
    EXPECT_MSG(status == MILL_OK, "%s: %s", what, err.message);
    picture wanted = picture_crop(whole, rect->x, rect->y, rect->width, rect->height, 77);
    EXPECT_MSG(picture_equal(&part, &wanted), "%s: %lldx%lld at (%lld, %lld) of %lldx%lld", what,
               (long long)rect->width, (long long)rect->height, (long long)rect->x, (long long)rect->y,
               (long long)whole->width, (long long)whole->height);
    picture_free(&part);
    picture_free(&wanted);
}

START_TEST(a_region_is_that_of_a_full_decode)
{
    const jpeg_kind *kind = &jpeg_kinds[_i];
    for (int round = 0; round < 60; round++) {
        jpeg_file file = jpeg_random(random_side(), random_side(), kind, 0);
        mill__decode_options options = jpeg_as_rgb;
        options.channels = kind->space != JCS_RGB && random_one_in(4) ? 1 : 3;
        picture whole;
        EXPECT_MSG(jpeg_decode_whole(file.data, file.nbytes, options.channels, &whole), "%s", kind->name);
        mill__rect all = {0, 0, whole.width, whole.height};
        expect_part(&file, &whole, &options, &all, kind->name);
        for (int k = 0; k < 12; k++) {
            mill__rect rect = random_rect(whole.width, whole.height);
            expect_part(&file, &whole, &options, &rect, kind->name);
        }
        mill__rect beyond = {-random_between(0, 9), -random_between(0, 9), whole.width + 5, whole.height + 3};
        expect_part(&file, &whole, &options, &beyond, kind->name);
        picture_free(&whole);
        free(file.data);
    }
}
END_TEST

START_TEST(one_pixel_is_enough)
{
    for (int k = 0; k < JPEG_KINDS; k++) {
        jpeg_file file = jpeg_random(1, 1, &jpeg_kinds[k], 0);
        picture whole;
        EXPECT(jpeg_decode_whole(file.data, file.nbytes, 3, &whole));
        mill__rect rect = {0, 0, 1, 1};
        expect_part(&file, &whole, &jpeg_as_rgb, &rect, jpeg_kinds[k].name);
        picture_free(&whole);
        free(file.data);
    }
}
END_TEST

/* ---- orientation ---- */

/* EXIF's words for where the first row and column of the stored picture belong. */
static picture turn(const picture *p, int orientation)
{
    picture q = picture_crop(p, 0, 0, p->width, p->height, 0), next;
#define DO(step)                                                                                             \
    do {                                                                                                     \
        next = step(&q);                                                                                     \
        picture_free(&q);                                                                                    \
        q = next;                                                                                            \
    } while (0)
    bool transpose = orientation >= 5,
         flip = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    bool upside_down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    if (transpose) /* first, then mirror what has come of it */
        DO(picture_transpose);
    if (flip)
        DO(picture_flip);
    if (upside_down) {
        DO(picture_transpose);
        DO(picture_flip);
        DO(picture_transpose);
    }
    return q;
}

START_TEST(orientation_is_applied_on_request)
{
    int orientation = _i;
    for (int round = 0; round < 40; round++) {
        const jpeg_kind *kind = &jpeg_kinds[random_between(0, JPEG_KINDS - 1)];
        jpeg_file file = jpeg_random(random_side(), random_side(), kind, orientation);
        mill__decode_options options = jpeg_as_rgb;
        mill__image_info info;
        mill_error err;
        EXPECT(mill__jpeg_probe(renderer, file.data, file.nbytes, &info, &err) == MILL_OK);
        EXPECT(info.orientation == orientation);
        picture whole, turned;
        EXPECT(jpeg_decode_whole(file.data, file.nbytes, 3, &whole));
        turned = turn(&whole, orientation);
        for (int k = 0; k < 8; k++) {
            mill__rect rect = random_rect(whole.width, whole.height);
            options.orient = false;
            expect_part(&file, &whole, &options, &rect, "as stored");
            rect = random_rect(turned.width, turned.height);
            options.orient = true;
            expect_part(&file, &turned, &options, &rect, "upright");
        }
        picture_free(&whole);
        picture_free(&turned);
        free(file.data);
    }
}
END_TEST

START_TEST(exif_that_makes_no_sense_turns_nothing)
{
    jpeg_file file = jpeg_random(20, 10, &jpeg_kinds[2], 6);
    ck_assert_int_eq(mill__exif_orientation(file.data, file.nbytes), 6);
    for (unsigned long cut = 0; cut <= file.nbytes; cut++) {
        int o = mill__exif_orientation(file.data, cut); /* a cut file: no crash, 6 or nothing */
        EXPECT(o == 1 || o == 6);
    }
    uint8_t *exif = memmem(file.data, file.nbytes, "Exif", 4);
    for (int i = 0; i < 20000; i++) {
        uint8_t kept[40];
        memcpy(kept, exif - 4, sizeof kept);
        for (int k = 0; k < 3; k++)
            exif[random_between(-4, 31)] = (uint8_t)random_u32();
        int o = mill__exif_orientation(file.data, file.nbytes);
        EXPECT(o >= 1 && o <= 8);
        memcpy(exif - 4, kept, sizeof kept);
    }
    free(file.data);
}
END_TEST

/* ---- header ---- */

START_TEST(a_probe_tells_what_is_stored)
{
    for (int k = 0; k < JPEG_KINDS; k++) {
        const jpeg_kind *kind = &jpeg_kinds[k];
        int64_t width = random_side(), height = random_side();
        jpeg_file file = jpeg_random(width, height, kind, 0);
        mill__image_info info;
        mill_error err;
        EXPECT(mill__jpeg_probe(renderer, file.data, file.nbytes, &info, &err) == MILL_OK);
        EXPECT(info.width == width && info.height == height && info.orientation == 1);
        EXPECT(info.stored_components == kind_channels(kind) && info.progressive == kind->progressive);
        free(file.data);
    }
}
END_TEST

/* ---- encoding ---- */

START_TEST(what_is_encoded_is_what_libjpeg_would_write)
{
    static const int samplings[] = {444, 422, 420};
    for (int round = 0; round < 60; round++) {
        int channels = random_one_in(3) ? 1 : 3, sampling = samplings[round % 3];
        int quality = (int)random_between(1, 100);
        picture p = picture_random(random_side(), random_side(), channels);
        jpeg_kind kind = channels == 1 ? (jpeg_kind){.space = JCS_GRAYSCALE}
                                       : (jpeg_kind){.space = JCS_YCbCr,
                                                     .across = {sampling == 444 ? 1 : 2, 1, 1},
                                                     .down = {sampling == 420 ? 2 : 1, 1, 1}};
        jpeg_file wanted = jpeg_make(&p, &kind, quality, 0);
        mill__buffer out = {0};
        mill_error err;
        EXPECT(mill__buffer_append(&out, "before", 6) == 0);
        EXPECT(mill__jpeg_encode(renderer, p.pixels, p.width, p.height, channels, quality, sampling, &out,
                                 &err) == MILL_OK);
        EXPECT(out.nbytes == 6 + wanted.nbytes && !memcmp(out.data, "before", 6));
        EXPECT(!memcmp(out.data + 6, wanted.data, wanted.nbytes));
        mill__buffer_free(&out);
        picture_free(&p);
        free(wanted.data);
    }
}
END_TEST

/* ---- files of others ---- */

static jpeg_file read_file(const char *path)
{
    jpeg_file file = {0};
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    file.nbytes = (unsigned long)ftell(f);
    rewind(f);
    file.data = malloc(file.nbytes + 1);
    ck_assert_uint_eq(fread(file.data, 1, file.nbytes, f), file.nbytes);
    fclose(f);
    return file;
}

static void expect_variant(const char *name, const jpeg_file *file)
{
    picture whole;
    if (!jpeg_decode_whole(file->data, file->nbytes, 3, &whole)) {
        picture p;
        mill_error err;
        EXPECT_MSG(jpeg_decode_part(renderer, file->data, file->nbytes, &jpeg_as_rgb, NULL, &p, &err), "%s",
                   name);
        EXPECT_MSG(!strcmp(err.kind, "decode") && err.offset <= file->nbytes, "%s: %s", name, err.message);
        return;
    }
    mill__rect all = {0, 0, whole.width, whole.height};
    expect_part(file, &whole, &jpeg_as_rgb, &all, name);
    for (int k = 0; k < 40; k++) {
        mill__rect rect = random_rect(whole.width, whole.height);
        expect_part(file, &whole, &jpeg_as_rgb, &rect, name);
    }
    picture_free(&whole);
}

START_TEST(variants_of_one_picture)
{
    const char *root = getenv("SRC");
    char folder[300];
    snprintf(folder, sizeof folder, "%s/../shared/data/jpeg-variants", root ? root : ".");
    DIR *dir = opendir(folder);
    if (!dir) {
        printf("skip: no %s\n", folder);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[700];
        if (!strstr(entry->d_name, ".jpeg"))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        jpeg_file file = read_file(path);
        expect_variant(entry->d_name, &file);
        free(file.data);
    }
    closedir(dir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jpeg");
    TCase *tests = tcase_create("jpeg");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, open_renderer, close_renderer);
    tcase_add_loop_test(tests, a_region_is_that_of_a_full_decode, 0, JPEG_KINDS);
    tcase_add_test(tests, one_pixel_is_enough);
    tcase_add_loop_test(tests, orientation_is_applied_on_request, 1, 9);
    tcase_add_test(tests, exif_that_makes_no_sense_turns_nothing);
    tcase_add_test(tests, a_probe_tells_what_is_stored);
    tcase_add_test(tests, what_is_encoded_is_what_libjpeg_would_write);
    tcase_add_test(tests, variants_of_one_picture);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
