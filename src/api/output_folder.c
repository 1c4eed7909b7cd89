/* SPDX-License-Identifier: Apache-2.0 */
#include "api/output_folder.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- apart from the inputs ---- */

/* The folder and those above it, by what the kernel knows them by: no spelling of a path deceives it. */
typedef struct ancestry {
    struct stat above[64];
    int n;
    bool exists; /* above[0] is the folder itself, else the lowest one above it that is there */
} ancestry;

static int open_lowest(const char *path, bool *exists)
{
    char *at = strdup(path);
    int fd = -1;
    *exists = true;
    while (at) {
        fd = open(*at ? at : path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT || !*at)
            break;
        *exists = false;
        size_t n = strlen(at);
        while (n && at[n - 1] == '/')
            n--;
        while (n && at[n - 1] != '/')
            n--;
        at[n] = 0;
    }
    free(at);
    return fd;
}

static void find_ancestry(const char *path, ancestry *a)
{
    a->n = 0;
    int fd = open_lowest(path, &a->exists);
    while (fd >= 0 && a->n < (int)(sizeof a->above / sizeof *a->above)) {
        struct stat *here = &a->above[a->n];
        int up = fstat(fd, here) ? -1 : openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = up;
        if (a->n && here->st_ino == here[-1].st_ino && here->st_dev == here[-1].st_dev)
            break; /* the root is its own parent */
        a->n++;
    }
    if (fd >= 0)
        close(fd);
}

static bool is_among(const ancestry *a, const char *path, int first, int last)
{
    struct stat st;
    if (first >= last || stat(path, &st))
        return false;
    for (int i = first; i < last; i++)
        if (a->above[i].st_ino == st.st_ino && a->above[i].st_dev == st.st_dev)
            return true;
    return false;
}

/* The folder that path lies in, malloc'd. */
static char *folder_of(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n && path[n - 1] != '/')
        n--;
    return n ? strndup(path, n) : strdup(".");
}

mill_status mill__output_folder_check(const char *path, const mill__shard_name *shards, size_t nshards,
                                      mill_error *err)
{
    ancestry a = {0};
    find_ancestry(path, &a);
    char *last = NULL; /* most shards lie in the folder of the one before */
    mill_status status = MILL_OK;
    for (size_t i = 0; i < nshards && !status; i++) {
        const mill__shard_name *shard = &shards[i];
        char *folder = folder_of(shard->locator);
        if (!folder)
            status = mill__no_memory(err, strlen(shard->locator), "a path");
        else if (shard->is_folder && is_among(&a, shard->locator, 0, a.n))
            status =
                mill_fail(err, MILL_USAGE, "folder",
                          "the output folder \"%.160s\" is inside the input \"%.160s\": outputs would be "
                          "taken for inputs; write to another folder",
                          path, shard->locator);
        else if ((!last || strcmp(last, folder) != 0) &&
                 is_among(&a, folder, 0, shard->class_index >= 0 ? a.n : a.exists))
            status =
                mill_fail(err, MILL_USAGE, "folder",
                          "the output folder \"%.160s\" is among the inputs, such as \"%.160s\": outputs "
                          "would be taken for inputs, or take their place; write to another folder",
                          path, shard->locator);
        free(last);
        last = folder;
    }
    free(last);
    return status;
}

/* ---- made and locked ---- */

static bool is_folder(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* A new folder is on the disk once the one that names it is synced. Where that cannot be, it is no failure:
 * the files within are synced on their own. */
static void sync_parent(const char *path)
{
    char *parent = folder_of(path);
    int fd = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(parent);
}

static mill_status make(const char *path, mill_error *err)
{
    char *partial = strdup(path);
    if (!partial)
        return mill__no_memory(err, strlen(path), "a path");
    int os_error = 0;
    for (char *at = partial + 1; !os_error; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = 0;
        int failed = mkdir(partial, 0777) ? errno : 0;
        if (!failed)
            sync_parent(partial);
        else if (!is_folder(partial))
            os_error = failed == EEXIST ? ENOTDIR : failed;
        *at = was;
        if (!was)
            break;
    }
    free(partial);
    return os_error ? mill__fail_os(err, os_error, "cannot make the output folder \"%s\"", path) : MILL_OK;
}

mill_status mill__output_folder_open(const char *path, int *lock, mill_error *err)
{
    *lock = -1;
    mill_status status = make(path, err);
    if (status)
        return status;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return mill__fail_os(err, errno, "cannot open the output folder \"%s\"", path);
    /* Some network file systems cannot lock a folder. Then it is on the caller. */
    if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) {
        close(fd);
        return mill_fail(err, MILL_USAGE, "folder",
                         "another run is writing to the output folder \"%s\": wait for it, or write to "
                         "another folder",
                         path);
    }
    *lock = fd;
    return MILL_OK;
}

void mill__output_folder_close(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* ---- what a killed run left ---- */

/* Whether name is SHARD.SUFFIX.partial. */
static bool is_left(const char *name, const mill__sink_ops *sink, const mill__shard_name *shards,
                    size_t nshards)
{
    static const char partial[] = ".partial";
    size_t n = strlen(name);
    if (n < sizeof partial || strcmp(name + n - (sizeof partial - 1), partial) != 0)
        return false;
    n -= sizeof partial - 1;
    for (const char *const *suffix = sink->suffixes; suffix && *suffix; suffix++) {
        size_t tail = strlen(*suffix) + 1;
        if (n <= tail || name[n - tail] != '.' || strncmp(name + n - tail + 1, *suffix, tail - 1) != 0)
            continue;
        for (size_t i = 0; i < nshards; i++)
            if (!strncmp(shards[i].name, name, n - tail) && !shards[i].name[n - tail])
                return true;
    }
    return false;
}

mill_status mill__output_folder_clean(const char *path, const mill__sink_ops *sink,
                                      const mill__shard_name *shards, size_t nshards, mill_error *err)
{
    DIR *folder = opendir(path);
    if (!folder)
        return mill__fail_os(err, errno, "cannot list the output folder \"%s\"", path);
    mill_status status = MILL_OK;
    struct dirent *entry;
    while (!status && (errno = 0, entry = readdir(folder)))
        if (is_left(entry->d_name, sink, shards, nshards))
            status = mill__file_remove(path, entry->d_name, err);
    if (!status && errno)
        status = mill__fail_os(err, errno, "cannot list the output folder \"%s\"", path);
    closedir(folder);
    return status;
}
