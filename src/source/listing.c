/* SPDX-License-Identifier: Apache-2.0 */
/* source/listing.c: the images below a folder. */
#include "source/listing.h"
#include "base/error.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Links can make a few folders look like any number; no real class is near these. */
#define MOST_FOLDERS 1000000
#define MOST_ENTRIES 100000000

#define NO_PARENT SIZE_MAX

/* A folder that is listed or waits to be. */
typedef struct node {
    char *path; /* relative, "" for the top */
    size_t parent;
    dev_t device;
    ino_t inode;
} node;

typedef struct walk {
    mill__listing *listing;
    const char *top;
    int top_fd;
    node *nodes;
    size_t nnodes, capacity;
} walk;

static bool is_image(const char *name)
{
    size_t n = strlen(name);
    return (n > 4 && !strcasecmp(name + n - 4, ".jpg")) || (n > 5 && !strcasecmp(name + n - 5, ".jpeg"));
}

static void note_time(mill__listing *listing, const struct stat *st)
{
    int64_t t = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    if (t > listing->mtime_ns)
        listing->mtime_ns = t;
}

static bool is_own_parent(const walk *w, size_t at, const struct stat *st)
{
    for (; at != NO_PARENT; at = w->nodes[at].parent)
        if (w->nodes[at].device == st->st_dev && w->nodes[at].inode == st->st_ino)
            return true;
    return false;
}

static char *join(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s%s%s", folder, *folder ? "/" : "", name) < 0 ? NULL : path;
}

static mill_status add_folder(walk *w, size_t parent, const char *name, const struct stat *st,
                              mill_error *err)
{
    if (w->nnodes == MOST_FOLDERS)
        return mill_fail(err, MILL_LIMIT, "folders", "folder '%s' has more than %d folders below it", w->top,
                         MOST_FOLDERS);
    if (w->nnodes == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 16;
        node *nodes = realloc(w->nodes, capacity * sizeof *nodes);
        if (!nodes)
            return mill__no_memory(err, capacity * sizeof *nodes, "the list of folders");
        w->nodes = nodes;
        w->capacity = capacity;
    }
    char *path = join(parent == NO_PARENT ? "" : w->nodes[parent].path, name);
    if (!path)
        return mill__no_memory(err, strlen(name), "the path of a folder");
    w->nodes[w->nnodes++] = (node){path, parent, st->st_dev, st->st_ino};
    return MILL_OK;
}

static mill_status add_entry(walk *w, size_t at, const char *name, uint64_t nbytes, int os_error,
                             mill_error *err)
{
    mill__listing *l = w->listing;
    if (l->nentries == MOST_ENTRIES)
        return mill_fail(err, MILL_LIMIT, "members", "folder '%s' holds more than %d images", w->top,
                         MOST_ENTRIES);
    if (l->nentries == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 64;
        mill__entry *entries = realloc(l->entries, capacity * sizeof *entries);
        if (!entries)
            return mill__no_memory(err, capacity * sizeof *entries, "the list of a folder's images");
        l->entries = entries;
        l->capacity = capacity;
    }
    const char *folder = w->nodes[at].path;
    size_t begin = l->names.nbytes, n = strlen(folder);
    if (mill__buffer_append(&l->names, folder, n) || (n && mill__buffer_append(&l->names, "/", 1)) ||
        mill__buffer_append(&l->names, name, strlen(name) + 1))
        return mill__no_memory(err, n + strlen(name), "the names of a folder's images");
    l->entries[l->nentries++] = (mill__entry){begin, n, nbytes, os_error};
    return MILL_OK;
}

static mill_status visit(walk *w, size_t at, int fd, const struct dirent *d, mill_error *err)
{
    bool image = is_image(d->d_name);
    if (d->d_name[0] == '.' || (d->d_type == DT_REG && !image))
        return MILL_OK;
    struct stat st;
    if (fstatat(fd, d->d_name, &st, 0)) {
        /* a link that leads nowhere, or a file that has just gone */
        return image && d->d_type != DT_DIR ? add_entry(w, at, d->d_name, 0, errno, err) : MILL_OK;
    }
    if (S_ISDIR(st.st_mode))
        return is_own_parent(w, at, &st) ? MILL_OK : add_folder(w, at, d->d_name, &st, err);
    if (!S_ISREG(st.st_mode) || !image)
        return MILL_OK;
    note_time(w->listing, &st);
    return add_entry(w, at, d->d_name, (uint64_t)st.st_size, 0, err);
}

static mill_status list_open(walk *w, size_t at, DIR *dir, mill_error *err)
{
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (!d && errno)
            return mill__fail_os(err, errno, "cannot list folder '%s/%s'", w->top, w->nodes[at].path);
        if (!d)
            return MILL_OK;
        mill_status status = visit(w, at, dirfd(dir), d, err);
        if (status)
            return status;
    }
}

static mill_status list_folder(walk *w, size_t at, mill_error *err)
{
    const char *path = w->nodes[at].path;
    int fd = openat(w->top_fd, *path ? path : ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        mill_status status =
            mill__fail_os(err, errno, "cannot open folder '%s%s%s'", w->top, *path ? "/" : "", path);
        if (fd >= 0)
            close(fd);
        return status;
    }
    struct stat st;
    if (!fstat(fd, &st))
        note_time(w->listing, &st);
    mill_status status = list_open(w, at, dir, err);
    closedir(dir);
    return status;
}

/* By folder, then by name, both by their bytes: what sorted(os.walk(top)) gives in Python. */
static int compare(const void *a, const void *b, void *names)
{
    const mill__entry *x = a, *y = b;
    const char *p = (const char *)names + x->name, *q = (const char *)names + y->name;
    size_t m = x->folder_nbytes, n = y->folder_nbytes;
    int order = memcmp(p, q, m < n ? m : n);
    if (order || m != n)
        return order ? order : m < n ? -1 : 1;
    return strcmp(p + m, q + n);
}

mill_status mill__listing_walk(mill__listing *listing, int fd, const char *path, mill_error *err)
{
    walk w = {.listing = listing, .top = path, .top_fd = fd};
    struct stat st;
    mill_status status = fstat(fd, &st) ? mill__fail_os(err, errno, "cannot look at folder '%s'", path)
                                        : add_folder(&w, NO_PARENT, "", &st, err);
    for (size_t i = 0; i < w.nnodes && !status; i++)
        status = list_folder(&w, i, err);
    if (!status && listing->nentries)
        qsort_r(listing->entries, listing->nentries, sizeof *listing->entries, compare, listing->names.data);
    for (size_t i = 0; i < w.nnodes; i++)
        free(w.nodes[i].path);
    free(w.nodes);
    return status;
}

const char *mill__listing_name(const mill__listing *listing, const mill__entry *entry)
{
    return (const char *)listing->names.data + entry->name;
}

void mill__listing_free(mill__listing *listing)
{
    free(listing->entries);
    mill__buffer_free(&listing->names);
    *listing = (mill__listing){0};
}
