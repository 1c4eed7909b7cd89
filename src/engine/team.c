/* SPDX-License-Identifier: Apache-2.0 */
/* engine/team.c: the compute threads. The only file that knows OpenMP.
 *
 * A driver thread opens a parallel region of T threads, so that the application's own OpenMP pool and
 * settings are never touched. Two executors share everything but this file:
 *
 *   tasks  a step becomes a walk task, depend(out: token), and chunk tasks, depend(in: token), made just in
 * time: by a thread that has nothing else to do, oldest shard first, while fewer than T tasks wait to be
 * started loop   every thread takes the next chunk or step under the lock; also used for a team of one
 *
 * Threads without work sleep in our condition variable, never in the runtime, whose threads spin. A thread
 * that has returned to the runtime cannot be woken by us; a "recall" task, which nothing depends on, fetches
 * it back. Nobody sleeps inside a task that another task waits for. Measured reasons for all of this are in
 * docs/design.md. */
#include "base/error.h"
#include "engine/state.h"
#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEPS_PER_REGION = 1024 }; /* libomp keeps every ancestor of a task until the region ends */

/* libomp only; its presence tells which runtime is underneath, also when a gcc build runs on a preloaded
 * libomp */
extern void kmp_set_blocktime(int) __attribute__((weak));

int mill__team_max_threads(void)
{
    int limit = omp_get_thread_limit(), threads = omp_get_max_threads();
    return threads < limit ? threads : limit;
}

/* With OMP_PROC_BIND a new thread inherits the one CPU of its maker: all CPUs of all places are what is
 * meant. */
const void *mill__team_cpus(void *cpu_set)
{
    cpu_set_t *set = cpu_set;
    CPU_ZERO(set);
    if (omp_get_proc_bind() == omp_proc_bind_false)
        return NULL;
    for (int place = 0; place < omp_get_num_places(); place++) {
        int n = omp_get_place_num_procs(place);
        int *ids = n > 0 ? malloc((size_t)n * sizeof *ids) : NULL;
        if (!ids)
            continue;
        omp_get_place_proc_ids(place, ids);
        for (int i = 0; i < n; i++)
            if (ids[i] >= 0 && ids[i] < CPU_SETSIZE)
                CPU_SET(ids[i], set);
        free(ids);
    }
    return CPU_COUNT(set) ? set : NULL;
}

/* ---- tasks ----
 * Counters, under the lock: pending tasks are ready and not started; running ones have started; threads that
 * are away are in the runtime, where calls of them will be fetched back by recall tasks. */

static void feed(mill__engine *e, bool may_sleep);

static void recall(mill__engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->away--;
    e->calls--;
    pthread_mutex_unlock(&e->lock);
    feed(e, true);
}

static void spawn_recalls(mill__engine *e, int n)
{
    for (; n > 0; n--) {
#pragma omp task default(none) firstprivate(e)
        recall(e);
    }
}

/* A task starts. If no other waits to be started, the threads that are idle in the runtime are called back.
 */
static void task_begin(mill__engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->pending--;
    e->running++;
    e->away--;
    int idle = e->pending ? 0 : e->away - e->calls;
    if (idle > 0)
        e->calls += idle;
    pthread_mutex_unlock(&e->lock);
    spawn_recalls(e, idle);
}

static void task_end(mill__engine *e) /* lock held */
{
    e->running--;
    if (!e->running && !e->pending)
        pthread_cond_broadcast(&e->work);
}

static void walk_task(mill__engine *e, mill__step *step)
{
    task_begin(e);
    mill__walk(e, step);
    pthread_mutex_lock(&e->lock);
    mill__walk_end(e, step);
    e->pending += step->chunks; /* they become ready when this task ends */
    pthread_cond_broadcast(&e->work);
    task_end(e);
    pthread_mutex_unlock(&e->lock);
    feed(e, false);
}

static void chunk_task(mill__engine *e, mill__step *step, int chunk)
{
    task_begin(e);
    mill__chunk(e, step, chunk, omp_get_thread_num());
    pthread_mutex_lock(&e->lock);
    mill__chunk_end(e, step, chunk);
    task_end(e);
    pthread_mutex_unlock(&e->lock);
    feed(e, false);
}

static void spawn(mill__engine *e, mill__step *step)
{
    int chunks = step->chunks; /* the step may be gone before the last task is made, if they run at once */
    char *token = &step->token;
    (void)token;
#pragma omp task default(none) firstprivate(e, step) depend(out : token[0])
    walk_task(e, step);
    for (int chunk = 0; chunk < chunks; chunk++) {
#pragma omp task default(none) firstprivate(e, step, chunk) depend(in : token[0])
        chunk_task(e, step, chunk);
    }
}

/* When there is nothing to do, libomp must leave the region (its threads spin in any region that has seen a
 * task, but sleep at once between regions with block time 0); libgomp must stay in it, asleep in our
 * condition variable (its threads spin for milliseconds at the end of a region). */
static bool stay_in_region(const mill__engine *e)
{
    return !kmp_set_blocktime && e->burst < STEPS_PER_REGION;
}

/* Every thread of the team comes here first (by a recall) and after each task: make tasks of what can be
 * started while few wait. */
static void feed(mill__engine *e, bool may_sleep)
{
    mill__worker *worker = &e->workers[omp_get_thread_num()];
    if (worker->feeding) /* a task that the runtime ran inside our spawn() */
        return;
    worker->feeding = true;
    bool call = false;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        mill__step *step =
            e->pending < e->config.threads && e->burst < STEPS_PER_REGION ? mill__claim(e) : NULL;
        if (step) {
            e->pending++;
            e->burst++;
            pthread_mutex_unlock(&e->lock);
            spawn(e, step);
            pthread_mutex_lock(&e->lock);
        } else if (e->pending || (!e->running && (mill__all_claimed(e) || !stay_in_region(e)))) {
            break;
        } else if (may_sleep) {
            pthread_cond_wait(&e->work, &e->lock);
        } else {
            call = true;
            e->calls++;
            break;
        }
    }
    e->away++;
    pthread_mutex_unlock(&e->lock);
    worker->feeding = false;
    if (call)
        spawn_recalls(e, 1);
}

/* The team begins with a recall of each thread, so that every task has an explicit task for its parent:
 * libgomp loses the table of dependences of an implicit one when the next region follows quickly. */
static void enter(mill__engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->away++;
    e->calls++;
    pthread_mutex_unlock(&e->lock);
    spawn_recalls(e, 1);
}

/* ---- loop ---- */

static void loop_walk(mill__engine *e, mill__step *step) /* lock held */
{
    pthread_mutex_unlock(&e->lock);
    mill__walk(e, step);
    pthread_mutex_lock(&e->lock);
    mill__walk_end(e, step);
    step->next = NULL;
    *e->walked_end = step;
    e->walked_end = &step->next;
    pthread_cond_broadcast(&e->work);
}

static void loop_chunk(mill__engine *e, mill__step *step, int worker) /* lock held */
{
    int chunk = step->next_chunk++;
    if (step->next_chunk == step->chunks) {
        e->walked = step->next;
        if (!e->walked)
            e->walked_end = &e->walked;
    }
    pthread_mutex_unlock(&e->lock);
    mill__chunk(e, step, chunk, worker);
    pthread_mutex_lock(&e->lock);
    mill__chunk_end(e, step, chunk);
}

static void loop(mill__engine *e, int worker)
{
    pthread_mutex_lock(&e->lock);
    for (;;) {
        mill__step *step = e->walked;
        if (step) {
            loop_chunk(e, step, worker);
        } else if ((step = mill__claim(e))) {
            e->running++;
            loop_walk(e, step);
            e->running--;
        } else if (!e->running && mill__all_claimed(e)) {
            break;
        } else {
            pthread_cond_wait(&e->work, &e->lock);
        }
    }
    pthread_cond_broadcast(&e->work);
    pthread_mutex_unlock(&e->lock);
}

/* ---- the driver's side ---- */

static void serve(mill__engine *e)
{
    int threads = e->config.threads;
    bool tasks = threads > 1 && strcmp(e->config.executor, "loop") != 0;
    if (kmp_set_blocktime)
        kmp_set_blocktime(0); /* of this driver's team alone */
    omp_set_dynamic(0);
    mill__trace_thread(e->config.trace, "driver");
    pthread_mutex_lock(&e->lock);
    while (!mill__all_claimed(e)) {
        if (!mill__can_claim(e)) {
            pthread_cond_wait(&e->work, &e->lock);
            continue;
        }
        e->burst = e->away = 0;
        e->regions++;
        pthread_mutex_unlock(&e->lock);
        if (tasks) {
#pragma omp parallel num_threads(threads) default(none) firstprivate(e)
            if (omp_get_num_threads() > 1)
                enter(e);
            else /* OMP_THREAD_LIMIT: a team of one runs tasks where they are made */
                loop(e, 0);
        } else {
#pragma omp parallel num_threads(threads) default(none) firstprivate(e) if (threads > 1)
            loop(e, omp_get_thread_num());
        }
        pthread_mutex_lock(&e->lock);
    }
    pthread_mutex_unlock(&e->lock);
}

/* Drivers are parked and used again, never ended: libomp crashes when a thread that ran tasks has exited.
 * They are the one thing that the library keeps beyond its handles, because they belong to the OpenMP runtime
 * of the process. */
typedef struct driver {
    struct driver *next;
    mill__engine *job;
    pthread_cond_t wake;
} driver;

static struct {
    pthread_once_t once;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    driver *parked;
} drivers = {PTHREAD_ONCE_INIT, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};

static void *drive(void *arg)
{
    driver *d = arg;
    pthread_mutex_lock(&drivers.lock);
    for (;;) {
        while (!d->job)
            pthread_cond_wait(&d->wake, &drivers.lock);
        mill__engine *e = d->job;
        pthread_mutex_unlock(&drivers.lock);
        serve(e);
        pthread_mutex_lock(&drivers.lock);
        d->job = NULL;
        d->next = drivers.parked;
        drivers.parked = d;
        e->serving = false; /* the last touch of e */
        pthread_cond_broadcast(&drivers.idle);
    }
    return NULL;
}

static void forget_in_child(void)
{
    drivers.parked = NULL; /* their threads are not here */
    pthread_mutex_init(&drivers.lock, NULL);
    pthread_cond_init(&drivers.idle, NULL);
}

static void register_fork_handler(void)
{
    pthread_atfork(NULL, NULL, forget_in_child);
}

static int start_thread(driver *d)
{
    pthread_t thread;
    sigset_t all, before;
    cpu_set_t cpus;
    const void *bound = mill__team_cpus(&cpus);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attr;
    int failed = pthread_attr_init(&attr);
    if (!failed) {
        if (bound)
            pthread_attr_setaffinity_np(&attr, sizeof cpus, &cpus);
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        failed = pthread_create(&thread, &attr, drive, d);
        if (failed == EINVAL && bound) { /* places beyond our affinity mask */
            pthread_attr_destroy(&attr);
            pthread_attr_init(&attr);
            pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
            failed = pthread_create(&thread, &attr, drive, d);
        }
        pthread_attr_destroy(&attr);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

mill_status mill__team_start(mill__engine *e, mill_error *err)
{
    pthread_once(&drivers.once, register_fork_handler);
    pthread_mutex_lock(&drivers.lock);
    driver *d = drivers.parked;
    int failed = 0;
    if (d) {
        drivers.parked = d->next;
    } else {
        d = calloc(1, sizeof *d);
        failed = d ? 0 : ENOMEM;
        if (d) {
            pthread_cond_init(&d->wake, NULL);
            failed = start_thread(d);
        }
    }
    if (!failed) {
        e->serving = true;
        d->job = e;
        pthread_cond_signal(&d->wake);
    } else {
        free(d);
    }
    pthread_mutex_unlock(&drivers.lock);
    return failed ? mill__fail_os(err, failed, "cannot start the compute threads") : MILL_OK;
}

void mill__team_wait(mill__engine *e)
{
    pthread_mutex_lock(&drivers.lock);
    while (e->serving)
        pthread_cond_wait(&drivers.idle, &drivers.lock);
    pthread_mutex_unlock(&drivers.lock);
}
