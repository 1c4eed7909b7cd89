/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest of an output folder: what was made, from what, with which settings. While a run goes on, the
 * journal beside it has one line for each finished shard, and memory only knows where the line lies. The
 * first line is the settings; "redo HASH" takes back what was said of a shard. */
#include "base/clock.h"
#include "base/error.h"
#include "base/json_text.h"
#include "sink/manifest_json.h"
#include "sink/manifest_state.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

mill_status mill__manifest_open(mill__manifest **m, const char *folder, const char *const *settings,
                                mill_error *err)
{
    mill__manifest *opened = calloc(1, sizeof *opened);
    if (!opened)
        return mill__no_memory(err, sizeof *opened, "the manifest");
    opened->folder = strdup(folder);
    if (asprintf(&opened->path, "%s/" MILL__MANIFEST_NAME, folder) < 0)
        opened->path = NULL;
    opened->settings = mill__settings_text(settings);
    mill_status status = opened->folder && opened->path && opened->settings
                             ? mill__manifest_load(opened, err)
                             : mill__no_memory(err, strlen(folder), "the manifest");
    if (!status && !opened->resumed) /* from now on the folder is of this run, and not complete */
        status = mill__manifest_save(opened, false, err);
    if (status)
        mill__manifest_close(opened);
    else
        *m = opened;
    return status;
}

bool mill__manifest_found(const mill__manifest *m)
{
    return m->found;
}

/* ---- asking ---- */

static mill__record *find_hash(const mill__manifest *m, uint64_t hash)
{
    size_t low = 0, high = m->nloaded;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (m->loaded[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->nloaded && m->loaded[low].hash == hash ? &m->loaded[low] : NULL;
}

static mill__record *find(const mill__manifest *m, const char *name)
{
    char *valid = mill__json_utf8(name);
    mill__record *found = valid ? find_hash(m, mill__record_hash(valid)) : NULL;
    free(valid);
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

static bool read_entry(const mill__manifest *m, const mill__record *r, mill__manifest_entry *entry)
{
    char *text = mill__journal_read(m->journal, r->line);
    bool good = text && mill__manifest_parse((mill__json_piece){text, strlen(text)}, entry);
    free(text);
    return good;
}

bool mill__manifest_finished(const mill__manifest *m, const char *name, const char *locator, uint64_t nbytes,
                             int64_t mtime_ns)
{
    mill__manifest_entry entry;
    const mill__record *r = find(m, name);
    if (!r || !read_entry(m, r, &entry))
        return false;
    const mill__manifest_shard *shard = &entry.shard;
    uint64_t stored_nbytes = nbytes > INT64_MAX ? INT64_MAX : nbytes;
    bool finished = same_text(shard->name, name) && same_text(shard->locator, locator) &&
                    shard->nbytes == stored_nbytes && shard->mtime_ns == mtime_ns &&
                    files_are_there(m, shard);
    mill__manifest_entry_free(&entry);
    return finished;
}

/* ---- adding ---- */

static mill_status put_line(mill__manifest *m, size_t index, mill__line line, mill_error *err)
{
    if (index >= m->nadded) {
        size_t n = m->nadded + m->nadded / 2 > index ? m->nadded + m->nadded / 2 : index + 1;
        mill__line *more = reallocarray(m->added, n, sizeof *more);
        if (!more)
            return mill__no_memory(err, n * sizeof *more, "the manifest");
        memset(more + m->nadded, 0, (n - m->nadded) * sizeof *more);
        m->added = more;
        m->nadded = n;
    }
    m->added[index] = line;
    return MILL_OK;
}

mill_status mill__manifest_keep(mill__manifest *m, size_t index, const char *name,
                                mill__manifest_entry *entry, mill_error *err)
{
    mill__record *r = find(m, name);
    if (!r || !read_entry(m, r, entry))
        return mill_fail(err, MILL_IO, "io", "cannot read back what the journal of \"%s\" says of \"%s\"",
                         m->folder, name);
    r->settled = true;
    return put_line(m, index, r->line, err);
}

/* What a kill must not undo is on its way to the disk within a second; more often would only cost time, as a
 * lost line only means that its shard is made again. */
static mill_status sync_sometimes(mill__manifest *m, mill_error *err)
{
    int64_t now = mill__now_ns();
    if (now - m->synced_ns < 1000000000)
        return MILL_OK;
    m->synced_ns = now;
    return mill__journal_sync(m->journal, err);
}

mill_status mill__manifest_redo(mill__manifest *m, const char *name, mill_error *err)
{
    mill__record *r = find(m, name);
    if (!r || r->settled)
        return MILL_OK;
    char line[32];
    snprintf(line, sizeof line, "redo %016" PRIx64, r->hash);
    r->settled = true;
    m->saved = false;
    mill_status status = mill__journal_append(m->journal, line, NULL, err);
    return status ? status : mill__journal_sync(m->journal, err);
}

mill_status mill__manifest_add(mill__manifest *m, size_t index, const mill__manifest_shard *shard,
                               mill_error *err)
{
    mill__line line;
    char *text = mill__manifest_text(shard);
    mill_status status = text ? mill__journal_append(m->journal, text, &line, err)
                              : mill__no_memory(err, sizeof *shard, "the manifest");
    free(text);
    if (!status)
        status = put_line(m, index, line, err);
    mill__record *r = find(m, shard->name);
    if (r)
        r->settled = true;
    m->saved = false;
    return status ? status : sync_sometimes(m, err);
}

/* ---- saving ---- */

typedef struct writer {
    const mill__manifest *m;
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

static mill_status put_shard(writer *w, mill__line line, mill_error *err)
{
    char *text = mill__journal_read(w->m->journal, line);
    if (!text)
        return mill_fail(err, MILL_IO, "io", "cannot read back the journal of \"%s\"", w->m->folder);
    mill_status status = w->nshards++ ? put(w, ",", err) : MILL_OK;
    if (!status)
        status = put(w, text, err);
    free(text);
    return status;
}

static mill_status put_all(writer *w, bool complete, mill_error *err)
{
    const mill__manifest *m = w->m;
    mill_status status = put(w,
                             complete ? "{\"shardmill\":1,\"complete\":true,\"settings\":"
                                      : "{\"shardmill\":1,\"complete\":false,\"settings\":",
                             err);
    if (!status)
        status = put(w, m->settings, err);
    if (!status)
        status = put(w, ",\"shards\":[", err);
    for (size_t i = 0; i < m->nadded && !status; i++)
        if (m->added[i].nbytes)
            status = put_shard(w, m->added[i], err);
    for (size_t i = 0; i < m->nloaded && !status && !complete; i++)
        if (!m->loaded[i].settled)
            status = put_shard(w, m->loaded[i].line, err);
    if (!status)
        status = put(w, "]}", err);
    return status ? status : mill__file_write(w->file, "\n", 1, err);
}

mill_status mill__manifest_save(mill__manifest *m, bool complete, mill_error *err)
{
    writer w = {.m = m};
    mill_status status = mill__file_create(&w.file, m->folder, MILL__MANIFEST_NAME, err);
    if (status)
        return status;
    status = put_all(&w, complete, err);
    mill__buffer_free(&w.line);
    if (status) {
        mill__file_abandon(w.file);
        return status;
    }
    mill__output_file written;
    status = mill__file_finish(w.file, &written, err);
    if (status)
        return status;
    free(written.name);
    m->saved = true;
    return MILL_OK;
}

void mill__manifest_close(mill__manifest *m)
{
    if (!m)
        return;
    mill__journal_close(m->journal, m->saved);
    free(m->loaded);
    free(m->added);
    free(m->settings);
    free(m->folder);
    free(m->path);
    free(m);
}
