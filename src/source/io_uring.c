/* SPDX-License-Identifier: Apache-2.0 */
/* source/io_uring.c: reads through io_uring, submitted and reaped by one thread of our own.
 *
 * Why that thread submits too: the kernel copies what is in the page cache inside the system call of whoever
 * submits, finishes buffered reads in that thread's context, and cancels what a thread submitted when it
 * ends. None of this may happen to a compute thread or to a caller's. And the ring then needs no lock: only
 * the queue in front of it has one. The reaper sleeps in the ring; an eventfd that the ring polls wakes it
 * for what is queued.
 *
 * What the ring refuses, for a file or altogether, goes to the pool of threads. */
#include "base/error.h"
#include "base/trace.h"
#include "source/io_backend.h"
#include "source/pread.h"
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SHORTAGES_MOST 1000 /* a second of them in a row, and the ring is given up */

struct mill__ring {
    mill__io *io;
    int wake_fd;
    pthread_t reaper;
    bool has_uring, has_reaper;
    pthread_mutex_t mutex;
    mill__io_request *first, **last; /* the queue; guarded by mutex, as are: */
    bool asleep;                     /* the reaper sleeps or is about to: wake it */
    bool stop;
    /* the reaper's own from here on */
    struct io_uring uring;
    unsigned nentries, nreading; /* room of the ring; reads that the kernel has */
    bool armed;                  /* the ring polls wake_fd */
    bool broken;                 /* the kernel takes nothing any more */
    int64_t lane_ns;             /* end of the last span on the reaper's lane of the trace */
};

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ---- one read ---- */

static void finish(mill__ring *ring, mill__io_request *r)
{
    /* Reads overlap, and the spans of a lane must not: each is shown from the end of the one before. */
    struct mill__trace *trace = mill__io_trace(ring->io);
    int64_t begin_ns = r->begin_ns > ring->lane_ns ? r->begin_ns : ring->lane_ns;
    mill__io_finish(ring->io, r, begin_ns);
    ring->lane_ns = mill__trace_now(trace);
}

/* Give what stands in the ring to the kernel. Only one entry is in it at a time, so that a failure tells
 * whose it is. 0 or an errno, after which the entry is still in the ring. */
static int submit_one(mill__ring *ring)
{
    for (int attempts = 0;;) {
        int n = io_uring_submit(&ring->uring);
        if (n > 0)
            return 0;
        bool shortage = n == -EAGAIN || n == -EBUSY; /* of the kernel's memory, for the moment */
        if (n != -EINTR && (!shortage || ++attempts > SHORTAGES_MOST))
            return n ? -n : EIO;
        if (shortage)
            pause_briefly();
    }
}

static void start_read(mill__ring *ring, mill__io_request *r)
{
    size_t left = r->n - r->got;
    /* an offset that no file has must not reach the ring, which takes -1 for "the current position" */
    const uint64_t most = (uint64_t)INT64_MAX - MILL__READ_MOST;
    bool possible = !ring->broken && r->offset <= most && r->got <= most - r->offset;
    /* taken only to be used: what is taken goes to the kernel with the next entry at the latest */
    struct io_uring_sqe *entry = possible ? io_uring_get_sqe(&ring->uring) : NULL;
    if (!entry) {
        mill__io_divert(ring->io, r);
        return;
    }
    io_uring_prep_read(entry, r->fd, (char *)r->data + r->got,
                       (unsigned)(left < MILL__READ_MOST ? left : MILL__READ_MOST), r->offset + r->got);
    io_uring_sqe_set_data(entry, r);
    if (submit_one(ring)) {
        /* such as a seccomp filter set by the application after we began */
        ring->broken = true;
        mill__io_divert(ring->io, r);
        return;
    }
    ring->nreading++;
}

/* A read came back with result: bytes or -errno. */
static void continue_read(mill__ring *ring, mill__io_request *r, int result)
{
    ring->nreading--;
    if (result > 0)
        r->got += (size_t)result;
    if (result == 0 || r->got == r->n)
        finish(ring, r);
    else if (result > 0 || result == -EINTR)
        start_read(ring, r);
    else if (result == -EAGAIN || result == -EOPNOTSUPP || result == -EINVAL || result == -ECANCELED)
        mill__io_divert(ring->io, r); /* a file or kernel that the ring does not serve: plain reads may */
    else {
        mill__io_read_failed(r, -result);
        finish(ring, r);
    }
}

/* ---- the reaper ---- */

static void drain_wakeups(mill__ring *ring)
{
    uint64_t n;
    while (read(ring->wake_fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
    ring->armed = false;
}

static void reap(mill__ring *ring)
{
    struct io_uring_cqe *entry;
    while (!io_uring_peek_cqe(&ring->uring, &entry) && entry) {
        mill__io_request *r = io_uring_cqe_get_data(entry);
        int result = entry->res;
        io_uring_cqe_seen(&ring->uring, entry);
        if (r)
            continue_read(ring, r, result);
        else
            drain_wakeups(ring);
    }
}

/* The next queued request, NULL if there is none: then the reaper is taken to be asleep. */
static mill__io_request *take(mill__ring *ring, bool *stop)
{
    pthread_mutex_lock(&ring->mutex);
    mill__io_request *r = ring->first;
    if (r) {
        ring->first = r->next;
        if (!ring->first)
            ring->last = &ring->first;
    }
    ring->asleep = !r;
    *stop = !r && ring->stop;
    pthread_mutex_unlock(&ring->mutex);
    return r;
}

static void arm_wakeup(mill__ring *ring)
{
    struct io_uring_sqe *entry = ring->armed || ring->broken ? NULL : io_uring_get_sqe(&ring->uring);
    if (!entry)
        return;
    io_uring_prep_poll_add(entry, ring->wake_fd, POLLIN);
    io_uring_sqe_set_data(entry, NULL);
    ring->armed = !submit_one(ring);
    ring->broken = !ring->armed;
}

/* Sleep until a read comes back or something is queued. */
static void wait_for_news(mill__ring *ring)
{
    arm_wakeup(ring);
    struct io_uring_cqe *entry;
    int result = ring->broken ? -EIO : io_uring_wait_cqe(&ring->uring, &entry);
    if (!result || result == -EINTR)
        return;
    if (result == -EAGAIN || result == -EBUSY) {
        pause_briefly();
        return;
    }
    /* The ring cannot be waited on. What the kernel still has of ours appears in shared memory: look now and
     * then. */
    ring->broken = true;
    struct pollfd wake = {.fd = ring->wake_fd, .events = POLLIN};
    if (poll(&wake, 1, ring->nreading ? 1 : -1) > 0)
        drain_wakeups(ring);
}

static void *serve(void *arg)
{
    mill__ring *ring = arg;
    mill__io_thread_begin(ring->io, "mill-uring");
    for (;;) {
        reap(ring);
        bool stop = false;
        mill__io_request *r = ring->nreading < ring->nentries ? take(ring, &stop) : NULL;
        if (r && r->n)
            start_read(ring, r);
        else if (r)
            finish(ring, r);
        else if (stop && !ring->nreading)
            return NULL;
        else
            wait_for_news(ring);
    }
}

/* mutex held */
static void wake(mill__ring *ring)
{
    if (!ring->asleep)
        return;
    ring->asleep = false;
    while (write(ring->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno == EINTR)
        ;
}

bool mill__ring_is_busy(mill__ring *ring)
{
    pthread_mutex_lock(&ring->mutex);
    bool busy = !ring->asleep;
    pthread_mutex_unlock(&ring->mutex);
    return busy;
}

void mill__ring_submit(mill__ring *ring, mill__io_request *request)
{
    pthread_mutex_lock(&ring->mutex);
    request->next = NULL;
    *ring->last = request;
    ring->last = &request->next;
    wake(ring);
    pthread_mutex_unlock(&ring->mutex);
}

/* ---- life ---- */

static mill_status set_up(mill__ring *ring, int depth, mill_error *err)
{
    /* one entry for the wake-up */
    int result = io_uring_queue_init((unsigned)depth + 1, &ring->uring, 0);
    if (result) {
        mill__fail_os(err, -result,
                      "io_uring cannot be used here (an old kernel, a container or a limit forbids it; "
                      "choose threads or auto)");
        if (err)
            err->status = MILL_UNSUPPORTED;
        return MILL_UNSUPPORTED;
    }
    ring->has_uring = true;
    ring->nentries = (unsigned)depth;
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
    bool reads = probe && io_uring_opcode_supported(probe, IORING_OP_READ) &&
                 io_uring_opcode_supported(probe, IORING_OP_POLL_ADD);
    io_uring_free_probe(probe);
    if (!reads)
        return mill_fail(err, MILL_UNSUPPORTED, "io_uring",
                         "io_uring of this kernel cannot read files (Linux 5.6 can); choose threads or auto");
    ring->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ring->wake_fd < 0)
        return mill__fail_os(err, errno, "cannot make an event descriptor for io_uring");
    int os_error = mill__io_thread_start(&ring->reaper, serve, ring);
    if (os_error)
        return mill__fail_os(err, os_error, "cannot start the thread for io_uring");
    ring->has_reaper = true;
    return MILL_OK;
}

mill_status mill__ring_open(mill__ring **ring, mill__io *io, int depth, mill_error *err)
{
    mill__ring *made = calloc(1, sizeof *made);
    if (!made)
        return mill__no_memory(err, sizeof *made, "io_uring");
    made->io = io;
    made->wake_fd = -1;
    made->last = &made->first;
    pthread_mutex_init(&made->mutex, NULL);
    mill_status status = set_up(made, depth, err);
    if (status)
        mill__ring_close(made);
    else
        *ring = made;
    return status;
}

void mill__ring_close(mill__ring *ring)
{
    if (!ring)
        return;
    if (ring->has_reaper) {
        pthread_mutex_lock(&ring->mutex);
        ring->stop = true;
        wake(ring);
        pthread_mutex_unlock(&ring->mutex);
        pthread_join(ring->reaper, NULL);
    }
    if (ring->has_uring)
        io_uring_queue_exit(&ring->uring);
    if (ring->wake_fd >= 0)
        close(ring->wake_fd);
    pthread_mutex_destroy(&ring->mutex);
    free(ring);
}
