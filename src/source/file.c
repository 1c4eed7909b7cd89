/* SPDX-License-Identifier: Apache-2.0 */
/* source/file.c: a shard that is a local file. Its descriptor is lent to the I/O engine, which reads it
 * without a thread where the kernel can. */
#include "base/error.h"
#include "source/pread.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct file {
    int fd;
    char path[]; /* for messages */
} file;

static mill_status refuse(const char *path, mode_t mode, mill_error *err)
{
    const char *kind = S_ISDIR(mode)    ? "a folder"
                       : S_ISFIFO(mode) ? "a pipe"
                       : S_ISSOCK(mode) ? "a socket"
                                        : "a device";
    return mill_fail(err, MILL_USAGE, "not_a_file", "'%s' is %s; a shard must be a regular file", path, kind);
}

static mill_status inspect(const file *f, mill_shard_info *info, mill_error *err)
{
    struct stat st;
    if (fstat(f->fd, &st))
        return mill__fail_os(err, errno, "cannot look at '%s'", f->path);
    if (!S_ISREG(st.st_mode))
        return refuse(f->path, st.st_mode, err);
    *info = (mill_shard_info){.nbytes = (uint64_t)st.st_size,
                              .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec};
    return MILL_OK;
}

static void file_close(void *handle)
{
    file *f = handle;
    close(f->fd);
    free(f);
}

static mill_status file_open(void *user, const char *locator, void **handle, mill_shard_info *info,
                             mill_error *err)
{
    (void)user;
    size_t nbytes = strlen(locator) + 1;
    file *f = malloc(sizeof *f + nbytes);
    if (!f)
        return mill__no_memory(err, sizeof *f + nbytes, "a file handle");
    memcpy(f->path, locator, nbytes);
    /* without O_NONBLOCK, opening a pipe would wait for its writer */
    do
        f->fd = open(locator, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) {
        mill_status status = mill__fail_os(err, errno, "cannot open '%s'", locator);
        free(f);
        return status;
    }
    mill_status status = inspect(f, info, err);
    if (status) {
        file_close(f);
        return status;
    }
    /* With the flag left on, io_uring answers EAGAIN for whatever is not in the page cache. */
    fcntl(f->fd, F_SETFL, fcntl(f->fd, F_GETFL) & ~O_NONBLOCK);
    posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *handle = f;
    return MILL_OK;
}

static mill_status file_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                             mill_error *err)
{
    file *f = handle;
    *got = 0;
    int os_error = mill__pread_full(f->fd, offset, data, n, got);
    if (os_error)
        return mill__fail_os(err, os_error, "cannot read '%s' at offset %llu", f->path,
                             (unsigned long long)offset + *got);
    return MILL_OK;
}

static int file_fd(void *handle)
{
    return ((file *)handle)->fd;
}

const mill_source_ops mill__source_file = {.struct_nbytes = sizeof(mill_source_ops),
                                           .name = "file",
                                           .summary = "a local file",
                                           .open = file_open,
                                           .read = file_read,
                                           .fd = file_fd,
                                           .close = file_close};
