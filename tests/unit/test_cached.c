/* SPDX-License-Identifier: Apache-2.0 */
/* What comes out is the same whatever the page cache has: what is not there is read by the I/O engine, and
 * walked when it has come. Every test forks, so no OpenMP is touched before. */
#include "format/format.h"
#include "registry.h"
#include "unit/cache_fixture.h"
#include "unit/io_fixture.h"
#include "unit/loader_fixture.h"
#include "unit/tar_writer.h"

/* ---- the I/O engine ---- */

static mill__io *automatic(void)
{
    mill__io *io = NULL;
    ck_assert_int_eq(mill__io_open(&io, &(mill__io_config){.depth = 2}, NULL), MILL_OK);
    return io;
}

static void expect_bytes(const mill__io_request *r, size_t n)
{
    ck_assert_int_eq(r->status, MILL_OK);
    ck_assert_uint_eq(r->got, n);
    for (size_t i = 0; i < n; i++)
        if (((uint8_t *)r->data)[i] != byte_at(r->offset + i))
            ck_abort_msg("byte %zu of those at %llu is wrong", i, (unsigned long long)r->offset);
}

/* Reads that are not to be tried. */
static int count_skipped(mill__io *io, const mill__io_request *r)
{
    int n = 0;
    while (n < 1000 && !mill__io_expects_cached(io, r))
        n++;
    return n;
}

START_TEST(what_is_taken_are_the_bytes_of_the_file_and_nothing_else_is_lost)
{
    enum { MOST = 300000, READS = 60 };
    uint8_t *data = malloc(MOST);
    mill__io *io = automatic();
    tally t = TALLY;
    int taken = 0;
    let_be_cached((cache)_i);
    for (unsigned i = 0, random = 1; i < READS; i++) {
        uint64_t offset = (uint64_t)rand_r(&random) % FILE_NBYTES;
        size_t n = 1 + (size_t)rand_r(&random) % (i % 2 ? MOST : 9000);
        n = n < FILE_NBYTES - offset ? n : FILE_NBYTES - (size_t)offset;
        mill__io_request r = read_of(&t, file_fd, offset, data, n);
        memset(data, 0x55, n);
        if (mill__io_take_cached(io, &r))
            taken++;
        else
            serve(io, &r);
        expect_bytes(&r, n);
    }
    ck_assert_int_eq(t.ndone, READS - taken); /* not called by what was taken */
    ck_assert_msg(_i < HEADS ? taken : !taken, "%d taken", taken);
    ck_assert_msg(_i > INTERRUPTED ? taken < READS : taken == READS, "%d taken", taken);
    expect_calls();
    mill__io_close(io);
    free(data);
}
END_TEST

START_TEST(reads_are_tried_again_less_and_less_often)
{
    char data[100];
    tally t = TALLY;
    mill__io *io = automatic();
    mill__io_request r = read_of(&t, file_fd, 500, data, sizeof data);
    for (int round = 0; round < 2; round++) {
        let_be_cached(round ? END : NOTHING);
        ck_assert_int_eq(count_skipped(io, &r), 0);
        for (int i = 0, skipped = 1; i < 9; i++, skipped = skipped < 64 ? 2 * skipped : 64) {
            ck_assert(!mill__io_take_cached(io, &r));
            ck_assert_int_eq(count_skipped(io, &r), skipped);
        }
        let_be_cached(ALL); /* and it begins anew */
        ck_assert(mill__io_take_cached(io, &r));
    }
    mill__io_close(io);
}
END_TEST

START_TEST(a_kernel_without_such_reads_is_asked_once)
{
    char data[100];
    tally t = TALLY;
    for (int what = NO_FLAG; what <= NO_CALL; what++) {
        mill__io *io = automatic();
        mill__io_request r = read_of(&t, file_fd, 500, data, sizeof data);
        let_be_cached((cache)what);
        ck_assert(mill__io_expects_cached(io, &r));
        ck_assert(!mill__io_take_cached(io, &r));
        ck_assert_int_eq(count_skipped(io, &r), 1000);
        ck_assert_int_eq(atomic_load(&ncalls), 1);
        mill__io_close(io);
    }
}
END_TEST

START_TEST(a_back_end_that_is_named_makes_all_reads)
{
    char data[100];
    tally t = TALLY;
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    mill__io_request r = read_of(&t, file_fd, 500, data, sizeof data);
    ck_assert_int_eq(count_skipped(io, &r), 1000);
    mill__io_close(io);
}
END_TEST

START_TEST(jobs_and_reads_by_callback_are_not_tried)
{
    mill__io *io = automatic();
    mill__io_request job = {.fd = file_fd, .call = free}, callback = {.fd = -1, .read = memory_read};
    ck_assert_int_eq(count_skipped(io, &job), 1000);
    ck_assert_int_eq(count_skipped(io, &callback), 1000);
    mill__io_close(io);
}
END_TEST

START_TEST(reads_across_the_end_are_left_to_the_engine)
{
    char data[64];
    tally t = TALLY;
    mill__io *io = automatic();
    let_be_cached(ALL);
    for (size_t there = 0; there <= 10; there += 5) {
        mill__io_request r = read_of(&t, file_fd, FILE_NBYTES - there, data, sizeof data);
        ck_assert(!mill__io_take_cached(io, &r));
        serve(io, &r);
        expect_bytes(&r, there);
    }
    mill__io_close(io);
}
END_TEST

/* ---- data sets ---- */

static void write_npy(int shard, int rows)
{
    fake f = {.rows = rows, .elements = 1003, .fail_open = -1, .fail_read = -1, .shrink = -1};
    char name[32];
    void *handle;
    mill_shard_info info;
    size_t got;
    snprintf(name, sizeof name, "s-%d.npy", shard);
    ck_assert_int_eq(fake_open(&f, name, &handle, &info, NULL), MILL_OK);
    char *bytes = malloc(info.nbytes);
    ck_assert_int_eq(fake_read(handle, 0, bytes, info.nbytes, &got, NULL), MILL_OK);
    put_content(name, bytes, got);
    free(bytes);
    fake_close(handle);
}

/* Samples of two files, some larger than what is read at a time. */
static void write_tar(int shard, int n)
{
    archive a = {0};
    char name[32];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%d-%03d.txt", shard, i);
        add_large(&a, name, i % 50 == 20 ? 700000 : 3000 + (size_t)i * 37);
        snprintf(name, sizeof name, "%d-%03d.cls", shard, i);
        add_file(&a, name, i % 2 ? "1" : "0");
    }
    add_end(&a);
    snprintf(name, sizeof name, "s-%d.tar", shard);
    put_content(name, (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
}

enum { ROWS = 420 }; /* of the largest */

static void write_shards(void)
{
    static const int rows[] = {ROWS, 0, 1, 140}, samples[] = {90, 0, 1, 35};
    for (int i = 0; i < 4; i++) {
        write_npy(i, rows[i]);
        write_tar(i, samples[i]);
    }
}

/* mul works on whole blocks, check row by row. */
static const struct {
    const char *extension, *pipeline, *sink;
} works[] = {{"npy", "mul 3", "npy"}, {"npy", "check | mul 3", "npy"}, {"tar", "", "tar"}};
enum { WORKS = sizeof works / sizeof *works };

static const struct {
    int threads;
    const char *executor;
    uint64_t memory_nbytes;
} teams[] = {{1, "tasks", 64u << 20},
             {2, "tasks", 24u << 20},
             {8, "tasks", 64u << 20},
             {2, "loop", 64u << 20},
             {8, "loop", 24u << 20}};
enum { TEAMS = sizeof teams / sizeof *teams };

static setup work_of(int work, int team)
{
    setup s = setup_of(1, 1);
    snprintf(s.spec, sizeof s.spec, "%s/s-{0..3}.%s", folder, works[work].extension);
    s.pipeline = works[work].pipeline;
    s.o.run.source = NULL;
    s.o.run.format = s.o.run.io = NULL;
    s.o.run.sink = works[work].sink;
    s.o.run.threads = teams[team].threads;
    s.o.run.executor = teams[team].executor;
    s.o.run.memory_nbytes = teams[team].memory_nbytes;
    s.o.index = "none";
    s.o.fields = work == 2 ? "txt" : NULL;
    s.o.batch_size = 50;
    return s;
}

/* -1: by the I/O engine alone, which all others are held against. */
static setup case_of(int i, int work)
{
    setup s = work_of(work, i < 0 ? 0 : i / NCACHES);
    s.o.run.io = i < 0 ? "threads" : NULL;
    let_be_cached(i < 0 ? NOTHING : (cache)(i % NCACHES));
    return s;
}

/* ---- runs ---- */

static mill_status run_out(setup *s)
{
    char path[600];
    const char *executor = getenv("TEST_EXECUTOR");
    if (executor)
        s->o.run.executor = executor;
    snprintf(path, sizeof path, "%s/out", folder);
    mill_pipeline *p = mill_pipeline_new();
    ck_assert_int_eq(mill_pipeline_register(p, &checker_ops, &s->check, NULL), MILL_OK);
    ck_assert_int_eq(mill_pipeline_parse(p, s->pipeline, NULL), MILL_OK);
    mill_status status = mill_run(s->spec, p, path, &s->o.run, NULL, &s->err);
    mill_pipeline_free(p);
    return status;
}

/* ---- a shard that opens late ---- */

static mill_status open_late(void *user, const char *locator, void **handle, mill_shard_info *info,
                             mill_error *err)
{
    if (strstr(locator, "s-0.npy"))
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    return mill__source_file.open(user, locator, handle, info, err);
}

/* Its samples take most of the memory, so those of the others, which are in the page cache, have to wait. */
START_TEST(the_oldest_shard_gets_on_though_it_opens_last)
{
    mill_source_ops late = mill__source_file;
    const mill_type type = {.dtype = MILL_F32, .rank = 1, .shape = {1 << 20}};
    char header[MILL__NPY_HEADER_NBYTES], path[64];
    late.open = open_late;
    ck_assert_int_eq(mill__npy_header(header, &type, 4, NULL), MILL_OK);
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "s-%d.npy", i);
        put_content(path, header, sizeof header);
        ck_assert(!truncate(path_of(path), (off_t)sizeof header + (4 << 22)));
    }
    for (int threads = 1; threads <= 2; threads++) {
        setup s = work_of(0, 0);
        let_be_cached(ALL);
        s.pipeline = "sin";
        s.o.run.source = &late;
        s.o.run.sink = "null";
        s.o.run.threads = threads;
        s.o.run.memory_nbytes = 64u << 20;
        ck_assert_msg(run_out(&s) == MILL_OK, "%s", s.err.message);
        unlink(path_of("out/manifest.json"));
    }
}
END_TEST

/* ---- what a run leaves ---- */

/* Of all that a run left but the manifest; it is removed. */
static uint64_t take_outputs(void)
{
    char path[300];
    struct dirent **entries;
    uint64_t h = 0;
    int n = scandir(path_of("out"), &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        size_t nbytes;
        snprintf(path, sizeof path, "out/%.250s", entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && strncmp(entries[i]->d_name, "manifest", 8) != 0) {
            char *bytes = content(path, &nbytes);
            h = h * 31 + mill__hash_bytes(bytes, nbytes) + mill__hash_bytes(path, strlen(path));
            free(bytes);
        }
        unlink(path_of(path));
        free(entries[i]);
    }
    free(entries);
    ck_assert_int_gt(n, 5);
    return h;
}

START_TEST(runs_leave_the_same_bytes)
{
    uint64_t expected = 0;
    write_shards();
    for (int i = -1; i < NCACHES * TEAMS; i++) {
        setup s = case_of(i, _i);
        ck_assert_msg(run_out(&s) == MILL_OK, "%s: %s", cache_names[cached], s.err.message);
        uint64_t got = take_outputs();
        expected = i < 0 ? got : expected;
        ck_assert_msg(got == expected, "%s, team %d", cache_names[cached], i / NCACHES);
        if (i >= 0)
            expect_calls();
    }
}
END_TEST

/* ---- loaders ---- */

START_TEST(loaders_give_the_same_batches)
{
    static record expected, got;
    write_shards();
    for (int i = -1; i < NCACHES * TEAMS; i++) {
        setup s = case_of(i, _i / 2);
        s.o.shuffle = _i % 2 ? MILL_SHUFFLE_GLOBAL : MILL_SHUFFLE_NONE;
        s.o.epochs = 2;
        take_whole(&s, i < 0 ? &expected : &got);
        expect_end(i < 0 ? &expected : &got);
        if (i >= 0) {
            expect_same_tail(&expected, 0, &got, cache_names[cached]);
            expect_calls();
        }
    }
    ck_assert_int_eq(expected.rows, _i / 2 == 2 ? 2 * 126 : 2 * 561);
}
END_TEST

START_TEST(a_loader_can_be_closed_at_any_time)
{
    static record some;
    write_shards();
    int before = descriptors();
    for (int i = 0; i < 60; i++) {
        setup s = work_of(i % WORKS, i / WORKS % TEAMS);
        s.o.shuffle = i % 2 ? MILL_SHUFFLE_GLOBAL : MILL_SHUFFLE_NONE;
        let_be_cached(i % 4 ? NOTHING : SOMETIMES);
        mill_loader *l = open_loader(&s);
        take_all(l, &some, i / 7 % 5, false);
        ck_assert_int_eq(some.status, MILL_OK);
        mill_loader_close(l);
        ck_assert_int_eq(descriptors(), before);
    }
}
END_TEST

/* ---- files that are cut ---- */

enum { CUT_TO = 1200000, WHOLE_ROWS = (CUT_TO - FAKE_HEADER) / (4 * 1003) };

static void expect_truncated(mill_status status, const mill_error *err)
{
    ck_assert_int_eq(cut.nbytes, 0);
    ck_assert_int_eq(status, MILL_BAD_DATA);
    ck_assert_str_eq(err->kind, "truncated");
    ck_assert_msg(strstr(err->shard, "s-0.npy") != NULL, "%s", err->shard);
}

START_TEST(a_file_that_is_cut_while_it_is_read)
{
    static const cache caches[] = {ALL, HEADS, NOTHING};
    static record got;
    write_shards();
    for (int i = 0; i < 3 * TEAMS; i++) {
        setup s = work_of(_i, i / 3);
        write_npy(0, ROWS);
        let_be_cached(caches[i % 3]);
        cut.nbytes = CUT_TO;
        expect_truncated(run_out(&s), &s.err);
        ck_assert_uint_le(s.err.offset, CUT_TO);

        write_npy(0, ROWS);
        cut.nbytes = CUT_TO;
        mill_loader *l = open_loader(&s);
        take_all(l, &got, MOST_STEPS, false);
        mill_loader_close(l);
        expect_truncated(got.status, &got.err);
        ck_assert_int_eq(got.rows, WHOLE_ROWS / 50 * 50);
        ck_assert_uint_eq(got.err.offset, CUT_TO);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cached");
    TCase *io = tcase_create("io"), *files = tcase_create("files");
    tcase_add_checked_fixture(io, make_file, drop_file);
    tcase_add_loop_test(io, what_is_taken_are_the_bytes_of_the_file_and_nothing_else_is_lost, 0, NCACHES);
    tcase_add_test(io, reads_are_tried_again_less_and_less_often);
    tcase_add_test(io, a_kernel_without_such_reads_is_asked_once);
    tcase_add_loop_test(io, a_back_end_that_is_named_makes_all_reads, 0, NBACKENDS);
    tcase_add_test(io, jobs_and_reads_by_callback_are_not_tried);
    tcase_add_test(io, reads_across_the_end_are_left_to_the_engine);
    suite_add_tcase(suite, io);
    tcase_set_timeout(files, 120);
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, the_oldest_shard_gets_on_though_it_opens_last);
    tcase_add_loop_test(files, runs_leave_the_same_bytes, 0, WORKS);
    tcase_add_loop_test(files, loaders_give_the_same_batches, 0, 2 * WORKS);
    tcase_add_test(files, a_loader_can_be_closed_at_any_time);
    tcase_add_loop_test(files, a_file_that_is_cut_while_it_is_read, 0, 2);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}
