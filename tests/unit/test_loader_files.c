/* SPDX-License-Identifier: Apache-2.0 */
/* Loaders over files: tar, npy and folders on disk, indexes that are kept, believed and refused, shards that
 * change, more shards than descriptors, the demo's images. Every test forks, so no OpenMP is touched before.
 */
#include "unit/folder_of_test.h"
#include "unit/loader_fixture.h"
#include "unit/tar_writer.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

/* ---- data sets ---- */

static void name_of(int shard, int i, char name[32])
{
    snprintf(name, 32, "%d-%04d", shard, i);
}

/* Samples key.txt ("shard/i"), key.cls (i), key.json. */
static void write_tar(int shard, int n)
{
    archive a = {0};
    for (int i = 0; i < n; i++) {
        char key[32], member[48], text[32];
        name_of(shard, i, key);
        snprintf(text, sizeof text, "%d/%d", shard, i);
        snprintf(member, sizeof member, "%s.txt", key);
        add_file(&a, member, text);
        snprintf(text, sizeof text, "%d", i);
        snprintf(member, sizeof member, "%s.cls", key);
        add_file(&a, member, text);
        snprintf(text, sizeof text, "{\"i\": %d}", i);
        snprintf(member, sizeof member, "%s.json", key);
        add_file(&a, member, text);
    }
    add_end(&a);
    char name[32];
    snprintf(name, sizeof name, "s-%03d.tar", shard);
    put_content(name, (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
}

/* A loader over files of the folder whose names end so; samples have no tensor. */
static setup files(const char *braces, const char *extension)
{
    setup s = setup_of(1, 1);
    snprintf(s.spec, sizeof s.spec, "%s/s-%s.%s", folder, braces, extension);
    s.pipeline = "";
    s.o.run.source = NULL;
    s.o.run.format = NULL;
    s.o.run.io = NULL;
    s.o.fields = "txt json";
    s.o.index = "none";
    return s;
}

static mill_status open_files(setup *s, mill_loader **l)
{
    const char *executor = getenv("TEST_EXECUTOR");
    if (executor)
        s->o.run.executor = executor;
    mill_pipeline *p = mill_pipeline_new();
    mill_status status = s->pipeline[0] ? mill_pipeline_parse(p, s->pipeline, &s->err) : MILL_OK;
    if (!status)
        status = mill_loader_open(l, s->spec, p, &s->o, &s->err);
    mill_pipeline_free(p);
    return status;
}

static mill_loader *opened(setup *s)
{
    mill_loader *l;
    mill_status status = open_files(s, &l);
    ck_assert_msg(!status, "%s: %s", mill_status_name(status), s->err.message);
    return l;
}

/* Each row is what it says it is. */
static void expect_row(const mill_batch *b, int64_t i)
{
    const void *bytes;
    size_t nbytes;
    char text[32], key[32];
    int shard = (int)numbers_of(b, "shard")[i], sample = (int)numbers_of(b, "sample")[i];
    snprintf(text, sizeof text, "%d/%d", shard, sample);
    name_of(shard, sample, key);
    ck_assert_int_eq(mill_batch_bytes(b, i, "txt", &bytes, &nbytes), MILL_OK);
    ck_assert_uint_eq(nbytes, strlen(text));
    ck_assert_mem_eq(bytes, text, nbytes);
    ck_assert_str_eq(mill_batch_key(b, i), key);
    ck_assert_int_eq(numbers_of(b, "label")[i], sample);
    ck_assert_int_eq(mill_batch_bytes(b, i, "JSON", &bytes, &nbytes), MILL_OK);
    ck_assert_int_eq(mill_batch_bytes(b, i, "cls", &bytes, &nbytes), MILL_END); /* not brought along */
}

typedef struct took {
    int64_t rows, bad;
    mill_status status;
    mill_error err;
    char kind[24];
    uint64_t digest, bytes_in;
} took;

static took take_files(setup *s)
{
    took t = {0};
    mill_loader *l = opened(s);
    mill_batch *b;
    while ((t.status = mill_loader_next(l, &b, &t.err)) == MILL_OK) {
        for (int64_t i = 0; i < mill_batch_size(b); i++, t.rows++) {
            t.bad += !mask_of(b)[i];
            if (mask_of(b)[i])
                expect_row(b, i);
        }
        t.digest = t.digest * 31 + batch_digest(b);
        mill_batch_release(b);
    }
    mill_loader_stats stats;
    mill_loader_stats_get(l, &stats);
    t.bytes_in = stats.bytes_in;
    mill_loader_close(l);
    return t;
}

static void note_kind(void *user, const mill_issue *issue)
{
    snprintf(user, 24, "%s", issue->kind);
}

/* ---- tar ---- */

START_TEST(tar_shards_with_their_fields)
{
    for (int i = 0; i < 6; i++)
        write_tar(i, i * 7 % 23);
    uint64_t digest = 0;
    for (int i = 0; i < 16; i++) {
        setup s = files("{000..005}", "tar");
        s.o.shuffle = MILL_SHUFFLE_GLOBAL;
        s.o.run.threads = 1 + i % 4;
        s.o.run.executor = i / 4 % 2 ? "loop" : "tasks";
        s.o.run.io = i / 8 ? "threads" : "auto";
        s.o.prefetch = 1 + i % 5;
        took t = take_files(&s);
        ck_assert_int_eq(t.status, MILL_END);
        ck_assert_int_eq(t.rows, 0 + 7 + 14 + 21 + 5 + 12);
        ck_assert(!i || t.digest == digest);
        digest = t.digest;
    }
}
END_TEST

/* Fields are copied into their batches: that counts, and bounds what is made ahead. */
START_TEST(fields_that_are_brought_along_count_in_the_budget)
{
    archive a = {0};
    char *noise = malloc(400000);
    memset(noise, 'x', 400000);
    for (int i = 0; i < 60; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d.bin", i);
        add_head(&a, (head){.name = name, .size = 400000});
        add_data(&a, noise, 400000);
    }
    add_end(&a);
    put_content("s-0.tar", (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
    free(noise);
    setup s = files("0", "tar");
    s.o.fields = "bin";
    s.o.batch_size = 2;
    s.o.prefetch = 14;
    s.o.run.memory_nbytes = 24u << 20;
    mill_loader *l = opened(&s);
    mill_batch *b;
    mill_loader_stats stats;
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        const void *bytes;
        size_t nbytes;
        ck_assert_int_eq(mill_batch_bytes(b, 1, "bin", &bytes, &nbytes), MILL_OK);
        ck_assert_uint_eq(nbytes, 400000);
        fake_sleep(5000000); /* time to run ahead */
        mill_batch_release(b);
    }
    mill_loader_stats_get(l, &stats);
    ck_assert_msg(stats.peak_nbytes <= 24u << 20, "%llu", (unsigned long long)stats.peak_nbytes);
    mill_loader_close(l);
}
END_TEST

START_TEST(a_damaged_shard_is_told_and_gives_what_is_sound)
{
    size_t nbytes;
    for (int i = 0; i < 3; i++)
        write_tar(i, 10);
    char *bytes = content("s-001.tar", &nbytes), kind[24] = "";
    put_content("s-001.tar", bytes, 512 * 6 * 5 + 700); /* within the sixth sample */
    setup s = files("{000..002}", "tar");
    s.o.run.on_issue = note_kind;
    s.o.run.user = kind;
    s.o.run.policy = MILL_POLICY_SUBSTITUTE;
    took t = take_files(&s);
    ck_assert_int_eq(t.status, MILL_END);
    ck_assert_int_eq(t.rows, 26);
    ck_assert_int_eq(t.bad, 1);
    ck_assert_str_eq(kind, "incomplete");
    s.o.run.policy = MILL_POLICY_SKIP;
    t = take_files(&s);
    ck_assert_int_eq(t.status, MILL_END);
    ck_assert_int_eq(t.rows, 26);
    ck_assert_int_eq(t.bad, 0);
    s.o.run.policy = MILL_POLICY_FAIL;
    t = take_files(&s);
    ck_assert_int_eq(t.status, MILL_BAD_DATA);
    ck_assert_msg(strstr(t.err.shard, "s-001.tar") != NULL, "%s", t.err.shard);
    free(bytes);
}
END_TEST

/* ---- indexes ---- */

START_TEST(an_index_is_made_once_and_used)
{
    char cache[600];
    snprintf(cache, sizeof cache, "%s/cache", folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    for (int i = 0; i < 3; i++)
        write_tar(i, 200);
    setup s = files("{000..002}", "tar");
    s.o.index = NULL;
    s.o.first_samples = 8; /* of the first shard */
    took first = take_files(&s);
    ck_assert(is_there("cache/shardmill"));
    ck_assert_int_eq(first.rows, 8);
    took second = take_files(&s);
    ck_assert_uint_eq(first.digest, second.digest);
    /* by hand, beside the shards */
    mill_index_options o = mill_index_options_default();
    ck_assert_int_eq(mill_index(s.spec, &o, NULL, &s.err), MILL_OK);
    ck_assert(is_there("s-002.tar.index"));
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1); /* cannot be written: no failure */
    took third = take_files(&s);
    ck_assert_uint_eq(first.digest, third.digest);
    unlink(path_of("s-000.tar.index"));
    took fourth = take_files(&s);
    ck_assert_uint_eq(first.digest, fourth.digest);
    s.o.index = folder;
    took fifth = take_files(&s);
    ck_assert_uint_eq(first.digest, fifth.digest);
}
END_TEST

/* An index that is of another shard but looks like this one's: nothing wrong is given for right. */
START_TEST(a_lying_index_gives_errors_not_samples)
{
    char path[700], kind[24] = "";
    for (int variant = 0; variant < 4; variant++) {
        write_tar(0, 30);
        struct stat st;
        stat(path_of("s-000.tar"), &st);
        mill__buffer text = {0};
        mill__buffer_printf(&text, "shardmill-index 1\nshard %lld %lld 29\n", (long long)st.st_size,
                            (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
        for (int i = 0; i < 29; i++) {
            long at = 3072L * i, n = 3072;
            if (variant == 0)
                at += 512; /* within a member */
            if (variant == 1)
                n = 2560; /* too short */
            if (variant == 2 && i == 4)
                n = 0; /* nothing at all */
            if (variant == 3 && i == 28)
                n = 2 * 3072; /* two samples */
            mill__buffer_printf(&text, "%ld %ld\n", at, n);
        }
        mill__buffer_printf(&text, "xxh3 %016llx\n",
                            (unsigned long long)mill__hash_bytes(text.data, text.nbytes));
        put_content("s-000.tar.index", (char *)text.data, text.nbytes);
        mill__buffer_free(&text);
        setup s = files("000", "tar");
        s.o.index = "auto";
        s.o.run.policy = MILL_POLICY_SUBSTITUTE;
        s.o.run.on_issue = note_kind;
        s.o.run.user = kind;
        snprintf(path, sizeof path, "%s/cache", folder);
        setenv("XDG_CACHE_HOME", path, 1);
        took t = take_files(&s); /* looks at each good row */
        ck_assert_int_eq(t.status, MILL_END);
        ck_assert_int_eq(t.rows, 29);
        ck_assert_int_eq(t.bad, variant < 2 ? 29 : 1);
        ck_assert_str_eq(kind, "index");
        s.o.run.policy = MILL_POLICY_FAIL;
        t = take_files(&s);
        ck_assert_int_eq(t.status, MILL_BAD_DATA);
        ck_assert_str_eq(t.err.kind, "index");
    }
}
END_TEST

START_TEST(a_stale_index_is_walked_again)
{
    char cache[600];
    snprintf(cache, sizeof cache, "%s/cache", folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    write_tar(0, 30);
    setup s = files("000", "tar");
    s.o.index = "auto";
    ck_assert_int_eq(take_files(&s).rows, 30);
    write_tar(0, 20);
    ck_assert_int_eq(take_files(&s).rows, 20);
    write_tar(0, 40);
    ck_assert_int_eq(take_files(&s).rows, 40);
}
END_TEST

START_TEST(dali_indexes_serve)
{
    char cache[600];
    snprintf(cache, sizeof cache, "%s/cache", folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    for (int i = 0; i < 2; i++)
        write_tar(i, 25);
    setup s = files("{000..001}", "tar");
    mill_index_options o = mill_index_options_default();
    o.dali = 1;
    ck_assert_int_eq(mill_index(s.spec, &o, NULL, &s.err), MILL_OK);
    ck_assert(is_there("s-000.idx"));
    s.o.index = "auto";
    took t = take_files(&s);
    ck_assert_int_eq(t.rows, 50);
    ck_assert_int_eq(t.status, MILL_END);
    ck_assert(!is_there("cache/shardmill")); /* none had to be made */
}
END_TEST

/* ---- changes while it is open ---- */

START_TEST(a_shard_that_shrinks_while_it_is_open)
{
    char kind[24] = "";
    for (int i = 0; i < 4; i++)
        write_tar(i, 500);
    setup s = files("{000..003}", "tar");
    s.o.run.on_issue = note_kind;
    s.o.run.user = kind;
    s.o.prefetch = 1;
    s.o.run.policy = MILL_POLICY_SUBSTITUTE;
    mill_loader *l = opened(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
    mill_batch_release(b);
    /* wait until all are indexed; then cut one */
    for (int i = 0; i < 61; i++) {
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        mill_batch_release(b);
    }
    ck_assert_int_eq(truncate(path_of("s-003.tar"), 3072 * 100), 0);
    int64_t bad = 0;
    while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
        for (int64_t i = 0; i < mill_batch_size(b); i++) {
            bad += !mask_of(b)[i];
            if (mask_of(b)[i])
                expect_row(b, i);
        }
        mill_batch_release(b);
    }
    ck_assert_int_ge(bad, 390);
    ck_assert_int_le(bad, 400);
    ck_assert_str_eq(kind, "truncated");
    mill_loader_close(l);
}
END_TEST

/* ---- descriptors ---- */

START_TEST(more_shards_than_descriptors)
{
    struct rlimit limit = {64, 64};
    for (int i = 0; i < 150; i++)
        write_tar(i, 4 + i % 3);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int shuffle = 0; shuffle < 3; shuffle++)
        for (int threads = 1; threads <= 3; threads += 2) {
            setup s = files("{000..149}", "tar");
            s.o.shuffle = (mill_shuffle)shuffle;
            s.o.window = 500;
            s.o.batch_size = 200; /* of up to 150 shards at once */
            s.o.epochs = 1;
            s.o.run.threads = threads;
            s.o.run.io_depth = 16;
            int before = descriptors();
            took t = take_files(&s);
            ck_assert_msg(t.status == MILL_END, "%s", t.err.message);
            ck_assert_int_eq(t.rows, 150 * 5);
            ck_assert_int_eq(descriptors(), before);
        }
}
END_TEST

/* When there are none, that is what is said: good samples are not skipped for it. */
START_TEST(no_descriptor_left_is_no_bad_shard)
{
    for (int i = 0; i < 4; i++)
        write_tar(i, 400);
    setup s = files("{000..003}", "tar");
    s.o.run.policy = MILL_POLICY_SKIP;
    s.o.run.io_depth = 1;
    s.o.prefetch = 1;
    s.o.run.io = "threads";
    mill_loader *l = opened(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
    struct rlimit limit = {1, 64};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    mill_status status = MILL_OK;
    int64_t rows = 0;
    while (!status) {
        rows += mill_batch_size(b);
        mill_batch_release(b);
        status = mill_loader_next(l, &b, &s.err);
    }
    if (rows < 1600) { /* else all were open by then */
        ck_assert_int_eq(status, MILL_IO);
        ck_assert_int_eq(s.err.os_error, EMFILE);
    }
    limit.rlim_cur = 64; /* the leak checker wants one */
    setrlimit(RLIMIT_NOFILE, &limit);
    mill_loader_close(l);
}
END_TEST

/* ---- folders and npy ---- */

START_TEST(folders_with_empty_files)
{
    char kind[24] = "";
    mkdir(path_of("s-x"), 0777);
    mkdir(path_of("s-x/a"), 0777);
    mkdir(path_of("s-x/b"), 0777);
    for (int i = 0; i < 6; i++) {
        char name[40];
        snprintf(name, sizeof name, "s-x/%c/%d.jpg", i % 2 ? 'a' : 'b', i);
        put_content(name, "text of a file", i == 2 ? 0 : 14);
    }
    for (int batch = 1; batch < 8; batch += 3) {
        setup s = files("x", "");
        s.spec[strlen(s.spec) - 1] = 0; /* no extension */
        s.o.batch_size = batch;
        s.o.fields = "jpg";
        s.o.run.on_issue = note_kind;
        s.o.run.user = kind;
        mill_loader *l = opened(&s);
        mill_batch *b;
        int64_t rows = 0;
        while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
            for (int64_t i = 0; i < mill_batch_size(b); i++, rows++) {
                const void *bytes;
                size_t nbytes;
                ck_assert_int_eq(numbers_of(b, "label")[i], rows / 3);
                ck_assert_int_eq(mill_batch_bytes(b, i, "jpg", &bytes, &nbytes), MILL_OK);
                ck_assert_uint_eq(nbytes, !strcmp(mill_batch_key(b, i), "2") ? 0 : 14);
            }
            mill_batch_release(b);
        }
        ck_assert_msg(rows == 6, "%lld rows, batches of %d: %s", (long long)rows, batch, s.err.message);
        mill_loader_close(l);
    }
}
END_TEST

START_TEST(a_single_empty_file)
{
    mkdir(path_of("s-y"), 0777);
    put_content("s-y/only.jpg", "", 0);
    setup s = files("y", "");
    s.spec[strlen(s.spec) - 1] = 0;
    mill_loader *l = opened(&s);
    mill_batch *b;
    ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
    ck_assert_str_eq(mill_batch_key(b, 0), "only");
    mill_batch_release(b);
    mill_loader_close(l);
}
END_TEST

static void write_npy(const char *name, int rows, const char *shape)
{
    mill__buffer b = {0};
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    char dict[100];
    int n = snprintf(dict, sizeof dict, "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %s), }", rows,
                     shape);
    memcpy(header + 10, dict, (size_t)n);
    header[127] = '\n';
    mill__buffer_append(&b, header, sizeof header);
    for (int i = 0; i < rows * 6; i++)
        mill__buffer_append(&b, &i, sizeof i);
    put_content(name, (char *)b.data, b.nbytes);
    mill__buffer_free(&b);
}

START_TEST(npy_shards_of_another_shape_are_refused)
{
    char kind[24] = "";
    write_npy("s-0.npy", 10, "6");
    write_npy("s-1.npy", 10, "3, 2");
    write_npy("s-2.npy", 10, "6");
    setup s = files("{0..2}", "npy");
    s.o.run.policy = MILL_POLICY_SKIP;
    s.o.run.on_issue = note_kind;
    s.o.run.user = kind;
    s.pipeline = "mul 2";
    mill_loader *l = opened(&s);
    mill_batch *b;
    int64_t rows = 0;
    while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
        mill_tensor t;
        ck_assert_int_eq(mill_batch_field(b, "data", &t, NULL), MILL_OK);
        for (int64_t i = 0; i < t.n; i++, rows++)
            ck_assert(((float *)t.data)[6 * i + 5] == (float)(2 * (6 * (rows % 10) + 5)));
        mill_batch_release(b);
    }
    ck_assert_int_eq(rows, 20);
    ck_assert_str_eq(kind, "shape");
    mill_loader_close(l);
}
END_TEST

/* ---- images ---- */

static const char *demo(void)
{
    static char spec[600];
    const char *source = getenv("SRC");
    snprintf(spec, sizeof spec, "%s/data/demo/train-{000000..000003}.tar", source ? source : ".");
    char first[600];
    snprintf(first, sizeof first, "%s/data/demo/train-000000.tar", source ? source : ".");
    return access(first, R_OK) ? NULL : spec;
}

START_TEST(images_of_the_demo_are_the_same_for_all_teams)
{
    if (!demo()) {
        puts("skipped: the demo's data are not there (SRC)");
        return;
    }
    static record whole, other;
    for (int i = 0; i < 4; i++) {
        setup s = files("", "");
        snprintf(s.spec, sizeof s.spec, "%s", demo());
        s.pipeline = "decode | random_resized_crop 48 | hflip | normalize imagenet | layout chw";
        s.o.shuffle = MILL_SHUFFLE_WINDOW;
        s.o.window = 64;
        s.o.batch_size = 16;
        s.o.run.memory_nbytes = 256u << 20;
        s.o.run.threads = 1 + i % 3;
        s.o.run.executor = i % 2 ? "loop" : "tasks";
        s.o.run.io = i / 2 ? "threads" : "auto";
        s.o.fields = "json";
        mill_loader *l = opened(&s);
        take_all(l, i ? &other : &whole, MOST_STEPS, !i);
        expect_end(i ? &other : &whole);
        if (i)
            expect_same_tail(&whole, 0, &other, "a team");
        mill_loader_close(l);
        if (i) { /* and from some state on */
            int at = whole.n * i / 4;
            s.o.state = whole.states[at];
            l = opened(&s);
            take_all(l, &other, MOST_STEPS, false);
            expect_same_tail(&whole, at, &other, "a team, resumed");
            mill_loader_close(l);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader_files");
    TCase *tc = tcase_create("files");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, tar_shards_with_their_fields);
    tcase_add_test(tc, fields_that_are_brought_along_count_in_the_budget);
    tcase_add_test(tc, a_damaged_shard_is_told_and_gives_what_is_sound);
    tcase_add_test(tc, an_index_is_made_once_and_used);
    tcase_add_test(tc, a_lying_index_gives_errors_not_samples);
    tcase_add_test(tc, a_stale_index_is_walked_again);
    tcase_add_test(tc, dali_indexes_serve);
    tcase_add_test(tc, a_shard_that_shrinks_while_it_is_open);
    tcase_add_test(tc, more_shards_than_descriptors);
    tcase_add_test(tc, no_descriptor_left_is_no_bad_shard);
    tcase_add_test(tc, folders_with_empty_files);
    tcase_add_test(tc, a_single_empty_file);
    tcase_add_test(tc, npy_shards_of_another_shape_are_refused);
    tcase_add_test(tc, images_of_the_demo_are_the_same_for_all_teams);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
