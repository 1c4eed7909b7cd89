/* SPDX-License-Identifier: Apache-2.0 */
/* Views: a chain of steps that was folded and rendered once is the chain done step by step on whole pictures.
 */
#include "jpeg_fixture.h"

static mill__renderer *renderer, *stepwise;

static void open_renderers(void)
{
    renderer = mill__renderer_new(1 << 26);
    stepwise = mill__renderer_new(1 << 26);
}

static void close_renderers(void)
{
    mill__renderer_free(renderer);
    mill__renderer_free(stepwise);
}

/* ---- steps ---- */

typedef enum { CROP, RESIZE, FLIP, BORDER, STEP_KINDS } step_kind;

typedef struct step {
    step_kind kind;
    int64_t x, y, width, height;
    uint8_t fill;
    mill_filter filter;
    int64_t sides[4]; /* of a border: left, top, right, bottom */
    mill__border border;
} step;

/* For a picture of width x height. Crops lie inside, overlap, surround it or miss it. */
static step random_step(int64_t width, int64_t height)
{
    step s = {.kind = (step_kind)random_between(0, STEP_KINDS - 1),
              .fill = random_one_in(2) ? 0 : (uint8_t)random_between(0, 255),
              .filter = (mill_filter)random_between(0, 5),
              .border = (mill__border)random_between(1, 3)};
    if (s.kind == BORDER) {
        for (int i = 0; i < 4; i++)
            s.sides[i] = random_one_in(3) ? 0 : random_between(0, 25);
        s.width = width + s.sides[0] + s.sides[2];
        s.height = height + s.sides[1] + s.sides[3];
        return s;
    }
    if (s.kind == RESIZE || random_one_in(3)) {
        s.width = random_between(1, 60);
        s.height = random_between(1, 60);
    } else {
        s.width = random_between(1, width);
        s.height = random_between(1, height);
    }
    if (s.kind == RESIZE && random_one_in(6)) {
        s.width = width;
        s.height = height;
    }
    bool inside = s.width <= width && s.height <= height && !random_one_in(3);
    s.x = inside ? random_between(0, width - s.width) : random_between(-20, width + 5);
    s.y = inside ? random_between(0, height - s.height) : random_between(-20, height + 5);
    return s;
}

static mill_status compose(mill_view *view, const step *s)
{
    if (s->kind == CROP)
        return mill_view_crop(view, s->x, s->y, s->width, s->height, s->fill);
    if (s->kind == BORDER)
        return mill__view_border(view, s->sides[0], s->sides[1], s->sides[2], s->sides[3], s->border);
    return s->kind == RESIZE ? mill_view_resize(view, s->width, s->height, s->filter) : mill_view_hflip(view);
}

/* Walk from place 0 to place i, turning at the ends or staying there. */
static int64_t walk(mill__border border, int64_t i, int64_t n)
{
    int64_t at = 0, pace = i < 0 ? -1 : 1;
    bool turned = false; /* symmetric: an end counts twice */
    for (int64_t k = 0; k != i; k += i < 0 ? -1 : 1) {
        bool at_end = at + pace < 0 || at + pace >= n;
        if (at_end && border == MILL__BORDER_EDGE)
            break;
        if (at_end && border == MILL__BORDER_SYMMETRIC && !turned) {
            pace = -pace;
            turned = true;
            continue;
        }
        pace = at_end ? -pace : pace;
        turned = false;
        at += n > 1 ? pace : 0;
    }
    return at;
}

static picture with_border(const picture *p, const step *s)
{
    picture out = picture_new(s->width, s->height, p->channels);
    for (int64_t y = 0; y < s->height; y++)
        for (int64_t x = 0; x < s->width; x++)
            memcpy(picture_at(&out, x, y),
                   picture_at(p, walk(s->border, x - s->sides[0], p->width),
                              walk(s->border, y - s->sides[1], p->height)),
                   (size_t)p->channels);
    return out;
}

static void apply(picture *p, const step *s)
{
    picture next = s->kind == CROP     ? picture_crop(p, s->x, s->y, s->width, s->height, s->fill)
                   : s->kind == RESIZE ? picture_resize_library(stepwise, p, s->width, s->height, s->filter)
                   : s->kind == BORDER ? with_border(p, s)
                                       : picture_flip(p);
    picture_free(p);
    *p = next;
}

/* ---- where it goes ---- */

static mill__target random_target(int64_t width, int64_t height, int channels)
{
    static const mill_dtype dtypes[] = {MILL_U8, MILL_U16, MILL_F32, MILL_F64};
    mill__target t = {.channels = channels,
                      .layout = random_one_in(2) ? MILL_HWC : MILL_CHW,
                      .dtype = dtypes[random_between(0, 3)]};
    size_t entry = mill_dtype_nbytes(t.dtype), entries = 256 * (size_t)channels;
    if (t.dtype != MILL_U8 || random_one_in(2)) {
        uint8_t *table = malloc(entries * entry);
        for (size_t i = 0; i < entries * entry; i++)
            table[i] = (uint8_t)random_u32();
        t.table = table;
    }
    t.data = calloc((size_t)(width * height * channels), entry);
    return t;
}

static void expect_target(const mill__target *t, const picture *p, const char *what)
{
    size_t entry = mill_dtype_nbytes(t->dtype);
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++)
            for (int c = 0; c < p->channels; c++) {
                int64_t at = t->layout == MILL_CHW ? (c * p->height + y) * p->width + x
                                                   : (y * p->width + x) * p->channels + c;
                const uint8_t *v = picture_at(p, x, y) + c;
                const uint8_t *wanted =
                    t->table ? (const uint8_t *)t->table + ((size_t)c * 256 + *v) * entry : v;
                EXPECT_MSG(!memcmp((uint8_t *)t->data + (size_t)at * entry, wanted, entry),
                           "%s: (%lld, %lld) channel %d of %lldx%lld", what, (long long)x, (long long)y, c,
                           (long long)p->width, (long long)p->height);
            }
}

static void free_target(mill__target *t)
{
    free(t->data);
    free((void *)(uintptr_t)t->table);
}

/* ---- chains ---- */

typedef struct chain {
    picture source; /* as pixels */
    jpeg_file file; /* the same as a JPEG, or none */
    int nsteps;
    step steps[6];
    char text[512];
} chain;

static chain random_chain(void)
{
    chain c = {.nsteps = (int)random_between(1, 6)};
    int64_t width = random_between(1, 80), height = random_between(1, 80);
    int channels = random_one_in(3) ? 1 : 3;
    if (random_one_in(2)) {
        c.file = jpeg_random(width, height, &jpeg_kinds[random_between(0, JPEG_KINDS - 1)], 0);
        channels = 3;
        EXPECT(jpeg_decode_whole(c.file.data, c.file.nbytes, channels, &c.source));
    } else {
        c.source = picture_random(width, height, channels);
    }
    size_t used = (size_t)snprintf(c.text, sizeof c.text, "%lldx%lld", (long long)width, (long long)height);
    for (int i = 0; i < c.nsteps; i++) {
        step *s = &c.steps[i];
        static const char *const names[] = {"crop", "resize", "flip", "border"};
        *s = random_step(width, height);
        width = s->kind == FLIP ? width : s->width;
        height = s->kind == FLIP ? height : s->height;
        used += (size_t)snprintf(c.text + used, sizeof c.text - used,
                                 " %s %lldx%lld at %lld,%lld fill %d filter %d", names[s->kind],
                                 (long long)s->width, (long long)s->height, (long long)s->x, (long long)s->y,
                                 s->fill, (int)s->filter);
    }
    return c;
}

/* Compose as much as folds; what does not begins a new view on what was rendered so far. Returns how many
 * times that happened. */
static int render_folded(const chain *c, mill__target *target)
{
    mill_view view;
    mill__image_info info;
    picture now = {0};
    int materialised = 0;
    mill__view_init(&view, c->source.width, c->source.height);
    for (int i = 0; i < c->nsteps; i++) {
        mill_view before = view;
        mill_status status = compose(&view, &c->steps[i]);
        if (status == MILL_AGAIN) {
            EXPECT_MSG(!memcmp(&before, &view, sizeof view), "%s: step %d changed what it refused", c->text,
                       i);
            picture next = picture_render(renderer, now.pixels ? &now : &c->source, &view);
            picture_free(&now);
            now = next;
            mill__view_init(&view, now.width, now.height);
            status = compose(&view, &c->steps[i]);
            materialised++;
        }
        EXPECT_MSG(status == MILL_OK, "%s: step %d: status %d", c->text, i, (int)status);
    }
    *target = random_target(mill_view_width(&view), mill_view_height(&view), c->source.channels);
    mill_error err;
    mill_status status;
    if (c->file.data && !materialised) {
        EXPECT(!mill__jpeg_begin(renderer, c->file.data, c->file.nbytes, &jpeg_as_rgb, &info, &err));
        status = mill__jpeg_render(renderer, &view, target, &err);
    } else {
        const picture *source = now.pixels ? &now : &c->source;
        status = mill__pixels_render(renderer, source->pixels, source->channels, &view, target, &err);
    }
    EXPECT_MSG(status == MILL_OK, "%s: %s", c->text, err.message);
    picture_free(&now);
    return materialised;
}

START_TEST(a_folded_chain_is_the_chain_step_by_step)
{
    int folded = 0, several = 0;
    for (int round = 0; round < 6000; round++) {
        chain c = random_chain();
        mill__target target;
        int materialised = render_folded(&c, &target);
        folded += !materialised && c.nsteps > 2;
        several += materialised > 1;
        picture naive = picture_crop(&c.source, 0, 0, c.source.width, c.source.height, 0);
        for (int i = 0; i < c.nsteps; i++)
            apply(&naive, &c.steps[i]);
        expect_target(&target, &naive, c.text);
        free_target(&target);
        picture_free(&naive);
        picture_free(&c.source);
        free(c.file.data);
    }
    EXPECT(folded > 100 && several > 100);
}
END_TEST

/* ---- what must fold ---- */

START_TEST(the_usual_chains_need_one_rendering)
{
    mill_view view;
    mill__view_init(&view, 500, 375);
    ck_assert_int_eq(mill_view_crop(&view, 10, 20, 300, 200, 0), MILL_OK); /* training */
    ck_assert_int_eq(mill_view_crop(&view, 5, 5, 250, 190, 0), MILL_OK);
    ck_assert_int_eq(mill_view_resize(&view, 224, 224, MILL_BICUBIC), MILL_OK);
    ck_assert_int_eq(mill_view_hflip(&view), MILL_OK);
    ck_assert_int_eq(mill_view_crop(&view, -4, -4, 232, 232, 9), MILL_OK);
    ck_assert_int_eq(mill_view_crop(&view, 3, 1, 224, 224, 9), MILL_OK);
    mill__view_init(&view, 500, 375);
    ck_assert_int_eq(mill_view_resize(&view, 341, 256, MILL_BILINEAR), MILL_OK); /* evaluation */
    ck_assert_int_eq(mill_view_crop(&view, 58, 16, 224, 224, 0), MILL_OK);
    ck_assert_int_eq(mill_view_width(&view), 224);
    ck_assert_int_eq(mill_view_height(&view), 224);
}
END_TEST

START_TEST(what_does_not_fold_says_so)
{
    mill_view view;
    mill__view_init(&view, 100, 100);
    ck_assert_int_eq(mill_view_resize(&view, 50, 50, MILL_BOX), MILL_OK);
    ck_assert_int_eq(mill_view_resize(&view, 20, 20, MILL_BOX), MILL_AGAIN);
    mill__view_init(&view, 100, 100);
    ck_assert_int_eq(mill_view_crop(&view, -1, -1, 102, 102, 0), MILL_OK);
    ck_assert_int_eq(mill_view_resize(&view, 50, 50, MILL_BOX), MILL_AGAIN);
    ck_assert_int_eq(mill_view_crop(&view, -1, -1, 104, 104, 0), MILL_OK);
    ck_assert_int_eq(mill_view_crop(&view, -1, -1, 106, 106, 200), MILL_AGAIN); /* two colours of padding */
}
END_TEST

START_TEST(sizes_and_places_out_of_range_are_refused)
{
    mill_view view, before;
    memset(&before, 0, sizeof before);
    mill__view_init(&before, 100, 100);
    memcpy(&view, &before, sizeof view);
    const int64_t most = MILL__VIEW_MAX;
    ck_assert_int_eq(mill_view_crop(&view, 0, 0, 0, 1, 0), MILL_USAGE);
    ck_assert_int_eq(mill_view_crop(&view, 0, 0, 1, most + 1, 0), MILL_USAGE);
    ck_assert_int_eq(mill_view_crop(&view, INT64_MIN, 0, 1, 1, 0), MILL_USAGE);
    ck_assert_int_eq(mill_view_crop(&view, 0, INT64_MAX, 1, 1, 0), MILL_USAGE);
    ck_assert_int_eq(mill_view_resize(&view, 0, 1, MILL_BOX), MILL_USAGE);
    ck_assert_int_eq(mill_view_resize(&view, 1, -1, MILL_BOX), MILL_USAGE);
    ck_assert_int_eq(mill_view_resize(&view, 1, 1, (mill_filter)6), MILL_USAGE);
    ck_assert(!memcmp(&view, &before, sizeof view));
    ck_assert_int_eq(mill_view_crop(&view, most, most, 1, 1, 0), MILL_OK);
    ck_assert_int_eq(mill_view_crop(&view, most, 0, 1, 1, 0),
                     MILL_LIMIT); /* each is fine, their sum is not */
}
END_TEST

/* Only what is seen is asked of the source. */
START_TEST(no_row_is_pushed_that_is_not_needed)
{
    mill_view view;
    mill_error err;
    float out[3 * 10 * 10];
    mill__target target = {.data = out, .layout = MILL_HWC, .channels = 3, .dtype = MILL_U8};
    mill__view_init(&view, 1000, 800);
    mill_view_resize(&view, 500, 400, MILL_BILINEAR);
    mill_view_crop(&view, 100, 50, 10, 10, 0);
    ck_assert_int_eq(mill__render_begin(renderer, &view, &target, &err), MILL_OK);
    const mill__rect *need = &renderer->pass.need;
    ck_assert_int_eq(need->x, 199);
    ck_assert_int_eq(need->y, 99);
    ck_assert_int_eq(need->width, 22);
    ck_assert_int_eq(need->height, 22);
    mill_view_crop(&view, 20, 20, 10, 10, 3); /* beside the picture's clip: nothing but padding */
    ck_assert_int_eq(mill__render_begin(renderer, &view, &target, &err), MILL_OK);
    ck_assert_int_eq(need->height, 0);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(((uint8_t *)out)[i], 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view");
    TCase *tests = tcase_create("view");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, open_renderers, close_renderers);
    tcase_add_test(tests, a_folded_chain_is_the_chain_step_by_step);
    tcase_add_test(tests, the_usual_chains_need_one_rendering);
    tcase_add_test(tests, what_does_not_fold_says_so);
    tcase_add_test(tests, sizes_and_places_out_of_range_are_refused);
    tcase_add_test(tests, no_row_is_pushed_that_is_not_needed);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
