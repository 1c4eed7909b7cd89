/* SPDX-License-Identifier: Apache-2.0 */
/* Our Huffman decoder against libjpeg-turbo's, through the whole of decode: the same pixels of whatever is
 * sound, the same error (kind, text, place) of whatever is not. */
#include "jpeg_fixture.h"
#include "transform/jpeg_entropy.h"

static mill__renderer *own, *library;
static int made, refused;

static const char *const levels[] = {"c", "x86-64-v3", "x86-64-v4"};

static void open_renderers(void)
{
    own = mill__renderer_new(1 << 26);
    library = mill__renderer_new(1 << 26);
    mill__renderer_by_library(library, true);
    made = refused = 0;
}

static void close_renderers(void)
{
    EXPECT(library->own_decodings == 0);
    mill__renderer_free(own);
    mill__renderer_free(library);
}

static bool is_built(void)
{
    struct jpeg_error_mgr found;
    jpeg_std_error(&found);
    if (!mill__jpeg_entropy_knows(&found))
        printf("skip: libjpeg-turbo's own Huffman decoder is used with this version\n");
    return mill__jpeg_entropy_knows(&found);
}

/* ---- both ---- */

static mill__rect random_rect(int64_t width, int64_t height)
{
    mill__rect rect = {.width = random_between(1, width), .height = random_between(1, height)};
    rect.x = random_between(0, width - rect.width);
    rect.y = random_between(0, height - rect.height);
    return rect;
}

static mill__decode_options random_options(const jpeg_kind *kind)
{
    mill__decode_options options = jpeg_as_rgb;
    options.channels = kind->space != JCS_RGB && random_one_in(4) ? 1 : 3;
    options.fast_dct = random_one_in(8);
    options.fast_upsampling = random_one_in(8);
    return options;
}

static void expect_same(const void *data, size_t nbytes, const mill__decode_options *options,
                        const mill__rect *rect, const char *what)
{
    unsigned char *copy = malloc(nbytes + !nbytes); /* of its own: a sanitizer sees what is read behind it */
    picture a, b;
    mill_error mine, theirs;
    memcpy(copy, data, nbytes);
    mill__renderer_use(own, mill__kernels_get(levels[random_between(0, 2)]));
    mill_status status = jpeg_decode_part(own, copy, nbytes, options, rect, &a, &mine);
    mill_status wanted = jpeg_decode_part(library, copy, nbytes, options, rect, &b, &theirs);
    EXPECT_MSG(status == wanted, "%s: status %d, not %d: %s", what, (int)status, (int)wanted,
               status ? mine.message : theirs.message);
    if (!status) {
        EXPECT_MSG(picture_equal(&a, &b), "%s: other pixels", what);
        made++;
    } else {
        EXPECT_MSG(!strcmp(mine.message, theirs.message) && !strcmp(mine.kind, theirs.kind) &&
                       mine.offset == theirs.offset,
                   "%s: \"%s\" (%s, %llu), not \"%s\" (%s, %llu)", what, mine.message, mine.kind,
                   (unsigned long long)mine.offset, theirs.message, theirs.kind,
                   (unsigned long long)theirs.offset);
        refused++;
    }
    picture_free(&a);
    picture_free(&b);
    free(copy);
}

/* The whole and some regions. */
static void expect_same_parts(const jpeg_file *file, int64_t width, int64_t height, const jpeg_kind *kind,
                              int regions)
{
    mill__decode_options options = random_options(kind);
    expect_same(file->data, file->nbytes, &options, NULL, kind->name);
    for (int i = 0; i < regions; i++) {
        mill__rect rect = random_rect(width, height);
        expect_same(file->data, file->nbytes, &options, &rect, kind->name);
    }
}

/* Errors are told apart by their codes, which headers of another version, or read in another order, shift. */
START_TEST(codes_of_errors_are_those_of_the_headers)
{
    struct jpeg_error_mgr found;
    jpeg_std_error(&found);
    EXPECT(found.last_jpeg_message == JMSG_LASTMSGCODE - 1);
    EXPECT(strstr(found.jpeg_message_table[JERR_WIDTH_OVERFLOW], "too wide"));
    EXPECT(strstr(found.jpeg_message_table[JERR_SOF_UNSUPPORTED], "SOF type"));
}
END_TEST

/* A library that has other messages is another than that of the headers. */
START_TEST(other_libraries_are_left_alone)
{
    struct jpeg_error_mgr found;
    const char *messages[JMSG_LASTMSGCODE] = {NULL};
    jpeg_std_error(&found);
    found.last_jpeg_message++;
    EXPECT(!mill__jpeg_entropy_knows(&found));
    jpeg_std_error(&found);
    messages[JMSG_COPYRIGHT] = "Copyright (C) 1998, Thomas G. Lane";
    found.jpeg_message_table = messages;
    EXPECT(!mill__jpeg_entropy_knows(&found));
}
END_TEST

/* ---- sound files ---- */

static bool is_for_ours(const jpeg_kind *kind)
{
    return !kind->progressive && !kind->arithmetic && !kind->restart;
}

/* Flat, all edges, all noise, or a bit like a photograph. */
static picture any_picture(int64_t width, int64_t height, int channels)
{
    picture p = picture_random(width, height, channels);
    int64_t how = random_between(0, 5), grain = random_between(1, 3);
    uint8_t level = (uint8_t)random_u32();
    for (int64_t y = 0; y < height && how < 3; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                uint8_t edge = (x / grain + y / grain + c) % 2 ? 255 : 0, noise = random_u32() & 1 ? 255 : 0;
                picture_at(&p, x, y)[c] = how == 0 ? level : how == 1 ? edge : noise;
            }
    return p;
}

static jpeg_file any_file(int64_t width, int64_t height, const jpeg_kind *kind)
{
    jpeg_kind as = *kind;
    as.optimised = !kind->arithmetic && random_one_in(2);
    picture p = any_picture(width, height, kind_channels(kind));
    jpeg_file file = jpeg_make(&p, &as, (int)random_between(1, 100), random_one_in(6) ? 6 : 0);
    picture_free(&p);
    return file;
}

START_TEST(sound_files_give_the_same_pixels)
{
    const jpeg_kind *kind = &jpeg_kinds[_i];
    for (int round = 0; round < 60; round++) {
        int64_t width = random_between(1, round % 10 ? 90 : 500), height = random_between(1, 90);
        jpeg_file file = any_file(width, height, kind);
        expect_same_parts(&file, width, height, kind, 6);
        free(file.data);
    }
    EXPECT(made == 60 * 7 && !refused);
    if (is_built() && is_for_ours(kind))
        EXPECT(own->own_decodings == 60 * 7 && own->second_decodings == 0);
    else
        EXPECT(own->own_decodings == 0);
}
END_TEST

/* More bytes than a window holds, and turned ones at a fraction of their size. */
START_TEST(large_files_too)
{
    static const int of[] = {0, 2, 13};
    for (int round = 0; round < 12; round++) {
        const jpeg_kind *kind = &jpeg_kinds[of[round % 3]];
        jpeg_file file = any_file(700, 500, kind);
        expect_same_parts(&file, 500, 500, kind, 3);
        free(file.data);
    }
    EXPECT(!refused && own->second_decodings == 0);
}
END_TEST

START_TEST(a_fraction_of_the_size_too)
{
    for (int round = 0; round < 200; round++) {
        const jpeg_kind *kind = &jpeg_kinds[random_between(0, JPEG_KINDS - 1)];
        jpeg_file file = any_file(random_between(20, 90), random_between(20, 90), kind);
        mill__decode_options options = random_options(kind);
        options.fast_scale = true;
        picture out[2];
        for (int i = 0; i < 2; i++) {
            mill__renderer *r = i ? library : own;
            mill__image_info info;
            mill_view view;
            EXPECT(mill__jpeg_begin(r, file.data, file.nbytes, &options, &info, NULL) == MILL_OK);
            mill__view_init(&view, info.width, info.height);
            EXPECT(mill_view_crop(&view, 3, 5, info.width - 5, info.height - 5, 0) == MILL_OK);
            EXPECT(mill_view_resize(&view, 1 + round % 9, 1 + round % 7, MILL_BILINEAR) == MILL_OK);
            out[i] = picture_new(mill_view_width(&view), mill_view_height(&view), options.channels);
            mill__target target = {
                .data = out[i].pixels, .layout = MILL_HWC, .channels = options.channels, .dtype = MILL_U8};
            EXPECT(mill__jpeg_render(r, &view, &target, NULL) == MILL_OK);
        }
        EXPECT_MSG(picture_equal(&out[0], &out[1]), "%s, round %d", kind->name, round);
        picture_free(&out[0]);
        picture_free(&out[1]);
        free(file.data);
    }
    EXPECT(own->second_decodings == 0);
}
END_TEST

/* ---- codes that no encoder would make ---- */

/* The segment's marker. */
static size_t find_segment(const jpeg_file *file, int marker)
{
    size_t at = 2;
    while (at + 4 <= file->nbytes && file->data[at + 1] != marker)
        at += 2 + ((size_t)file->data[at + 2] << 8 | file->data[at + 3]);
    return at;
}

static size_t scan_of(const jpeg_file *file)
{
    size_t at = find_segment(file, 0xda);
    return at + 2 + ((size_t)file->data[at + 2] << 8 | file->data[at + 3]);
}

/* Table 0 or 1 of DC or AC, to out, with codes of up to 16 bits. full: nearly all bits are codes of
 * something; that of ones alone may be none. */
static size_t put_random_table(uint8_t *out, bool is_ac, int i, bool full)
{
    uint8_t *counts = out + 5;
    int64_t left = 1, n = 0, most = is_ac ? 256 : 200,
            first = full ? random_between(1, 4) : random_between(1, 12);
    for (int length = 1; length <= 16; length++) {
        left *= 2;
        int64_t room = left - 1 < most - n ? left - 1 : most - n, count = 0;
        if (length >= first)
            count = full ? room - random_between(0, room < 6 ? room : 6)
                         : random_between(0, room < 40 ? room : 40);
        if (full && length == 16)
            count = room;
        counts[length - 1] = (uint8_t)count;
        n += count;
        left -= count;
    }
    for (int64_t k = 0; k < n; k++)
        counts[16 + k] = (uint8_t)(is_ac ? random_u32() : random_u32() % 16);
    memcpy(out, "\xff\xc4", 2);
    out[2] = (uint8_t)((19 + n) >> 8);
    out[3] = (uint8_t)(19 + n);
    out[4] = (uint8_t)(is_ac << 4 | i);
    return (size_t)(21 + n);
}

/* The file's head with other tables, and random bits. */
static jpeg_file scrambled(const jpeg_file *file, size_t nbytes)
{
    size_t scan = find_segment(file, 0xda), n = scan, head = scan_of(file) - scan;
    jpeg_file out = {.data = malloc(file->nbytes + 4 * 300 + 2 * nbytes + 2)};
    memcpy(out.data, file->data, scan);
    bool full = random_u32() & 1;
    for (int i = 0; i < 4; i++)
        n += put_random_table(out.data + n, i & 1, i >> 1, full);
    memcpy(out.data + n, file->data + scan, head);
    n += head;
    for (size_t i = 0; i < nbytes; i++) {
        uint8_t byte = random_one_in(10) ? 0xff : (uint8_t)random_u32();
        out.data[n++] = byte;
        if (byte == 0xff)
            out.data[n++] = 0;
    }
    memcpy(out.data + n, "\xff\xd9", 2);
    out.nbytes = n + 2;
    return out;
}

START_TEST(random_bits_by_random_codes)
{
    for (int round = 0; round < 1500; round++) {
        const jpeg_kind *kind = &jpeg_kinds[random_between(0, 4)];
        int64_t width = random_between(1, 60), height = random_between(1, 60);
        jpeg_file sound = any_file(width, height, kind);
        jpeg_file file = scrambled(&sound, (size_t)random_between(1, 30000));
        expect_same_parts(&file, width < height ? width : height, width < height ? width : height, kind, 2);
        free(sound.data);
        free(file.data);
    }
    EXPECT_MSG(made > 300 && refused > 100, "%d pictures, %d refused", made, refused);
    if (is_built())
        EXPECT_MSG(own->own_decodings > own->second_decodings + 300 && own->second_decodings > 300, "%d, %d",
                   (int)own->own_decodings, (int)own->second_decodings);
}
END_TEST

/* ---- damaged files ---- */

/* scan: where it began. */
static void damage(jpeg_file *file, size_t scan)
{
    size_t n = file->nbytes;
    size_t from = random_one_in(4) ? 2 : random_one_in(4) && n > 40 ? n - 40 : scan;
    size_t at = (size_t)random_between((int64_t)from, (int64_t)n - 1);
    size_t some = (size_t)random_between(1, 12);
    switch (random_between(0, 5)) {
    case 0: /* cut */
        file->nbytes = at;
        break;
    case 1: /* a bit */
        file->data[at] ^= (uint8_t)(1 << random_between(0, 7));
        break;
    case 2: /* a byte that means something */
        file->data[at] = (uint8_t[]){0xff, 0, 0xd9, 0xd0}[random_between(0, 3)];
        break;
    case 3: /* garbage put in */
        memmove(file->data + at + some, file->data + at, n - at);
        for (size_t i = 0; i < some; i++)
            file->data[at + i] = random_u32() & 1 ? 0xff : (uint8_t)random_u32();
        file->nbytes += some;
        break;
    case 4: /* a piece lost */
        some = some < n - at ? some : n - at;
        memmove(file->data + at, file->data + at + some, n - at - some);
        file->nbytes -= some;
        break;
    default: /* a marker */
        memmove(file->data + at + 2, file->data + at, n - at);
        file->data[at] = 0xff;
        file->data[at + 1] = (uint8_t)random_between(0xd0, 0xff);
        file->nbytes += 2;
        break;
    }
}

START_TEST(damaged_files_give_the_same_pixels_or_errors)
{
    for (int round = 0; round < 6000; round++) {
        const jpeg_kind *kind = &jpeg_kinds[random_one_in(3) ? random_between(0, JPEG_KINDS - 1) : round % 5];
        int64_t width = random_between(1, 70), height = random_between(1, 70);
        jpeg_file file = any_file(width, height, kind);
        file.data = realloc(file.data, file.nbytes + 64);
        size_t scan = scan_of(&file);
        for (int64_t i = random_between(1, 3); i > 0 && file.nbytes > scan + 4; i--)
            damage(&file, scan);
        if (random_one_in(2)) {
            mill__decode_options options = random_options(kind);
            mill__rect rect = random_rect(width, height);
            expect_same(file.data, file.nbytes, &options, &rect, kind->name);
        } else {
            expect_same(file.data, file.nbytes, &jpeg_as_rgb, NULL, kind->name);
        }
        free(file.data);
    }
    EXPECT_MSG(made > 1000 && refused > 1000, "%d pictures, %d refused", made, refused);
    if (is_built())
        EXPECT(own->second_decodings > 300);
}
END_TEST

/* ---- the decoder alone ---- */

static mill__huffman *new_huffman(void)
{
    return calloc(1, sizeof(mill__huffman));
}

START_TEST(impossible_codes_are_refused)
{
    mill__huffman *h = new_huffman();
    uint8_t counts[16] = {2}, symbols[256] = {0};
    EXPECT(mill__huffman_set_dc(h, 0, counts, symbols) && mill__huffman_set_ac(h, 0, counts, symbols));
    counts[1] = 1; /* no code is left */
    EXPECT(!mill__huffman_set_dc(h, 0, counts, symbols) && !mill__huffman_set_ac(h, 0, counts, symbols));
    counts[0] = counts[1] = 0;
    counts[14] = 200;
    counts[15] = 57; /* more than there are symbols */
    EXPECT(!mill__huffman_set_ac(h, 0, counts, symbols));
    counts[15] = 56;
    EXPECT(mill__huffman_set_ac(h, 0, counts, symbols));
    symbols[255] = 16; /* no size of a DC value */
    EXPECT(!mill__huffman_set_dc(h, 0, counts, symbols) && mill__huffman_set_ac(h, 0, counts, symbols));
    free(h);
}
END_TEST

/* One block: 0 11 is DC 3; 00 0 is -1 after two zeros; 01 is the end. */
START_TEST(a_block_by_hand)
{
    static const uint8_t counts[16] = {1}, dc[256] = {2}, ac_counts[16] = {0, 2}, ac[256] = {0x21, 0};
    static const uint8_t stream[] = {0x61, 0x7f, 0xff, 0x00, 0x12, 0xff, 0xd9, 0x55};
    static const mill__huffman_block blocks[1] = {{0, 1, 2}};
    mill__huffman *h = new_huffman();
    for (int level = 0; level < 3; level++) {
        short block[64] = {0}, wanted[64] = {[0] = 3, [16] = -1};
        short(*const list[1])[64] = {&block};
        mill__huffman_mcu *decode = mill__huffman_get(mill__kernels_get(levels[level]));
        EXPECT(mill__huffman_set_dc(h, 1, counts, dc) && mill__huffman_set_ac(h, 2, ac_counts, ac));
        mill__huffman_begin(h, blocks, 1, stream, sizeof stream);
        EXPECT(decode(h, list, 1) && !memcmp(block, wanted, sizeof block)); /* 0 11 00 0 01 */
        EXPECT(mill__huffman_rest(h) == stream + 5);
        EXPECT(!decode(h, list, 1)); /* 0 11, and 11 is no code of AC */
        mill__huffman_begin(h, blocks, 1, stream, 1);
        EXPECT(decode(h, NULL, 1)); /* dropped */
        EXPECT(!decode(h, NULL, 1) && mill__huffman_rest(h) == stream + 1);
    }
    free(h);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("Huffman codes");
    TCase *tc = tcase_create("both decoders");
    tcase_add_checked_fixture(tc, open_renderers, close_renderers);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, sound_files_give_the_same_pixels, 0, JPEG_KINDS);
    tcase_add_test(tc, codes_of_errors_are_those_of_the_headers);
    tcase_add_test(tc, other_libraries_are_left_alone);
    tcase_add_test(tc, large_files_too);
    tcase_add_test(tc, a_fraction_of_the_size_too);
    tcase_add_test(tc, random_bits_by_random_codes);
    tcase_add_test(tc, damaged_files_give_the_same_pixels_or_errors);
    suite_add_tcase(suite, tc);
    tc = tcase_create("alone");
    tcase_add_test(tc, impossible_codes_are_refused);
    tcase_add_test(tc, a_block_by_hand);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
