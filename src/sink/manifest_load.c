/* SPDX-License-Identifier: Apache-2.0 */
/* Going on from what an earlier run left behind: its manifest.json, and the journal if it was killed. Both
 * end up in the journal of this run, which then takes the place of the old one. */
#include "base/error.h"
#include "base/hash.h"
#include "base/json_text.h"
#include "sink/manifest_json.h"
#include "sink/manifest_state.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    struct stat st; /* its size at once, so that a long one is not copied as the buffer grows */
    if (!fstat(fd, &st) && st.st_size > 0 && st.st_size < 1LL << 40)
        (void)mill__buffer_reserve(text, (size_t)st.st_size + (128 << 10));
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

/* ---- records ---- */

uint64_t mill__record_hash(const char *name)
{
    return mill__hash_bytes(name, strlen(name));
}

static mill_status add_record(mill__manifest *m, mill__record record, mill_error *err)
{
    if (m->nloaded == m->loaded_capacity) {
        size_t capacity = m->loaded_capacity ? m->loaded_capacity * 2 : 64;
        mill__record *more = reallocarray(m->loaded, capacity, sizeof *more);
        if (!more)
            return mill__no_memory(err, capacity * sizeof *more, "the manifest");
        m->loaded = more;
        m->loaded_capacity = capacity;
    }
    m->loaded[m->nloaded++] = record;
    return MILL_OK;
}

/* The text of a finished shard, into the journal; MILL_END: it is not one. */
static mill_status load_shard(mill__manifest *m, mill__json_piece piece, mill_error *err)
{
    mill__manifest_entry entry;
    if (!mill__manifest_parse(piece, &entry))
        return MILL_END;
    mill__record record = {.hash = mill__record_hash(entry.shard.name)};
    char *text = mill__manifest_text(&entry.shard);
    mill__manifest_entry_free(&entry);
    mill_status status = text ? mill__journal_append(m->journal, text, &record.line, err)
                              : mill__no_memory(err, piece.nbytes, "the manifest");
    free(text);
    return status ? status : add_record(m, record, err);
}

/* By hash; of one hash in the order in which they came. */
static int compare_records(const void *a, const void *b)
{
    const mill__record *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash > y->hash ? 1 : -1;
    if (x->line.offset != y->line.offset)
        return x->line.offset > y->line.offset ? 1 : -1;
    return (x->line.nbytes > y->line.nbytes) - (x->line.nbytes < y->line.nbytes);
}

/* Of several records of a shard the last one counts. (Should two names ever have one hash, a shard is done
 * again.) */
static void sort_records(mill__manifest *m)
{
    size_t n = 0;
    if (m->nloaded)
        qsort(m->loaded, m->nloaded, sizeof *m->loaded, compare_records);
    for (size_t i = 0; i < m->nloaded; i++)
        if ((i + 1 == m->nloaded || m->loaded[i + 1].hash != m->loaded[i].hash) && m->loaded[i].line.nbytes)
            m->loaded[n++] = m->loaded[i];
    m->nloaded = n;
}

/* ---- manifest.json ---- */

static mill_status load_shards(mill__manifest *m, mill__json_piece text, mill_error *err)
{
    mill__json_walk walk;
    mill__json_piece element;
    int more = mill__json_begin(&walk, text, '[') ? 1 : -1;
    mill_status status = MILL_OK;
    while (!status && more > 0 && (more = mill__json_next(&walk, NULL, &element)) > 0)
        status = load_shard(m, element, err);
    if (status)
        return status == MILL_END ? unfit(m, err, "a shard in it is damaged") : status;
    return more < 0 ? unfit(m, err, "its list of shards is damaged") : MILL_OK;
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
        "\"%.160s\" is of a run with another %s: it was \"%s\" then and is \"%s\" now; write to another "
        "folder, or run with the same %s",
        m->path, d.key, d.then, d.now, d.key);
}

static bool is(mill__json_piece piece, const char *word)
{
    return piece.nbytes == strlen(word) && !memcmp(piece.text, word, piece.nbytes);
}

static mill_status load_manifest(mill__manifest *m, mill__json_piece text, mill_error *err)
{
    mill__json_walk walk;
    mill__json_piece key, value, version = {0}, complete = {0}, settings = {0}, shards = {0};
    int more = mill__json_begin(&walk, text, '{') ? 1 : -1;
    while (more > 0 && (more = mill__json_next(&walk, &key, &value)) > 0) {
        if (is(key, "shardmill"))
            version = value;
        else if (is(key, "complete"))
            complete = value;
        else if (is(key, "settings"))
            settings = value;
        else if (is(key, "shards"))
            shards = value;
    }
    if (more < 0 || !mill__json_ended(&walk))
        return unfit(m, err, "it is not whole JSON");
    if (!version.text || !settings.text || !shards.text)
        return unfit(m, err, "it has no shardmill, settings and shards");
    if (version.nbytes != 1 || *version.text != '0' + MILL__MANIFEST_VERSION)
        return unfit(m, err, "it is of another version");
    m->resumed = is(complete, "false");
    mill_status status = compare_settings(m, settings, err);
    return status ? status : load_shards(m, shards, err);
}

/* ---- the journal ---- */

typedef struct replay {
    mill__manifest *m;
    bool begun;
    mill_status status;
    mill_error *err;
} replay;

static bool replay_line(void *self, char *line)
{
    replay *r = self;
    mill__record undone = {0};
    int end = 0;
    if (!r->begun) /* one of other settings is not of this manifest */
        return r->begun = !strcmp(line, r->m->settings);
    if (sscanf(line, "redo %16" SCNx64 "%n", &undone.hash, &end) == 1 && !line[end]) {
        r->status = mill__journal_append(r->m->journal, line, &undone.line, r->err);
        undone.line.nbytes = 0;
        if (!r->status)
            r->status = add_record(r->m, undone, r->err);
    } else {
        r->status = load_shard(r->m, (mill__json_piece){line, strlen(line)}, r->err);
    }
    return !r->status;
}

mill_status mill__manifest_load(mill__manifest *m, mill_error *err)
{
    mill__buffer text = {0};
    mill_status status = read_file(m->path, &text, &m->found, err);
    if (!status)
        status = mill__journal_create(&m->journal, m->folder, err);
    if (!status)
        status = mill__journal_append(m->journal, m->settings, NULL, err);
    if (!status && m->found)
        status = load_manifest(m, (mill__json_piece){(const char *)text.data, text.nbytes}, err);
    mill__buffer_free(&text);
    if (!status && m->found) {
        replay r = {.m = m, .err = err};
        status = mill__journal_replay(m->folder, replay_line, &r, err);
        if (!status && r.status != MILL_END) /* MILL_END: a torn line, and so the last */
            status = r.status;
    }
    if (!status)
        status = mill__journal_publish(m->journal, err);
    if (!status)
        sort_records(m);
    return status;
}
