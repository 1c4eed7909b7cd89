/* SPDX-License-Identifier: Apache-2.0 */
/* The text of pipelines: clauses, arguments, and back to text. */
#include "base/params.h"
#include "unit/folder_of_test.h"
#include <limits.h>
#include <locale.h>
#include <shardmill/pipeline.h>

/* ---- clauses ---- */

static int cut(const char *text, mill__clause **clauses, mill_error *err)
{
    int n = -1;
    mill_status status = mill__clauses_parse(text, clauses, &n, err);
    ck_assert(status == MILL_OK || (status == MILL_USAGE && n == 0 && !*clauses));
    return status ? -1 : n;
}

START_TEST(clauses_are_cut_at_bars_and_blanks)
{
    mill__clause *c;
    ck_assert_int_eq(cut("  a 1  two k=v|b\t|\n c \"x | y\" k=\"a = \\\"b\\\"\" 'q\"q'", &c, NULL), 3);
    ck_assert(!strcmp(c[0].name, "a") && c[0].nargs == 3 && c[0].column == 3);
    ck_assert(!c[0].keys[0] && !strcmp(c[0].values[0], "1") && !strcmp(c[0].values[1], "two"));
    ck_assert(!strcmp(c[0].keys[2], "k") && !strcmp(c[0].values[2], "v"));
    ck_assert(!strcmp(c[1].name, "b") && c[1].nargs == 0);
    ck_assert(!strcmp(c[2].values[0], "x | y"));
    ck_assert(!strcmp(c[2].keys[1], "k") && !strcmp(c[2].values[1], "a = \"b\""));
    ck_assert(!strcmp(c[2].values[2], "q\"q"));
    mill__clauses_free(c, 3);
    ck_assert_int_eq(cut("", &c, NULL), 0);
    ck_assert_int_eq(cut(" \n\t ", &c, NULL), 0);
    ck_assert_int_eq(cut(NULL, &c, NULL), 0);
    ck_assert_int_eq(cut("a k=\"\" \"\"", &c, NULL), 1);
    ck_assert(!strcmp(c[0].values[0], "") && !strcmp(c[0].values[1], ""));
    mill__clauses_free(c, 1);
}
END_TEST

START_TEST(malformed_text_is_refused_by_column)
{
    static const struct {
        const char *text, *column;
    } bad[] = {{"|", "column 1:"},         {"a |", "column 4:"},      {"a || b", "column 4:"},
               {"| a", "column 1:"},       {"a \"open", "column 3:"}, {"a k='open", "column 5:"},
               {"a k=", "column 3:"},      {"a =v", "column 3:"},     {"a | b | ", "column 8:"},
               {"a k=\"\\\"", "column 5:"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mill__clause *c;
        mill_error err = {0};
        ck_assert_msg(cut(bad[i].text, &c, &err) < 0, "%s", bad[i].text);
        ck_assert_msg(strstr(err.message, bad[i].column), "%s: %s", bad[i].text, err.message);
        ck_assert(err.status == MILL_USAGE && !strcmp(err.kind, "pipeline"));
    }
}
END_TEST

START_TEST(no_text_does_harm)
{
    static const char alphabet[] = "ab =|\"'\\,.1\n";
    uint32_t x = 12345;
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t n = round % sizeof text;
        for (size_t i = 0; i < n; i++) {
            x = x * 1664525u + 1013904223u;
            text[i] = alphabet[(x >> 16) % (sizeof alphabet - 1)];
        }
        text[n] = 0;
        mill__clause *c;
        int clauses = cut(text, &c, NULL);
        if (clauses > 0)
            mill__clauses_free(c, clauses);
    }
}
END_TEST

/* ---- arguments ---- */

static const mill_param params[] = {
    {.name = "count", .type = MILL_PARAM_INT, .min = 1, .max = 10, .help = "how many"},
    {.name = "rate", .type = MILL_PARAM_FLOAT, .fallback = "0.5", .min = -1, .max = 1},
    {.name = "mean", .type = MILL_PARAM_FLOATS, .fallback = ""},
    {.name = "loud", .type = MILL_PARAM_BOOL, .fallback = "no"},
    {.name = "filter", .type = MILL_PARAM_CHOICE, .fallback = "box", .choices = "nearest|box|lanczos"},
    {.name = "size", .type = MILL_PARAM_SIZE, .fallback = "", .min = 1, .max = 1000},
    {.name = "title", .type = MILL_PARAM_TEXT, .fallback = ""},
};
enum { NPARAMS = sizeof params / sizeof *params };

static mill_status check(const char *text, mill_value **values, mill_error *err)
{
    mill__clause *c;
    ck_assert_int_eq(cut(text, &c, NULL), 1);
    mill_status status = mill__params_check(c, params, NPARAMS, values, err);
    mill__clauses_free(c, 1);
    return status;
}

START_TEST(each_type_is_read)
{
    mill_value *v;
    ck_assert(!check("t 7 mean=0.1,-2,3e2 loud=true size=320x240 filter=lanczos title='a b'", &v, NULL));
    ck_assert(v[0].i == 7 && v[0].n == 1 && v[1].f == 0.5);
    ck_assert(v[2].n == 3 && v[2].list[0] == 0.1 && v[2].list[1] == -2 && v[2].list[2] == 300);
    ck_assert(v[3].i == 1 && v[4].i == 2 && !strcmp(v[4].text, "lanczos"));
    ck_assert(v[5].n == 2 && v[5].list[0] == 320 && v[5].list[1] == 240);
    ck_assert_str_eq(v[6].text, "a b");
    mill__free(v);
    ck_assert(!check("t rate=-1 count=1 5", &v, NULL)); /* 5 is for the first that is not given: mean */
    ck_assert(v[0].i == 1 && v[1].f == -1 && v[2].n == 1 && v[2].list[0] == 5 && v[5].n == 0 && v[6].n == 0);
    mill__free(v);
}
END_TEST

START_TEST(bad_arguments_are_refused_by_name)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"t", "t needs count: how many"},
               {"t 0", "count is \"0\"; expected a number from 1 to 10"},
               {"t 11", "count"},
               {"t 1.5", "count is \"1.5\"; expected a whole number"},
               {"t 99999999999999999999", "count"},
               {"t ' 5'", "count"},
               {"t +", "count"},
               {"t 1 2", "rate is \"2\""},
               {"t 1 rate=nan", "rate"},
               {"t 1 rate=inf", "rate"},
               {"t 1 rate=1e999", "rate"},
               {"t 1 rate=0x1", "rate"},
               {"t 1 rate=.", "rate"},
               {"t 1 rate=0,5", "rate"},
               {"t 1 mean=1,,2", "mean"},
               {"t 1 mean=1,", "mean"},
               {"t 1 mean=,", "mean"},
               {"t 1 loud=maybe", "loud is \"maybe\"; expected true or false"},
               {"t 1 filter=bo", "filter is \"bo\"; expected one of nearest|box|lanczos"},
               {"t 1 filter='box|lanczos'", "filter"},
               {"t 1 size=0", "size"},
               {"t 1 size=10x", "size"},
               {"t 1 size=10x20x30", "size"},
               {"t 1 size=-5", "size"},
               {"t 1 size=1001", "size"},
               {"t 1 size=99999999999999999999", "size"},
               {"t 1 size=x", "size"},
               {"t 1 count=2", "count is given twice"},
               {"t 1 rat=0.1", "did you mean \"rate\"?"},
               {"t 1 xylophone=1", "it has: count, rate, mean, loud, filter, size, title"},
               {"t 1 0.1 1 yes box 5 x y", "takes 7 arguments; \"y\" is one too many"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mill_value *v;
        mill_error err = {0};
        ck_assert_msg(check(bad[i].text, &v, &err) == MILL_USAGE, "%s", bad[i].text);
        ck_assert_msg(strstr(err.message, bad[i].says), "%s: %s", bad[i].text, err.message);
    }
}
END_TEST

static char *round_trip(const char *text)
{
    mill_value *v;
    mill__buffer out = {0};
    ck_assert_msg(!check(text, &v, NULL), "%s", text);
    ck_assert(!mill__params_text("t", params, NPARAMS, v, &out) && !mill__buffer_append(&out, "", 1));
    mill__free(v);
    return (char *)out.data;
}

START_TEST(text_goes_round)
{
    static const char *const texts[] = {"t 7",
                                        "t 3 0.1 0.1,0.2,1e-300,123456789.125 yes lanczos 12x34 \"a b\"",
                                        "t 3 title='say \"no\" \\\\ | = done'",
                                        "t 3 title=\"\"",
                                        "t 3 mean=-0.485,3.1415926535897931 size=7",
                                        "t 3 title=\"it's\""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *once = round_trip(texts[i]), *twice = round_trip(once);
        ck_assert_str_eq(once, twice);
        mill__free(once);
        mill__free(twice);
    }
    char *text = round_trip("t 7 rate=0.30");
    ck_assert_str_eq(text, "t count=7 rate=0.3 loud=false filter=box");
    mill__free(text);
}
END_TEST

/* A locale with decimal commas: made for the test where the system's tools can. */
static int set_decimal_commas(void)
{
    char command[600];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    if (!system(command))
        setenv("LOCPATH", folder, 1);
    return setlocale(LC_ALL, "de_DE.UTF-8") && localeconv()->decimal_point[0] == ',';
}

/* Numbers have a point, in a country with decimal commas too. */
START_TEST(locales_change_nothing)
{
    if (!set_decimal_commas()) {
        puts("skip: there is no locale with decimal commas");
        return;
    }
    mill_value *v;
    ck_assert(!check("t 1 0.25 0.5,1.5", &v, NULL));
    ck_assert(v[1].f == 0.25 && v[2].n == 2 && v[2].list[1] == 1.5);
    mill__free(v);
    char *text = round_trip("t 1 0.25 0.5,1.5");
    ck_assert_str_eq(text, "t count=1 rate=0.25 mean=0.5,1.5 loud=false filter=box");
    mill__free(text);
    ck_assert_int_eq(localeconv()->decimal_point[0], ','); /* the caller's locale is as it was */
}
END_TEST

START_TEST(the_nearest_name)
{
    static const char *const names[] = {"resize", "random_crop", "hflip", "cast", NULL};
    ck_assert_str_eq(mill__nearest("resiez", names), "resize");
    ck_assert_str_eq(mill__nearest("flip", names), "hflip");
    ck_assert_str_eq(mill__nearest("cats", names), "cast");
    ck_assert_ptr_null(mill__nearest("photosynthesis", names));
    ck_assert_ptr_null(mill__nearest("a_word_that_is_longer_than_any_name_could_be_here", names));
    char *empty = strdup("");
    (void)mill__nearest(empty, names);
    free(empty);
}
END_TEST

/* ---- pipelines ---- */

static mill_status keep_type(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                             void **self, mill_error *err)
{
    (void)values, (void)user, (void)in, (void)out, (void)self, (void)err;
    return MILL_OK;
}

static mill_status pass(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                        mill_tensor *out, mill_error *err)
{
    (void)self, (void)state, (void)ctx, (void)in, (void)out, (void)err;
    return MILL_OK;
}

START_TEST(what_is_registered_is_checked)
{
    const mill_param nameless = {.type = MILL_PARAM_INT},
                     choiceless = {.name = "c", .type = MILL_PARAM_CHOICE};
    const mill_transform_ops good = {
        .struct_nbytes = sizeof good, .name = "mine", .plan = keep_type, .run = pass};
    mill_transform_ops bad[6] = {good, good, good, good, good, good};
    bad[0].struct_nbytes--;
    bad[1].name = "";
    bad[2].plan = NULL;
    bad[3].run = NULL;
    bad[4].params = &nameless;
    bad[4].nparams = 1;
    bad[5].params = &choiceless;
    bad[5].nparams = 1;
    mill_error err;
    mill_pipeline *p = mill_pipeline_new();
    for (int i = 0; i < 6; i++)
        ck_assert_msg(mill_pipeline_register(p, &bad[i], NULL, &err) == MILL_USAGE, "%d", i);
    ck_assert_int_eq(mill_pipeline_parse(p, "mine", &err), MILL_USAGE);
    ck_assert(!mill_pipeline_register(p, &good, NULL, &err) && !mill_pipeline_parse(p, "mine", &err));
    mill_pipeline_free(p);
}
END_TEST

START_TEST(a_pipeline_that_does_not_parse_stays_as_it_was)
{
    mill_error err;
    mill_pipeline *p = mill_pipeline_new();
    ck_assert(!mill_pipeline_parse(p, "decode | resize 256", &err));
    char *before = strdup(mill_pipeline_text(p));
    ck_assert_int_eq(mill_pipeline_parse(p, "hflip | resiez 3", &err), MILL_USAGE);
    ck_assert(strstr(err.message, "column 9") && strstr(err.message, "did you mean \"resize\"?"));
    ck_assert_str_eq(mill_pipeline_text(p), before);
    ck_assert_int_eq(mill_pipeline_add(p, "hflip", "0.5 | resize 3", &err), MILL_USAGE);
    ck_assert_str_eq(mill_pipeline_text(p), before);
    ck_assert(!mill_pipeline_add(p, "center_crop", "224", &err) &&
              !mill_pipeline_add(p, "hflip", NULL, &err));
    ck_assert(!strncmp(mill_pipeline_text(p), before, strlen(before)) &&
              strstr(mill_pipeline_text(p), " | hflip"));
    free(before);
    mill_pipeline_free(p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("params");
    TCase *tests = tcase_create("params");
    tcase_set_timeout(tests, 240); /* making a locale takes a while */
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    tcase_add_test(tests, clauses_are_cut_at_bars_and_blanks);
    tcase_add_test(tests, malformed_text_is_refused_by_column);
    tcase_add_test(tests, no_text_does_harm);
    tcase_add_test(tests, each_type_is_read);
    tcase_add_test(tests, bad_arguments_are_refused_by_name);
    tcase_add_test(tests, text_goes_round);
    tcase_add_test(tests, locales_change_nothing);
    tcase_add_test(tests, the_nearest_name);
    tcase_add_test(tests, what_is_registered_is_checked);
    tcase_add_test(tests, a_pipeline_that_does_not_parse_stays_as_it_was);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
