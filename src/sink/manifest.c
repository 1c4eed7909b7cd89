/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of an output folder: what was made, from what, with which settings. Shards are kept as compact
 * JSON texts, about half a kilobyte each, and parsed one at a time. */
#include "base/error.h"
#include "sink/json_text.h"
#include "sink/manifest_json.h"
#include "sink/sink.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "manifest.json"
#define VERSION   1

/* A shard that an earlier run finished. name is as it stands in the text. */
typedef struct record {
    char *name, *text;
    bool confirmed; /* found finished in this run */
    bool obsolete;  /* added again in this run, or found not to be finished any more */
} record;

struct mill__manifest {
    char *folder, *path;
    char *settings; /* as compact JSON */
    record *loaded; /* sorted by name */
    size_t nloaded;
    char **added; /* texts by index in the data set; NULL: not yet */
    size_t nadded;
    mill__manifest_entry answer; /* the last answer */
};

/* ---- opening ---- */

static mill_status unfit(const mill__manifest *m, mill_error *err, const char *why)
{
    return mill_fail(
        err, MILL_USAGE, "manifest",
        "\"%s\" is not a manifest that this version of shardmill can go on from (%s): it is left as it is; "
        "write to another folder, or remove it",
        m->path, why);
}

static mill_status read_file(const char *path, mill__buffer *text, bool *found, mill_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? MILL_OK : mill__fail_os(err, errno, "cannot open \"%s\"", path);
    mill_status status = MILL_OK;
    for (ssize_t n = 1; n && !status;) {
        if (mill__buffer_reserve(text, text->nbytes + (64 << 10))) {
            status = mill__no_memory(err, text->nbytes, path);
            break;
        }
        n = read(fd, text->data + text->nbytes, text->capacity - text->nbytes);
        if (n > 0)
            text->nbytes += (size_t)n;
        else if (n < 0 && errno != EINTR)
            status = mill__fail_os(err, errno, "cannot read \"%s\"", path);
    }
    close(fd);
    return status;
}

static mill_status load_shard(mill__manifest *m, mill__json_piece text, size_t *capacity, mill_error *err)
{
    mill__manifest_entry entry;
    if (!mill__manifest_parse(text, &entry))
        return unfit(m, err, "a shard in it is damaged");
    record r = {.name = strdup(entry.shard.name), .text = mill__manifest_text(&entry.shard)};
    mill__manifest_entry_free(&entry);
    bool room = m->nloaded < *capacity;
    if (!room) {
        *capacity = *capacity ? *capacity * 2 : 64;
        record *more = reallocarray(m->loaded, *capacity, sizeof *more);
        m->loaded = more ? more : m->loaded;
        room = more != NULL;
    }
    if (!room || !r.name || !r.text) {
        free(r.name);
        free(r.text);
        return mill__no_memory(err, text.nbytes, "the manifest");
    }
    m->loaded[m->nloaded++] = r;
    return MILL_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const record *)a)->name, ((const record *)b)->name);
}

static mill_status load_shards(mill__manifest *m, mill__json_piece text, mill_error *err)
{
    mill__json_walk walk;
    mill__json_piece element;
    size_t capacity = 0;
    int more = mill__json_begin(&walk, text, '[') ? 1 : -1;
    mill_status status = MILL_OK;
    while (!status && more > 0 && (more = mill__json_next(&walk, NULL, &element)) > 0)
        status = load_shard(m, element, &capacity, err);
    if (status)
        return status;
    if (more < 0)
        return unfit(m, err, "its list of shards is damaged");
    if (m->nloaded)
        qsort(m->loaded, m->nloaded, sizeof *m->loaded, compare_names);
    for (size_t i = 1; i < m->nloaded; i++)
        if (!strcmp(m->loaded[i - 1].name, m->loaded[i].name))
            return unfit(m, err, "it names a shard twice");
    return MILL_OK;
}

static mill_status compare_settings(const mill__manifest *m, mill__json_piece then, mill_error *err)
{
    mill__difference d;
    int result = mill__settings_compare(then, (mill__json_piece){m->settings, strlen(m->settings)}, &d);
    if (result < 0)
        return unfit(m, err, "its settings are damaged");
    if (!result)
        return MILL_OK;
    return mill_fail(
        err, MILL_USAGE, "manifest",
        "\"%s\" is of a run with another %s: it was \"%s\" then and is \"%s\" now; write to another "
        "folder, or run with the same %s",
        m->path, d.key, d.then, d.now, d.key);
}

static bool key_is(mill__json_piece key, const char *word)
{
    return key.nbytes == strlen(word) && !memcmp(key.text, word, key.nbytes);
}

static mill_status load(mill__manifest *m, mill__json_piece text, mill_error *err)
{
    mill__json_walk walk;
    mill__json_piece key, value, version = {0}, settings = {0}, shards = {0};
    int more = mill__json_begin(&walk, text, '{') ? 1 : -1;
    while (more > 0 && (more = mill__json_next(&walk, &key, &value)) > 0) {
        if (key_is(key, "shardmill"))
            version = value;
        else if (key_is(key, "settings"))
            settings = value;
        else if (key_is(key, "shards"))
            shards = value;
    }
    if (more < 0 || !mill__json_ended(&walk))
        return unfit(m, err, "it is not whole JSON");
    if (!version.text || !settings.text || !shards.text)
        return unfit(m, err, "it has no shardmill, settings and shards");
    if (version.nbytes != 1 || *version.text != '0' + VERSION)
        return unfit(m, err, "it is of another version");
    mill_status status = compare_settings(m, settings, err);
    return status ? status : load_shards(m, shards, err);
}

mill_status mill__manifest_open(mill__manifest **m, const char *folder, const char *const *settings,
                                mill_error *err)
{
    mill__manifest *opened = calloc(1, sizeof *opened);
    if (!opened)
        return mill__no_memory(err, sizeof *opened, "the manifest");
    opened->folder = strdup(folder);
    if (asprintf(&opened->path, "%s/" FILE_NAME, folder) < 0)
        opened->path = NULL;
    opened->settings = mill__settings_text(settings);
    mill__buffer text = {0};
    bool found = false;
    mill_status status = opened->folder && opened->path && opened->settings
                             ? read_file(opened->path, &text, &found, err)
                             : mill__no_memory(err, strlen(folder), "the manifest");
    if (!status && found)
        status = load(opened, (mill__json_piece){(const char *)text.data, text.nbytes}, err);
    mill__buffer_free(&text);
    if (status)
        mill__manifest_close(opened);
    else
        *m = opened;
    return status;
}

/* ---- asking and adding ---- */

static record *find(const mill__manifest *m, const char *name)
{
    record wanted = {.name = mill__json_utf8(name)}, *found = NULL;
    if (wanted.name && m->nloaded)
        found = bsearch(&wanted, m->loaded, m->nloaded, sizeof wanted, compare_names);
    free(wanted.name);
    return found;
}

static bool same_text(const char *stored, const char *text)
{
    char *valid = mill__json_utf8(text);
    bool same = valid && !strcmp(stored, valid);
    free(valid);
    return same;
}

static bool files_are_there(const mill__manifest *m, const mill__manifest_shard *shard)
{
    for (size_t i = 0; i < shard->nfiles; i++) {
        char *path;
        struct stat there;
        if (asprintf(&path, "%s/%s", m->folder, shard->files[i].name) < 0)
            return false;
        bool good = !stat(path, &there) && S_ISREG(there.st_mode) &&
                    (uint64_t)there.st_size == shard->files[i].nbytes;
        free(path);
        if (!good)
            return false;
    }
    return true;
}

bool mill__manifest_finished(mill__manifest *m, const char *name, const char *locator, uint64_t nbytes,
                             int64_t mtime_ns, mill__manifest_shard *out)
{
    record *r = find(m, name);
    mill__manifest_entry_free(&m->answer);
    if (!r || !mill__manifest_parse((mill__json_piece){r->text, strlen(r->text)}, &m->answer))
        return false;
    const mill__manifest_shard *shard = &m->answer.shard;
    uint64_t stored_nbytes = nbytes > INT64_MAX ? INT64_MAX : nbytes;
    r->confirmed = same_text(shard->locator, locator) && shard->nbytes == stored_nbytes &&
                   shard->mtime_ns == mtime_ns && files_are_there(m, shard);
    r->obsolete = !r->confirmed;
    *out = *shard;
    return r->confirmed;
}

static bool grow_added(mill__manifest *m, size_t index)
{
    if (index < m->nadded)
        return true;
    size_t n = m->nadded + m->nadded / 2 > index ? m->nadded + m->nadded / 2 : index + 1;
    char **more = n < index ? NULL : reallocarray(m->added, n, sizeof *more);
    if (!more)
        return false;
    memset(more + m->nadded, 0, (n - m->nadded) * sizeof *more);
    m->added = more;
    m->nadded = n;
    return true;
}

mill_status mill__manifest_add(mill__manifest *m, size_t index, const mill__manifest_shard *shard,
                               mill_error *err)
{
    char *text = mill__manifest_text(shard);
    if (!text || !grow_added(m, index)) {
        free(text);
        return mill__no_memory(err, sizeof *shard, "the manifest");
    }
    record *r = find(m, shard->name);
    if (r)
        r->obsolete = true;
    free(m->added[index]);
    m->added[index] = text;
    return MILL_OK;
}

/* ---- saving ---- */

typedef struct writer {
    mill__file *file;
    mill__buffer line;
    mill__json_indent indent;
    size_t nshards;
} writer;

static mill_status put(writer *w, const char *text, mill_error *err)
{
    w->line.nbytes = 0;
    if (mill__json_append_indented(&w->line, &w->indent, text, strlen(text)))
        return mill__no_memory(err, strlen(text), "the manifest");
    return mill__file_write(w->file, w->line.data, w->line.nbytes, err);
}

static mill_status put_shard(writer *w, const char *text, mill_error *err)
{
    mill_status status = w->nshards++ ? put(w, ",", err) : MILL_OK;
    return status ? status : put(w, text, err);
}

static mill_status put_all(const mill__manifest *m, writer *w, bool complete, mill_error *err)
{
    mill_status status = put(w,
                             complete ? "{\"shardmill\":1,\"complete\":true,\"settings\":"
                                      : "{\"shardmill\":1,\"complete\":false,\"settings\":",
                             err);
    if (!status)
        status = put(w, m->settings, err);
    if (!status)
        status = put(w, ",\"shards\":[", err);
    for (size_t i = 0; i < m->nadded && !status; i++)
        if (m->added[i])
            status = put_shard(w, m->added[i], err);
    for (size_t i = 0; i < m->nloaded && !status; i++)
        if (!m->loaded[i].obsolete && (m->loaded[i].confirmed || !complete))
            status = put_shard(w, m->loaded[i].text, err);
    if (!status)
        status = put(w, "]}", err);
    return status ? status : mill__file_write(w->file, "\n", 1, err);
}

mill_status mill__manifest_save(mill__manifest *m, bool complete, mill_error *err)
{
    writer w = {0};
    mill_status status = mill__file_create(&w.file, m->folder, FILE_NAME, err);
    if (status)
        return status;
    status = put_all(m, &w, complete, err);
    mill__buffer_free(&w.line);
    if (status) {
        mill__file_abandon(w.file);
        return status;
    }
    mill__output_file written;
    status = mill__file_finish(w.file, &written, err);
    if (!status)
        free(written.name);
    return status;
}

void mill__manifest_close(mill__manifest *m)
{
    if (!m)
        return;
    mill__manifest_entry_free(&m->answer);
    for (size_t i = 0; i < m->nloaded; i++) {
        free(m->loaded[i].name);
        free(m->loaded[i].text);
    }
    for (size_t i = 0; i < m->nadded; i++)
        free(m->added[i]);
    free(m->loaded);
    free(m->added);
    free(m->settings);
    free(m->folder);
    free(m->path);
    free(m);
}
