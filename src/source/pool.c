/* SPDX-License-Identifier: Apache-2.0 */
/* source/pool.c: I/O threads that may block, taking requests from one queue, first come, first served. */
#include "base/error.h"
#include "base/trace.h"
#include "source/io_backend.h"
#include "source/pread.h"
#include <stdio.h>
#include <stdlib.h>

struct mill__pool {
    mill__io *io;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    mill__io_request *first, **last; /* the queue */
    int nqueued;
    int nidle; /* threads that wait for work */
    bool stop;
    int nthreads, depth;
    int nnamed; /* threads that have a name */
    pthread_t threads[];
};

static void read_by_callback(mill__io_request *r)
{
    mill__error_clear(&r->error);
    r->got = 0;
    r->status = r->read(r->handle, r->offset, r->data, r->n, &r->got, &r->error);
    if (!r->status && r->got > r->n)
        r->status = mill_fail(&r->error, MILL_INTERNAL, "source",
                              "the source says it read %zu bytes at offset %llu, but %zu were asked for",
                              r->got, (unsigned long long)r->offset, r->n);
    if (r->status && !r->error.message[0])
        mill_fail(&r->error, r->status, "source", "the source could not read %zu bytes at offset %llu (%s)",
                  r->n, (unsigned long long)r->offset, mill_status_name(r->status));
    if (r->status)
        r->got = 0;
}

static void perform(mill__io_request *r)
{
    r->status = MILL_OK;
    if (r->fd >= 0 && !r->call) {
        int os_error = mill__pread_full(r->fd, r->offset, r->data, r->n, &r->got);
        if (os_error)
            mill__io_read_failed(r, os_error);
    } else if (r->read) {
        read_by_callback(r);
    } else if (r->call) {
        r->call(r->arg);
    } else {
        r->status =
            mill_fail(&r->error, MILL_INTERNAL, "request", "an I/O request is neither a read nor a job");
    }
}

/* The next request, or NULL when the pool closes. Waits. */
static mill__io_request *take(mill__pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (!pool->first && !pool->stop) {
        pool->nidle++;
        pthread_cond_wait(&pool->work, &pool->mutex);
        pool->nidle--;
    }
    mill__io_request *r = pool->first;
    if (r) {
        pool->first = r->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->nqueued--;
    }
    pthread_mutex_unlock(&pool->mutex);
    return r;
}

static void *serve(void *arg)
{
    mill__pool *pool = arg;
    char name[24];
    pthread_mutex_lock(&pool->mutex);
    snprintf(name, sizeof name, "mill-io-%d", ++pool->nnamed);
    pthread_mutex_unlock(&pool->mutex);
    mill__io_thread_begin(pool->io, name);
    for (mill__io_request *r = take(pool); r; r = take(pool)) {
        int64_t begin_ns = mill__trace_now(mill__io_trace(pool->io));
        perform(r);
        mill__io_finish(pool->io, r, begin_ns);
    }
    return NULL;
}

/* mutex held, or nobody else there yet */
static int start_thread(mill__pool *pool)
{
    int os_error = mill__io_thread_start(&pool->threads[pool->nthreads], serve, pool);
    pool->nthreads += !os_error;
    return os_error;
}

mill_status mill__pool_open(mill__pool **pool, mill__io *io, int depth, mill_error *err)
{
    size_t nbytes = sizeof(mill__pool) + (size_t)depth * sizeof(pthread_t);
    mill__pool *made = calloc(1, nbytes);
    if (!made)
        return mill__no_memory(err, nbytes, "the I/O threads");
    made->io = io;
    made->depth = depth;
    made->last = &made->first;
    pthread_mutex_init(&made->mutex, NULL);
    pthread_cond_init(&made->work, NULL);
    int os_error = start_thread(made);
    if (os_error) {
        mill__pool_close(made);
        return mill__fail_os(err, os_error, "cannot start an I/O thread");
    }
    *pool = made;
    return MILL_OK;
}

void mill__pool_submit(mill__pool *pool, mill__io_request *request)
{
    pthread_mutex_lock(&pool->mutex);
    request->next = NULL;
    *pool->last = request;
    pool->last = &request->next;
    pool->nqueued++;
    /* If no thread can be made, those that run get to it in their turn; one always runs. */
    if (pool->nqueued > pool->nidle && pool->nthreads < pool->depth)
        start_thread(pool);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

void mill__pool_close(mill__pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->nthreads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
