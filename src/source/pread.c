/* SPDX-License-Identifier: Apache-2.0 */
/* source/pread.c: reading a range of a file whole. */
#include "source/pread.h"
#include <errno.h>
#include <unistd.h>

int mill__pread_full(int fd, uint64_t offset, void *data, size_t n, size_t *got)
{
    const uint64_t end = INT64_MAX; /* of the largest file */
    while (*got < n && offset < end && *got < end - offset) {
        size_t piece = n - *got < MILL__READ_MOST ? n - *got : MILL__READ_MOST;
        if (piece > end - offset - *got)
            piece = (size_t)(end - offset - *got);
        ssize_t r = pread(fd, (char *)data + *got, piece, (off_t)(offset + *got));
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
