/* SPDX-License-Identifier: Apache-2.0 */
/* The geometric transforms: where they cut and what size they give, against torchvision's documented
 * arithmetic; and that their random numbers are a function of seed, epoch, sample and transform. */
#include "engine/plan.h"
#include "pixel_fixture.h"
#include "transform/context.h"

/* ---- a transform by its text ---- */

typedef struct stage {
    mill_pipeline *pipeline;
    const mill_transform_ops *ops;
    void *self;
    mill_type out;
    mill_status status;
    mill_error err;
} stage;

static const mill_type any_image = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {-1, -1, 3}};

static stage plan_for(const char *text, const mill_type *in)
{
    stage s = {.pipeline = mill_pipeline_new(), .out = *in};
    s.status = mill_pipeline_parse(s.pipeline, text, &s.err);
    EXPECT_MSG(s.status == MILL_OK, "%s: %s", text, s.err.message);
    s.ops = s.pipeline->items[0].ops;
    s.status = s.ops->plan(s.pipeline->items[0].values, NULL, in, &s.out, &s.self, &s.err);
    return s;
}

static stage plan(const char *text)
{
    stage s = plan_for(text, &any_image);
    EXPECT_MSG(s.status == MILL_OK, "%s: %s", text, s.err.message);
    return s;
}

static void drop(stage *s)
{
    if (s->self)
        s->ops->drop(s->self);
    mill_pipeline_free(s->pipeline);
}

static mill_view view_of(const stage *s, const mill_context *ctx, int64_t width, int64_t height)
{
    mill_view view;
    mill_error err;
    mill__view_init(&view, width, height);
    mill_status status = s->ops->view(s->self, ctx, &view, &err);
    EXPECT_MSG(status == MILL_OK, "%s", err.message);
    return view;
}

static mill_context context_of(uint64_t sample)
{
    return (mill_context){.random = {.seed = 7, .epoch = 1, .shard = 3, .sample = sample, .transform = 2}};
}

static const mill_context no_random = {.random = {0}};

/* ---- fixed geometry ---- */

START_TEST(center_crop_rounds_as_torchvision_does)
{
    for (int round = 0; round < 3000; round++) {
        int64_t w = random_between(1, 60), h = random_between(1, 60);
        int64_t cw = random_between(1, 60), ch = random_between(1, 60);
        char text[64];
        snprintf(text, sizeof text, "center_crop %lldx%lld", (long long)cw, (long long)ch);
        stage s = plan(text);
        mill_view view = view_of(&s, &no_random, w, h);
        /* pad by (missing // 2, (missing + 1) // 2), then cut at round(surplus / 2), half to even */
        int64_t left = cw > w ? (cw - w) / 2 : 0, top = ch > h ? (ch - h) / 2 : 0;
        int64_t padded_w = w > cw ? w : cw, padded_h = h > ch ? h : ch;
        int64_t x = (int64_t)nearbyint((double)(padded_w - cw) / 2) - left;
        int64_t y = (int64_t)nearbyint((double)(padded_h - ch) / 2) - top;
        mill_view wanted;
        mill__view_init(&wanted, w, h);
        mill_view_crop(&wanted, x, y, cw, ch, 0);
        EXPECT_MSG(!memcmp(&view.crop, &wanted.crop, sizeof view.crop) &&
                       !memcmp(&view.canvas, &wanted.canvas, sizeof view.canvas) && view.fill == 0,
                   "%s of %lldx%lld", text, (long long)w, (long long)h);
        EXPECT(s.out.shape[0] == ch && s.out.shape[1] == cw);
        drop(&s);
    }
}
END_TEST

START_TEST(resize_keeps_the_ratio_or_takes_both_sides)
{
    for (int round = 0; round < 3000; round++) {
        int64_t w = random_between(1, 3000), h = random_between(1, 3000), side = random_between(1, 600);
        if ((w > h ? w / h : h / w) * side > 1 << 20)
            continue;
        char text[64];
        snprintf(text, sizeof text, "resize %lld filter=lanczos", (long long)side);
        stage s = plan(text);
        mill_view view = view_of(&s, &no_random, w, h);
        double ratio = (double)w / (double)h;
        int64_t long_side = mill_view_width(&view) > mill_view_height(&view) ? mill_view_width(&view)
                                                                             : mill_view_height(&view);
        EXPECT((w <= h ? mill_view_width(&view) : mill_view_height(&view)) == side);
        EXPECT(long_side == (int64_t)floor((double)side * (w <= h ? (double)h / (double)w : ratio) + 1e-9));
        EXPECT(view.filter == MILL_LANCZOS || (side == w && w == h) || !view.resized ||
               (w == mill_view_width(&view) && h == mill_view_height(&view)));
        EXPECT(s.out.shape[0] == -1 && s.out.shape[1] == -1);
        drop(&s);
    }
    stage s = plan("resize 320x240");
    mill_view view = view_of(&s, &no_random, 17, 900);
    ck_assert_int_eq(mill_view_width(&view), 320);
    ck_assert_int_eq(mill_view_height(&view), 240);
    ck_assert_int_eq(s.out.shape[0], 240);
    ck_assert_int_eq(s.out.shape[1], 320);
    drop(&s);
}
END_TEST

START_TEST(a_known_input_size_gives_a_known_output_size)
{
    mill_type in = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {375, 500, 3}};
    stage s = plan_for("resize 256", &in);
    ck_assert_int_eq(s.out.shape[0], 256);
    ck_assert_int_eq(s.out.shape[1], 341);
    drop(&s);
    s = plan_for("pad 1,2,3,4", &in);
    ck_assert_int_eq(s.out.shape[0], 375 + 2 + 4);
    ck_assert_int_eq(s.out.shape[1], 500 + 1 + 3);
    drop(&s);
}
END_TEST

START_TEST(pad_puts_a_frame_around)
{
    mill__renderer *r = mill__renderer_new(1 << 24);
    picture p = picture_random(10, 7, 3);
    stage s = plan("pad 1,2,3,4 fill=200");
    mill_view view = view_of(&s, &no_random, 10, 7);
    picture made = picture_render(r, &p, &view), wanted = picture_crop(&p, -1, -2, 14, 13, 200);
    ck_assert(picture_equal(&made, &wanted));
    picture_free(&made);
    picture_free(&wanted);
    drop(&s);
    s = plan("pad 5");
    view = view_of(&s, &no_random, 10, 7);
    made = picture_render(r, &p, &view);
    wanted = picture_crop(&p, -5, -5, 20, 17, 0);
    ck_assert(picture_equal(&made, &wanted));
    picture_free(&made);
    picture_free(&wanted);
    picture_free(&p);
    drop(&s);
    mill__renderer_free(r);
}
END_TEST

/* One row is enough to tell the modes apart. */
START_TEST(pad_modes_are_those_of_torchvision)
{
    static const struct {
        const char *text;
        uint8_t wanted[10];
    } modes[] = {{"pad 3,0,3,0 fill=9 mode=constant", {9, 9, 9, 1, 2, 3, 4, 9, 9, 9}},
                 {"pad 3,0,3,0 mode=edge", {1, 1, 1, 1, 2, 3, 4, 4, 4, 4}},
                 {"pad 3,0,3,0 mode=reflect", {4, 3, 2, 1, 2, 3, 4, 3, 2, 1}},
                 {"pad 3,0,3,0 mode=symmetric", {3, 2, 1, 1, 2, 3, 4, 4, 3, 2}}};
    const mill_type grey = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {-1, -1, 1}};
    static uint8_t pixels[] = {1, 2, 3, 4};
    const picture across = {4, 1, 1, pixels};
    mill__renderer *r = mill__renderer_new(1 << 24);
    for (int i = 0; i < 4; i++) {
        stage s = plan_for(modes[i].text, &grey);
        mill_view view = view_of(&s, &no_random, 4, 1);
        picture made = picture_render(r, &across, &view);
        EXPECT_MSG(made.width == 10 && !memcmp(made.pixels, modes[i].wanted, 10), "%s", modes[i].text);
        picture_free(&made);
        drop(&s);
    }
    mill__renderer_free(r);
}
END_TEST

/* ---- chance ---- */

START_TEST(hflip_is_as_likely_as_asked)
{
    static const double likely[] = {0, 0.1, 0.5, 1};
    enum { N = 20000 };
    for (int i = 0; i < 4; i++) {
        char text[32];
        int flips = 0;
        snprintf(text, sizeof text, "hflip %g", likely[i]);
        stage s = plan(text);
        for (uint64_t k = 0; k < N; k++) {
            mill_context ctx = context_of(k);
            flips += view_of(&s, &ctx, 10, 10).flip;
        }
        double spread = 5 * sqrt(N * likely[i] * (1 - likely[i])); /* five standard deviations */
        EXPECT_MSG(fabs(flips - N * likely[i]) <= spread, "p %g: %d of %d", likely[i], flips, N);
        drop(&s);
    }
}
END_TEST

START_TEST(random_crop_reaches_every_place_alike)
{
    enum { N = 20000, FREE = 5 };
    int across[FREE] = {0}, down[FREE] = {0};
    stage s = plan("random_crop 8x6");
    for (uint64_t k = 0; k < N; k++) {
        mill_context ctx = context_of(k);
        mill_view view = view_of(&s, &ctx, 8 + FREE - 1, 6 + FREE - 1);
        EXPECT(view.crop.width == 8 && view.crop.height == 6 && view.crop.x < FREE && view.crop.y < FREE);
        across[view.crop.x]++;
        down[view.crop.y]++;
    }
    for (int i = 0; i < FREE; i++) {
        EXPECT(abs(across[i] - N / FREE) < 300); /* five standard deviations are 283 */
        EXPECT(abs(down[i] - N / FREE) < 300);
    }
    drop(&s);
}
END_TEST

START_TEST(random_crop_pads)
{
    stage s = plan("random_crop 32 padding=4 fill=9");
    bool beyond = false;
    for (uint64_t k = 0; k < 2000; k++) {
        mill_context ctx = context_of(k);
        mill_view view = view_of(&s, &ctx, 32, 32);
        EXPECT(mill_view_width(&view) == 32 && mill_view_height(&view) == 32);
        EXPECT(llabs((long long)view.canvas.x) <= 4 && llabs((long long)view.canvas.y) <= 4);
        EXPECT(view.fill == 9 || view.canvas.x + view.canvas.y == 0);
        beyond |= view.canvas.x == -4;
    }
    EXPECT(beyond);
    drop(&s);
    s = plan("random_crop 32 pad_if_needed=true");
    for (uint64_t k = 0; k < 500; k++) {
        mill_context ctx = context_of(k);
        mill_view view = view_of(&s, &ctx, 20, 40);
        EXPECT(view.canvas.x >= -12 && view.canvas.x <= 0 && view.canvas.y >= 0 && view.canvas.y <= 8);
    }
    drop(&s);
}
END_TEST

START_TEST(random_crop_refuses_what_is_too_small)
{
    stage s = plan("random_crop 32 padding=1");
    mill_view view;
    mill_error err;
    mill_context ctx = context_of(0);
    mill__view_init(&view, 40, 20);
    ck_assert_int_eq(s.ops->view(s.self, &ctx, &view, &err), MILL_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "32x32"));
    ck_assert_ptr_nonnull(strstr(err.message, "42x22"));
    ck_assert_ptr_nonnull(strstr(err.message, "pad_if_needed"));
    drop(&s);
}
END_TEST

START_TEST(random_resized_crop_keeps_to_its_ranges)
{
    enum { N = 20000 };
    stage s = plan("random_resized_crop 24x16 scale=0.2,0.6 ratio=0.5,2 filter=bicubic");
    double area = 0, log_ratio = 0;
    for (uint64_t k = 0; k < N; k++) {
        mill_context ctx = context_of(k);
        mill_view view = view_of(&s, &ctx, 400, 400);
        double w = (double)view.crop.width, h = (double)view.crop.height;
        EXPECT(w * h >= 0.2 * 160000 - w - h && w * h <= 0.6 * 160000 + w + h);
        EXPECT((w + 0.5) / (h - 0.5) >= 0.5 && (w - 0.5) / (h + 0.5) <= 2);
        EXPECT(view.crop.x >= 0 && view.crop.y >= 0 && view.crop.x + view.crop.width <= 400 &&
               view.crop.y + view.crop.height <= 400);
        EXPECT(view.resized_width == 24 && view.resized_height == 16 && view.filter == MILL_BICUBIC);
        area += w * h / 160000;
        log_ratio += log(w / h);
    }
    EXPECT_MSG(fabs(area / N - 0.4) < 0.01, "mean area %g",
               area / N); /* a few large and wide ones do not fit */
    EXPECT_MSG(fabs(log_ratio / N) < 0.02, "mean log ratio %g", log_ratio / N);
    drop(&s);
}
END_TEST

/* Ten tries that cannot succeed, then as much of the middle as the ratio allows. */
START_TEST(random_resized_crop_falls_back_to_the_middle)
{
    stage s = plan("random_resized_crop 8 scale=1,1 ratio=1,1");
    for (uint64_t k = 0; k < 50; k++) {
        mill_context ctx = context_of(k);
        mill_view wide = view_of(&s, &ctx, 1000, 10), tall = view_of(&s, &ctx, 10, 1001);
        mill__rect a = {495, 0, 10, 10}, b = {0, 495, 10, 10};
        EXPECT(!memcmp(&wide.crop, &a, sizeof a));
        EXPECT(!memcmp(&tall.crop, &b, sizeof b));
    }
    drop(&s);
    s = plan("random_resized_crop 8 scale=1,1 ratio=0.5,1.5");
    mill_context ctx = context_of(1);
    mill_view view = view_of(&s, &ctx, 1000, 10);
    mill__rect wanted = {492, 0, 15, 10};
    ck_assert(!memcmp(&view.crop, &wanted, sizeof wanted));
    drop(&s);
}
END_TEST

/* ---- whose random numbers ---- */

static bool same_numbers(const mill_context *a, const mill_context *b)
{
    int same = 0;
    for (uint32_t k = 0; k < 8; k++)
        same += mill_context_random(a, k) == mill_context_random(b, k);
    return same == 8;
}

START_TEST(numbers_are_a_function_of_seed_epoch_sample_and_transform)
{
    mill_context a = context_of(5), b = context_of(5);
    EXPECT(same_numbers(&a, &b));
    a.label = 3; /* nothing else counts */
    EXPECT(same_numbers(&a, &b));
    for (int bit = 0; bit < 40; bit++) {
#define DIFFERS(member, limit)                                                                               \
    if (bit < (limit)) {                                                                                     \
        b = a;                                                                                               \
        b.random.member ^= (__typeof__(b.random.member))(UINT64_C(1) << bit);                                \
        EXPECT_MSG(!same_numbers(&a, &b), #member " bit %d does not count", bit);                            \
    }
        DIFFERS(seed, 40)
        DIFFERS(epoch, 40)
        DIFFERS(sample, 40)
        DIFFERS(shard, 32)
        DIFFERS(transform, 16)
    }
}
END_TEST

START_TEST(numbers_are_spread_evenly)
{
    enum { N = 100000, BINS = 20 };
    int bins[BINS] = {0};
    double sum = 0;
    for (uint64_t k = 0; k < N; k++) {
        mill_context ctx = context_of(k / 10);
        double u = mill_context_uniform(&ctx, (uint32_t)(k % 10));
        EXPECT(u >= 0 && u < 1);
        bins[(int)(u * BINS)]++;
        sum += u;
        int64_t below = mill_context_below(&ctx, (uint32_t)k, 7);
        EXPECT(below >= 0 && below < 7);
    }
    for (int i = 0; i < BINS; i++)
        EXPECT_MSG(abs(bins[i] - N / BINS) < 350, "bin %d: %d", i, bins[i]);
    EXPECT(fabs(sum / N - 0.5) < 0.005);
    EXPECT(mill_context_below(&(mill_context){.random = {0}}, 0, 0) == 0);
}
END_TEST

/* Philox4x32-10 of zeros and of ones: the known answers that come with the published algorithm. */
START_TEST(philox_gives_the_published_numbers)
{
    static const uint32_t zeros[4], ones[4] = {~0u, ~0u, ~0u, ~0u};
    static const uint32_t of_zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t of_ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    uint32_t out[4];
    mill__philox(zeros, zeros, out);
    ck_assert(!memcmp(out, of_zeros, sizeof out));
    mill__philox(ones, ones, out);
    ck_assert(!memcmp(out, of_ones, sizeof out));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("geometry");
    TCase *tests = tcase_create("geometry");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, center_crop_rounds_as_torchvision_does);
    tcase_add_test(tests, resize_keeps_the_ratio_or_takes_both_sides);
    tcase_add_test(tests, a_known_input_size_gives_a_known_output_size);
    tcase_add_test(tests, pad_puts_a_frame_around);
    tcase_add_test(tests, pad_modes_are_those_of_torchvision);
    tcase_add_test(tests, hflip_is_as_likely_as_asked);
    tcase_add_test(tests, random_crop_reaches_every_place_alike);
    tcase_add_test(tests, random_crop_pads);
    tcase_add_test(tests, random_crop_refuses_what_is_too_small);
    tcase_add_test(tests, random_resized_crop_keeps_to_its_ranges);
    tcase_add_test(tests, random_resized_crop_falls_back_to_the_middle);
    tcase_add_test(tests, numbers_are_a_function_of_seed_epoch_sample_and_transform);
    tcase_add_test(tests, numbers_are_spread_evenly);
    tcase_add_test(tests, philox_gives_the_published_numbers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
