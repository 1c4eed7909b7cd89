/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a loader in a host program: closed, cancelled and forked at any moment, several at once, beside
 * the host's own OpenMP; batches that outlive it; memory from the caller; nothing left behind. Every test
 * forks, so no OpenMP is touched before. */
#include "unit/loader_fixture.h"
#include <dirent.h>
#include <errno.h>
#include <omp.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const int teams[] = {1, 2, 3, 8};
static const char *const executors[] = {"tasks", "loop"};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CYCLES = 600, SANITIZED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { CYCLES = 600, SANITIZED = 1 };
#else
enum { CYCLES = 10000, SANITIZED = 0 };
#endif
#else
enum { CYCLES = 10000, SANITIZED = 0 };
#endif

/* ---- closing and cancelling ---- */

START_TEST(closed_at_every_batch_without_leak_or_hang)
{
    for (int i = 0; i < 240; i++) {
        setup s = setup_of(12, 9); /* 14 batches an epoch */
        s.source.latency_ns = i % 3 ? 50000 : 0;
        s.o.shuffle = (mill_shuffle)(i % 3);
        s.o.window = 30;
        s.o.epochs = -1;
        s.o.prefetch = 1 + i % 5;
        s.o.run.threads = teams[i % 4];
        s.o.run.executor = executors[i / 4 % 2];
        mill_loader *l = open_loader(&s);
        mill_batch *b = NULL, *kept = NULL;
        for (int k = i % 20; k > 0; k--) {
            mill_status status = mill_loader_next(l, &b, &s.err);
            ck_assert(status == MILL_OK || status == MILL_END);
            if (k == 1 && i % 2)
                kept = b; /* held beyond the close */
            else
                mill_batch_release(b);
        }
        if (i % 5 == 0) {
            mill_loader_cancel(l);
            ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_CANCELED);
            ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_CANCELED);
        }
        close_loader(&s, l);
        mill_batch_release(kept);
    }
}
END_TEST

typedef struct waiter {
    mill_loader *l;
    mill_status status;
    mill_error err;
    atomic_int calls, tid;
} waiter;

static void *wait_for_batch(void *arg)
{
    waiter *w = arg;
    mill_batch *b;
    atomic_store(&w->tid, gettid());
    do {
        atomic_fetch_add(&w->calls, 1);
        w->status = mill_loader_next(w->l, &b, &w->err);
        mill_batch_release(b);
    } while (w->status == MILL_OK || w->status == MILL_END); /* epochs are endless */
    return NULL;
}

/* A source whose reads wait until they are let go. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int gate_waiting;

static void wait_at_gate(int shard, uint64_t offset)
{
    if (shard < 1 || !offset) /* the first shard and all heads pass */
        return;
    pthread_mutex_lock(&gate);
    gate_waiting++;
    pthread_cond_broadcast(&gate_moved);
    while (!gate_open)
        pthread_cond_wait(&gate_moved, &gate);
    gate_waiting--;
    pthread_mutex_unlock(&gate);
}

static void move_gate(bool open)
{
    pthread_mutex_lock(&gate);
    gate_open = open;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate);
}

static void wait_until_blocked(void)
{
    pthread_mutex_lock(&gate);
    while (!gate_waiting)
        pthread_cond_wait(&gate_moved, &gate);
    pthread_mutex_unlock(&gate);
}

/* Two batches lie in the first shard: the third call waits. */
static void wait_until_asleep(waiter *w)
{
    char path[64], state = 0;
    while (atomic_load(&w->calls) < 3)
        fake_sleep(100000);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&w->tid));
    for (int n = 0; n < 3; n += state == 'S') {
        fake_sleep(200000);
        FILE *f = fopen(path, "r");
        ck_assert_int_eq(fscanf(f, "%*d (%*[^)]) %c", &state), 1);
        fclose(f);
    }
}

START_TEST(cancel_wakes_a_thread_that_waits_in_next)
{
    for (int i = 0; i < 8; i++) {
        setup s = setup_of(3, 20);
        s.source.on_read_of = wait_at_gate;
        s.o.epochs = -1;
        s.o.run.threads = teams[i % 4];
        s.o.run.executor = executors[i / 4];
        move_gate(false);
        waiter w = {.l = open_loader(&s)};
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_batch, &w), 0);
        wait_until_blocked();
        wait_until_asleep(&w);
        mill_loader_cancel(w.l);
        pthread_join(thread, NULL); /* while the reads are still blocked */
        ck_assert_int_eq(w.status, MILL_CANCELED);
        ck_assert_str_eq(w.err.kind, "canceled");
        move_gate(true);
        close_loader(&s, w.l);
    }
}
END_TEST

static void *open_gate_soon(void *arg)
{
    (void)arg;
    fake_sleep(3000000);
    move_gate(true);
    return NULL;
}

START_TEST(close_while_another_thread_waits_in_next)
{
    for (int i = 0; i < 40; i++) {
        setup s = setup_of(3, 20);
        s.source.on_read_of = wait_at_gate;
        s.o.epochs = -1;
        s.o.run.threads = teams[i % 4];
        s.o.run.executor = executors[i / 4 % 2];
        move_gate(false);
        waiter w = {.l = open_loader(&s)};
        pthread_t thread, opener;
        ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_batch, &w), 0);
        wait_until_asleep(&w);
        ck_assert_int_eq(pthread_create(&opener, NULL, open_gate_soon, NULL), 0);
        close_loader(&s, w.l);
        pthread_join(thread, NULL);
        pthread_join(opener, NULL);
        ck_assert_int_eq(w.status, MILL_CANCELED);
    }
}
END_TEST

START_TEST(try_next_gives_up_in_time)
{
    setup s = setup_of(3, 20);
    s.source.on_read_of = wait_at_gate;
    s.o.run.threads = 1;
    move_gate(false);
    mill_loader *l = open_loader(&s);
    mill_batch *b;
    mill_status status;
    int64_t rows = 0;
    while ((status = mill_loader_try_next(l, 200, &b, &s.err)) == MILL_OK) {
        rows += mill_batch_size(b);
        mill_batch_release(b);
    }
    ck_assert_int_eq(status, MILL_AGAIN);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(rows, 16); /* two batches of eight lie in the first shard */
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(mill_loader_try_next(l, 0, &b, &s.err), MILL_AGAIN);
    move_gate(true);
    while ((status = mill_loader_try_next(l, 100000, &b, &s.err)) == MILL_OK) {
        rows += mill_batch_size(b);
        mill_batch_release(b);
    }
    ck_assert_int_eq(status, MILL_END);
    ck_assert_int_eq(rows, 60);
    close_loader(&s, l);
}
END_TEST

/* ---- nothing is left behind ---- */

static int os_threads(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(f, "%ld %ld", &pages, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void cycle(int i)
{
    setup s = setup_of(2, 10);
    s.o.run.threads = i % 16 ? 1 : 2; /* libgomp's threads spin for milliseconds when a team ends */
    s.o.run.io_depth = 2;
    s.o.batch_size = 4;
    s.o.prefetch = 2;
    s.o.shuffle = (mill_shuffle)(i % 3);
    mill_loader *l = open_loader(&s);
    mill_batch *b = NULL;
    for (int k = i % 4; k > 0; k--) {
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        mill_batch_release(b);
    }
    close_loader(&s, l);
}

START_TEST(ten_thousand_loaders_leave_nothing_behind)
{
    for (int i = 0; i < 200; i++)
        cycle(i);
    int files = descriptors(), threads = os_threads();
    long resident = resident_kib();
    for (int i = 0; i < CYCLES; i++)
        cycle(i);
    fake_sleep(100000000); /* threads that are ending are still listed */
    ck_assert_int_eq(descriptors(), files);
    ck_assert_int_le(os_threads(), threads + 1);
    if (!SANITIZED) /* whose allocators keep what is freed; leaks are theirs to tell */
        ck_assert_msg(resident_kib() - resident < 2048, "%ld KiB more", resident_kib() - resident);
}
END_TEST

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e-6;
}

START_TEST(a_stalled_consumer_burns_no_cpu)
{
    for (int e = 0; e < 2; e++) {
        setup s = setup_of(20, 400);
        s.o.run.executor = executors[e];
        s.o.run.threads = 3;
        s.o.shuffle = MILL_SHUFFLE_WINDOW;
        s.o.epochs = -1;
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        ck_assert_int_eq(mill_loader_next(l, &b, &s.err), MILL_OK);
        fake_sleep(300000000); /* all that can be made ahead is made by now */
        mill_loader_stats before, after;
        mill_loader_stats_get(l, &before);
        double begin = cpu_seconds();
        fake_sleep(1000000000);
        double burned = cpu_seconds() - begin;
        mill_loader_stats_get(l, &after);
        ck_assert_msg(burned < 0.05, "%s: %g CPU seconds in an idle second", executors[e], burned);
        ck_assert_int_eq(before.ready, after.ready);
        ck_assert_int_ge(after.ready, 4);
        ck_assert_int_eq(after.held, 1);
        ck_assert_int_ge(after.blocked_ns - before.blocked_ns, 900000000);
        mill_batch_release(b);
        close_loader(&s, l);
    }
}
END_TEST

/* ---- batches that outlive the loader ---- */

static void *release_all(void *arg)
{
    mill_batch **batches = arg;
    for (int i = 0; i < 3; i++)
        mill_batch_release(batches[i]);
    return NULL;
}

START_TEST(batches_stay_valid_after_close_and_end_on_other_threads)
{
    for (int round = 0; round < 20; round++) {
        setup s = setup_of(10, 20);
        s.o.prefetch = 8;
        s.o.run.threads = teams[round % 4];
        mill_loader *l = open_loader(&s);
        mill_batch *held[6];
        uint64_t digests[6];
        for (int i = 0; i < 6; i++) {
            ck_assert_int_eq(mill_loader_next(l, &held[i], &s.err), MILL_OK);
            digests[i] = batch_digest(held[i]);
        }
        pthread_t thread[2];
        if (round % 2) { /* released while it is closed */
            pthread_create(&thread[0], NULL, release_all, held);
            close_loader(&s, l);
            pthread_create(&thread[1], NULL, release_all, held + 3);
        } else {
            close_loader(&s, l);
            for (int i = 0; i < 6; i++)
                ck_assert_uint_eq(batch_digest(held[i]), digests[i]);
            pthread_create(&thread[0], NULL, release_all, held);
            pthread_create(&thread[1], NULL, release_all, held + 3);
        }
        pthread_join(thread[0], NULL);
        pthread_join(thread[1], NULL);
    }
}
END_TEST

START_TEST(all_batches_held_is_an_error_that_passes)
{
    setup s = setup_of(10, 20);
    s.o.prefetch = 2;
    mill_loader *l = open_loader(&s);
    mill_batch *held[64];
    mill_status status;
    int n = 0;
    while ((status = mill_loader_next(l, &held[n], &s.err)) == MILL_OK)
        ck_assert_int_lt(++n, 63);
    ck_assert_int_eq(status, MILL_USAGE);
    ck_assert_str_eq(s.err.kind, "held");
    ck_assert_int_eq(n, 4);
    ck_assert_int_eq(mill_loader_try_next(l, 0, &held[n], &s.err), MILL_USAGE);
    mill_batch_release(held[--n]);
    ck_assert_int_eq(mill_loader_next(l, &held[n], &s.err), MILL_OK);
    ck_assert_int_eq(mill_batch_step(held[n]), 4);
    for (n = 0; n < 4; n++)
        mill_batch_release(held[n]);
    close_loader(&s, l);
    mill_batch_release(NULL);
    mill_loader_close(NULL);
}
END_TEST

/* ---- the caller's memory ---- */

typedef struct pool {
    atomic_int live, calls;
    int fail_at, misaligned;
    size_t nbytes;
    pthread_t opener;
} pool;

static void *pool_alloc(void *user, size_t nbytes)
{
    pool *p = user;
    ck_assert(pthread_equal(pthread_self(), p->opener));
    if (atomic_fetch_add(&p->calls, 1) == p->fail_at)
        return NULL;
    atomic_fetch_add(&p->live, 1);
    p->nbytes = nbytes;
    return (char *)aligned_alloc(64, (nbytes + 127) / 64 * 64) + (p->misaligned ? 8 : 0);
}

static void pool_free(void *user, void *data, size_t nbytes)
{
    pool *p = user;
    ck_assert_uint_eq(nbytes, p->nbytes);
    memset(data, 0xee, nbytes);
    free((char *)data - (p->misaligned ? 8 : 0));
    atomic_fetch_sub(&p->live, 1);
}

START_TEST(batches_lie_in_the_callers_memory)
{
    pool p = {.fail_at = -1, .opener = pthread_self()};
    mill_allocator a = {.alloc = pool_alloc, .free = pool_free, .user = &p};
    setup s = setup_of(4, 20);
    s.o.allocator = &a;
    mill_loader *l = open_loader(&s);
    memset(&a, 0xff, sizeof a); /* it was copied */
    mill_batch *b, *kept;
    ck_assert_int_eq(mill_loader_next(l, &kept, &s.err), MILL_OK);
    while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
        mill_tensor t;
        mill_batch_field(b, "data", &t, NULL);
        ck_assert_uint_eq((uintptr_t)t.data % 64, 0);
        mill_batch_release(b);
    }
    ck_assert_uint_eq(p.nbytes, 8 * 20);
    ck_assert_int_eq(atomic_load(&p.live), 6);
    close_loader(&s, l);
    ck_assert_int_eq(atomic_load(&p.live), 6); /* one batch is still held */
    mill_batch_release(kept);
    ck_assert_int_eq(atomic_load(&p.live), 0);
}
END_TEST

START_TEST(a_caller_without_memory_is_told_so)
{
    for (int i = 0; i < 8; i++) {
        pool p = {.fail_at = i < 6 ? i : -1, .misaligned = i == 6, .opener = pthread_self()};
        mill_allocator a = {.alloc = pool_alloc, .free = pool_free, .user = &p};
        setup s = setup_of(4, 20);
        s.o.allocator = &a;
        mill_loader *l;
        mill_status status = try_open(&s, &l);
        ck_assert_int_eq(status, i < 7 ? MILL_NO_MEMORY : MILL_OK);
        if (!status)
            mill_loader_close(l);
        else
            ck_assert_ptr_null(l);
        ck_assert_int_eq(atomic_load(&p.live), 0);
    }
    setup s = setup_of(1, 1);
    mill_allocator a = {0};
    mill_loader *l;
    s.o.allocator = &a;
    ck_assert_int_eq(try_open(&s, &l), MILL_USAGE);
}
END_TEST

/* ---- fork ---- */

static int in_child(mill_loader *l, mill_batch *held)
{
    mill_batch *b;
    mill_error err;
    char state[MILL_STATE_NBYTES];
    mill_loader_stats stats;
    if (mill_loader_next(l, &b, &err) != MILL_USAGE || strcmp(err.kind, "fork") != 0)
        return 1;
    if (mill_loader_state(l, state, &err) != MILL_USAGE || strcmp(err.kind, "fork") != 0)
        return 2;
    mill_loader_stats_get(l, &stats);
    mill_loader_cancel(l);
    mill_batch_release(held);
    mill_loader_close(l);
    static record r;
    for (int e = 0; e < 2; e++) {
        setup own = setup_of(6, 20);
        own.o.run.executor = executors[e];
        take_whole(&own, &r);
        if (r.status != MILL_END || r.rows != 120)
            return 3;
    }
    return 0;
}

static int exit_of(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

START_TEST(after_fork_the_child_gets_an_error_and_may_open_its_own)
{
    for (int e = 0; e < 2; e++) {
        setup s = setup_of(6, 20);
        s.o.run.executor = executors[e];
        s.o.epochs = -1;
        mill_loader *l = open_loader(&s);
        mill_batch *b;
        for (int i = 0; i < 10; i++) {
            mill_status status = mill_loader_next(l, &b, &s.err);
            ck_assert(status == MILL_OK || status == MILL_END);
            if (SANITIZED) /* whose allocators may be locked by a thread that the child has not */
                fake_sleep(30000000);
            pid_t child = fork();
            if (!child) {
                alarm(60);
                _exit(in_child(l, b));
            }
            ck_assert_int_eq(exit_of(child), 0);
            mill_batch_release(b);
        }
        close_loader(&s, l);
    }
}
END_TEST

static atomic_bool done;

static void *churn(void *arg)
{
    mill_batch *b;
    mill_error err;
    while (!atomic_load(&done))
        if (mill_loader_next(arg, &b, &err) == MILL_OK)
            mill_batch_release(b);
    return NULL;
}

/* Locks may be held by other threads at the moment of the fork: the child must not wait for them. */
START_TEST(fork_while_other_threads_are_at_work)
{
    setup s = setup_of(6, 20);
    s.o.epochs = -1;
    mill_loader *l = open_loader(&s);
    mill_batch *held;
    pthread_t thread;
    ck_assert_int_eq(mill_loader_next(l, &held, &s.err), MILL_OK);
    pthread_create(&thread, NULL, churn, l);
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        if (!child) {
            alarm(20); /* a lock that is waited for in vain */
            mill_batch *b;
            mill_error err;
            mill_loader_stats stats;
            mill_batch_release(held);
            mill_loader_stats_get(l, &stats);
            mill_loader_cancel(l);
            int wrong = mill_loader_next(l, &b, &err) != MILL_USAGE;
            mill_loader_close(l);
            _exit(wrong);
        }
        ck_assert_int_eq(exit_of(child), 0);
    }
    atomic_store(&done, true);
    pthread_join(thread, NULL);
    mill_batch_release(held);
    close_loader(&s, l);
}
END_TEST

/* ---- several at once ---- */

typedef struct job {
    int number;
    int64_t rows;
    uint64_t digest;
} job;

static void *whole_run(void *arg)
{
    job *j = arg;
    record *r = malloc(sizeof *r);
    setup s = setup_of(9, 30);
    s.o.run.executor = executors[j->number % 2];
    s.o.run.threads = 2;
    s.o.shuffle = MILL_SHUFFLE_WINDOW;
    s.o.window = 50;
    s.pipeline = "noise";
    s.o.epochs = 2;
    take_whole(&s, r);
    j->rows = r->rows;
    j->digest = mill__hash_bytes(r->digests, (size_t)r->n * sizeof *r->digests);
    free(r);
    return NULL;
}

START_TEST(several_loaders_in_several_threads)
{
    pthread_t threads[6];
    job jobs[6];
    for (int i = 0; i < 6; i++) {
        jobs[i] = (job){.number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, whole_run, &jobs[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(jobs[i].rows, 2 * 270);
        ck_assert_uint_eq(jobs[i].digest, jobs[0].digest);
    }
}
END_TEST

START_TEST(several_loaders_taken_in_turn_by_one_thread)
{
    setup s[4];
    mill_loader *l[4];
    mill_batch *b;
    for (int i = 0; i < 4; i++) {
        s[i] = setup_of(5, 16);
        s[i].o.run.threads = teams[i];
        s[i].o.run.executor = executors[i % 2];
        l[i] = open_loader(&s[i]);
    }
    for (int step = 0; step <= 10; step++)
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq(mill_loader_next(l[i], &b, &s[i].err), step < 10 ? MILL_OK : MILL_END);
            ck_assert(step == 10 || mill_batch_step(b) == step);
            mill_batch_release(b);
        }
    for (int i = 0; i < 4; i++)
        close_loader(&s[i], l[i]);
}
END_TEST

/* Batches are taken on one thread and given back on others, out of order. */
static mill_batch *handed[4];
static pthread_mutex_t hand_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hand_moved = PTHREAD_COND_INITIALIZER;
static bool hand_done;

static void *give_back(void *arg)
{
    int at = *(int *)arg;
    pthread_mutex_lock(&hand_lock);
    while (!hand_done || handed[at]) {
        mill_batch *b = handed[at];
        handed[at] = NULL;
        pthread_cond_broadcast(&hand_moved);
        if (b) {
            pthread_mutex_unlock(&hand_lock);
            batch_digest(b);
            mill_batch_release(b);
            pthread_mutex_lock(&hand_lock);
        } else {
            pthread_cond_wait(&hand_moved, &hand_lock);
        }
    }
    pthread_mutex_unlock(&hand_lock);
    return NULL;
}

START_TEST(batches_are_released_on_many_threads)
{
    pthread_t threads[4];
    int numbers[4];
    setup s = setup_of(20, 40);
    s.o.prefetch = 8;
    s.o.epochs = 3;
    mill_loader *l = open_loader(&s);
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, give_back, &numbers[i]);
    }
    mill_batch *b;
    int n = 0;
    for (int ends = 0; ends < 3;) {
        mill_status status = mill_loader_next(l, &b, &s.err);
        if (status == MILL_USAGE) { /* all are in the hands of the others */
            ck_assert_str_eq(s.err.kind, "held");
            fake_sleep(100000);
            continue;
        }
        ends += status == MILL_END;
        ck_assert(!status || status == MILL_END);
        pthread_mutex_lock(&hand_lock);
        while (b && handed[n % 4])
            pthread_cond_wait(&hand_moved, &hand_lock);
        if (b)
            handed[n++ % 4] = b;
        pthread_cond_broadcast(&hand_moved);
        pthread_mutex_unlock(&hand_lock);
    }
    pthread_mutex_lock(&hand_lock);
    hand_done = true;
    pthread_cond_broadcast(&hand_moved);
    pthread_mutex_unlock(&hand_lock);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(n, 300);
    close_loader(&s, l);
}
END_TEST

/* ---- beside the host's OpenMP ---- */

static double host_step(const mill_batch *b)
{
    mill_tensor t;
    double sum = 0;
    mill_batch_field(b, "data", &t, NULL);
    const int32_t *x = t.data;
    int64_t n = t.n * 5;
#pragma omp parallel for reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum;
}

typedef struct omp_settings {
    int max_threads, dynamic, levels, in_region;
    omp_sched_t schedule;
    int chunk;
} omp_settings;

static omp_settings settings_now(void)
{
    omp_settings now = {.max_threads = omp_get_max_threads(),
                        .dynamic = omp_get_dynamic(),
                        .levels = omp_get_max_active_levels()};
    omp_get_schedule(&now.schedule, &now.chunk);
#pragma omp parallel
#pragma omp single
    now.in_region = omp_get_num_threads();
    return now;
}

START_TEST(the_hosts_own_regions_and_settings_are_left_alone)
{
    for (int e = 0; e < 2; e++) {
        omp_set_num_threads(3);
        omp_set_dynamic(0);
        omp_set_schedule(omp_sched_guided, 7);
        omp_settings before = settings_now();
        setup s = setup_of(10, 40);
        s.o.run.executor = executors[e];
        s.o.run.threads = 0; /* the caller's OpenMP setting */
        mill_loader *l = open_loader(&s);
        mill_loader_stats stats;
        mill_loader_stats_get(l, &stats);
        ck_assert_int_le(stats.threads, 3);
        mill_batch *b;
        double sum = 0, expected = 0;
        while (mill_loader_next(l, &b, &s.err) == MILL_OK) {
            sum += host_step(b);
            mill_batch_release(b);
            omp_settings now = settings_now();
            ck_assert_mem_eq(&now, &before, sizeof now);
        }
        close_loader(&s, l);
        for (int shard = 0; shard < 10; shard++)
            for (int i = 0; i < 40; i++)
                expected += 5.0 * (shard * 1000000 + i);
        ck_assert_double_eq(sum, expected);
        omp_settings now = settings_now();
        ck_assert_mem_eq(&now, &before, sizeof now);
    }
}
END_TEST

START_TEST(the_team_is_as_large_as_openmp_says)
{
    for (int threads = 1; threads <= 2; threads++) {
        setup s = setup_of(2, 4);
        s.o.run.threads = 0;
        omp_set_num_threads(threads);
        mill_loader *l = open_loader(&s);
        mill_loader_stats stats;
        mill_loader_stats_get(l, &stats);
        ck_assert_int_eq(stats.threads, mill_threads(0).chosen);
        ck_assert_int_le(stats.threads, threads);
        close_loader(&s, l);
    }
}
END_TEST

START_TEST(inside_the_master_of_a_parallel_region)
{
    for (int e = 0; e < 2; e++) {
        static record r;
        int64_t rows = 0;
#pragma omp parallel num_threads(2) reduction(+ : rows)
        {
#pragma omp master
            {
                setup s = setup_of(6, 20);
                s.o.run.executor = executors[e];
                take_whole(&s, &r);
                rows += r.rows;
            }
        }
        ck_assert_int_eq(rows, 120);
    }
}
END_TEST

START_TEST(one_loader_a_thread_of_the_hosts_team)
{
    int64_t rows = 0;
#pragma omp parallel num_threads(3) reduction(+ : rows)
    {
        job j = {.number = omp_get_thread_num()};
        whole_run(&j);
        rows += j.rows;
    }
    ck_assert_int_eq(rows, 3 * 540);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loader_life");
    TCase *tc = tcase_create("life");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, closed_at_every_batch_without_leak_or_hang);
    tcase_add_test(tc, cancel_wakes_a_thread_that_waits_in_next);
    tcase_add_test(tc, close_while_another_thread_waits_in_next);
    tcase_add_test(tc, try_next_gives_up_in_time);
    tcase_add_test(tc, ten_thousand_loaders_leave_nothing_behind);
    tcase_add_test(tc, a_stalled_consumer_burns_no_cpu);
    tcase_add_test(tc, batches_stay_valid_after_close_and_end_on_other_threads);
    tcase_add_test(tc, all_batches_held_is_an_error_that_passes);
    tcase_add_test(tc, batches_lie_in_the_callers_memory);
    tcase_add_test(tc, a_caller_without_memory_is_told_so);
    tcase_add_test(tc, several_loaders_in_several_threads);
    tcase_add_test(tc, several_loaders_taken_in_turn_by_one_thread);
    tcase_add_test(tc, batches_are_released_on_many_threads);
    tcase_add_test(tc, the_hosts_own_regions_and_settings_are_left_alone);
    tcase_add_test(tc, the_team_is_as_large_as_openmp_says);
    tcase_add_test(tc, inside_the_master_of_a_parallel_region);
    tcase_add_test(tc, one_loader_a_thread_of_the_hosts_team);
    suite_add_tcase(suite, tc);
    tc = tcase_create("fork");
    tcase_set_timeout(tc, 240);
    tcase_add_test(tc, after_fork_the_child_gets_an_error_and_may_open_its_own);
    tcase_add_test(tc, fork_while_other_threads_are_at_work);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
