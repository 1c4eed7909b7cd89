/* SPDX-License-Identifier: Apache-2.0 */
/* An output file that is there whole or not at all: written as NAME.partial, synced, then renamed. */
#include "base/error.h"
#include "base/hash.h"
#include "sink/sink.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Small writes are gathered; the buffer grows up to its limit with what is written, so that the many small
 * files of open shards do not each hold all of it. */
enum { FIRST_CAPACITY = 4 << 10, LAST_CAPACITY = 256 << 10 };

struct mill__file {
    int fd;
    mill__hash *hash; /* of what was written so far; not used when a front is to come */
    mill__buffer pending;
    uint64_t flushed;  /* bytes in the file, the reserved ones included */
    uint64_t reserved; /* bytes at the front that come last */
    bool fronted;      /* they came */
    char *folder, *name;
    char *path;    /* folder/name */
    char *partial; /* folder/name.partial */
};

static void discard(mill__file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->hash)
        mill__hash_free(file->hash);
    mill__buffer_free(&file->pending);
    free(file->folder);
    free(file->name);
    free(file->path);
    free(file->partial);
    free(file);
}

mill_status mill__file_create(mill__file **file, const char *folder, const char *name, mill_error *err)
{
    mill__file *created = calloc(1, sizeof *created);
    if (!created)
        return mill__no_memory(err, sizeof *created, "an output file");
    created->fd = -1;
    created->folder = strdup(folder);
    created->name = strdup(name);
    if (asprintf(&created->path, "%s/%s", folder, name) < 0)
        created->path = NULL;
    if (asprintf(&created->partial, "%s/%s.partial", folder, name) < 0)
        created->partial = NULL;
    created->hash = mill__hash_new();
    if (!created->folder || !created->name || !created->path || !created->partial || !created->hash) {
        discard(created);
        return mill__no_memory(err, strlen(folder) + strlen(name), "an output file");
    }
    do
        created->fd = open(created->partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    while (created->fd < 0 && errno == EINTR);
    if (created->fd < 0) {
        mill_status status = mill__fail_os(err, errno, "cannot create output file \"%s\"", created->partial);
        discard(created);
        return status;
    }
    *file = created;
    return MILL_OK;
}

static mill_status write_at(mill__file *file, const void *data, size_t nbytes, uint64_t offset,
                            mill_error *err)
{
    const char *from = data;
    while (nbytes) {
        ssize_t n = pwrite(file->fd, from, nbytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return mill__fail_os(err, n ? errno : EIO, "cannot write %zu bytes at offset %llu of \"%s\"",
                                 nbytes, (unsigned long long)offset, file->partial);
        from += n;
        nbytes -= (size_t)n;
        offset += (uint64_t)n;
    }
    return MILL_OK;
}

static mill_status flush(mill__file *file, mill_error *err)
{
    mill_status status = write_at(file, file->pending.data, file->pending.nbytes, file->flushed, err);
    if (!status) {
        file->flushed += file->pending.nbytes;
        file->pending.nbytes = 0;
    }
    return status;
}

/* Room for nbytes more; what is pending is flushed when the buffer may grow no further. */
static mill_status make_room(mill__file *file, size_t nbytes, mill_error *err)
{
    size_t needed = file->pending.nbytes + nbytes, capacity = FIRST_CAPACITY;
    if (needed > LAST_CAPACITY) {
        mill_status status = flush(file, err);
        if (status)
            return status;
        needed = nbytes;
    }
    while (capacity < needed)
        capacity *= 2;
    return mill__buffer_reserve(&file->pending, capacity) ? mill__no_memory(err, capacity, "an output buffer")
                                                          : MILL_OK;
}

mill_status mill__file_write(mill__file *file, const void *data, size_t nbytes, mill_error *err)
{
    if (!nbytes)
        return MILL_OK;
    if (!file->reserved)
        mill__hash_update(file->hash, data, nbytes);
    mill_status status;
    if (nbytes > LAST_CAPACITY / 2) {
        status = flush(file, err);
        if (!status)
            status = write_at(file, data, nbytes, file->flushed, err);
        file->flushed += status ? 0 : nbytes;
        return status;
    }
    status = make_room(file, nbytes, err);
    if (!status)
        mill__buffer_append(&file->pending, data, nbytes); /* cannot fail: there is room */
    return status;
}

mill_status mill__file_reserve(mill__file *file, size_t nbytes, mill_error *err)
{
    if (file->flushed || file->pending.nbytes)
        return mill_fail(err, MILL_INTERNAL, "internal", "the front of \"%s\" was reserved too late",
                         file->path);
    file->flushed = file->reserved = nbytes;
    return MILL_OK;
}

mill_status mill__file_front(mill__file *file, const void *data, size_t nbytes, mill_error *err)
{
    if (nbytes != file->reserved || file->fronted)
        return mill_fail(err, MILL_INTERNAL, "internal", "the front of \"%s\" does not fit", file->path);
    file->fronted = true;
    return write_at(file, data, nbytes, 0, err);
}

/* A front comes last but is hashed first, so a file with one is read once more, most likely from the page
 * cache. Through a buffer: mapped pages would count as resident memory. */
static mill_status hash_again(mill__file *file, mill_error *err)
{
    if (mill__buffer_reserve(&file->pending, LAST_CAPACITY))
        return mill__no_memory(err, LAST_CAPACITY, "an output buffer");
    mill__hash_reset(file->hash);
    for (uint64_t offset = 0; offset < file->flushed;) {
        ssize_t n = pread(file->fd, file->pending.data, LAST_CAPACITY, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return mill__fail_os(err, n ? errno : EIO, "cannot read \"%s\" back for its checksum",
                                 file->partial);
        mill__hash_update(file->hash, file->pending.data, (size_t)n);
        offset += (uint64_t)n;
    }
    return MILL_OK;
}

static mill_status sync_fd(int fd, const char *path, mill_error *err)
{
    int failed;
    do
        failed = fsync(fd);
    while (failed && errno == EINTR);
    return failed ? mill__fail_os(err, errno, "cannot sync \"%s\"", path) : MILL_OK;
}

/* Everything but the rename. */
static mill_status settle(mill__file *file, mill__output_file *out, mill_error *err)
{
    if (file->reserved && !file->fronted)
        return mill_fail(err, MILL_INTERNAL, "internal", "the front of \"%s\" is missing", file->path);
    mill_status status = flush(file, err);
    if (!status && file->reserved)
        status = hash_again(file, err);
    if (!status)
        status = sync_fd(file->fd, file->partial, err);
    if (status)
        return status;
    int fd = file->fd;
    file->fd = -1;
    if (close(fd) && errno != EINTR)
        return mill__fail_os(err, errno, "cannot close \"%s\"", file->partial);
    out->name = strdup(file->name);
    out->nbytes = file->flushed;
    out->xxh3 = mill__hash_digest(file->hash);
    return out->name ? MILL_OK : mill__no_memory(err, strlen(file->name), "the name of an output file");
}

static mill_status sync_folder(const char *folder, mill_error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return mill__fail_os(err, errno, "cannot open output folder \"%s\"", folder);
    /* Some file systems cannot sync a folder, and say EINVAL. */
    mill_status status = fsync(fd) && errno != EINVAL && errno != EINTR
                             ? mill__fail_os(err, errno, "cannot sync output folder \"%s\"", folder)
                             : MILL_OK;
    close(fd);
    return status;
}

mill_status mill__files_finish(mill__file *const *files, size_t n, mill__output_file *out, mill_error *err)
{
    mill_status status = MILL_OK;
    size_t renamed = 0;
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < n && !status; i++)
        status = settle(files[i], &out[i], err);
    for (; renamed < n && !status; renamed++)
        if (rename(files[renamed]->partial, files[renamed]->path)) {
            status = mill__fail_os(err, errno, "cannot rename \"%s\" to \"%s\"", files[renamed]->partial,
                                   files[renamed]->path);
            break;
        }
    if (n && !status)
        status = sync_folder(files[0]->folder, err);
    for (size_t i = 0; i < n; i++) {
        if (i >= renamed)
            unlink(files[i]->partial);
        discard(files[i]);
        if (status) {
            free(out[i].name);
            out[i] = (mill__output_file){0};
        }
    }
    return status;
}

mill_status mill__file_finish(mill__file *file, mill__output_file *out, mill_error *err)
{
    return mill__files_finish(&file, 1, out, err);
}

void mill__file_abandon(mill__file *file)
{
    if (!file)
        return;
    unlink(file->partial);
    discard(file);
}

mill_status mill__file_remove(const char *folder, const char *name, mill_error *err)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return mill__no_memory(err, strlen(name), "the path of a file");
    mill_status status =
        unlink(path) && errno != ENOENT ? mill__fail_os(err, errno, "cannot remove \"%s\"", path) : MILL_OK;
    free(path);
    return status;
}

void mill__output_files_free(mill__output_file *files, size_t n)
{
    for (size_t i = 0; files && i < n; i++)
        free(files[i].name);
    free(files);
}
