/* SPDX-License-Identifier: Apache-2.0 */
/* engine/team.c: the compute threads. The only file that knows OpenMP, and it knows nothing else: what the
 * units of work are is told by mill__team_ops.
 *
 * A driver thread opens a parallel region of T threads, so that the application's own OpenMP pool and
 * settings are never touched. Two executors share everything but this file:
 *
 *   tasks: a unit becomes a walk task, depend(out: token), and chunk tasks, depend(in: token), made just in
 *   time: by a thread that has nothing else to do, while fewer than T tasks wait to be started. A unit of one
 *   chunk is one task, or none if the thread is free to do it at once.
 *
 *   loop: every thread takes the next chunk or unit under the lock; also used for a team of one.
 *
 * Threads without work sleep in our condition variable, never in the runtime, whose threads spin. A thread
 * that has returned to the runtime cannot be woken by us; a "recall" task, which nothing depends on, fetches
 * it back. Nobody sleeps inside a task that another task waits for. Measured reasons for all of this are in
 * docs/design.md. */
#include "engine/team.h"
#include "base/error.h"
#include "base/trace.h"
#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNITS_PER_REGION = 1024 }; /* libomp keeps every ancestor of a task until the region ends */

/* libomp only; its presence tells which runtime is underneath, also when a gcc build runs on a preloaded
 * libomp */
extern void kmp_set_blocktime(int) __attribute__((weak)); /* NOLINT(readability-redundant-declaration) */

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

/* Who waits for what was completed is woken when the lock is free, or it would wait for that, too. */
static void unlock(mill__team *t)
{
    bool tell = t->tell;
    t->tell = false;
    pthread_mutex_unlock(t->lock);
    if (tell)
        pthread_cond_signal(t->out);
}

static void wait_for_work(mill__team *t)
{
    if (t->tell)
        pthread_cond_signal(t->out);
    t->tell = false;
    pthread_cond_wait(t->work, t->lock);
}

/* ---- tasks ----
 * Counters, under the lock: pending tasks are ready and not started; running ones have started; threads that
 * are away are in the runtime, where calls of them will be fetched back by recall tasks. */

static void feed(mill__team *t, bool may_sleep);

static void recall(mill__team *t)
{
    pthread_mutex_lock(t->lock);
    t->away--;
    t->calls--;
    unlock(t);
    feed(t, true);
}

static void spawn_recalls(mill__team *t, int n)
{
    for (; n > 0; n--) {
#pragma omp task default(none) firstprivate(t)
        recall(t);
    }
}

/* Something starts; lock held, which is given up. If no task waits to be started, the threads that are idle
 * in the runtime are called back. */
static void begin_work(mill__team *t)
{
    t->running++;
    int idle = t->pending ? 0 : t->away - t->calls;
    if (idle > 0)
        t->calls += idle;
    unlock(t);
    spawn_recalls(t, idle);
}

static void task_begin(mill__team *t)
{
    pthread_mutex_lock(t->lock);
    t->pending--;
    t->away--;
    begin_work(t);
}

static void task_end(mill__team *t) /* lock held */
{
    t->running--;
    if (!t->running && !t->pending)
        pthread_cond_broadcast(t->work);
}

static void walk_task(mill__team *t, mill__unit *unit)
{
    task_begin(t);
    t->ops->walk(t->self, unit);
    pthread_mutex_lock(t->lock);
    t->ops->walk_end(t->self, unit);
    t->pending += unit->chunks; /* they become ready when this task ends */
    pthread_cond_broadcast(t->work);
    task_end(t);
    unlock(t);
    feed(t, false);
}

static void chunk_task(mill__team *t, mill__unit *unit, int chunk)
{
    task_begin(t);
    t->ops->chunk(t->self, unit, chunk, omp_get_thread_num());
    pthread_mutex_lock(t->lock);
    t->ops->chunk_end(t->self, unit, chunk);
    task_end(t);
    unlock(t);
    feed(t, false);
}

/* A unit of one chunk, by one thread. */
static void do_whole(mill__team *t, mill__unit *unit, int worker)
{
    t->ops->walk(t->self, unit);
    pthread_mutex_lock(t->lock);
    t->ops->walk_end(t->self, unit);
    unlock(t);
    t->ops->chunk(t->self, unit, 0, worker);
    pthread_mutex_lock(t->lock);
    t->ops->chunk_end(t->self, unit, 0);
}

static void whole_task(mill__team *t, mill__unit *unit)
{
    task_begin(t);
    do_whole(t, unit, omp_get_thread_num()); /* locks */
    task_end(t);
    unlock(t);
    feed(t, true); /* nothing waits for this task */
}

static void spawn(mill__team *t, mill__unit *unit)
{
    int chunks = unit->chunks; /* the unit may be gone before the last task is made, if they run at once */
    if (chunks == 1) {
#pragma omp task default(none) firstprivate(t, unit)
        whole_task(t, unit);
        return;
    }
    char *token = &unit->token;
    (void)token;
#pragma omp task default(none) firstprivate(t, unit) depend(out : token[0])
    walk_task(t, unit);
    for (int chunk = 0; chunk < chunks; chunk++) {
#pragma omp task default(none) firstprivate(t, unit, chunk) depend(in : token[0])
        chunk_task(t, unit, chunk);
    }
}

/* When there is nothing to do, libomp must leave the region (its threads spin in any region that has seen a
 * task, but sleep at once between regions with block time 0); libgomp must stay in it, asleep in our
 * condition variable (its threads spin for milliseconds at the end of a region). */
static bool stay_in_region(const mill__team *t)
{
    return !kmp_set_blocktime && t->burst < UNITS_PER_REGION;
}

/* Every thread of the team comes here first (by a recall) and after each task: make tasks of what can be
 * started while few wait, or do it at once. */
static void feed(mill__team *t, bool may_sleep)
{
    bool *feeding = &t->feeding[omp_get_thread_num()];
    if (*feeding) /* a task that the runtime ran inside our spawn() */
        return;
    *feeding = true;
    bool call = false;
    pthread_mutex_lock(t->lock);
    for (;;) {
        mill__unit *unit =
            t->pending < t->threads && t->burst < UNITS_PER_REGION ? t->ops->claim(t->self) : NULL;
        if (unit && unit->chunks == 1 && may_sleep && !t->pending) {
            begin_work(t); /* at once: no task has to be made, and none is passed over */
            do_whole(t, unit, omp_get_thread_num()); /* locks */
            t->running--;
        } else if (unit) {
            t->pending++;
            t->burst++;
            unlock(t);
            spawn(t, unit);
            pthread_mutex_lock(t->lock);
        } else if (t->pending || (!t->running && (t->ops->all_claimed(t->self) || !stay_in_region(t)))) {
            break;
        } else if (may_sleep) {
            wait_for_work(t);
        } else {
            call = true;
            t->calls++;
            break;
        }
    }
    t->away++;
    if (!t->running && !t->pending)
        pthread_cond_broadcast(t->work); /* who sleeps here leaves, too */
    unlock(t);
    *feeding = false;
    if (call)
        spawn_recalls(t, 1);
}

/* The team begins with a recall of each thread, so that every task has an explicit task for its parent:
 * libgomp loses the table of dependences of an implicit one when the next region follows quickly. */
static void enter(mill__team *t)
{
    pthread_mutex_lock(t->lock);
    t->away++;
    t->calls++;
    unlock(t);
    spawn_recalls(t, 1);
}

/* ---- loop ---- */

static void loop_walk(mill__team *t, mill__unit *unit) /* lock held */
{
    unlock(t);
    t->ops->walk(t->self, unit);
    pthread_mutex_lock(t->lock);
    t->ops->walk_end(t->self, unit);
    unit->next_chunk = 0;
    unit->next = NULL;
    *t->walked_end = unit;
    t->walked_end = &unit->next;
    pthread_cond_broadcast(t->work);
}

static void loop_chunk(mill__team *t, mill__unit *unit, int worker) /* lock held */
{
    int chunk = unit->next_chunk++;
    if (unit->next_chunk == unit->chunks) {
        t->walked = unit->next;
        if (!t->walked)
            t->walked_end = &t->walked;
    }
    unlock(t);
    t->ops->chunk(t->self, unit, chunk, worker);
    pthread_mutex_lock(t->lock);
    t->ops->chunk_end(t->self, unit, chunk);
}

static void loop(mill__team *t, int worker)
{
    pthread_mutex_lock(t->lock);
    for (;;) {
        mill__unit *unit = t->walked;
        if (unit) {
            loop_chunk(t, unit, worker);
        } else if ((unit = t->ops->claim(t->self))) {
            t->running++;
            loop_walk(t, unit);
            t->running--;
        } else if (!t->running && t->ops->all_claimed(t->self)) {
            break;
        } else {
            wait_for_work(t);
        }
    }
    pthread_cond_broadcast(t->work);
    unlock(t);
}

/* ---- the driver's side ---- */

static void name_thread(mill__team *t)
{
    int worker = omp_get_thread_num();
    char name[32];
    if (!t->trace || t->named[worker])
        return;
    t->named[worker] = true;
    snprintf(name, sizeof name, "compute %d", worker);
    mill__trace_thread(t->trace, name);
}

static void work_by_tasks(mill__team *t)
{
    name_thread(t);
    if (omp_get_num_threads() > 1)
        enter(t);
    else /* OMP_THREAD_LIMIT: a team of one runs tasks where they are made */
        loop(t, 0);
}

static void work_by_loop(mill__team *t)
{
    name_thread(t);
    loop(t, omp_get_thread_num());
}

/* A runtime gives a driver the same threads again. */
static void leave(mill__team *t)
{
    int threads = t->threads;
#pragma omp parallel num_threads(threads) default(none) firstprivate(t) if (threads > 1)
    t->leave(t->self, omp_get_thread_num());
}

static void serve(mill__team *t)
{
    int threads = t->threads;
    bool tasks = threads > 1 && strcmp(t->executor, "loop") != 0;
    if (kmp_set_blocktime)
        kmp_set_blocktime(0); /* of this driver's team alone */
    omp_set_dynamic(0);
    pthread_mutex_lock(t->lock);
    while (!t->ops->all_claimed(t->self)) {
        if (!t->ops->can_claim(t->self)) {
            pthread_cond_wait(t->work, t->lock);
            continue;
        }
        t->burst = t->away = 0;
        t->regions++;
        pthread_mutex_unlock(t->lock);
        if (tasks) {
#pragma omp parallel num_threads(threads) default(none) firstprivate(t)
            work_by_tasks(t);
        } else {
#pragma omp parallel num_threads(threads) default(none) firstprivate(t) if (threads > 1)
            work_by_loop(t);
        }
        pthread_mutex_lock(t->lock);
    }
    pthread_mutex_unlock(t->lock);
    if (t->leave && t->regions)
        leave(t);
}

/* Drivers are parked and used again, never ended: libomp crashes when a thread that ran tasks has exited.
 * They are the one thing that the library keeps beyond its handles, because they belong to the OpenMP runtime
 * of the process. */
typedef struct driver {
    struct driver *next;
    mill__team *job;
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
    pthread_setname_np(pthread_self(), "mill-compute"); /* its team inherits it */
    pthread_mutex_lock(&drivers.lock);
    for (;;) {
        while (!d->job)
            pthread_cond_wait(&d->wake, &drivers.lock);
        mill__team *t = d->job;
        pthread_mutex_unlock(&drivers.lock);
        serve(t);
        pthread_mutex_lock(&drivers.lock);
        d->job = NULL;
        d->next = drivers.parked;
        drivers.parked = d;
        t->serving = false; /* the last touch of it */
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

static mill_status start(mill__team *t, mill_error *err)
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
        t->serving = true;
        d->job = t;
        pthread_cond_signal(&d->wake);
    } else {
        free(d);
    }
    pthread_mutex_unlock(&drivers.lock);
    return failed ? mill__fail_os(err, failed, "cannot start the compute threads") : MILL_OK;
}

mill_status mill__team_start(mill__team *t, const mill__team_config *config, mill_error *err)
{
    t->ops = config->ops;
    t->self = config->self;
    t->lock = config->lock;
    t->work = config->work;
    t->out = config->out;
    t->threads = config->threads;
    t->executor = config->executor;
    t->leave = config->leave;
    t->trace = config->trace;
    t->walked_end = &t->walked;
    t->feeding = calloc((size_t)t->threads, sizeof *t->feeding);
    t->named = calloc((size_t)t->threads, sizeof *t->named);
    if (!t->feeding || !t->named)
        return mill__no_memory(err, (size_t)t->threads, "compute threads");
    return start(t, err);
}

void mill__team_end(mill__team *t)
{
    pthread_mutex_lock(&drivers.lock);
    while (t->serving)
        pthread_cond_wait(&drivers.idle, &drivers.lock);
    pthread_mutex_unlock(&drivers.lock);
    free(t->feeding);
    free(t->named);
    t->feeding = t->named = NULL;
}
