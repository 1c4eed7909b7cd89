/* SPDX-License-Identifier: Apache-2.0 */
/* source/folder.c: a folder of images as one shard; its bytes are those of its members, one after another.
 *
 * Members are the regular files whose names end in .jpg or .jpeg (any case), in the folder and in all folders
 * below it, in the order of torchvision's ImageFolder: folder by folder, folders and then names sorted by
 * their bytes. Other files and everything whose name begins with a dot are left out. Links are followed; a
 * link to a folder that leads back to one of its own parents is not. A folder without images is an error, as
 * in torchvision. Members are opened when they are read: a member that is gone, cannot be read or no longer
 * has the size it had is given as zeros and marked, and the others are not disturbed. */
#include "base/error.h"
#include "source/listing.h"
#include "source/pread.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct folder {
    int fd;
    mill_member *members;
    size_t nmembers;
    uint64_t nbytes;
    mill__listing listing; /* owns the names */
    char path[];           /* for messages */
} folder;

static void folder_close(void *handle)
{
    folder *f = handle;
    if (f->fd >= 0)
        close(f->fd);
    mill__listing_free(&f->listing);
    free(f->members);
    free(f);
}

static mill_status fill_members(folder *f, mill_error *err)
{
    size_t n = f->listing.nentries;
    if (!n)
        return mill_fail(err, MILL_BAD_DATA, "empty", "folder '%s' holds no images (.jpg, .jpeg)", f->path);
    f->members = calloc(n, sizeof *f->members);
    if (!f->members)
        return mill__no_memory(err, n * sizeof *f->members, "the list of a folder's images");
    for (size_t i = 0; i < n; i++) {
        const mill__entry *e = &f->listing.entries[i];
        f->members[i] = (mill_member){.name = mill__listing_name(&f->listing, e),
                                      .offset = f->nbytes,
                                      .nbytes = e->nbytes,
                                      .os_error = e->os_error};
        if (e->nbytes > (uint64_t)INT64_MAX - f->nbytes)
            return mill_fail(err, MILL_LIMIT, "size", "the images of folder '%s' together exceed 2^63 bytes",
                             f->path);
        f->nbytes += e->nbytes;
    }
    f->nmembers = n;
    return MILL_OK;
}

static mill_status folder_open(void *user, const char *locator, void **handle, mill_shard_info *info,
                               mill_error *err)
{
    (void)user;
    size_t nbytes = strlen(locator) + 1;
    folder *f = calloc(1, sizeof *f + nbytes);
    if (!f)
        return mill__no_memory(err, sizeof *f + nbytes, "a folder handle");
    memcpy(f->path, locator, nbytes);
    do
        f->fd = open(locator, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    while (f->fd < 0 && errno == EINTR);
    mill_status status = f->fd < 0 ? mill__fail_os(err, errno, "cannot open folder '%s'", locator)
                                   : mill__listing_walk(&f->listing, f->fd, locator, err);
    if (!status)
        status = fill_members(f, err);
    if (status) {
        folder_close(f);
        return status;
    }
    *info = (mill_shard_info){
        .nbytes = f->nbytes, .mtime_ns = f->listing.mtime_ns, .nmembers = f->nmembers, .members = f->members};
    *handle = f;
    return MILL_OK;
}

static int read_open_member(int fd, const mill_member *m, uint64_t at, void *data, size_t n)
{
    struct stat st;
    if (fstat(fd, &st))
        return errno;
    /* offsets of all that follows stand on the size it had: a member that changed is not what was listed */
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != m->nbytes)
        return ESTALE;
    size_t got = 0;
    int os_error = mill__pread_full(fd, at, data, n, &got);
    return !os_error && got < n ? ESTALE : os_error;
}

/* n bytes at offset at of one member; errno of what went wrong with it, or 0. */
static int read_member(const folder *f, const mill_member *m, uint64_t at, void *data, size_t n)
{
    int fd;
    do
        fd = openat(f->fd, m->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno;
    int os_error = read_open_member(fd, m, at, data, n);
    close(fd);
    return os_error;
}

/* Not the member's fault, and over when others have closed files: must not turn good samples into bad ones.
 */
static int is_shortage(int os_error)
{
    return os_error == EMFILE || os_error == ENFILE || os_error == ENOMEM;
}

/* The first member that ends behind offset; nmembers if there is none. */
static size_t member_at(const folder *f, uint64_t offset)
{
    size_t low = 0, high = f->nmembers;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->members[middle].offset + f->members[middle].nbytes > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static mill_status folder_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                               mill_error *err)
{
    folder *f = handle;
    *got = 0;
    for (size_t i = member_at(f, offset); i < f->nmembers && *got < n; i++) {
        mill_member *m = &f->members[i];
        uint64_t at = offset + *got - m->offset;
        size_t piece = m->nbytes - at < n - *got ? (size_t)(m->nbytes - at) : n - *got;
        char *to = (char *)data + *got;
        if (!piece)
            continue;
        int os_error = __atomic_load_n(&m->os_error, __ATOMIC_RELAXED);
        if (!os_error)
            os_error = read_member(f, m, at, to, piece);
        if (is_shortage(os_error))
            return mill__fail_os(err, os_error, "cannot open '%s/%s'", f->path, m->name);
        if (os_error) {
            memset(to, 0, piece);
            /* reads of other parts of this member may run at this moment */
            __atomic_store_n(&m->os_error, os_error, __ATOMIC_RELAXED);
        }
        *got += piece;
    }
    return MILL_OK;
}

const mill_source_ops mill__source_folder = {.struct_nbytes = sizeof(mill_source_ops),
                                             .name = "folder",
                                             .summary = "a folder of images, subfolders included",
                                             .open = folder_open,
                                             .read = folder_read,
                                             .close = folder_close};
