/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest and its journal. */
#include "registry.h"
#include "sink/sink.h"
#include "unit/folder_of_test.h"
#include <sys/wait.h>

static const char *const settings[] = {"spec", "train-{0..3}.tar", "pipeline", "decode | layout chw", NULL};

static mill__manifest *manifest(void)
{
    mill__manifest *m = NULL;
    mill_error err = {0};
    ck_assert_msg(!mill__manifest_open(&m, folder, settings, &err), "%s", err.message);
    return m;
}

static mill__output_file two_files[] = {{(char *)"t0.image.npy", 5, UINT64_C(0xfedcba9876543210)},
                                        {(char *)"t0.keys.txt", 3, 1}};
static const mill_issue two_issues[] = {
    {MILL_ERROR, "in/t0.tar", "k\xff\"", "truncated", "the file ends\nearly", 17,
     UINT64_C(0x7fffffffffffffff), 3},
    {MILL_WARNING, "in/t0.tar", "", "checksum", "odd", -1, MILL_NO_OFFSET, UINT64_MAX}};
static const mill__manifest_shard shard0 = {.name = "t0",
                                            .locator = "in/t0\xc3.tar",
                                            .nbytes = UINT64_C(9007199254740993),
                                            .mtime_ns = 1700000000123456789,
                                            .samples = 10,
                                            .written = 7,
                                            .skipped = 2,
                                            .substituted = 1,
                                            .errors = 3,
                                            .warnings = 4,
                                            .files = two_files,
                                            .nfiles = 2,
                                            .issues = two_issues,
                                            .nissues = 2};
static const mill__manifest_shard shard1 = {.name = "t1", .locator = "in/t1.tar", .nbytes = 2, .mtime_ns = 4};

static void make_files(void)
{
    put_content("t0.image.npy", "12345", 5);
    put_content("t0.keys.txt", "123", 3);
}

static bool finished(const mill__manifest *m, const mill__manifest_shard *s)
{
    return mill__manifest_finished(m, s->name, s->locator, s->nbytes, s->mtime_ns);
}

START_TEST(a_manifest_gives_back_what_was_added)
{
    mill__manifest_entry entry;
    make_files();
    mill__manifest *m = manifest();
    ck_assert(!finished(m, &shard0));
    ck_assert(!mill__manifest_add(m, 0, &shard0, NULL) && !mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    m = manifest();
    ck_assert(finished(m, &shard0));
    ck_assert(!mill__manifest_keep(m, 0, "t0", &entry, NULL));
    const mill__manifest_shard out = entry.shard;
    ck_assert_str_eq(out.name, "t0");
    ck_assert_str_eq(out.locator, "in/t0\\xc3.tar");
    ck_assert(out.nbytes == shard0.nbytes && out.mtime_ns == shard0.mtime_ns && out.samples == 10 &&
              out.written == 7 && out.skipped == 2 && out.substituted == 1 && out.errors == 3 &&
              out.warnings == 4);
    ck_assert(out.nfiles == 2 && !strcmp(out.files[1].name, "t0.keys.txt") && out.files[0].nbytes == 5 &&
              out.files[0].xxh3 == two_files[0].xxh3);
    ck_assert(out.nissues == 2 && out.issues[0].severity == MILL_ERROR && out.issues[0].sample == 17 &&
              out.issues[0].offset == INT64_MAX && out.issues[1].severity == MILL_WARNING &&
              out.issues[1].offset == MILL_NO_OFFSET && out.issues[1].nbytes == INT64_MAX);
    ck_assert_str_eq(out.issues[0].key, "k\\xff\"");
    ck_assert_str_eq(out.issues[0].reason, "the file ends\nearly");
    mill__manifest_entry_free(&entry);
    mill__manifest_close(m);
}
END_TEST

START_TEST(a_resumed_manifest_is_byte_identical)
{
    size_t n, again;
    mill__manifest_entry entry;
    make_files();
    mill__manifest *m = manifest();
    ck_assert(!mill__manifest_add(m, 1, &shard1, NULL) && !mill__manifest_add(m, 0, &shard0, NULL));
    ck_assert(!mill__manifest_save(m, true, NULL));
    mill__manifest_close(m);
    char *first = content("manifest.json", &n);
    ck_assert(strstr(first, "\"complete\": true") && strstr(first, "\"xxh3\": \"fedcba9876543210\""));
    ck_assert(strstr(first, "\n      \"name\": \"t0\",\n") != NULL);

    unlink(path_of("manifest.json"));
    m = manifest();
    ck_assert(!mill__manifest_add(m, 1, &shard1, NULL) && !mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    m = manifest();
    ck_assert(!finished(m, &shard0) && !mill__manifest_add(m, 0, &shard0, NULL));
    ck_assert(!mill__manifest_save(m, false, NULL)); /* t1 is still in it */
    mill__manifest_close(m);
    m = manifest();
    for (size_t i = 0; i < 2; i++) {
        ck_assert(finished(m, i ? &shard1 : &shard0));
        ck_assert(!mill__manifest_keep(m, i, i ? "t1" : "t0", &entry, NULL));
        mill__manifest_entry_free(&entry);
    }
    ck_assert(!mill__manifest_save(m, true, NULL));
    mill__manifest_close(m);
    char *second = content("manifest.json", &again);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

START_TEST(a_shard_whose_source_or_files_changed_is_not_finished)
{
    mill__manifest_shard other = shard0;
    make_files();
    mill__manifest *m = manifest();
    ck_assert(!mill__manifest_add(m, 0, &shard0, NULL) && !mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    m = manifest();
    ck_assert(!mill__manifest_finished(m, "t0", "in/t0.tar", shard0.nbytes, shard0.mtime_ns));
    other.mtime_ns++;
    ck_assert(!finished(m, &other));
    other = shard0;
    other.nbytes++;
    ck_assert(!finished(m, &other));
    ck_assert(finished(m, &shard0));
    put_content("t0.keys.txt", "1234", 4);
    ck_assert(!finished(m, &shard0));
    put_content("t0.keys.txt", "123", 3);
    unlink(path_of("t0.image.npy"));
    ck_assert(!finished(m, &shard0));
    mill__manifest_close(m);
}
END_TEST

START_TEST(other_settings_are_refused_by_name)
{
    const char *const other[] = {"spec", "train-{0..3}.tar", "pipeline", "decode", NULL};
    const char *const fewer[] = {"spec", "train-{0..3}.tar", NULL};
    size_t n;
    mill_error err;
    mill__manifest *m = manifest();
    ck_assert(!mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    char *before = content("manifest.json", &n);
    ck_assert_int_eq(mill__manifest_open(&m, folder, other, &err), MILL_USAGE);
    ck_assert(
        strstr(err.message, "another pipeline: it was \"decode | layout chw\" then and is \"decode\" now"));
    ck_assert_int_eq(mill__manifest_open(&m, folder, fewer, &err), MILL_USAGE);
    ck_assert(strstr(err.message, "another pipeline") != NULL);
    expect_text("manifest.json", before);
    free(before);
}
END_TEST

START_TEST(foreign_and_damaged_manifests_are_refused_and_kept)
{
    static const char *const foreign[] = {"",
                                          "{",
                                          "[]",
                                          "{}",
                                          "{\"shardmill\":2,\"settings\":{},\"shards\":[]}",
                                          "{\"shardmill\":1,\"settings\":3,\"shards\":[]}",
                                          "{\"shardmill\":1,\"settings\":{},\"shards\":[}",
                                          "{\"manifest_version\": 3, \"name\": \"an extension\"}"};
    mill__manifest *m;
    mill_error err;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        put_content("manifest.json", foreign[i], strlen(foreign[i]));
        ck_assert_msg(mill__manifest_open(&m, folder, NULL, &err) == MILL_USAGE, "%s", foreign[i]);
        ck_assert(strstr(err.message, "manifest.json") && strstr(err.message, "left as it is"));
        expect_text("manifest.json", foreign[i]);
    }
}
END_TEST

START_TEST(no_cut_or_changed_manifest_is_taken_for_a_whole_one)
{
    size_t n;
    mill_error err;
    mill__manifest *m = manifest();
    ck_assert(!mill__manifest_add(m, 0, &shard0, NULL) && !mill__manifest_add(m, 1, &shard1, NULL));
    ck_assert(!mill__manifest_save(m, true, NULL));
    mill__manifest_close(m);
    char *text = content("manifest.json", &n);
    for (size_t cut = 0; cut < n - 1; cut += cut < 300 || cut > n - 300 ? 1 : 17) {
        put_content("manifest.json", text, cut);
        ck_assert_int_eq(mill__manifest_open(&m, folder, settings, &err), MILL_USAGE);
    }
    for (size_t i = 0; i < n; i += 3) { /* may be sound or not, but must not do harm */
        char kept = text[i];
        text[i] = "\"{}[],:\\0\n\xff"[i % 11];
        put_content("manifest.json", text, n);
        mill_status status = mill__manifest_open(&m, folder, settings, &err);
        ck_assert(status == MILL_OK || status == MILL_USAGE);
        if (!status)
            mill__manifest_close(m);
        text[i] = kept;
    }
    free(text);
}
END_TEST

START_TEST(many_shards_in_any_order)
{
    enum { N = 3000 };
    char name[32];
    mill__manifest_shard shard = {.nbytes = 1, .mtime_ns = 2};
    mill__manifest *m = manifest();
    for (size_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "train-%zu", i * 7 % N);
        shard.name = shard.locator = name;
        ck_assert(!mill__manifest_add(m, i * 7 % N, &shard, NULL));
    }
    ck_assert(!mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    m = manifest();
    for (size_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "train-%zu", i);
        ck_assert(mill__manifest_finished(m, name, name, 1, 2));
    }
    ck_assert(!mill__manifest_finished(m, "train", "train", 1, 2));
    mill__manifest_close(m);
}
END_TEST

/* ---- the journal ---- */

static void nothing(mill__manifest *m)
{
    (void)m;
}

static void add_both(mill__manifest *m)
{
    ck_assert(!mill__manifest_add(m, 0, &shard0, NULL) && !mill__manifest_add(m, 1, &shard1, NULL));
}

static void redo_first(mill__manifest *m)
{
    ck_assert(!mill__manifest_redo(m, "t0", NULL) && !mill__manifest_redo(m, "unknown", NULL));
}

/* Open the manifest, do something, and die without another word. */
static void killed_after(void (*doing)(mill__manifest *m))
{
    pid_t pid = fork();
    if (!pid) {
        doing(manifest());
        _exit(0);
    }
    int status;
    ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
}

static void expect_finished(bool first, bool second)
{
    mill__manifest *m = manifest();
    ck_assert_int_eq(finished(m, &shard0), first);
    ck_assert_int_eq(finished(m, &shard1), second);
    mill__manifest_close(m);
}

START_TEST(what_a_killed_run_finished_is_known)
{
    make_files();
    killed_after(nothing);
    ck_assert(is_there("manifest.json") && is_there("manifest.journal"));
    killed_after(add_both);
    expect_finished(true, true);
    killed_after(nothing); /* and is not forgotten by those who add nothing */
    killed_after(nothing);
    expect_finished(true, true);
}
END_TEST

START_TEST(what_is_about_to_be_made_anew_is_not_finished)
{
    make_files();
    killed_after(add_both);
    killed_after(redo_first);
    expect_finished(false, true);
    killed_after(nothing);
    expect_finished(false, true);
    killed_after(add_both);
    expect_finished(true, true);
    mill__manifest *m = manifest();
    redo_first(m);
    ck_assert(!mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    expect_finished(false, true);
}
END_TEST

START_TEST(a_torn_journal_tells_what_it_can)
{
    size_t n, m_nbytes;
    make_files();
    killed_after(add_both);
    char *journal = content("manifest.journal", &n), *text = content("manifest.json", &m_nbytes);
    const char *second = strchr(journal, '\n') + 1, *third = strchr(second, '\n') + 1;
    size_t first_end = (size_t)(third - journal);
    for (size_t cut = 0; cut <= n; cut += cut + 3 > n || (cut + 3 > first_end && cut < first_end) ? 1 : 3) {
        put_content("manifest.json", text, m_nbytes);
        put_content("manifest.journal", journal, cut);
        expect_finished(journal + cut >= third, cut == n);
    }
    for (size_t i = 0; i < n; i += 7) { /* a line that is damaged in another way does no harm */
        char kept = journal[i];
        journal[i] = "\0\n{\"x"[i % 5];
        put_content("manifest.json", text, m_nbytes);
        put_content("manifest.journal", journal, n);
        mill__manifest_close(manifest());
        journal[i] = kept;
    }
    free(journal);
    free(text);
}
END_TEST

START_TEST(a_journal_goes_with_its_manifest)
{
    make_files();
    killed_after(add_both);
    unlink(path_of("manifest.json")); /* without it, the journal is of nobody knows what */
    expect_finished(false, false);
    killed_after(add_both);
    mill__manifest *m = manifest();
    ck_assert(!mill__manifest_save(m, false, NULL));
    mill__manifest_close(m);
    ck_assert(!is_there("manifest.journal"));
    m = manifest();
    ck_assert(!mill__manifest_add(m, 0, &shard0, NULL));
    mill__manifest_close(m); /* not saved: the journal knows more */
    ck_assert(is_there("manifest.journal"));
    expect_finished(true, true);
}
END_TEST

START_TEST(a_journal_of_other_settings_is_not_believed)
{
    static const char other[] = "{\"spec\":\"another\"}\n";
    size_t n;
    make_files();
    killed_after(add_both);
    char *journal = content("manifest.journal", &n);
    const char *rest = strchr(journal, '\n') + 1;
    char *changed = malloc(n + sizeof other);
    size_t tail = n - (size_t)(rest - journal);
    memcpy(changed, other, sizeof other - 1);
    memcpy(changed + sizeof other - 1, rest, tail);
    put_content("manifest.journal", changed, sizeof other - 1 + tail);
    expect_finished(false, false);
    free(changed);
    free(journal);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_manifest_gives_back_what_was_added);
    tcase_add_test(tests, a_resumed_manifest_is_byte_identical);
    tcase_add_test(tests, a_shard_whose_source_or_files_changed_is_not_finished);
    tcase_add_test(tests, other_settings_are_refused_by_name);
    tcase_add_test(tests, foreign_and_damaged_manifests_are_refused_and_kept);
    tcase_add_test(tests, no_cut_or_changed_manifest_is_taken_for_a_whole_one);
    tcase_add_test(tests, many_shards_in_any_order);
    tcase_add_test(tests, what_a_killed_run_finished_is_known);
    tcase_add_test(tests, what_is_about_to_be_made_anew_is_not_finished);
    tcase_add_test(tests, a_torn_journal_tells_what_it_can);
    tcase_add_test(tests, a_journal_goes_with_its_manifest);
    tcase_add_test(tests, a_journal_of_other_settings_is_not_believed);
}

int main(void)
{
    Suite *suite = suite_create("manifest");
    TCase *tests = tcase_create("manifest");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, make_folder, remove_folder);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
