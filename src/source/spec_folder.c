/* SPDX-License-Identifier: Apache-2.0 */
/* source/spec_folder.c: which shards a folder stands for. Names that begin with a dot are passed over. */
#include "base/error.h"
#include "source/spec.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

mill_status mill__shards_add(mill__shard_list *shards, const char *locator, int64_t class_index,
                             bool is_folder, mill_error *err)
{
    if (shards->n == MILL__SHARDS_MOST)
        return mill_fail(err, MILL_USAGE, "spec", "the data-set spec stands for more than %d shards",
                         MILL__SHARDS_MOST);
    if (shards->n == shards->capacity) {
        size_t capacity = shards->capacity ? 2 * shards->capacity : 64;
        mill__shard_name *items = realloc(shards->items, capacity * sizeof *items);
        if (!items)
            return mill__no_memory(err, capacity * sizeof *items, "the list of shards");
        shards->items = items;
        shards->capacity = capacity;
    }
    char *copy = strdup(locator);
    if (!copy)
        return mill__no_memory(err, strlen(locator) + 1, "the path of a shard");
    shards->items[shards->n++] =
        (mill__shard_name){.locator = copy, .class_index = class_index, .is_folder = is_folder};
    return MILL_OK;
}

/* Paths of one folder's files and subfolders. */
typedef struct found {
    char **paths;
    size_t n, capacity;
} found;

static int add(found *f, const char *folder, const char *name)
{
    if (f->n == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 64;
        char **paths = realloc(f->paths, capacity * sizeof *paths);
        if (!paths)
            return -1;
        f->paths = paths;
        f->capacity = capacity;
    }
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    if (asprintf(&f->paths[f->n], "%s%s%s", folder, slash, name) < 0)
        return -1;
    f->n++;
    return 0;
}

static void drop(found *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->paths[i]);
    free(f->paths);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What an entry is, links followed: S_IFREG, S_IFDIR or something else. Most file systems say so for free. */
static mode_t type_of(DIR *dir, const struct dirent *d)
{
    struct stat st;
    if (d->d_type == DT_REG || d->d_type == DT_DIR)
        return d->d_type == DT_REG ? S_IFREG : S_IFDIR;
    if ((d->d_type != DT_LNK && d->d_type != DT_UNKNOWN) || fstatat(dirfd(dir), d->d_name, &st, 0))
        return 0;
    return st.st_mode & S_IFMT;
}

static mill_status sort_out(DIR *dir, const char *path, const char *extensions, found *files, found *folders,
                            mill_error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (!d && errno)
            return mill__fail_os(err, errno, "cannot list folder '%s'", path);
        if (!d)
            return MILL_OK;
        bool shard = mill__extension_nbytes(d->d_name, extensions) > 0;
        if (d->d_name[0] == '.' || (d->d_type == DT_REG && !shard))
            continue;
        mode_t type = type_of(dir, d);
        int failed = 0;
        /* a link that leads nowhere stays in: opening it will say so */
        if (shard && (type == S_IFREG || (!type && d->d_type == DT_LNK)))
            failed = add(files, path, d->d_name);
        else if (type == S_IFDIR)
            failed = add(folders, path, d->d_name);
        if (failed)
            return mill__no_memory(err, strlen(path), "the list of a folder");
    }
}

mill_status mill__shards_add_folder(mill__shard_list *shards, const char *path, const char *extensions,
                                    mill_error *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return mill__fail_os(err, errno, "cannot list folder '%s'", path);
    found files = {0}, folders = {0};
    mill_status status = sort_out(dir, path, extensions, &files, &folders, err);
    closedir(dir);
    bool classes = !files.n;
    found *f = classes ? &folders : &files;
    if (f->n)
        qsort(f->paths, f->n, sizeof *f->paths, by_bytes);
    for (size_t i = 0; i < f->n && !status; i++)
        status = mill__shards_add(shards, f->paths[i], classes ? (int64_t)i : -1, classes, err);
    if (!status && !f->n)
        status = mill__shards_add(shards, path, -1, true, err);
    drop(&files);
    drop(&folders);
    return status;
}
