/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines: the text and its messages, what a plan infers and refuses, and the colour tables it folds. */
#include "engine/plan.h"
#include "pixel_fixture.h"

static const mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
static const mill_type matrix = {.dtype = MILL_F32, .rank = 2, .shape = {5, 7}};

static mill_pipeline *parsed(const char *text)
{
    mill_pipeline *p = mill_pipeline_new();
    mill_error err;
    mill_status status = mill_pipeline_parse(p, text, &err);
    EXPECT_MSG(status == MILL_OK, "%s: %s", text, err.message);
    return p;
}

/* ---- wrong texts ---- */

static const struct {
    const char *text;
    const char *words[4]; /* that the message must hold */
} wrong_texts[] = {
    {"|", {"column 1", "transform is expected"}},
    {"decode |", {"column 9", "behind the last '|'"}},
    {"decode || hflip", {"column 9", "transform is expected"}},
    {"decode | resiz 256", {"column 10", "\"resiz\"", "did you mean \"resize\"?"}},
    {"decode | qqqqqqqqqq", {"no transform", "\"qqqqqqqqqq\""}},
    {"resize", {"column 1", "resize needs size", "shorter side"}},
    {"decode | resize 256 siez=3", {"column 10", "no parameter \"siez\"", "did you mean \"size\"?"}},
    {"resize 256 flavour=3", {"no parameter \"flavour\"", "size, filter"}},
    {"resize 256 size=3", {"size", "twice"}},
    {"resize 2x5 bilinear 0,0,9,9 3", {"takes 3 arguments", "\"3\"", "one too many"}},
    {"resize 0", {"resize: size", "\"0\"", "320x240"}},
    {"resize -3", {"\"-3\"", "size in pixels"}},
    {"resize 3x", {"\"3x\"", "size in pixels"}},
    {"resize 3x4x5", {"\"3x4x5\"", "size in pixels"}},
    {"resize 70000", {"\"70000\"", "from 1 to 65535"}},
    {"resize 99999999999999999999", {"size in pixels"}},
    {"resize 256 filter=cubic", {"filter", "\"cubic\"", "nearest|box|bilinear|hamming|bicubic|lanczos"}},
    {"hflip p=1.5", {"hflip: p", "\"1.5\"", "from 0 to 1"}},
    {"hflip p=nan", {"\"nan\"", "number such as"}},
    {"hflip p=0x1", {"\"0x1\"", "number such as"}},
    {"hflip p=1e999", {"\"1e999\"", "number such as"}},
    {"hflip p=", {"\"p=\"", "a key and a value"}},
    {"hflip =1", {"a key and a value"}},
    {"random_crop 8 padding=1.5", {"padding", "\"1.5\"", "whole number"}},
    {"random_crop 8 padding=-1", {"padding", "\"-1\"", "from 0"}},
    {"random_crop 8 fill=256", {"fill", "\"256\"", "from 0 to 255"}},
    {"random_crop 8 pad_if_needed=maybe", {"pad_if_needed", "\"maybe\"", "true or false"}},
    {"random_resized_crop 8 scale=0.5,2", {"scale", "from 0 to 1"}},
    {"normalize mean=1,,2 std=1", {"mean", "\"1,,2\"", "number such as"}},
    {"normalize imagenett", {"set", "\"imagenett\"", "imagenet|cifar10"}},
    {"standardize json", {"mean", "\"json\"", "number such as"}},
    {"pad 1 mode=mirror", {"pad: mode", "\"mirror\"", "constant|edge|reflect|symmetric"}},
    {"cast f31", {"dtype", "\"f31\"", "f16|bf16|f32"}},
    {"layout", {"layout needs layout", "chw"}},
    {"layout whc", {"\"whc\"", "hwc|chw"}},
    {"decode mode=\"rgb", {"column 13", "quote", "never closed"}},
    {"decode mode=colour", {"mode", "rgb|grey"}},
    {"clip", {"clip needs"}},
};

static void expect_words(const char *text, const mill_error *err, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n && words[i]; i++)
        EXPECT_MSG(strstr(err->message, words[i]), "%s: \"%s\" lacks: %s", text, err->message, words[i]);
    EXPECT_MSG(!strchr(err->message, '\n'), "%s", text);
}

START_TEST(a_wrong_text_is_refused_with_words_that_help)
{
    mill_pipeline *p = parsed("decode");
    mill_error err;
    ck_assert_int_eq(mill_pipeline_parse(p, wrong_texts[_i].text, &err), MILL_USAGE);
    ck_assert_str_eq(err.kind, "pipeline");
    expect_words(wrong_texts[_i].text, &err, wrong_texts[_i].words, 4);
    ck_assert_str_eq(mill_pipeline_text(p), "decode mode=rgb orient=false"); /* nothing was appended */
    ck_assert_int_eq(mill_pipeline_parse(p, wrong_texts[_i].text, NULL), MILL_USAGE);
    mill_pipeline_free(p);
}
END_TEST

/* ---- right texts ---- */

static const struct {
    const char *text, *canonical;
} right_texts[] = {
    {"", ""},
    {"  decode\n|\thflip ", "decode mode=rgb orient=false | hflip p=0.5"},
    {"decode grey yes", "decode mode=grey orient=true"},
    {"decode orient=1 mode=rgb field=png", "decode mode=rgb orient=true field=png"},
    {"decode field=\"a b\"", "decode mode=rgb orient=false field=\"a b\""},
    {"decode field='a\"b|c=d'", "decode mode=rgb orient=false field=\"a\\\"b|c=d\""},
    {"resize filter=box 256", "resize size=256 filter=box"},
    {"resize 320x240", "resize size=320x240 filter=bilinear"},
    {"pad 10 20", "pad size=10 fill=20 mode=constant"},
    {"pad 1,20,300,4000", "pad size=1,20,300,4000 fill=0 mode=constant"},
    {"hflip 1", "hflip p=1"},
    {"hflip 0.1", "hflip p=0.1"},
    {"hflip 1e-3", "hflip p=0.001"},
    {"random_resized_crop 224",
     "random_resized_crop size=224 scale=0.08,1 ratio=0.75,1.3333333333333333 filter=bilinear"},
    {"normalize imagenet", "normalize set=imagenet"},
    {"normalize a.json", "normalize set=a.json"},
    {"standardize ./x", "standardize mean=./x"},
    {"standardize \"a b.json\"", "standardize mean=\"a b.json\""},
    {"normalize mean=0.5,0.25,1 std=100", "normalize mean=0.5,0.25,1 std=100"},
    {"cast bf16|layout chw", "cast dtype=bf16 | layout layout=chw"},
};

START_TEST(the_canonical_text_is_a_fixed_point)
{
    mill_pipeline *p = parsed(right_texts[_i].text);
    ck_assert_str_eq(mill_pipeline_text(p), right_texts[_i].canonical);
    mill_pipeline *again = parsed(mill_pipeline_text(p));
    ck_assert_str_eq(mill_pipeline_text(again), right_texts[_i].canonical);
    mill_pipeline_free(p);
    mill_pipeline_free(again);
}
END_TEST

/* No bytes crash the parser; what it takes has a canonical text that it takes too. */
START_TEST(any_bytes_are_parsed_or_refused)
{
    static const char *const pieces[] = {"decode", "resize", "hflip", "normalize", "cast",   "|",
                                         " ",      "=",      "\"",    "'",         "\\",     "224",
                                         "8x9",    "p=",     "f16",   ",",         "filter", "size",
                                         "0.5",    "box",    "-",     "e",         "\t",     "imagenet"};
    int taken = 0;
    for (int round = 0; round < 100000; round++) {
        char text[200] = "";
        for (int64_t k = random_between(0, 9); k > 0; k--) {
            strcat(text, pieces[random_between(0, sizeof pieces / sizeof *pieces - 1)]);
            if (random_one_in(2))
                strcat(text, " ");
        }
        mill_pipeline *p = mill_pipeline_new();
        mill_error err;
        if (mill_pipeline_parse(p, text, &err) == MILL_OK) {
            mill_pipeline *again = mill_pipeline_new();
            EXPECT_MSG(mill_pipeline_parse(again, mill_pipeline_text(p), &err) == MILL_OK, "%s", text);
            EXPECT(!strcmp(mill_pipeline_text(p), mill_pipeline_text(again)));
            mill_pipeline_free(again);
            taken++;
        } else {
            EXPECT_MSG(err.status == MILL_USAGE && err.message[0], "%s", text);
        }
        mill_pipeline_free(p);
    }
    EXPECT(taken > 1000);
}
END_TEST

START_TEST(builder_calls_are_the_same_as_text)
{
    mill_pipeline *p = mill_pipeline_new();
    mill_error err;
    ck_assert_int_eq(mill_pipeline_add(p, "decode", NULL, &err), MILL_OK);
    ck_assert_int_eq(mill_pipeline_add(p, "resize", "256 filter=bicubic", &err), MILL_OK);
    ck_assert_str_eq(mill_pipeline_text(p), "decode mode=rgb orient=false | resize size=256 filter=bicubic");
    ck_assert_int_eq(mill_pipeline_add(p, "resize", "256 | hflip", &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_add(p, "resize 3", NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_add(p, "", NULL, &err), MILL_USAGE);
    ck_assert_int_eq(mill_pipeline_add(p, NULL, NULL, &err), MILL_USAGE);
    ck_assert_str_eq(mill_pipeline_text(p), "decode mode=rgb orient=false | resize size=256 filter=bicubic");
    mill_pipeline_free(p);
}
END_TEST

/* ---- plans ---- */

static const struct {
    const char *text, *type; /* as mill__type_text has it */
    int segments;
} types[] = {
    {"decode", "u8 hwc ?x?x3", 1},
    {"decode grey", "u8 hwc ?x?x1", 1},
    {"decode | resize 256", "u8 hwc ?x?x3", 1},
    {"decode | resize 256 | center_crop 224", "u8 hwc 224x224x3", 1},
    {"decode | resize 320x240", "u8 hwc 240x320x3", 1},
    {"decode | random_resized_crop 32x16 | hflip | pad 1,2,3,4", "u8 hwc 22x36x3", 1},
    {"decode | center_crop 224 | layout chw", "u8 chw 3x224x224", 1},
    {"decode | center_crop 224 | layout chw | layout hwc", "u8 hwc 224x224x3", 1},
    {"decode | resize 256 | center_crop 224 | normalize imagenet | layout chw", "f32 chw 3x224x224", 1},
    {"decode | center_crop 8 | layout chw | normalize imagenet | cast bf16", "bf16 chw 3x8x8", 1},
    {"decode | center_crop 8 | normalize imagenet | cast f16 | scale 2 | clip 0 1", "f32 hwc 8x8x3", 1},
    {"decode grey | center_crop 8 | normalize mnist", "f32 hwc 8x8x1", 1},
    {"decode | center_crop 8 | cast f64", "f64 hwc 8x8x3", 2},
};

START_TEST(a_plan_knows_the_type_of_its_output)
{
    mill_pipeline *p = parsed(types[_i].text);
    mill__plan plan;
    mill_error err;
    char text[96];
    mill_status status = mill__plan_compile(p, &encoded, &plan, &err);
    ck_assert_msg(status == MILL_OK, "%s", err.message);
    mill__type_text(&plan.output, text, sizeof text);
    ck_assert_str_eq(text, types[_i].type);
    ck_assert_int_eq(plan.nsegments, types[_i].segments);
    ck_assert_int_eq(plan.fixed, !strchr(text, '?'));
    mill__plan_free(&plan);
    mill_pipeline_free(p);
}
END_TEST

static const struct {
    const char *text;
    const mill_type *input;
    const char *words[4];
} unfit[] = {
    {"resize 256", &encoded, {"transform 1, resize", "still encoded", "put decode before"}},
    {"normalize imagenet", &encoded, {"transform 1, normalize", "behind decode"}},
    {"cast f32", &encoded, {"cast", "put decode before it"}},
    {"layout chw", &encoded, {"layout", "behind decode"}},
    {"decode | decode", &encoded, {"transform 2, decode", "decoded already"}},
    {"decode", &matrix, {"decode", "f32", "leave decode out"}},
    {"resize 256", &matrix, {"resize", "u8 hwc", "f32 plain", "rank 2"}},
    {"layout chw", &matrix, {"layout", "plain tensors"}},
    {"normalize imagenet", &matrix, {"normalize", "u8 images", "f32 tensors", "standardize"}},
    {"decode | normalize imagenet | resize 256",
     &encoded,
     {"transform 3, resize", "f32", "before normalize"}},
    {"decode | layout chw | center_crop 3", &encoded, {"transform 3, center_crop", "u8 chw", "layout"}},
    {"decode | cast f32 | normalize imagenet", &encoded, {"transform 3, normalize", "before cast"}},
    {"decode grey | normalize imagenet", &encoded, {"mean has 3 numbers", "1 channels", "give 1"}},
    {"decode | normalize mean=1,2 std=1", &encoded, {"mean has 2 numbers", "3 channels", "1 or 3"}},
    {"decode | normalize mean=1 std=0", &encoded, {"std is 0", "divided"}},
    {"decode | normalize", &encoded, {"imagenet|cifar10", "mean= and std="}},
    {"decode | normalize mean=1", &encoded, {"has mean= but no std="}},
    {"decode | normalize imagenet mean=1 std=1", &encoded, {"either the name of a set"}},
    {"decode | pad 1,2", &encoded, {"pad: size is 1,2", "left,top,right,bottom"}},
    {"decode | pad 1.5", &encoded, {"pad: size is 1.5", "whole"}},
    {"decode | random_resized_crop 8 scale=0.5", &encoded, {"scale is 0.5", "two numbers"}},
    {"decode | random_resized_crop 8 scale=0.5,0.1", &encoded, {"scale is 0.5,0.1", "lesser first"}},
    {"decode | random_resized_crop 8 ratio=2,1", &encoded, {"ratio is 2,1", "lesser first"}},
    {"standardize mean=1,2,3 std=1", &matrix, {"mean has 3 numbers", "7", "give 1 or 7"}},
};

START_TEST(what_does_not_fit_is_refused_when_the_plan_is_made)
{
    mill_pipeline *p = parsed(unfit[_i].text);
    mill__plan plan;
    mill_error err;
    mill_status status = mill__plan_compile(p, unfit[_i].input, &plan, &err);
    ck_assert_int_eq(status, MILL_USAGE);
    expect_words(unfit[_i].text, &err, unfit[_i].words, 4);
    mill_pipeline_free(p);
}
END_TEST

/* ---- colour tables ---- */

static const struct {
    const char *name;
    int channels;
    double mean[3], std[3];
} sets[] = {{"imagenet", 3, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
            {"cifar10", 3, {0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}},
            {"cifar100", 3, {0.5071, 0.4865, 0.4409}, {0.2673, 0.2564, 0.2762}},
            {"half", 3, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
            {"mnist", 1, {0.1307}, {0.3081}}};

static void compile(const char *text, mill__plan *plan)
{
    mill_pipeline *p = parsed(text);
    mill_error err;
    mill_status status = mill__plan_compile(p, &encoded, plan, &err);
    EXPECT_MSG(status == MILL_OK, "%s: %s", text, err.message);
    mill_pipeline_free(p);
}

START_TEST(normalize_divides_in_single_precision)
{
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++)
        for (int chw = 0; chw < 2; chw++) {
            char text[128];
            snprintf(text, sizeof text, "decode %s | %s normalize %s", sets[s].channels == 1 ? "grey" : "rgb",
                     chw ? "layout chw |" : "", sets[s].name);
            mill__plan plan;
            compile(text, &plan);
            const float *table = plan.segments[0].table;
            for (int c = 0; c < sets[s].channels; c++)
                for (int v = 0; v < 256; v++) {
                    float x = (float)v / 255.0f;
                    float wanted = (x - (float)sets[s].mean[c]) / (float)sets[s].std[c];
                    EXPECT_MSG(table[c * 256 + v] == wanted, "%s: channel %d value %d: %a", text, c, v,
                               (double)table[c * 256 + v]);
                }
            mill__plan_free(&plan);
        }
}
END_TEST

START_TEST(several_colour_steps_are_one_table)
{
    mill__plan plan;
    compile("decode | cast f32 | scale 2 | add -3 | clip -1 300 | cast u8", &plan);
    const uint8_t *bytes = plan.segments[0].table;
    ck_assert_int_eq(plan.nsegments, 1);
    for (int i = 0; i < 3 * 256; i++) {
        double v = 2.0 * (i % 256) - 3;
        v = v < -1 ? -1 : v > 300 ? 300 : v;
        EXPECT(bytes[i] == (v < 0 ? 0 : v > 255 ? 255 : (int)v));
    }
    mill__plan_free(&plan);
}
END_TEST

/* The value of a 16-bit float, from its definition. */
static double half_value(uint16_t h, int fraction_bits)
{
    int fraction = h & ((1 << fraction_bits) - 1), exponent = (h & 0x7fff) >> fraction_bits;
    int bias = (1 << (14 - fraction_bits)) - 1;
    double v = exponent ? ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits)
                        : ldexp(fraction, 1 - bias - fraction_bits);
    return h >> 15 ? -v : v;
}

START_TEST(tables_of_16_bits_are_rounded_once)
{
    static const struct {
        const char *name;
        int bits;
    } kinds[] = {{"f16", 10}, {"bf16", 7}};
    for (int k = 0; k < 2; k++) {
        char text[96];
        mill__plan exact, rounded;
        compile("decode | normalize imagenet", &exact);
        snprintf(text, sizeof text, "decode | normalize imagenet | cast %s", kinds[k].name);
        compile(text, &rounded);
        const float *wide = exact.segments[0].table;
        const uint16_t *narrow = rounded.segments[0].table;
        for (int i = 0; i < 3 * 256; i++) {
            double v = (double)wide[i], d = fabs(half_value(narrow[i], kinds[k].bits) - v);
            EXPECT(d <= fabs(half_value((uint16_t)(narrow[i] + 1), kinds[k].bits) - v));
            EXPECT((narrow[i] & 0x7fff) == 0 ||
                   d <= fabs(half_value((uint16_t)(narrow[i] - 1), kinds[k].bits) - v));
        }
        mill__plan_free(&exact);
        mill__plan_free(&rounded);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline");
    TCase *tests = tcase_create("pipeline");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, a_wrong_text_is_refused_with_words_that_help, 0,
                        sizeof wrong_texts / sizeof *wrong_texts);
    tcase_add_loop_test(tests, the_canonical_text_is_a_fixed_point, 0,
                        sizeof right_texts / sizeof *right_texts);
    tcase_add_test(tests, any_bytes_are_parsed_or_refused);
    tcase_add_test(tests, builder_calls_are_the_same_as_text);
    tcase_add_loop_test(tests, a_plan_knows_the_type_of_its_output, 0, sizeof types / sizeof *types);
    tcase_add_loop_test(tests, what_does_not_fit_is_refused_when_the_plan_is_made, 0,
                        sizeof unfit / sizeof *unfit);
    tcase_add_test(tests, normalize_divides_in_single_precision);
    tcase_add_test(tests, several_colour_steps_are_one_table);
    tcase_add_test(tests, tables_of_16_bits_are_rounded_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
