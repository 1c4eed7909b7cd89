/* SPDX-License-Identifier: Apache-2.0 */
/* How engines end and live beside each other: close and cancel at any moment, fork, several at once, and the
 * library loaded and unloaded. */
#include "engine_fixture.h"
#include <dlfcn.h>
#include <limits.h>

START_TEST(closed_at_any_moment_without_leak_or_hang)
{
    for (int i = 0; i < 300; i++) {
        setup s;
        fake source = quiet(20, 100);
        source.latency_ns = i % 3 ? 100000 : 0;
        set_up(&s, source, 12, teams[i % 4], executors[i / 4 % 2], 64u << 20);
        begin(&s);
        mill__batch *batch;
        mill_error err;
        for (int k = i % 14; k > 0 && mill__engine_next(s.engine, &batch, -1, &err) == MILL_OK; k--)
            if (k != 1 || i % 2) /* sometimes close while a batch is held */
                mill__engine_release(s.engine, batch);
        if (i % 5 == 0)
            mill__engine_cancel(s.engine);
        tear_down(&s);
    }
}
END_TEST

static void *whole_run(void *arg)
{
    setup s;
    tally got;
    int i = *(int *)arg;
    set_up(&s, quiet(30, 100), 10, 2, executors[i % 2], 64u << 20);
    begin(&s);
    ck_assert_int_eq(drain(&s, &got, 10), MILL_END);
    ck_assert_int_eq(got.rows, 300);
    tear_down(&s);
    return NULL;
}

START_TEST(several_engines_in_several_threads)
{
    pthread_t threads[4];
    int numbers[4] = {0, 1, 2, 3};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, whole_run, &numbers[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* 0, or the step that went wrong. */
static int use_engine_in_child(setup *inherited, const char *executor)
{
    mill__batch *batch;
    mill_error err;
    tally got;
    if (mill__engine_next(inherited->engine, &batch, -1, &err) != MILL_USAGE || strcmp(err.kind, "fork") != 0)
        return 1;
    mill__engine_close(inherited->engine); /* must not hang */
    setup own;
    set_up(&own, quiet(50, 100), 8, 2, executor, 64u << 20);
    begin(&own);
    if (drain(&own, &got, 8) != MILL_END || got.rows != 400)
        return 2;
    tear_down(&own);
    return 0;
}

static void fork_and_use(setup *s, const char *executor)
{
    pid_t child = fork();
    if (!child) {
        alarm(30);
        _exit(use_engine_in_child(s, executor));
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "the child died of signal %d", WTERMSIG(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

START_TEST(after_fork_the_child_gets_an_error_and_may_open_its_own)
{
    /* a sanitizer's allocator may be locked when another thread forks: then fork at rest */
    for (int i = 0; i < (SANITIZED ? 2 : 20); i++) {
        setup s;
        tally got;
        fake source = quiet(50, 100);
        source.jitter_ns = SANITIZED ? 0 : 500000;
        set_up(&s, source, 20, 2, executors[i % 2], 64u << 20);
        begin(&s);
        if (SANITIZED)
            ck_assert_int_eq(drain(&s, &got, 20), MILL_END);
        else
            fake_sleep(i * 100000);
        if (SANITIZED)
            fake_sleep(100000000);
        fork_and_use(&s, executors[i / 2 % 2]);
        if (!SANITIZED)
            ck_assert_int_eq(drain(&s, &got, 20), MILL_END);
        ck_assert_int_eq(got.rows, 1000);
        tear_down(&s);
    }
}
END_TEST

/* ---- the shared library, loaded at run time ---- */

static void find_library(char *path, size_t nbytes)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(n, 0);
    self[n] = 0;
    for (int up = 0; up < 2; up++) /* out of the tests' folder */
        *strrchr(self, '/') = 0;
    snprintf(path, nbytes, "%.3000s/libshardmill.so", self);
}

static void run_loaded(void *library, const char *folder, const char *executor)
{
    mill_options (*options_default)(void);
    mill_pipeline *(*pipeline_new)(void);
    void (*pipeline_free)(mill_pipeline *);
    mill_status (*parse)(mill_pipeline *, const char *, mill_error *);
    mill_status (*run)(const char *, const mill_pipeline *, const char *, const mill_options *, mill_stats *,
                       mill_error *);
    *(void **)&options_default = dlsym(library, "mill_options_default");
    *(void **)&pipeline_new = dlsym(library, "mill_pipeline_new");
    *(void **)&pipeline_free = dlsym(library, "mill_pipeline_free");
    *(void **)&parse = dlsym(library, "mill_pipeline_parse");
    *(void **)&run = dlsym(library, "mill_run");
    ck_assert(options_default && pipeline_new && pipeline_free && parse && run);
    fake source = quiet(30, 50);
    mill_stats stats;
    mill_error err;
    mill_options o = options_default();
    o.threads = 2;
    o.executor = executor;
    o.sink = "null";
    o.source = &fake_source;
    o.source_user = &source;
    o.format = "npy";
    mill_pipeline *p = pipeline_new();
    ck_assert_int_eq(parse(p, "add 1", &err), MILL_OK);
    ck_assert_msg(run("fake-{00..09}", p, folder, &o, &stats, &err) == MILL_OK, "%s", err.message);
    ck_assert_int_eq(stats.samples, 300);
    pipeline_free(p);
}

START_TEST(the_library_is_loaded_and_unloaded)
{
    char path[PATH_MAX], folder[] = "/tmp/shardmill-life-XXXXXX", manifest[64];
    find_library(path, sizeof path);
    if (access(path, R_OK)) {
        printf("skip: no %s\n", path);
        return;
    }
    if (SANITIZED) {
        printf("skip: a sanitizer does not survive the unloading of what it watches\n");
        return;
    }
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(manifest, sizeof manifest, "%s/manifest.json", folder);
    for (int i = 0; i < 10; i++) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        ck_assert_msg(library != NULL, "%s", dlerror());
        run_loaded(library, folder, executors[i % 2]);
        ck_assert_int_eq(dlclose(library), 0);
        fake_sleep(10000000); /* threads of the runtime would run on in code that is gone */
        unlink(manifest);
    }
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine, life");
    TCase *tc = tcase_create("life");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, closed_at_any_moment_without_leak_or_hang);
    tcase_add_test(tc, several_engines_in_several_threads);
    tcase_add_test(tc, after_fork_the_child_gets_an_error_and_may_open_its_own);
    tcase_add_test(tc, the_library_is_loaded_and_unloaded);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
