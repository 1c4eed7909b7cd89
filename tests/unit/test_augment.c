/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentations as transforms: what they refuse, what they do to small and odd images, in place and not, and
 * how chance falls. tests/oracle/augment.py compares them with Pillow. */
#include "engine/plan.h"
#include "pixel_fixture.h"
#include "registry.h"
#include "transform/context.h"
#include "transform/policy.h"
#include "transform/warp.h"

/* ---- a transform from its text ---- */

typedef struct tool {
    mill_pipeline *pipeline;
    const mill_transform_ops *ops;
    void *self;
    mill_type in, out;
    mill_context ctx;
    void *held[8];
    int nheld;
} tool;

static void *scratch_of(void *owner, size_t nbytes)
{
    tool *t = owner;
    ck_assert_int_lt(t->nheld, 8);
    return t->held[t->nheld++] = malloc(nbytes + 1);
}

static mill_type image_type(int64_t width, int64_t height, int channels)
{
    return (mill_type){.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {height, width, channels}};
}

static mill_status tool_try(tool *t, const char *text, mill_type in, mill_error *err)
{
    *t = (tool){.pipeline = mill_pipeline_new(), .in = in, .out = in};
    EXPECT_MSG(!mill_pipeline_parse(t->pipeline, text, err), "%s: %s", text, err->message);
    const mill__item *item = &t->pipeline->items[0];
    t->ops = item->ops;
    t->ctx = (mill_context){.label = -1, .scratch = scratch_of, .owner = t, .random = {.seed = 7}};
    return t->ops->plan(item->values, NULL, &t->in, &t->out, &t->self, err);
}

static tool tool_of(const char *text, mill_type in)
{
    tool t;
    mill_error err;
    EXPECT_MSG(!tool_try(&t, text, in, &err), "%s: %s", text, err.message);
    return t;
}

static void tool_free(tool *t)
{
    if (t->ops->drop && t->self)
        t->ops->drop(t->self);
    mill_pipeline_free(t->pipeline);
}

/* For sample number sample; out may be in. */
static void tool_run(tool *t, uint64_t sample, const void *in, void *out)
{
    mill_error err;
    mill_tensor from = {.type = t->in, .n = 1, .data = (void *)(uintptr_t)in};
    mill_tensor to = {.type = t->out, .n = 1, .data = out};
    t->ctx.owner = t;
    t->ctx.random.sample = sample;
    mill_status status = t->ops->run(t->self, NULL, &t->ctx, &from, &to, &err);
    EXPECT_MSG(status == MILL_OK, "%s", err.message);
    for (int i = 0; i < t->nheld; i++)
        free(t->held[i]);
    t->nheld = 0;
}

/* ---- refusals ---- */

static const mill_type plain_u8 = {.dtype = MILL_U8, .rank = 2, .shape = {5, 7}};
static const mill_type floats = {.dtype = MILL_F32, .layout = MILL_CHW, .rank = 3, .shape = {3, 5, 7}};
static const mill_type colour = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {-1, -1, 3}};
static const mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};

static const struct {
    const char *text;
    const mill_type *in;
    const char *words[2]; /* that the message must hold */
} refusals[] = {
    {"color_jitter 0.4", &encoded, {"still encoded", "put decode before color_jitter"}},
    {"rotate 10", &plain_u8, {"u8 hwc images", "put rotate before"}},
    {"equalize", &floats, {"f32 chw", "put equalize before normalize"}},
    {"invert", &encoded, {"encoded file", "put decode before"}},
    {"solarize", &floats, {"works on u8", "before normalize"}},
    {"posterize 4", &floats, {"works on u8", "before normalize"}},
    {"color_jitter brightness=2,1", &colour, {"brightness is 2,1", "lesser first"}},
    {"color_jitter hue=-0.1", &colour, {"hue is -0.1", "must not be negative"}},
    {"color_jitter saturation=1,2,3", &colour, {"saturation is 1,2,3", "one number, or two"}},
    {"rotate -5", &colour, {"degrees is -5", "LOW,HIGH"}},
    {"affine 5 translate=0.1", &colour, {"translate is 0.1", "two numbers"}},
    {"affine 5 shear=1,2,3", &colour, {"shear is 1,2,3", "lesser first"}},
    {"affine 5 shear=1,2,4,3", &colour, {"shear is", "lesser first"}},
    {"gaussian_blur 4", &colour, {"kernel is 4", "odd"}},
    {"gaussian_blur 3x4", &colour, {"kernel is 3x4", "odd"}},
    {"grayscale 2", &colour, {"channels is 2", "1 or 3"}},
    {"grayscale 1 p=0.5", &colour, {"p below 1", "must be 3"}},
    {"random_erasing", &plain_u8, {"images", "no images"}},
    {"random_erasing value=1,2", &colour, {"2 numbers", "3 channels"}},
    {"random_erasing value=256", &colour, {"value is 256", "0 to 255"}},
    {"random_erasing scale=0.5,0.1", &colour, {"scale is 0.5,0.1", "lesser first"}},
    {"rand_augment magnitude=31", &colour, {"magnitude is 31", "0 to 30"}},
};

START_TEST(what_cannot_be_is_refused_in_words)
{
    tool t;
    mill_error err;
    mill_status status = tool_try(&t, refusals[_i].text, *refusals[_i].in, &err);
    ck_assert_int_eq(status, MILL_USAGE);
    for (int i = 0; i < 2; i++)
        EXPECT_MSG(strstr(err.message, refusals[_i].words[i]), "%s: \"%s\" lacks: %s", refusals[_i].text,
                   err.message, refusals[_i].words[i]);
    tool_free(&t);
}
END_TEST

/* ---- what all of them have in common ---- */

static const char *const texts[] = {
    "invert p=0.5",
    "solarize 100 p=0.5",
    "posterize 3 p=0.5",
    "grayscale p=0.5",
    "autocontrast p=0.5",
    "equalize p=0.5",
    "color_jitter 0.4 0.4 0.4 0.1 p=0.8",
    "sharpness 0.5,3 p=0.5",
    "gaussian_blur 5x7 p=0.5",
    "rotate 180",
    "rotate 45 filter=bilinear fill=9 p=0.5",
    "affine 30 translate=0.3,0.2 scale=0.5,2 shear=20,30,-10,10",
    "affine 30 scale=0.5,2 filter=bilinear p=0.7",
    "random_erasing p=0.7 value=3",
    "random_erasing p=0.7 noise=true",
    "rand_augment n=3 magnitude=20",
    "rand_augment filter=bilinear p=0.5",
    "trivial_augment",
};
enum { NTEXTS = sizeof texts / sizeof *texts };

/* The result depends on the sample's numbers alone, memory around it stays, and in place gives the same. */
START_TEST(the_result_is_a_function_of_the_sample)
{
    int changed = 0, kept = 0;
    for (int round = 0; round < 250; round++) {
        picture p = picture_random(random_between(1, 33), random_between(1, 33), random_one_in(3) ? 1 : 3);
        size_t n = picture_nbytes(&p);
        tool t = tool_of(texts[_i], image_type(p.width, p.height, p.channels));
        uint8_t *out = malloc(n + 64), *again = malloc(n + 64);
        memset(out, 0xa5, n + 64);
        tool_run(&t, (uint64_t)round, p.pixels, out);
        for (size_t i = n; i < n + 64; i++)
            EXPECT(out[i] == 0xa5);
        memset(again, 0x5a, n + 64);
        tool_run(&t, (uint64_t)round, p.pixels, again);
        EXPECT_MSG(!memcmp(out, again, n), "%s twice", texts[_i]);
        if (t.ops->flags & (MILL_IN_PLACE | MILL_POINTWISE)) {
            memcpy(again, p.pixels, n);
            tool_run(&t, (uint64_t)round, again, again);
            EXPECT_MSG(!memcmp(out, again, n), "%s in place", texts[_i]);
        }
        *(memcmp(out, p.pixels, n) ? &changed : &kept) += 1;
        free(out);
        free(again);
        tool_free(&t);
        picture_free(&p);
    }
    EXPECT_MSG(changed > 20, "%s: %d changed, %d kept", texts[_i], changed, kept);
    EXPECT_MSG(kept > 5 || !strstr(texts[_i], "p="), "%s: %d changed, %d kept", texts[_i], changed, kept);
}
END_TEST

START_TEST(chance_falls_as_often_as_it_should)
{
    uint8_t in = 10, out;
    tool t = tool_of("invert p=0.3", image_type(1, 1, 1));
    int n = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        tool_run(&t, i, &in, &out);
        EXPECT(out == 10 || out == 245);
        n += out == 245;
    }
    EXPECT(n > 29000 && n < 31000);
    tool_free(&t);
}
END_TEST

START_TEST(grey_has_the_channels_that_were_asked_for)
{
    static const struct {
        const char *text;
        int in, out;
    } cases[] = {{"grayscale", 3, 1},   {"grayscale", 1, 1},       {"grayscale 3", 3, 3},
                 {"grayscale 3", 1, 3}, {"grayscale p=0.5", 3, 3}, {"grayscale p=0.5", 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        picture p = picture_random(7, 5, cases[i].in);
        tool t = tool_of(cases[i].text, image_type(7, 5, cases[i].in));
        ck_assert_int_eq(t.out.shape[2], cases[i].out);
        uint8_t out[7 * 5 * 3];
        tool_run(&t, 1, p.pixels, out);
        for (int k = 0; k < 35 && !strstr(cases[i].text, "p="); k++) {
            const uint8_t *v = p.pixels + k * p.channels;
            int grey = p.channels == 1 ? v[0] : (v[0] * 19595 + v[1] * 38470 + v[2] * 7471 + 32768) / 65536;
            for (int c = 0; c < cases[i].out; c++)
                EXPECT(out[k * cases[i].out + c] == grey);
        }
        tool_free(&t);
        picture_free(&p);
    }
}
END_TEST

/* ---- geometry, one pixel at a time ---- */

/* Away from edges by less than a rounding error: there either neighbour will do. */
START_TEST(the_nearest_pixel_is_the_nearest)
{
    long compared = 0;
    for (int round = 0; round < 300; round++) {
        picture p = picture_random(random_between(1, 60), random_between(1, 60), random_one_in(2) ? 1 : 3);
        picture out = picture_new(random_between(1, 140), random_between(1, 60), p.channels);
        mill__matrix m;
        for (int i = 0; i < 6; i++)
            m.m[i] = (double)random_between(-3000, 3000) / (i % 3 == 2 ? 40 : 1024);
        if (random_one_in(4))
            m.m[1] = m.m[3] = 0;
        if (random_one_in(20))
            m.m[0] = 1e7; /* beyond fixed point */
        mill__frame frame = {.kernels = mill__augment_best(),
                             .in = p.pixels,
                             .out = out.pixels,
                             .width = (size_t)p.width,
                             .height = (size_t)p.height,
                             .out_width = (size_t)out.width,
                             .out_height = (size_t)out.height,
                             .c = (size_t)p.channels,
                             .nbytes = picture_nbytes(&p)};
        mill__warp(&frame, &m, false, 200);
        for (int64_t y = 0; y < out.height; y++)
            for (int64_t x = 0; x < out.width; x++) {
                double from_x = m.m[0] * ((double)x + 0.5) + m.m[1] * ((double)y + 0.5) + m.m[2];
                double from_y = m.m[3] * ((double)x + 0.5) + m.m[4] * ((double)y + 0.5) + m.m[5];
                if (fabs(from_x - rint(from_x)) < 0.01 || fabs(from_y - rint(from_y)) < 0.01)
                    continue;
                bool inside =
                    from_x > 0 && from_x < (double)p.width && from_y > 0 && from_y < (double)p.height;
                for (int c = 0; c < p.channels; c++)
                    EXPECT(picture_at(&out, x, y)[c] ==
                           (inside ? picture_at(&p, (int64_t)from_x, (int64_t)from_y)[c] : 200));
                compared += inside;
            }
        picture_free(&p);
        picture_free(&out);
    }
    EXPECT(compared > 1000); /* most matrices lead outside */
}
END_TEST

START_TEST(a_quarter_turn_moves_pixels_as_they_are)
{
    for (int round = 0; round < 60; round++) {
        int64_t n = random_between(1, 40);
        picture p = picture_random(n, n, random_one_in(2) ? 1 : 3), out = picture_new(n, n, p.channels);
        tool quarter = tool_of("rotate 90,90", image_type(n, n, p.channels));
        tool half = tool_of("rotate -180,-180", image_type(n, n, p.channels));
        tool_run(&quarter, 0, p.pixels, out.pixels);
        for (int64_t y = 0; y < n; y++)
            for (int64_t x = 0; x < n; x++)
                EXPECT(!memcmp(picture_at(&out, x, y), picture_at(&p, n - 1 - y, x), (size_t)p.channels));
        tool_run(&half, 0, p.pixels, out.pixels);
        for (int64_t y = 0; y < n; y++)
            for (int64_t x = 0; x < n; x++)
                EXPECT(!memcmp(picture_at(&out, x, y), picture_at(&p, n - 1 - x, n - 1 - y),
                               (size_t)p.channels));
        tool_free(&quarter);
        tool_free(&half);
        picture_free(&p);
        picture_free(&out);
    }
}
END_TEST

/* ---- rotate expand=true ---- */

static const struct {
    const char *text;
    mill_type in;
    int64_t height, width;
} expanded[] = {
    {"rotate 90,90 expand=true", {.shape = {5, 7, 3}}, 7, 5},
    {"rotate -90,-90 expand=true", {.shape = {5, 7, 1}}, 7, 5},
    {"rotate 540,540 expand=true p=0.5", {.shape = {5, 7, 3}}, 5, 7},
    {"rotate 90,90 expand=true p=0.5", {.shape = {5, 5, 3}}, 5, 5},
    {"rotate 90,90 expand=true p=0.5", {.shape = {5, 7, 3}}, -1, -1},
    {"rotate 45,45 expand=true",
     {.shape = {10, 10, 3}},
     16,
     16}, /* 14.14 wide, 2.07 pixels off on each side */
    {"rotate 30,30 expand=true", {.shape = {1, 1, 3}}, 3, 3},
    {"rotate 45 expand=true", {.shape = {10, 10, 3}}, -1, -1},
    {"rotate 90,90 expand=true", {.shape = {-1, 7, 3}}, -1, -1},
    {"rotate 90,90", {.shape = {5, 7, 3}}, 5, 7},
    {"rotate 45 expand=false", {.shape = {-1, -1, 3}}, -1, -1},
};

START_TEST(a_size_is_planned_where_it_is_no_matter_of_chance)
{
    mill_type in = expanded[_i].in;
    in.dtype = MILL_U8;
    in.layout = MILL_HWC;
    in.rank = 3;
    tool t = tool_of(expanded[_i].text, in);
    EXPECT_MSG(t.out.shape[0] == expanded[_i].height && t.out.shape[1] == expanded[_i].width,
               "%s gives %lld x %lld", expanded[_i].text, (long long)t.out.shape[1],
               (long long)t.out.shape[0]);
    ck_assert_int_eq((int)t.out.shape[2], (int)in.shape[2]);
    tool_free(&t);
}
END_TEST

/* As the engine calls it where the size varies: the transform says what it gives, and finds the memory. */
static mill_tensor tool_give(tool *t, uint64_t sample, const picture *p, mill_status *status, mill_error *err)
{
    mill_tensor from = {.type = t->in, .n = 1, .data = p->pixels}, to = {.type = t->out, .n = 1};
    from.type.shape[0] = p->height;
    from.type.shape[1] = p->width;
    t->ctx.owner = t;
    t->ctx.random.sample = sample;
    *status = t->ops->run(t->self, NULL, &t->ctx, &from, &to, err);
    return to;
}

static void tool_forget(tool *t)
{
    for (int i = 0; i < t->nheld; i++)
        free(t->held[i]);
    t->nheld = 0;
}

/* Nothing of a flat image is cut off, and nothing is around it but what its sides need. */
START_TEST(what_is_turned_is_held_whole)
{
    for (int round = 0; round < 200; round++) {
        picture p = picture_random(random_between(6, 60), random_between(6, 60), random_one_in(2) ? 1 : 3);
        memset(p.pixels, 200, picture_nbytes(&p));
        tool t = tool_of(round % 2 ? "rotate 360 expand=true fill=9"
                                   : "rotate 360 expand=true fill=9 filter=bilinear",
                         image_type(-1, -1, p.channels));
        mill_error err;
        mill_status status;
        mill_tensor out = tool_give(&t, (uint64_t)round, &p, &status, &err);
        ck_assert_int_eq(status, MILL_OK);
        const int64_t width = out.type.shape[1], height = out.type.shape[0];
        double diagonal = hypot((double)p.width, (double)p.height), area = 0;
        EXPECT((double)width <= diagonal + 2 && (double)height <= diagonal + 2);
        EXPECT(width * height >= p.width * p.height);
        for (int64_t i = 0; i < width * height; i++)
            area += ((const uint8_t *)out.data)[i * p.channels] == 200;
        EXPECT_MSG(fabs(area - (double)(p.width * p.height)) < 0.6 * (double)(width + height),
                   "%g pixels of %lld x %lld", area, (long long)p.width, (long long)p.height);
        tool_forget(&t);
        tool_free(&t);
        picture_free(&p);
    }
}
END_TEST

START_TEST(a_quarter_turn_takes_the_other_shape)
{
    for (int round = 0; round < 60; round++) {
        picture p = picture_random(random_between(1, 40), random_between(1, 40), random_one_in(2) ? 1 : 3);
        const bool left = random_one_in(2);
        tool t = tool_of(left ? "rotate 90,90 expand=true" : "rotate 270,270 expand=true",
                         image_type(p.width, p.height, p.channels));
        picture out = picture_new(p.height, p.width, p.channels);
        tool_run(&t, 0, p.pixels, out.pixels);
        for (int64_t y = 0; y < out.height; y++)
            for (int64_t x = 0; x < out.width; x++)
                EXPECT(
                    !memcmp(picture_at(&out, x, y),
                            left ? picture_at(&p, p.width - 1 - y, x) : picture_at(&p, y, p.height - 1 - x),
                            (size_t)p.channels));
        tool_free(&t);
        picture_free(&p);
        picture_free(&out);
    }
}
END_TEST

static void *no_scratch(void *owner, size_t nbytes)
{
    (void)owner;
    (void)nbytes;
    return NULL;
}

START_TEST(too_large_for_the_budget_is_a_limit)
{
    picture p = picture_random(9, 7, 3);
    tool t = tool_of("rotate 45 expand=true", image_type(-1, -1, 3));
    mill_error err;
    mill_status status;
    t.ctx.scratch = no_scratch;
    tool_give(&t, 1, &p, &status, &err);
    ck_assert_int_eq(status, MILL_LIMIT);
    EXPECT(strstr(err.message, "raise the budget"));
    tool_free(&t);
    picture_free(&p);
}
END_TEST

/* Small images are mirrored more than once. */
START_TEST(blurring_a_flat_image_changes_nothing)
{
    for (int round = 0; round < 60; round++) {
        int64_t width = random_between(1, 12), height = random_between(1, 12);
        picture p = picture_new(width, height, 3), out = picture_new(width, height, 3);
        memset(p.pixels, 57 * round, picture_nbytes(&p));
        tool t = tool_of("gaussian_blur 255x31 sigma=1,30", image_type(width, height, 3));
        tool_run(&t, (uint64_t)round, p.pixels, out.pixels);
        EXPECT(picture_equal(&p, &out));
        tool_free(&t);
        picture_free(&p);
        picture_free(&out);
    }
}
END_TEST

/* ---- erasing ---- */

typedef struct erased {
    int64_t left, top, right, bottom; /* right < left: nothing */
    long count;
} erased;

/* Where elements of all channels changed; they must fill a rectangle. */
static erased find_erased(const float *in, const float *out, const mill_type *type)
{
    bool planar = type->layout == MILL_CHW;
    int64_t height = type->shape[planar ? 1 : 0], width = type->shape[planar ? 2 : 1], channels = 3;
    erased e = {.left = width, .top = height, .right = -1, .bottom = -1};
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            int changed = 0;
            for (int64_t c = 0; c < channels; c++) {
                int64_t at = planar ? (c * height + y) * width + x : (y * width + x) * channels + c;
                changed += in[at] != out[at];
            }
            EXPECT(changed == 0 || changed == 3);
            if (!changed)
                continue;
            e.left = x < e.left ? x : e.left;
            e.right = x > e.right ? x : e.right;
            e.top = y < e.top ? y : e.top;
            e.bottom = y > e.bottom ? y : e.bottom;
            e.count++;
        }
    EXPECT(e.right < 0 || e.count == (e.right - e.left + 1) * (e.bottom - e.top + 1));
    return e;
}

START_TEST(one_rectangle_is_erased)
{
    enum { SIDE = 40, N = 3 * SIDE * SIDE };
    static float in[N], out[N];
    double mean = 0, square = 0;
    long draws = 0, hit = 0;
    for (int round = 0; round < 800; round++) {
        mill_type type = floats;
        bool planar = round % 2, noise = round % 3 == 0;
        type.layout = planar ? MILL_CHW : MILL_HWC;
        for (int i = 0; i < 3; i++)
            type.shape[i] = i == (planar ? 0 : 2) ? 3 : SIDE;
        for (int i = 0; i < N; i++)
            in[i] = 100.0f + (float)i;
        tool t =
            tool_of(noise ? "random_erasing p=0.8 noise=true" : "random_erasing p=0.8 value=1,-2,0.5", type);
        tool_run(&t, (uint64_t)round, in, out);
        erased e = find_erased(in, out, &type);
        if (e.right >= 0) {
            double share = (double)e.count / (SIDE * SIDE);
            double ratio = (double)(e.bottom - e.top + 1) / (double)(e.right - e.left + 1);
            EXPECT(share > 0.01 && share < 0.36);
            EXPECT(ratio > 0.2 && ratio < 5);
            hit++;
        }
        for (int i = 0; i < N; i++) {
            int channel = planar ? i / (SIDE * SIDE) : i % 3;
            static const float values[] = {1, -2, 0.5f};
            if (in[i] == out[i])
                continue;
            EXPECT(noise ? fabsf(out[i]) < 3.5f : out[i] == values[channel]);
            mean += noise ? out[i] : 0;
            square += noise ? out[i] * out[i] : 0;
            draws += noise;
        }
        tool_free(&t);
    }
    EXPECT(hit > 560 && hit < 720); /* 640 in the mean */
    EXPECT(fabs(mean / (double)draws) < 0.02 && fabs(square / (double)draws - 1) < 0.02);
}
END_TEST

/* ---- policies ---- */

START_TEST(magnitudes_are_torchvisions)
{
    const mill__policy narrow = {.bins = 31}, wide = {.bins = 31, .wide = true};
    static const struct {
        mill__policy_op op;
        int bin;
        double narrow, wide;
    } cases[] = {{MILL__SHEAR_X, 30, 0.3, 0.99},      {MILL__SHEAR_Y, 10, 0.1, 0.33},
                 {MILL__TRANSLATE_X, 30, 45.317, 32}, {MILL__TRANSLATE_Y, 15, 45.317, 16},
                 {MILL__ROTATE, 9, 9, 40.5},          {MILL__BRIGHTNESS, 0, 0, 0},
                 {MILL__SHARPNESS, 20, 0.6, 0.66},    {MILL__POSTERIZE, 9, 7, 6},
                 {MILL__POSTERIZE, 30, 4, 2},         {MILL__POSTERIZE, 0, 8, 8},
                 {MILL__SOLARIZE, 0, 255, 255},       {MILL__SOLARIZE, 30, 0, 0},
                 {MILL__SOLARIZE, 6, 204, 204},       {MILL__EQUALIZE, 9, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_double_eq_tol(mill__policy_magnitude(&narrow, cases[i].op, cases[i].bin, 100, 200),
                                cases[i].narrow, 1e-3);
        ck_assert_double_eq_tol(mill__policy_magnitude(&wide, cases[i].op, cases[i].bin, 100, 200),
                                cases[i].wide, 1e-3);
    }
}
END_TEST

/* However many steps move pixels, the last one ends in out, and the input is left alone. */
START_TEST(steps_in_any_mixture_are_steps_one_by_one)
{
    const mill__policy policy = {.bins = 31, .wide = true, .fill = 40};
    for (int round = 0; round < 2000; round++) {
        picture p = picture_random(random_between(1, 20), random_between(1, 20), random_one_in(3) ? 1 : 3);
        size_t n = picture_nbytes(&p);
        uint8_t *before = malloc(n), *out = malloc(n), *other = malloc(n), *now = malloc(n),
                *next = malloc(n);
        mill__policy_step steps[5];
        int nsteps = (int)random_between(1, 5);
        mill__frame frame = {.kernels = mill__augment_best(),
                             .in = p.pixels,
                             .out = out,
                             .width = (size_t)p.width,
                             .height = (size_t)p.height,
                             .out_width = (size_t)p.width,
                             .out_height = (size_t)p.height,
                             .c = (size_t)p.channels,
                             .nbytes = n};
        memcpy(before, p.pixels, n);
        memcpy(now, p.pixels, n);
        for (int i = 0; i < nsteps; i++) {
            mill__policy_op op = (mill__policy_op)random_between(0, MILL__POLICY_OPS - 1);
            double m =
                mill__policy_magnitude(&policy, op, (int)random_between(0, 30), frame.width, frame.height);
            steps[i] = (mill__policy_step){op, mill__policy_is_signed(op) && random_one_in(2) ? -m : m};
            mill__frame one = frame;
            one.in = now;
            one.out = next;
            mill__policy_apply(&policy, &one, &steps[i], 1, NULL);
            memcpy(now, next, n);
        }
        mill__policy_apply(&policy, &frame, steps, nsteps, other);
        EXPECT(!memcmp(out, now, n));
        EXPECT(!memcmp(before, p.pixels, n));
        free(before);
        free(out);
        free(other);
        free(now);
        free(next);
        picture_free(&p);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("augment");
    TCase *tests = tcase_create("augment");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, what_cannot_be_is_refused_in_words, 0, sizeof refusals / sizeof *refusals);
    tcase_add_loop_test(tests, the_result_is_a_function_of_the_sample, 0, NTEXTS);
    tcase_add_test(tests, chance_falls_as_often_as_it_should);
    tcase_add_test(tests, grey_has_the_channels_that_were_asked_for);
    tcase_add_test(tests, the_nearest_pixel_is_the_nearest);
    tcase_add_test(tests, a_quarter_turn_moves_pixels_as_they_are);
    tcase_add_loop_test(tests, a_size_is_planned_where_it_is_no_matter_of_chance, 0,
                        sizeof expanded / sizeof *expanded);
    tcase_add_test(tests, what_is_turned_is_held_whole);
    tcase_add_test(tests, a_quarter_turn_takes_the_other_shape);
    tcase_add_test(tests, too_large_for_the_budget_is_a_limit);
    tcase_add_test(tests, blurring_a_flat_image_changes_nothing);
    tcase_add_test(tests, one_rectangle_is_erased);
    tcase_add_test(tests, magnitudes_are_torchvisions);
    tcase_add_test(tests, steps_in_any_mixture_are_steps_one_by_one);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
