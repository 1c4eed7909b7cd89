/* SPDX-License-Identifier: Apache-2.0 */
/* mixup and cutmix: each row is made of itself and of its neighbour as both are without mixing, in the share
 * that "lambda" tells, whatever the team and the world size; shares are distributed as they should. */
#include "loader_fixture.h"
#include <math.h>

/* ---- what a loader gives, kept ---- */

enum { MOST_ROWS = 4096 };

typedef struct kept {
    size_t rows, row_nbytes, width, height; /* width 0: no image */
    bool planar;
    uint8_t *data;
    int64_t labels[MOST_ROWS], others[MOST_ROWS];
    int64_t in_batch[MOST_ROWS], batch_size[MOST_ROWS]; /* place in the batch */
    float shares[MOST_ROWS];
    uint8_t mask[MOST_ROWS];
} kept;

static void keep_row_size(kept *k, const mill_type *type)
{
    k->row_nbytes = mill_dtype_nbytes(type->dtype);
    for (int i = 0; i < type->rank; i++)
        k->row_nbytes *= (size_t)type->shape[i];
    k->planar = type->layout == MILL_CHW;
    if (type->layout == MILL_HWC || type->layout == MILL_CHW) {
        k->height = (size_t)type->shape[k->planar ? 1 : 0];
        k->width = (size_t)type->shape[k->planar ? 2 : 1];
    }
}

static void keep_batch(kept *k, const mill_batch *b, bool mixed)
{
    mill_tensor t;
    int64_t n = mill_batch_size(b);
    ck_assert(!mill_batch_field(b, "image", &t, NULL) || !mill_batch_field(b, "data", &t, NULL));
    keep_row_size(k, &t.type);
    k->data = realloc(k->data, (k->rows + (size_t)n) * k->row_nbytes);
    memcpy(k->data + k->rows * k->row_nbytes, t.data, (size_t)n * k->row_nbytes);
    memcpy(k->mask + k->rows, mask_of(b), (size_t)n);
    memcpy(k->labels + k->rows, numbers_of(b, "label"), (size_t)n * sizeof *k->labels);
    if (mixed) {
        memcpy(k->others + k->rows, numbers_of(b, "label_b"), (size_t)n * sizeof *k->others);
        ck_assert_int_eq(mill_batch_field(b, "lambda", &t, NULL), MILL_OK);
        ck_assert_int_eq(t.type.dtype, MILL_F32);
        memcpy(k->shares + k->rows, t.data, (size_t)n * sizeof *k->shares);
    }
    for (int64_t i = 0; i < n; i++) {
        k->in_batch[k->rows] = i;
        k->batch_size[k->rows++] = n;
    }
}

static kept *keep_all(setup *s)
{
    kept *k = calloc(1, sizeof *k);
    mill_loader *l = open_loader(s);
    mill_batch *b;
    mill_error err;
    mill_status status;
    while (!(status = mill_loader_next(l, &b, &err))) {
        keep_batch(k, b, s->o.mix != MILL_MIX_NONE);
        mill_batch_release(b);
    }
    ck_assert_msg(status == MILL_END, "%s", err.message);
    close_loader(s, l);
    return k;
}

static void forget(kept *k)
{
    free(k->data);
    free(k);
}

static bool same(const kept *a, const kept *b)
{
    return a->rows == b->rows && !memcmp(a->data, b->data, a->rows * a->row_nbytes) &&
           !memcmp(a->shares, b->shares, sizeof a->shares) && !memcmp(a->others, b->others, sizeof a->others);
}

/* ---- what must come of it ---- */

/* The row that row i is mixed with, or i. */
static size_t partner_of(const kept *plain, size_t i)
{
    bool last = !(plain->in_batch[i] % 2) && plain->in_batch[i] + 1 == plain->batch_size[i];
    size_t other = last ? i : plain->in_batch[i] % 2 ? i - 1 : i + 1;
    return plain->mask[i] && plain->mask[other] ? other : i;
}

static const uint8_t *row_of(const kept *k, size_t i)
{
    return k->data + i * k->row_nbytes;
}

static void expect_sum(const kept *plain, const kept *mixed, size_t i, size_t other)
{
    const float *a = (const float *)(const void *)row_of(plain, i);
    const float *b = (const float *)(const void *)row_of(plain, other);
    const float *made = (const float *)(const void *)row_of(mixed, i);
    float share = mixed->shares[i], rest = 1 - share;
    for (size_t k = 0; k < plain->row_nbytes / sizeof *a; k++) {
        float own = share * a[k], others = rest * b[k];
        ck_assert(other == i ? made[k] == a[k] : made[k] == own + others);
    }
}

/* u8 of 3 channels. */
static const uint8_t *pixel_of(const kept *k, const uint8_t *row, size_t x, size_t y, size_t channel)
{
    return k->planar ? row + (channel * k->height + y) * k->width + x
                     : row + (y * k->width + x) * 3 + channel;
}

static bool same_pixel(const kept *k, const uint8_t *a, const uint8_t *b, size_t x, size_t y)
{
    bool equal = true;
    for (size_t c = 0; c < 3; c++)
        equal = equal && *pixel_of(k, a, x, y, c) == *pixel_of(k, b, x, y, c);
    return equal;
}

/* What is not the row's own is a rectangle of the neighbour's, of the area that lambda leaves. */
static void expect_cut(const kept *plain, const kept *mixed, size_t i, size_t other)
{
    const uint8_t *a = row_of(plain, i), *b = row_of(plain, other), *made = row_of(mixed, i);
    size_t left = plain->width, top = plain->height, right = 0, bottom = 0;
    for (size_t y = 0; y < plain->height; y++)
        for (size_t x = 0; x < plain->width; x++)
            if (!same_pixel(plain, a, made, x, y)) {
                left = x < left ? x : left;
                top = y < top ? y : top;
                right = x + 1 > right ? x + 1 : right;
                bottom = y + 1 > bottom ? y + 1 : bottom;
            }
    for (size_t y = top; y < bottom; y++)
        for (size_t x = left; x < right; x++)
            ck_assert(same_pixel(plain, b, made, x, y));
    size_t seen = right > left ? (right - left) * (bottom - top) : 0;
    double area = (double)(plain->width * plain->height), cut = (1 - (double)mixed->shares[i]) * area;
    /* pixels at the rectangle's edge that are alike in both cannot be seen */
    ck_assert(fabs(cut - rint(cut)) < 1e-2 && (double)seen < cut + 0.5 && (double)seen > 0.8 * cut - 2);
}

static void expect_mixed(const kept *plain, const kept *mixed, bool cut)
{
    ck_assert_uint_eq(plain->rows, mixed->rows);
    ck_assert_uint_eq(plain->row_nbytes, mixed->row_nbytes);
    size_t changed = 0;
    for (size_t i = 0; i < plain->rows; i++) {
        size_t other = partner_of(plain, i);
        ck_assert_int_eq(mixed->labels[i], plain->labels[i]);
        ck_assert_int_eq(mixed->others[i], plain->labels[other]);
        ck_assert_int_eq(mixed->mask[i], plain->mask[i]);
        ck_assert(mixed->shares[i] >= 0 && mixed->shares[i] <= 1);
        ck_assert(mixed->shares[i] == mixed->shares[other]);
        ck_assert(other != i || mixed->shares[i] == 1);
        (cut ? expect_cut : expect_sum)(plain, mixed, i, other);
        changed += mixed->shares[i] < 1;
    }
    ck_assert_uint_gt(changed, plain->rows / 2);
}

/* ---- tests ---- */

static setup numbers_setup(void)
{
    setup s = setup_of(7, 23); /* 161 rows: the last batch has one */
    s.pipeline = "check | cast f32 | scale 0.001";
    s.o.shuffle = MILL_SHUFFLE_WINDOW;
    s.o.epochs = 1;
    return s;
}

START_TEST(mixup_is_the_weighed_sum_of_neighbours)
{
    setup s = numbers_setup();
    kept *plain = keep_all(&s);
    s.o.mix = MILL_MIX_MIXUP;
    kept *mixed = keep_all(&s);
    expect_mixed(plain, mixed, false);
    s.o.run.threads = 1;
    kept *alone = keep_all(&s);
    ck_assert(same(mixed, alone));
    s.o.run.seed = 5;
    kept *another = keep_all(&s);
    ck_assert(!same(mixed, another));
    s.o.mix_alpha = 0.2;
    kept *sharper = keep_all(&s);
    ck_assert(!same(another, sharper));
    forget(plain);
    forget(mixed);
    forget(alone);
    forget(another);
    forget(sharper);
}
END_TEST

START_TEST(odd_batches_leave_their_last_row)
{
    setup s = numbers_setup();
    s.o.batch_size = 5;
    kept *plain = keep_all(&s);
    s.o.mix = MILL_MIX_MIXUP;
    kept *mixed = keep_all(&s);
    expect_mixed(plain, mixed, false);
    forget(plain);
    forget(mixed);
}
END_TEST

/* Rank after rank, two halves of a batch are what one rank has as a whole. */
START_TEST(pairs_are_the_same_at_any_world_size)
{
    setup s = numbers_setup();
    s.o.mix = MILL_MIX_MIXUP;
    s.o.drop_last = 1;
    s.o.batch_size = 8;
    kept *one = keep_all(&s);
    s.o.batch_size = 4;
    s.o.world_size = 2;
    for (int rank = 0; rank < 2; rank++) {
        s.o.rank = rank;
        kept *half = keep_all(&s);
        ck_assert_uint_eq(half->rows, one->rows / 2);
        for (size_t i = 0; i < half->rows; i++) {
            size_t at = i / 4 * 8 + (size_t)rank * 4 + i % 4;
            ck_assert(half->shares[i] == one->shares[at]);
            ck_assert(!memcmp(row_of(half, i), row_of(one, at), one->row_nbytes));
        }
        forget(half);
    }
    forget(one);
}
END_TEST

static int is_bad(int shard, int row)
{
    return (shard * 31 + row) % 7 == 0;
}

START_TEST(rows_that_are_zeros_are_not_mixed)
{
    setup s = numbers_setup();
    s.check.bad = is_bad;
    s.o.run.policy = MILL_POLICY_SUBSTITUTE;
    kept *plain = keep_all(&s);
    s.o.mix = MILL_MIX_MIXUP;
    kept *mixed = keep_all(&s);
    expect_mixed(plain, mixed, false);
    s.o.run.policy = MILL_POLICY_SKIP; /* replaced rows are mixed as others are */
    s.o.mix = MILL_MIX_NONE;
    kept *replaced = keep_all(&s);
    s.o.mix = MILL_MIX_MIXUP;
    kept *of_replaced = keep_all(&s);
    expect_mixed(replaced, of_replaced, false);
    forget(plain);
    forget(mixed);
    forget(replaced);
    forget(of_replaced);
}
END_TEST

/* Of many pairs: mean 1/2, variance 1 / (4 (2 alpha + 1)). */
START_TEST(shares_are_of_the_beta_distribution)
{
    static const double alphas[] = {0.01, 0.2, 1, 1.5, 8};
    for (size_t k = 0; k < sizeof alphas / sizeof *alphas; k++) {
        setup s = setup_of(8, 500);
        s.pipeline = "check | cast f32";
        s.o.mix = MILL_MIX_MIXUP;
        s.o.mix_alpha = alphas[k];
        s.o.batch_size = 50;
        kept *all = keep_all(&s);
        double sum = 0, square = 0, n = (double)all->rows / 2;
        for (size_t i = 0; i < all->rows; i += 2) {
            double from_middle = (double)all->shares[i] - 0.5;
            sum += from_middle;
            square += from_middle * from_middle;
        }
        double variance = 1 / (4 * (2 * alphas[k] + 1));
        ck_assert(fabs(sum / n) < 4 * sqrt(variance / n));
        ck_assert_msg(fabs(square / n / variance - 1) < 0.15, "alpha %g: variance %g, not %g", alphas[k],
                      square / n, variance);
        forget(all);
    }
}
END_TEST

static bool demo(setup *s)
{
    const char *source = getenv("SRC");
    *s = setup_of(1, 1);
    snprintf(s->spec, sizeof s->spec, "%s/data/demo/train-00000{0..1}.tar", source ? source : ".");
    char first[300];
    snprintf(first, sizeof first, "%s/data/demo/train-000000.tar", source ? source : ".");
    if (access(first, R_OK)) {
        printf("skip: no data/demo here\n");
        return false;
    }
    s->o.run.source = NULL;
    s->o.run.format = NULL;
    s->o.index = "none";
    s->o.shuffle = MILL_SHUFFLE_GLOBAL;
    return true;
}

START_TEST(images_and_labels_of_a_data_set)
{
    setup s;
    if (!demo(&s))
        return;
    static const char *const pipelines[] = {"decode | resize 40x30", "decode | resize 33x47 | layout chw",
                                            "decode | resize 24x24 | normalize half | layout chw"};
    for (int i = 0; i < 3; i++) {
        s.pipeline = pipelines[i];
        s.o.mix = MILL_MIX_NONE;
        kept *plain = keep_all(&s);
        s.o.mix = i < 2 ? MILL_MIX_CUTMIX : MILL_MIX_MIXUP;
        kept *mixed = keep_all(&s);
        expect_mixed(plain, mixed, i < 2);
        size_t differ = 0;
        for (size_t k = 0; k < mixed->rows; k++)
            differ += mixed->labels[k] != mixed->others[k];
        ck_assert_uint_gt(differ, mixed->rows / 4);
        forget(plain);
        forget(mixed);
    }
}
END_TEST

/* Shorter floats and bytes: one rounding. */
START_TEST(bytes_are_mixed_and_rounded)
{
    setup s = numbers_setup();
    s.pipeline = "check | cast f32 | scale 0.00004 | cast u8";
    kept *plain = keep_all(&s);
    s.o.mix = MILL_MIX_MIXUP;
    kept *mixed = keep_all(&s);
    for (size_t i = 0; i < plain->rows; i++) {
        size_t other = partner_of(plain, i);
        double share = (double)mixed->shares[i];
        for (size_t k = 0; k < plain->row_nbytes; k++) {
            double sum = share * row_of(plain, i)[k] + (1 - share) * row_of(plain, other)[k];
            ck_assert(fabs(sum - row_of(mixed, i)[k]) < 0.501);
        }
    }
    forget(plain);
    forget(mixed);
}
END_TEST

START_TEST(what_cannot_be_mixed_is_refused)
{
    static const struct {
        const char *pipeline;
        mill_mix mix;
        double alpha;
        const char *words;
    } cases[] = {{"check", MILL_MIX_MIXUP, 0, "end it with cast f32"},
                 {"check | cast f32", MILL_MIX_CUTMIX, 0, "parts of images"},
                 {"check | cast f32", (mill_mix)3, 0, "mix is 3"},
                 {"check | cast f32", MILL_MIX_MIXUP, -1, "mix_alpha is -1"},
                 {"check | cast f32", MILL_MIX_MIXUP, 1e4, "mix_alpha is 10000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup s = numbers_setup();
        mill_loader *l = NULL;
        s.pipeline = cases[i].pipeline;
        s.o.mix = cases[i].mix;
        s.o.mix_alpha = cases[i].alpha;
        ck_assert_int_eq(try_open(&s, &l), MILL_USAGE);
        ck_assert_msg(strstr(s.err.message, cases[i].words), "%s", s.err.message);
    }
    setup s = numbers_setup();
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    mill_tensor t;
    ck_assert_int_eq(mill_loader_next(l, &b, NULL), MILL_OK);
    ck_assert_int_eq(mill_batch_field(b, "lambda", &t, NULL), MILL_USAGE);
    mill_batch_release(b);
    close_loader(&s, l);
}
END_TEST

/* A state is one of the same mixing; closing at any moment loses nothing. */
START_TEST(state_and_close)
{
    char state[MILL_STATE_NBYTES];
    setup s = numbers_setup();
    s.o.mix = MILL_MIX_MIXUP;
    mill_batch *b;
    for (int taken = 0; taken < 12; taken++) {
        mill_loader *l = open_loader(&s);
        for (int i = 0; i < taken; i++) {
            ck_assert_int_eq(mill_loader_next(l, &b, NULL), MILL_OK);
            mill_batch_release(b);
        }
        ck_assert_int_eq(mill_loader_state(l, state, NULL), MILL_OK);
        close_loader(&s, l);
    }
    kept *whole = keep_all(&s);
    s.o.state = state;
    kept *rest = keep_all(&s);
    ck_assert_uint_eq(rest->rows, whole->rows - 11 * 8);
    ck_assert(!memcmp(rest->data, row_of(whole, 11 * 8), rest->rows * rest->row_nbytes));
    mill_loader *l = NULL;
    s.o.mix_alpha = 2;
    ck_assert_int_eq(try_open(&s, &l), MILL_USAGE);
    forget(whole);
    forget(rest);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader_mix");
    TCase *tests = tcase_create("loader_mix");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, mixup_is_the_weighed_sum_of_neighbours);
    tcase_add_test(tests, odd_batches_leave_their_last_row);
    tcase_add_test(tests, pairs_are_the_same_at_any_world_size);
    tcase_add_test(tests, rows_that_are_zeros_are_not_mixed);
    tcase_add_test(tests, shares_are_of_the_beta_distribution);
    tcase_add_test(tests, images_and_labels_of_a_data_set);
    tcase_add_test(tests, bytes_are_mixed_and_rounded);
    tcase_add_test(tests, what_cannot_be_mixed_is_refused);
    tcase_add_test(tests, state_and_close);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
