/* SPDX-License-Identifier: Apache-2.0 */
/* source/pread.c: reading a range of a file whole. */
#include "source/pread.h"
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static int read_whole(int fd, uint64_t offset, void *data, size_t n, size_t *got, int flags)
{
    const uint64_t end = INT64_MAX; /* of the largest file */
    while (*got < n && offset < end && *got < end - offset) {
        size_t piece = n - *got < MILL__READ_MOST ? n - *got : MILL__READ_MOST;
        if (piece > end - offset - *got)
            piece = (size_t)(end - offset - *got);
        void *to = (char *)data + *got;
        const off_t at = (off_t)(offset + *got);
        const struct iovec whole = {.iov_base = to, .iov_len = piece};
        ssize_t r = flags ? preadv2(fd, &whole, 1, at, flags) : pread(fd, to, piece, at);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return errno;
        if (r == 0)
            return 0;
        *got += (size_t)r;
    }
    return 0;
}

int mill__pread_full(int fd, uint64_t offset, void *data, size_t n, size_t *got)
{
    return read_whole(fd, offset, data, n, got, 0);
}

int mill__pread_cached(int fd, uint64_t offset, void *data, size_t n, size_t *got)
{
    return read_whole(fd, offset, data, n, got, RWF_NOWAIT);
}
