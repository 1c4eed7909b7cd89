/* SPDX-License-Identifier: Apache-2.0 */
/* Resizing: the weights, and whole pictures against a naive loop. */
#include "pixel_fixture.h"

static const char *const names[] = {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"};
enum { NFILTERS = 6 };

static void random_lengths(int64_t *in, int64_t *out)
{
    *in = random_between(1, random_one_in(4) ? 2000 : 200);
    *out = random_between(1, random_one_in(4) ? 1000 : 200);
}

static mill__coefficients make(int64_t in, int64_t out, mill_filter filter)
{
    mill__coefficients c = {0};
    mill_error err;
    mill_status status = mill__coefficients_make(&c, in, out, filter, UINT64_MAX, &err);
    EXPECT_MSG(!status, "%s", err.message);
    return c;
}

/* ---- weights ---- */

START_TEST(windows_lie_within_and_begin_in_order)
{
    for (int round = 0; round < 300; round++) {
        int64_t in, out;
        random_lengths(&in, &out);
        mill__coefficients c = make(in, out, (mill_filter)_i);
        EXPECT(c.taps % MILL__RESAMPLE_GROUP == 0 && c.longest <= c.taps);
        for (int64_t i = 0; i < out; i++) {
            int64_t first = c.bounds[2 * i], count = c.bounds[2 * i + 1];
            EXPECT(first >= 0 && count >= 1 && first + count <= in && count <= (int64_t)c.longest);
            EXPECT(!i || first >= c.bounds[2 * i - 2]);
            for (size_t t = (size_t)count; t < c.taps; t++)
                EXPECT(mill__weight(c.weights + 2 * (size_t)i * c.taps, t) == 0);
        }
        mill__coefficients_free(&c);
    }
}
END_TEST

/* Each weight is the filter's, over their sum, in units of 2^-22, rounded. */
START_TEST(weights_are_the_filter_normalised)
{
    mill_filter filter = (mill_filter)_i;
    for (int round = 0; round < 200; round++) {
        int64_t in, out;
        random_lengths(&in, &out);
        mill__coefficients c = make(in, out, filter);
        double scale = (double)in / (double)out, stretch = scale > 1 ? scale : 1;
        for (int64_t i = 0; i < out; i++) {
            double centre = ((double)i + 0.5) * scale, total = 0, most = 0;
            bool on_edge = false; /* of the box: either side is right */
            int64_t sum = 0, first = c.bounds[2 * i], count = c.bounds[2 * i + 1];
            for (int64_t k = 0; k < in; k++) {
                double d = ((double)k + 0.5 - centre) / stretch;
                on_edge |= filter == MILL_BOX && fabs(fabs(d) - 0.5) < 1e-9;
                total += fabs(d) < filter_support(filter) + 1e-9 ? filter_weight(filter, d) : 0;
            }
            for (int64_t t = 0; t < count; t++) {
                int32_t w = mill__weight(c.weights + 2 * (size_t)i * c.taps, (size_t)t);
                double real = filter_weight(filter, ((double)(first + t) + 0.5 - centre) / stretch) / total;
                sum += w;
                most = fmax(most, fabs(w - real * 0x1p22));
            }
            EXPECT_MSG(most < 0.51 || on_edge, "%s %lld to %lld, output %lld: off by %g", names[filter],
                       (long long)in, (long long)out, (long long)i, most);
            EXPECT(llabs((long long)sum - (1 << 22)) <= count);
        }
        mill__coefficients_free(&c);
    }
}
END_TEST

START_TEST(nearest_takes_the_pixel_under_the_centre)
{
    for (int round = 0; round < 500; round++) {
        int64_t in, out;
        random_lengths(&in, &out);
        mill__coefficients c = make(in, out, MILL_NEAREST);
        for (int64_t i = 0; i < out; i++) {
            int64_t at = (2 * i + 1) * in / (2 * out); /* exact */
            bool on_edge = (2 * i + 1) * in % (2 * out) == 0;
            EXPECT(c.bounds[2 * i] == at || (on_edge && c.bounds[2 * i] == at - 1));
            EXPECT(c.bounds[2 * i + 1] == 1);
            EXPECT(mill__weight(c.weights + 2 * (size_t)i * c.taps, 0) == 1 << MILL__RESAMPLE_BITS);
        }
        mill__coefficients_free(&c);
    }
}
END_TEST

START_TEST(too_many_weights_are_refused_before_they_are_made)
{
    mill__coefficients c = {0};
    mill_error err;
    ck_assert_int_eq(mill__coefficients_make(&c, 1000, 1 << 20, MILL_BICUBIC, 1 << 20, &err), MILL_LIMIT);
    ck_assert_str_eq(err.kind, "limit");
    ck_assert_ptr_nonnull(strstr(err.message, "1000 to 1048576"));
    ck_assert_ptr_null(c.weights);
    ck_assert_int_eq(mill__coefficients_make(&c, MILL__VIEW_MAX, 3, MILL_LANCZOS, 1 << 20, &err), MILL_LIMIT);
    ck_assert_ptr_null(c.weights);
}
END_TEST

/* ---- pictures ---- */

START_TEST(pictures_are_what_the_naive_loop_makes_of_them)
{
    mill_filter filter = (mill_filter)_i;
    mill__renderer *r = mill__renderer_new(1 << 26);
    for (int round = 0; round < 150; round++) {
        picture p = picture_random(random_between(1, 90), random_between(1, 90), random_one_in(3) ? 1 : 3);
        int64_t width = random_between(1, 90), height = random_between(1, 90);
        picture naive = picture_resize(&p, width, height, filter);
        picture made = picture_resize_library(r, &p, width, height, filter);
        EXPECT_MSG(picture_equal(&naive, &made), "%s: %lldx%lld to %lldx%lld", names[filter],
                   (long long)p.width, (long long)p.height, (long long)width, (long long)height);
        picture_free(&p);
        picture_free(&naive);
        picture_free(&made);
    }
    mill__renderer_free(r);
}
END_TEST

START_TEST(flat_pictures_stay_flat)
{
    mill__renderer *r = mill__renderer_new(1 << 26);
    for (int round = 0; round < 200; round++) {
        picture p = picture_new(random_between(1, 300), random_between(1, 50), 3);
        int value = (int)random_between(0, 255);
        memset(p.pixels, value, picture_nbytes(&p));
        picture made =
            picture_resize_library(r, &p, random_between(1, 300), random_between(1, 50), (mill_filter)_i);
        for (size_t i = 0; i < picture_nbytes(&made); i++)
            EXPECT(made.pixels[i] == value);
        picture_free(&p);
        picture_free(&made);
    }
    mill__renderer_free(r);
}
END_TEST

START_TEST(every_level_renders_the_same_bytes)
{
    static const char *const levels[] = {"x86-64-v3", "x86-64-v4", "x86-64-v4-vbmi"};
    mill__renderer *plain = mill__renderer_new(1 << 26), *fast = mill__renderer_new(1 << 26);
    plain->kernels = mill__kernels_get("c");
    for (int round = 0; round < 300; round++) {
        picture p = picture_random(random_between(1, 200), random_between(1, 60), random_one_in(3) ? 1 : 3);
        int64_t width = random_between(1, 200), height = random_between(1, 60);
        fast->kernels = mill__kernels_get(levels[round % 3]);
        picture a = picture_resize_library(plain, &p, width, height, (mill_filter)_i);
        picture b = picture_resize_library(fast, &p, width, height, (mill_filter)_i);
        EXPECT(picture_equal(&a, &b));
        picture_free(&p);
        picture_free(&a);
        picture_free(&b);
    }
    mill__renderer_free(plain);
    mill__renderer_free(fast);
}
END_TEST

static picture resize_part(mill__renderer *r, const picture *p, const mill__part *part, int64_t width,
                           int64_t height, mill_filter filter)
{
    mill_view view;
    mill__view_init(&view, p->width, p->height);
    EXPECT(mill__view_resize_part(&view, part, width, height, filter) == MILL_OK);
    return picture_render(r, p, &view);
}

/* Of a picture that goes on as it ends, the part is resized as if it were cut out of one without an end. */
START_TEST(a_part_is_resized_with_its_surroundings)
{
    mill_filter filter = (mill_filter)_i;
    mill__renderer *r = mill__renderer_new(1 << 26);
    for (int round = 0; round < 100; round++) {
        int64_t scale = random_between(1, 4), width = random_between(20, 30), height = random_between(20, 30);
        int64_t x = random_between(3, 8), y = random_between(3, 8), w = 6, h = 7;
        picture p = picture_random(width * scale, height * scale, random_one_in(3) ? 1 : 3);
        picture whole = picture_resize(&p, width, height, filter);
        mill__part part = {true, (float)(x * scale), (float)(y * scale), (float)((x + w) * scale),
                           (float)((y + h) * scale)};
        picture made = resize_part(r, &p, &part, w, h, filter);
        picture wanted = picture_crop(&whole, x, y, w, h, 0);
        EXPECT_MSG(picture_equal(&made, &wanted), "%s by %lld", names[filter], (long long)scale);
        picture_free(&p);
        picture_free(&whole);
        picture_free(&made);
        picture_free(&wanted);
    }
    mill__renderer_free(r);
}
END_TEST

START_TEST(a_part_lies_within)
{
    mill_view view;
    mill__view_init(&view, 50, 40);
    const mill__part bad[] = {{true, -1, 0, 50, 40}, {true, 0, 0, 50.5f, 40}, {true, 10, 0, 10, 40},
                              {true, 0, 30, 50, 20}, {true, 0, 0, NAN, 40},   {true, 0, 0, 50, 41}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(mill__view_resize_part(&view, &bad[i], 5, 5, MILL_BOX), MILL_BAD_DATA);
    const mill__part whole = {true, 0, 0, 50, 40}, half = {true, 0.5f, 0, 50, 40};
    ck_assert_int_eq(mill__view_resize_part(&view, &half, 0, 5, MILL_BOX), MILL_USAGE);
    ck_assert_int_eq(mill__view_resize_part(&view, &whole, 50, 40, MILL_BOX), MILL_OK);
    ck_assert(!view.part.given); /* it is a plain resize */
    ck_assert_int_eq(mill__view_resize_part(&view, &half, 5, 5, MILL_BOX), MILL_AGAIN);
}
END_TEST

/* ---- what a renderer holds ---- */

START_TEST(a_renderer_keeps_to_its_limit)
{
    enum { LIMIT = 60000 };
    mill__renderer *r = mill__renderer_new(LIMIT), *free_one = mill__renderer_new(1 << 30);
    uint64_t empty = mill__renderer_nbytes(r);
    int made = 0, refused = 0;
    for (int round = 0; round < 400; round++) {
        picture p = picture_random(random_between(1, 900), random_between(1, 30), 3);
        mill_view view;
        mill__view_init(&view, p.width, p.height);
        mill_view_resize(&view, random_between(1, 900), random_between(1, 30),
                         (mill_filter)random_between(0, 5));
        picture out = picture_new(mill_view_width(&view), mill_view_height(&view), 3);
        mill__target target = {.data = out.pixels, .layout = MILL_HWC, .channels = 3, .dtype = MILL_U8};
        mill_error err;
        mill_status status = mill__pixels_render(r, p.pixels, 3, &view, &target, &err);
        EXPECT(mill__renderer_nbytes(r) - empty <= LIMIT);
        if (status) {
            EXPECT(status == MILL_LIMIT && !strcmp(err.kind, "limit") && strstr(err.message, "memory"));
            refused++;
        } else {
            picture whole = picture_render(free_one, &p, &view);
            EXPECT(picture_equal(&whole, &out)); /* also after refusals, and with weights dropped */
            picture_free(&whole);
            made++;
        }
        picture_free(&p);
        picture_free(&out);
    }
    EXPECT(made && refused);
    mill__renderer_free(r);
    mill__renderer_free(free_one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resample");
    TCase *tests = tcase_create("resample");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, windows_lie_within_and_begin_in_order, 0, NFILTERS);
    tcase_add_loop_test(tests, weights_are_the_filter_normalised, 1, NFILTERS);
    tcase_add_test(tests, nearest_takes_the_pixel_under_the_centre);
    tcase_add_test(tests, too_many_weights_are_refused_before_they_are_made);
    tcase_add_loop_test(tests, pictures_are_what_the_naive_loop_makes_of_them, 0, NFILTERS);
    tcase_add_loop_test(tests, flat_pictures_stay_flat, 0, NFILTERS);
    tcase_add_loop_test(tests, every_level_renders_the_same_bytes, 0, NFILTERS);
    tcase_add_loop_test(tests, a_part_is_resized_with_its_surroundings, 0, NFILTERS);
    tcase_add_test(tests, a_part_lies_within);
    tcase_add_test(tests, a_renderer_keeps_to_its_limit);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
