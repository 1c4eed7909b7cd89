/* SPDX-License-Identifier: Apache-2.0 */
/* decode scale=, dct= and upsampling=fast: the pixels are those of libjpeg-turbo's own full decode of that
 * sort, and the place of everything is that of an exact decode. */
#include "jpeg_fixture.h"
#include "transform/jpeg_scale.h"

static mill__renderer *renderer;

static void open_renderer(void)
{
    renderer = mill__renderer_new(1 << 26);
}

static void close_renderer(void)
{
    mill__renderer_free(renderer);
}

static mill_view random_view(int64_t width, int64_t height, int64_t least)
{
    mill_view view;
    mill__view_init(&view, width, height);
    int64_t w = random_between(least, width), h = random_between(least, height);
    EXPECT(mill_view_crop(&view, random_between(0, width - w), random_between(0, height - h), w, h, 0) ==
           MILL_OK);
    int64_t shrink = random_between(1, 9);
    EXPECT(mill_view_resize(&view, w / shrink + 1, h / shrink + 1, (mill_filter)random_between(0, 5)) ==
           MILL_OK);
    return view;
}

static picture render_jpeg(const jpeg_file *file, const mill__decode_options *options, const mill_view *view)
{
    mill__image_info info;
    mill_error err;
    picture out = picture_new(mill_view_width(view), mill_view_height(view), options->channels);
    mill__target target = {
        .data = out.pixels, .layout = MILL_HWC, .channels = options->channels, .dtype = MILL_U8};
    mill_status status = mill__jpeg_begin(renderer, file->data, file->nbytes, options, &info, &err);
    EXPECT_MSG(!status, "%s", err.message);
    status = mill__jpeg_render(renderer, view, &target, &err);
    EXPECT_MSG(!status, "%s", err.message);
    return out;
}

/* ---- how small ---- */

START_TEST(as_small_as_leaves_a_pixel_for_each)
{
    static const struct {
        int64_t in, out;
        int eighths;
    } cases[] = {{448, 224, 4},  {447, 224, 8},  {896, 224, 2},  {895, 224, 4},
                 {1792, 224, 1}, {1791, 224, 2}, {9000, 224, 1}, {100, 224, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mill_view view;
        mill__view_init(&view, 10000, cases[i].in);
        mill_view_resize(&view, 10, cases[i].out, MILL_BILINEAR); /* the side that shrinks less counts */
        ck_assert_int_eq(mill__jpeg_eighths(&view), cases[i].eighths);
        view.filter = MILL_NEAREST;
        ck_assert_int_eq(mill__jpeg_eighths(&view), 8);
    }
}
END_TEST

START_TEST(a_shrunk_view_shows_the_same_piece)
{
    for (int round = 0; round < 20000; round++) {
        mill_view view = random_view(random_between(1, 700), random_between(1, 700), 1), shrunk = view;
        int eighths = 1 << random_between(0, 2), orientation = (int)random_between(1, 8);
        mill__jpeg_shrink(&shrunk, eighths, orientation);
        const mill__rect *crop = &shrunk.crop;
        const mill__part *part = &shrunk.part;
        EXPECT(shrunk.source_width == (view.source_width * eighths + 7) / 8);
        EXPECT(crop->x >= 0 && crop->width >= 1 && crop->x + crop->width <= shrunk.source_width);
        EXPECT(crop->y >= 0 && crop->height >= 1 && crop->y + crop->height <= shrunk.source_height);
        EXPECT(part->left >= 0 && part->left < part->right && part->right <= (float)crop->width);
        EXPECT(part->top >= 0 && part->top < part->bottom && part->bottom <= (float)crop->height);
        if (orientation == 1) { /* back in pixels of the source */
            EXPECT((float)crop->x + part->left == (float)(view.crop.x * eighths) / 8);
            EXPECT((float)crop->x + part->right == (float)((view.crop.x + view.crop.width) * eighths) / 8);
            EXPECT((float)crop->y + part->top == (float)(view.crop.y * eighths) / 8);
        }
        EXPECT(shrunk.resized_width == view.resized_width && shrunk.resized_height == view.resized_height);
    }
}
END_TEST

/* ---- pixels ---- */

START_TEST(fast_pixels_are_those_of_a_full_fast_decode)
{
    const jpeg_kind *kind = &jpeg_kinds[_i];
    int shrunken = 0;
    for (int round = 0; round < 250; round++) {
        mill__decode_options options = jpeg_as_rgb;
        options.channels = kind->space != JCS_RGB && random_one_in(4) ? 1 : 3;
        options.fast_scale = !random_one_in(3);
        options.fast_dct = random_one_in(2);
        options.fast_upsampling = random_one_in(2);
        int64_t width = random_between(1, 200), height = random_between(1, 200);
        jpeg_file file = jpeg_random(width, height, kind, 0);
        for (int k = 0; k < 6; k++) {
            mill_view view = random_view(width, height, 1), shrunk = view;
            int eighths = options.fast_scale ? mill__jpeg_eighths(&view) : 8;
            picture whole, made = render_jpeg(&file, &options, &view);
            EXPECT(jpeg_decode_at(file.data, file.nbytes, &options, eighths, &whole));
            if (eighths < 8)
                mill__jpeg_shrink(&shrunk, eighths, 1);
            picture wanted = picture_render(renderer, &whole, &shrunk);
            EXPECT_MSG(picture_equal(&made, &wanted),
                       "%s at %d/8 (dct %d, upsampling %d): %lldx%lld at "
                       "(%lld, %lld) of %lldx%lld",
                       kind->name, eighths, options.fast_dct, options.fast_upsampling,
                       (long long)view.crop.width, (long long)view.crop.height, (long long)view.crop.x,
                       (long long)view.crop.y, (long long)width, (long long)height);
            shrunken += eighths < 8;
            picture_free(&whole);
            picture_free(&made);
            picture_free(&wanted);
        }
        free(file.data);
    }
    EXPECT(shrunken > 100);
}
END_TEST

/* ---- places ---- */

/* Brightness that rises by so much a pixel across and down: where a pixel comes from can be read from it. */
static picture slope(int64_t width, int64_t height, double across, double down)
{
    picture p = picture_new(width, height, 3);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            memset(picture_at(&p, x, y), (int)(20.5 + across * (double)x + down * (double)y), 3);
    return p;
}

/* How much brighter a is than b, on the whole. */
static double brighter(const picture *a, const picture *b)
{
    double sum = 0;
    for (size_t i = 0; i < picture_nbytes(a); i++)
        sum += (double)a->pixels[i] - (double)b->pixels[i];
    return sum / (double)picture_nbytes(a);
}

/* A view that lay half a pixel of its own beside would be brighter by half of what a pixel's breadth makes.
 */
START_TEST(a_shrunk_decode_lies_where_the_exact_one_does)
{
    int orientation = _i, shrunken = 0;
    for (int round = 0; round < 60; round++) {
        int64_t width = random_between(150, 400), height = random_between(150, 400);
        double across = (round % 2 ? 200.0 : 0.0) / (double)width;
        double down = (round % 2 ? 0.0 : 200.0) / (double)height;
        picture p = slope(width, height, across, down);
        jpeg_file file = jpeg_make(&p, &jpeg_kinds[round % 4], 95, orientation);
        mill__decode_options exact = jpeg_as_rgb, fast = jpeg_as_rgb;
        exact.orient = fast.orient = true;
        fast.fast_scale = true;
        mill_view view = random_view(orientation > 4 ? height : width, orientation > 4 ? width : height, 60);
        view.filter = MILL_BILINEAR;
        double shrink = (double)view.crop.width / (double)view.resized_width;
        picture a = render_jpeg(&file, &exact, &view), b = render_jpeg(&file, &fast, &view);
        double off = fabs(brighter(&a, &b)), breadth = (across + down) * shrink;
        EXPECT_MSG(off < 0.25 + 0.1 * breadth, "off by %g where a pixel's breadth makes %g", off, breadth);
        shrunken += mill__jpeg_eighths(&view) < 8;
        picture_free(&p);
        picture_free(&a);
        picture_free(&b);
        free(file.data);
    }
    EXPECT(shrunken > 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jpeg_fast");
    TCase *tests = tcase_create("jpeg_fast");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, open_renderer, close_renderer);
    tcase_add_test(tests, as_small_as_leaves_a_pixel_for_each);
    tcase_add_test(tests, a_shrunk_view_shows_the_same_piece);
    tcase_add_loop_test(tests, fast_pixels_are_those_of_a_full_fast_decode, 0, JPEG_KINDS);
    tcase_add_loop_test(tests, a_shrunk_decode_lies_where_the_exact_one_does, 1, 9);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
