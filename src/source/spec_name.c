/* SPDX-License-Identifier: Apache-2.0 */
/* source/spec_name.c: names for shards, from their paths, for use in the names of output files. */
#include "base/error.h"
#include "source/spec.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t mill__extension_nbytes(const char *path, const char *extensions)
{
    size_t length = strlen(path);
    while (*extensions) {
        size_t n = strcspn(extensions, " ");
        if (n && n < length && path[length - n - 1] != '/' && !strncasecmp(path + length - n, extensions, n))
            return n;
        extensions += n;
        extensions += strspn(extensions, " ");
    }
    return 0;
}

/* Bytes of the path before its last component, the slash included. */
static size_t folder_nbytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Bytes of the longest folder that all shards are in. */
static size_t common_folder(const mill__shard_list *shards)
{
    const char *first = shards->items[0].locator;
    size_t common = folder_nbytes(first);
    for (size_t i = 1; i < shards->n && common; i++) {
        const char *path = shards->items[i].locator;
        size_t same = 0, end = 0, most = folder_nbytes(path);
        for (; same < common && same < most && path[same] == first[same]; same++)
            if (path[same] == '/')
                end = same + 1;
        common = end;
    }
    return common;
}

/* What to call a folder whose path does not say: ".", "..", "a/..", "/". */
static char *canonical_name(const char *path)
{
    char *whole = realpath(path, NULL);
    const char *last = whole ? whole + folder_nbytes(whole) : "";
    char *name = strdup(*last ? last : "shard");
    free(whole);
    return name;
}

static char *name_of(const mill__shard_name *shard, const char *path, const char *extensions)
{
    const char *last = path + folder_nbytes(path);
    if (shard->is_folder && (!*last || !strcmp(last, ".") || !strcmp(last, "..")))
        return canonical_name(shard->locator);
    size_t length = strlen(path) - (shard->is_folder ? 0 : mill__extension_nbytes(path, extensions));
    char *name = malloc(length + sizeof "shard");
    if (!name)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < length; i++)
        if (path[i] != '/')
            name[n++] = path[i];
        else if (n && name[n - 1] != '_') /* "a//b" is "a/b", and "/a" begins with its a */
            name[n++] = '_';
    name[n] = 0;
    for (char *c = name; *c == '.'; c++)
        *c = '_'; /* output must be neither hidden nor ".." */
    return n ? name : memcpy(name, "shard", sizeof "shard");
}

typedef struct named {
    const char *name;
    size_t i; /* of the shard */
} named;

/* By name, then in the order of the spec. */
static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

static mill_status refuse_twins(const char *a, const char *b, const char *name, mill_error *err)
{
    if (!strcmp(a, b))
        return mill_fail(err, MILL_USAGE, "spec", "the data-set spec names '%.300s' twice", a);
    return mill_fail(
        err, MILL_USAGE, "spec",
        "'%.180s' and '%.180s' would write output of the same name, '%.60s'; process them in two runs "
        "or rename one",
        a, b, name);
}

mill_status mill__spec_check_names(const mill__shard_name *shards, size_t n, mill_error *err)
{
    if (n < 2)
        return MILL_OK;
    named *sorted = calloc(n, sizeof *sorted);
    if (!sorted)
        return mill__no_memory(err, n * sizeof *sorted, "the names of the shards");
    for (size_t i = 0; i < n; i++)
        sorted[i] = (named){shards[i].name, i};
    qsort(sorted, n, sizeof *sorted, by_name);
    mill_status status = MILL_OK;
    for (size_t i = 1; i < n && !status; i++)
        if (!strcmp(sorted[i - 1].name, sorted[i].name))
            status = refuse_twins(shards[sorted[i - 1].i].locator, shards[sorted[i].i].locator,
                                  sorted[i].name, err);
    free(sorted);
    return status;
}

mill_status mill__shards_name(mill__shard_list *shards, const char *extensions, mill_error *err)
{
    size_t common = common_folder(shards);
    for (size_t i = 0; i < shards->n; i++) {
        mill__shard_name *shard = &shards->items[i];
        shard->name = name_of(shard, shard->locator + common, extensions);
        if (!shard->name)
            return mill__no_memory(err, strlen(shard->locator), "the name of a shard");
    }
    return MILL_OK;
}
