/* SPDX-License-Identifier: Apache-2.0 */
/* source/spec.c: expanding a data-set spec. Words are cut (spec_word.c), their braces expanded
 * (spec_braces.c), and what comes out is a list, a glob, a folder (spec_folder.c) or a file; names are given
 * at the end (spec_name.c). */
#include "source/spec.h"
#include "base/error.h"
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LISTS_MOST  8     /* lists in lists: more is a list that names itself */
#define LINE_NBYTES 65536 /* of a list */

typedef struct expansion {
    mill__shard_list shards;
    const char *extensions;
    bool plain;
    int nlists;         /* how many lists we are in */
    const char *folder; /* the innermost list's, in canonical form with a slash at its end, or "" */
    char place[300];    /* where the word at hand stands, for messages */
} expansion;

static mill_status read_list(expansion *e, const char *path, mill_error *err);

static mill_status missing(const expansion *e, const char *what, const char *path, mill_error *err)
{
    mill_status status =
        mill_fail(err, MILL_USAGE, "spec", "%s '%.200s' does not exist (named by %s)", what, path, e->place);
    if (err)
        err->os_error = ENOENT;
    return status;
}

/* One path that was written out: a file or a folder. */
static mill_status add_path(expansion *e, char *path, mill_error *err)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = 0;
    struct stat st;
    if (stat(path, &st)) {
        if (errno == ENOENT || errno == ENOTDIR)
            return missing(e, "shard", path, err);
        return mill__fail_os(err, errno, "cannot look at '%.200s' (named by %s)", path, e->place);
    }
    return S_ISDIR(st.st_mode) ? mill__shards_add_folder(&e->shards, path, e->extensions, err)
                               : mill__shards_add(&e->shards, path, -1, false, err);
}

/* ---- globs ---- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static mill_status add_matches(expansion *e, glob_t *g, mill_error *err)
{
    for (size_t i = 0; i < g->gl_pathc; i++) {
        char *path = g->gl_pathv[i];
        for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
            path[n - 1] = 0;
    }
    qsort(g->gl_pathv, g->gl_pathc, sizeof *g->gl_pathv, by_bytes);
    mill_status status = MILL_OK;
    for (size_t i = 0; i < g->gl_pathc && !status; i++) {
        struct stat st;
        /* what cannot be looked at is there all the same: opening it will say what is wrong */
        if (!stat(g->gl_pathv[i], &st) && S_ISDIR(st.st_mode))
            status = mill__shards_add_folder(&e->shards, g->gl_pathv[i], e->extensions, err);
        else
            status = mill__shards_add(&e->shards, g->gl_pathv[i], -1, false, err);
    }
    return status;
}

static mill_status add_glob(expansion *e, const char *pattern, mill_error *err)
{
    glob_t g = {0};
    mill_status status;
    errno = 0;
    /* not sorted by glob(), which would use the locale's order */
    switch (glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &g)) {
    case 0:
        status = add_matches(e, &g, err);
        break;
    case GLOB_NOMATCH:
        status =
            mill_fail(err, MILL_USAGE, "spec", "nothing matches '%.200s' (named by %s)", pattern, e->place);
        break;
    case GLOB_NOSPACE:
        status = mill__no_memory(err, strlen(pattern), "the matches of a glob");
        break;
    default:
        if (errno == ENOENT)
            status = missing(e, "the folder of", pattern, err);
        else
            status = mill__fail_os(err, errno ? errno : EIO,
                                   "cannot list what matches '%.200s' (named by %s)", pattern, e->place);
    }
    globfree(&g);
    return status;
}

/* ---- words and lists ---- */

/* A word without braces, in canonical form. */
static mill_status add_word(void *self, const char *word, mill_error *err)
{
    expansion *e = self;
    bool is_list = *word == '@', is_locator = e->plain && !is_list;
    word += is_list;
    if (!*word)
        return mill_fail(err, MILL_USAGE, "spec", "there is an empty name (named by %s)", e->place);
    mill__buffer path = {0};
    mill_status status;
    if ((*word != '/' && !is_locator && mill__buffer_append(&path, e->folder, strlen(e->folder))) ||
        mill__buffer_append(&path, word, strlen(word) + 1)) {
        status = mill__no_memory(err, strlen(word), "a path");
    } else if (!is_list && !e->plain && mill__word_has_glob((const char *)path.data)) {
        status = add_glob(e, (const char *)path.data, err);
    } else {
        char *text = (char *)path.data;
        mill__word_plain(text);
        status = is_list    ? read_list(e, text, err)
                 : e->plain ? mill__shards_add(&e->shards, text, -1, false, err)
                            : add_path(e, text, err);
    }
    mill__buffer_free(&path);
    return status;
}

/* A word with braces. Their errors do not say where they are. */
static mill_status add_words(expansion *e, const char *word, mill_error *err)
{
    mill_error local = {0};
    mill_status status = mill__braces_expand(word, add_word, e, &local);
    if (status && err) {
        *err = local;
        size_t used = strlen(err->message);
        if (!strstr(err->message, "(named by"))
            snprintf(err->message + used, sizeof err->message - used, " (named by %s)", e->place);
    }
    return status;
}

static mill_status read_line(expansion *e, const char *line, mill_error *err)
{
    mill__buffer word = {0};
    mill_status status = mill__word_next(&line, true, &word, err);
    if (!status && word.nbytes > 1)
        status = add_words(e, (const char *)word.data, err);
    mill__buffer_free(&word);
    return status;
}

static mill_status read_lines(expansion *e, FILE *file, const char *path, char *line, mill_error *err)
{
    mill_status status = MILL_OK;
    for (size_t number = 1; !status && fgets(line, LINE_NBYTES, file); number++) {
        snprintf(e->place, sizeof e->place, "line %zu of '%.200s'", number, path);
        size_t n = strlen(line);
        if ((!n || line[n - 1] != '\n') && !feof(file))
            status = mill_fail(err, MILL_USAGE, "spec", "%s is longer than %d bytes or holds a zero byte",
                               e->place, LINE_NBYTES - 2);
        else
            status = read_line(e, line, err);
    }
    if (!status && ferror(file))
        status = mill__fail_os(err, errno, "cannot read list '%s'", path);
    return status;
}

static mill_status read_open_list(expansion *e, FILE *file, const char *path, mill_error *err)
{
    char place[sizeof e->place];
    memcpy(place, e->place, sizeof place);
    const char *outer = e->folder, *slash = strrchr(path, '/');
    size_t before = e->shards.n;
    mill__buffer folder = {0};
    char *line = malloc(LINE_NBYTES), *own = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
    mill_status status;
    if (!line || !own || mill__word_protect(&folder, own) || mill__buffer_append(&folder, "", 1)) {
        status = mill__no_memory(err, LINE_NBYTES, "reading a list of shards");
    } else {
        e->folder = (const char *)folder.data;
        e->nlists++;
        status = read_lines(e, file, path, line, err);
        e->nlists--;
        e->folder = outer;
    }
    memcpy(e->place, place, sizeof place);
    if (!status && e->shards.n == before)
        status = mill_fail(err, MILL_USAGE, "spec", "list '%.200s' is empty (named by %s)", path, e->place);
    free(line);
    free(own);
    mill__buffer_free(&folder);
    return status;
}

static mill_status read_list(expansion *e, const char *path, mill_error *err)
{
    if (e->nlists == LISTS_MOST)
        return mill_fail(err, MILL_USAGE, "spec",
                         "lists name lists more than %d deep; does '%.200s' name itself?", LISTS_MOST, path);
    FILE *file = fopen(path, "re");
    if (!file && (errno == ENOENT || errno == ENOTDIR))
        return missing(e, "list", path, err);
    if (!file)
        return mill__fail_os(err, errno, "cannot open list '%.200s' (named by %s)", path, e->place);
    mill_status status = read_open_list(e, file, path, err);
    fclose(file);
    return status;
}

/* ---- the whole ---- */

static mill_status expand(expansion *e, const char *spec, mill_error *err)
{
    mill__buffer word = {0};
    mill_status status;
    for (;;) {
        spec += strspn(spec, " \t\r\n\v\f");
        const char *begin = spec;
        status = mill__word_next(&spec, false, &word, err);
        if (status || word.nbytes == 1)
            break;
        snprintf(e->place, sizeof e->place, "'%.*s'", (int)(spec - begin < 200 ? spec - begin : 200), begin);
        status = add_words(e, (const char *)word.data, err);
        if (status)
            break;
    }
    mill__buffer_free(&word);
    if (!status && !e->shards.n)
        status = mill_fail(err, MILL_USAGE, "spec",
                           "the data-set spec is empty; name a file, folder, glob or @list");
    return status ? status : mill__shards_name(&e->shards, e->extensions, err);
}

mill_status mill__spec_expand(const char *spec, const char *extensions, bool plain, mill__shard_name **shards,
                              size_t *n, mill_error *err)
{
    expansion e = {.extensions = extensions ? extensions : "", .plain = plain, .folder = ""};
    mill_status status = expand(&e, spec ? spec : "", err);
    if (status) {
        mill__spec_free(e.shards.items, e.shards.n);
        return status;
    }
    *shards = e.shards.items;
    *n = e.shards.n;
    return MILL_OK;
}

void mill__spec_free(mill__shard_name *shards, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(shards[i].locator);
        free(shards[i].name);
    }
    free(shards);
}
