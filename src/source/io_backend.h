/* SPDX-License-Identifier: Apache-2.0 */
/* source/io_backend.h: between io.c and its two backends. Every request ends in exactly one
 * mill__io_finish(), on an I/O thread. */
#ifndef MILL_SOURCE_IO_BACKEND_H
#define MILL_SOURCE_IO_BACKEND_H

#include "source/source.h"
#include <pthread.h>

#define MILL__IO_DEPTH_MOST 1024

/* ---- io.c, for the backends ---- */

/* The request is done: its got, status and error stand. begin_ns (mill__trace_now) is where its span in the
 * trace begins on the calling thread's lane. The request belongs to its owner afterwards. */
void mill__io_finish(mill__io *io, mill__io_request *request, int64_t begin_ns);
/* Have the pool finish a read that the ring cannot. */
void mill__io_divert(mill__io *io, mill__io_request *request);
void mill__io_read_failed(mill__io_request *request, int os_error);
struct mill__trace *mill__io_trace(const mill__io *io);

/* Start an I/O thread with all signals blocked; 0 or an errno. */
int mill__io_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
/* The first thing that an I/O thread calls: its name (at most 15 bytes) and its CPUs. */
void mill__io_thread_begin(const mill__io *io, const char *name);

/* ---- pool.c: threads that block; for jobs, for reads by callback, and for all reads without io_uring ----
 */

typedef struct mill__pool mill__pool;
/* Starts one thread, so that there is always one; others when requests wait and all threads are taken. */
mill_status mill__pool_open(mill__pool **pool, mill__io *io, int depth, mill_error *err);
void mill__pool_submit(mill__pool *pool, mill__io_request *request);
void mill__pool_close(mill__pool *pool); /* finishes what waits; NULL is fine */

/* ---- io_uring.c: reads on descriptors, without a thread for each ---- */

typedef struct mill__ring mill__ring;
/* MILL_UNSUPPORTED where the kernel or a container forbids it or is too old. */
mill_status mill__ring_open(mill__ring **ring, mill__io *io, int depth, mill_error *err);
bool mill__ring_is_busy(mill__ring *ring); /* its thread is not asleep */
void mill__ring_submit(mill__ring *ring, mill__io_request *request);
void mill__ring_close(mill__ring *ring); /* finishes what waits; NULL is fine */

#endif
