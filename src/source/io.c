/* SPDX-License-Identifier: Apache-2.0 */
/* source/io.c: the I/O engine. Reads on descriptors go to io_uring where there is one; jobs, reads by
 * callback and everything else go to a pool of threads. */
#include "base/clock.h"
#include "base/error.h"
#include "base/trace.h"
#include "source/io_backend.h"
#include "source/pread.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONG_NBYTES = 256 << 10, MOST_SKIPPED = 64 };

struct mill__io {
    mill__pool *pool;
    mill__ring *ring; /* NULL: the pool reads */
    struct mill__trace *trace;
    cpu_set_t cpus;
    bool has_cpus;
    pid_t pid; /* of the process whose threads these are */
    pthread_mutex_t mutex;
    pthread_cond_t settled;
    int64_t nreads;           /* reads handed in whose done() has not been called */
    int64_t nrequests;        /* the same of reads and jobs */
    int64_t nunfinished;      /* the same until done() has returned */
    atomic_bool never_cached; /* all reads are handed in */
    /* Reads not to be tried on the page cache: so many more, and how many after the next failure. */
    atomic_int skip, next_skip;
};

/* ---- threads ---- */

int mill__io_thread_start(pthread_t *thread, void *(*run)(void *), void *arg)
{
    /* The application's handlers must not run on our stacks, nor its sigwait() miss a signal. */
    sigset_t all, before;
    sigfillset(&all);
    int os_error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (os_error)
        return os_error;
    os_error = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return os_error;
}

void mill__io_thread_begin(const mill__io *io, const char *name)
{
    pthread_setname_np(pthread_self(), name);
    /* Best effort: a container may have taken some of these CPUs away since. */
    if (io->has_cpus)
        pthread_setaffinity_np(pthread_self(), sizeof io->cpus, &io->cpus);
    mill__trace_thread(io->trace, name);
}

/* ---- requests ---- */

struct mill__trace *mill__io_trace(const mill__io *io)
{
    return io->trace;
}

static bool is_read(const mill__io_request *r)
{
    return !r->call && (r->fd >= 0 || r->read);
}

void mill__io_read_failed(mill__io_request *r, int os_error)
{
    r->status = mill__fail_os(&r->error, os_error, "cannot read %zu bytes at offset %llu", r->n - r->got,
                              (unsigned long long)r->offset + r->got);
    r->error.offset = r->offset + r->got;
}

/* Add to what is in flight; the trace shows the reads. */
static void count(mill__io *io, bool read, int change)
{
    pthread_mutex_lock(&io->mutex);
    io->nrequests += change;
    io->nreads += read ? change : 0;
    io->nunfinished += change > 0;
    int64_t nreads = io->nreads;
    pthread_mutex_unlock(&io->mutex);
    if (read)
        mill__trace_counter(io->trace, "reads in flight", nreads);
}

void mill__io_submit(mill__io *io, mill__io_request *request)
{
    request->begin_ns = io->trace ? mill__trace_now(io->trace) : mill__now_ns();
    request->got = 0;
    request->status = MILL_OK;
    count(io, is_read(request), 1);
    /* The ring's one thread copies what is in the page cache: long copies are better made by several. */
    bool by_ring = io->ring && request->fd >= 0 && !request->call;
    if (by_ring && (request->n < LONG_NBYTES || !mill__ring_is_busy(io->ring)))
        mill__ring_submit(io->ring, request);
    else
        mill__pool_submit(io->pool, request);
}

bool mill__io_expects_cached(mill__io *io, const mill__io_request *request)
{
    if (request->fd < 0 || request->call || atomic_load_explicit(&io->never_cached, memory_order_relaxed))
        return false;
    int skip = atomic_load_explicit(&io->skip, memory_order_relaxed);
    if (skip > 0) /* two at once may count as one: it is no more than a guess */
        atomic_store_explicit(&io->skip, skip - 1, memory_order_relaxed);
    return !skip;
}

/* There is no such read here. */
static bool is_unknown(int os_error)
{
    return os_error == EOPNOTSUPP || os_error == ENOSYS || os_error == EINVAL || os_error == EPERM;
}

bool mill__io_take_cached(mill__io *io, mill__io_request *request)
{
    int64_t begin = mill__trace_now(io->trace);
    request->got = 0;
    request->status = MILL_OK;
    int os_error = mill__pread_cached(request->fd, request->offset, request->data, request->n, &request->got);
    if (request->got == request->n) {
        atomic_store_explicit(&io->next_skip, 1, memory_order_relaxed);
        mill__trace_span(io->trace, "read", begin, "\"nbytes\":%zu,\"offset\":%llu,\"cached\":true",
                         request->got, (unsigned long long)request->offset);
        return true;
    }
    if (is_unknown(os_error))
        atomic_store_explicit(&io->never_cached, true, memory_order_relaxed);
    int skip = atomic_load_explicit(&io->next_skip, memory_order_relaxed);
    atomic_store_explicit(&io->skip, skip, memory_order_relaxed);
    atomic_store_explicit(&io->next_skip, skip < MOST_SKIPPED ? 2 * skip : MOST_SKIPPED,
                          memory_order_relaxed);
    return false;
}

void mill__io_divert(mill__io *io, mill__io_request *request)
{
    mill__pool_submit(io->pool, request);
}

void mill__io_finish(mill__io *io, mill__io_request *request, int64_t begin_ns)
{
    bool read = is_read(request);
    if (read)
        mill__trace_span(io->trace, "read", begin_ns, "\"nbytes\":%zu,\"offset\":%llu", request->got,
                         (unsigned long long)request->offset);
    count(io, read, -1);
    request->done(request);
    /* A close() that waits for this may go on now; it then joins the thread that we are on. */
    pthread_mutex_lock(&io->mutex);
    if (!--io->nunfinished)
        pthread_cond_broadcast(&io->settled);
    pthread_mutex_unlock(&io->mutex);
}

int64_t mill__io_in_flight(mill__io *io)
{
    pthread_mutex_lock(&io->mutex);
    int64_t n = io->nrequests;
    pthread_mutex_unlock(&io->mutex);
    return n;
}

/* ---- life ---- */

const char *mill__io_name(const mill__io *io)
{
    return io->ring ? "uring" : "threads";
}

static mill_status open_backends(mill__io *io, const char *backend, int depth, mill_error *err)
{
    bool automatic = !strcmp(backend, "auto"), uring = !strcmp(backend, "uring");
    if (!automatic && !uring && strcmp(backend, "threads") != 0)
        return mill_fail(err, MILL_USAGE, "io", "unknown I/O backend '%s'; there are auto, uring and threads",
                         backend);
    mill_status status = mill__pool_open(&io->pool, io, depth, err);
    if (!status && uring)
        status = mill__ring_open(&io->ring, io, depth, err);
    io->never_cached = !automatic; /* who names a back end wants it for all reads */
    io->next_skip = 1;
    if (!status && automatic)
        (void)mill__ring_open(&io->ring, io, depth, NULL); /* if it cannot be, the pool reads */
    return status;
}

mill_status mill__io_open(mill__io **io, const mill__io_config *config, mill_error *err)
{
    mill__io *made = calloc(1, sizeof *made);
    if (!made)
        return mill__no_memory(err, sizeof *made, "the I/O engine");
    made->trace = config->trace;
    made->pid = getpid();
    if (config->cpus) {
        memcpy(&made->cpus, config->cpus, sizeof made->cpus);
        made->has_cpus = true;
    }
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->settled, NULL);
    int depth = config->depth < 1                     ? 1
                : config->depth > MILL__IO_DEPTH_MOST ? MILL__IO_DEPTH_MOST
                                                      : config->depth;
    mill_status status = open_backends(made, config->backend ? config->backend : "auto", depth, err);
    if (status) {
        mill__io_close(made);
        return status;
    }
    *io = made;
    return MILL_OK;
}

void mill__io_close(mill__io *io)
{
    /* A forked child has neither these threads nor a right to their locks: it leaves all to its end. */
    if (!io || io->pid != getpid())
        return;
    pthread_mutex_lock(&io->mutex);
    while (io->nunfinished)
        pthread_cond_wait(&io->settled, &io->mutex);
    pthread_mutex_unlock(&io->mutex);
    mill__ring_close(io->ring); /* before the pool, which it may divert to */
    mill__pool_close(io->pool);
    pthread_cond_destroy(&io->settled);
    pthread_mutex_destroy(&io->mutex);
    free(io);
}
