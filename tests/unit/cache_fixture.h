/* SPDX-License-Identifier: Apache-2.0 */
/* cache_fixture.h: a page cache as a test wants it. The program's own preadv2(), which stands for the C
 * library's, finds in it what let_be_cached() says. */
#ifndef TESTS_CACHE_FIXTURE_H
#define TESTS_CACHE_FIXTURE_H

#include "unit/folder_of_test.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

typedef enum cache {
    ALL,
    INTERRUPTED, /* all, but for a signal now and then */
    PARTLY,
    SOMETIMES,
    HEADS, /* nothing else: formats know what a shard is like, and then have to wait */
    NOTHING,
    END,     /* the file ends here, it says */
    NO_FLAG, /* the file's system has no such reads */
    NO_CALL, /* the kernel has none */
    NCACHES
} cache;

enum { HEAD_NBYTES = 64 << 10, PIECE_NBYTES = 9 * 4096 };

static const char *const cache_names[] = {"all",     "interrupted", "partly",  "sometimes", "heads",
                                          "nothing", "end",         "no flag", "no call"};
static atomic_int cached, ncalls;
static atomic_bool misused;

static struct {
    pthread_mutex_t mutex;
    off_t nbytes; /* not 0: whoever next reads more than a head finds s-0.npy cut to so much */
} cut = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static inline void let_be_cached(cache what)
{
    atomic_store(&cached, (int)what);
    atomic_store(&ncalls, 0);
}

static inline void expect_calls(void)
{
    ck_assert_int_gt(atomic_load(&ncalls), 0);
    ck_assert(!atomic_load(&misused));
}

static inline bool is_head(size_t n, off_t at)
{
    return !at && n <= HEAD_NBYTES;
}

static inline void cut_file(size_t n, off_t at)
{
    pthread_mutex_lock(&cut.mutex);
    if (cut.nbytes && !is_head(n, at)) {
        atomic_store(&misused, truncate(path_of("s-0.npy"), cut.nbytes) != 0);
        cut.nbytes = 0;
    }
    pthread_mutex_unlock(&cut.mutex);
}

/* The I/O engine's, too, may be the first. */
ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    cut_file(n, at);
    return preadv(fd, &(struct iovec){.iov_base = data, .iov_len = n}, 1, at);
}

static inline int why_not(cache what, int call, size_t n, off_t at)
{
    switch (what) {
    case INTERRUPTED:
        return call % 3 ? 0 : EINTR;
    case PARTLY: /* one piece in eight is not there */
        return at / PIECE_NBYTES % 8 == 3 ? EAGAIN : 0;
    case SOMETIMES:
        return call % 3 == 2 ? EAGAIN : 0;
    case HEADS:
        return is_head(n, at) ? 0 : EAGAIN;
    case NOTHING:
        return EAGAIN;
    case NO_FLAG:
        return EOPNOTSUPP;
    case NO_CALL:
        return ENOSYS;
    default:
        return 0;
    }
}

ssize_t preadv2(int fd, const struct iovec *iov, int niov, off_t at, int flags)
{
    cache what = (cache)atomic_load(&cached);
    size_t n = iov->iov_len, piece = PIECE_NBYTES - (size_t)(at % PIECE_NBYTES);
    int os_error = why_not(what, atomic_fetch_add(&ncalls, 1), n, at);
    if (niov != 1 || flags != RWF_NOWAIT)
        atomic_store(&misused, true);
    cut_file(n, at);
    errno = os_error;
    if (os_error || what == END)
        return os_error ? -1 : 0;
    return pread(fd, iov->iov_base, what == PARTLY && n > piece ? piece : n, at);
}

#endif
