/* SPDX-License-Identifier: Apache-2.0 */
/* format/folder.c: a folder of images as a shard: each file is a sample, its class is the folder's place
 * among its siblings, as torchvision's ImageFolder numbers classes. */
#include "base/error.h"
#include "format/format.h"
#include "format/keys.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct walker {
    const mill_shard_info *info;
    int64_t class_index;
    uint64_t max_sample_nbytes;
    size_t next;
    uint64_t skip; /* of a member that is too large */
    mill__keys keys;
    char key[MILL__MAX_KEY + 1];
    char extension[32];
} walker;

static mill_status peek(const mill__format_ops *self, const mill_shard_info *info, const mill__window *head,
                        mill_type *type, mill_error *err)
{
    (void)self, (void)info, (void)head, (void)err;
    *type = (mill_type){.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
    return MILL_OK;
}

static mill_status open_walker(const mill__format_ops *self, void **out, const mill_shard_info *info,
                               int64_t class_index, uint64_t max_sample_nbytes, mill_error *err)
{
    (void)self;
    *out = NULL;
    if (!info->nmembers && info->nbytes)
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "a plain stream of bytes; the folder format needs a source that lists files");
    walker *w = *out = calloc(1, sizeof *w);
    if (!w)
        return mill__no_memory(err, sizeof *w, "a folder walker");
    w->info = info;
    w->class_index = class_index;
    w->max_sample_nbytes = max_sample_nbytes;
    return MILL_OK;
}

/* Key: the path without its extension; the field's name: the extension in lower case. */
static void split(walker *w, const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *dot = strrchr(base, '.');
    size_t n = dot && dot != base ? (size_t)(dot - name) : strlen(name);
    size_t extension = dot && dot != base ? strlen(dot + 1) : 0;
    n = n > MILL__MAX_KEY ? MILL__MAX_KEY : n;
    memcpy(w->key, name, n);
    w->key[n] = 0;
    extension = extension < sizeof w->extension ? extension : sizeof w->extension - 1;
    for (size_t i = 0; i < extension; i++)
        w->extension[i] = (char)tolower((unsigned char)dot[1 + i]);
    w->extension[extension] = 0;
}

static void fill(walker *w, const mill_member *m, const uint8_t *data, mill__sample *s)
{
    split(w, m->name);
    s->key = w->key;
    s->label = w->class_index;
    s->offset = m->offset;
    s->nbytes = m->nbytes;
    s->status = MILL_OK;
    s->nfields = 1;
    s->fields[0] = (mill__field){.name = w->extension,
                                 .name_nbytes = (uint32_t)strlen(w->extension),
                                 .data = data,
                                 .nbytes = (size_t)m->nbytes,
                                 .offset = m->offset};
}

static void check(const walker *w, const mill_member *m, mill__sample *s)
{
    int os_error = __atomic_load_n(&m->os_error, __ATOMIC_ACQUIRE);
    if (os_error)
        s->status = mill__fail_os(&s->error, os_error, "cannot read \"%s\"", m->name);
    else if (m->nbytes > w->max_sample_nbytes)
        s->status = mill_fail(&s->error, MILL_LIMIT, "limit",
                              "a file of %llu bytes; the memory budget allows samples of %llu",
                              (unsigned long long)m->nbytes, (unsigned long long)w->max_sample_nbytes);
    if (s->status) {
        s->nfields = 0;
        mill__error_where(&s->error, NULL, s->key, m->offset);
    }
}

/* 1.jpg and 1.jpeg: both are samples, and can no longer be told apart by their keys. */
static void check_key(walker *w, const mill_member *m, const mill__report *report)
{
    if (!mill__keys_seen(&w->keys, w->key, strlen(w->key)))
        return;
    const mill_issue issue = {.severity = MILL_WARNING,
                              .key = w->key,
                              .kind = "duplicate",
                              .reason = "two files of the folder differ in their extensions only",
                              .sample = -1,
                              .offset = m->offset,
                              .nbytes = m->nbytes};
    report->issue(report->self, &issue);
}

static mill_status next(void *self, const mill__window *window, const mill__report *report,
                        mill__sample *sample, size_t *used, size_t *need, mill_error *err)
{
    (void)err;
    walker *w = self;
    size_t passed = w->skip < window->nbytes ? (size_t)w->skip : window->nbytes;
    w->skip -= passed;
    *used = passed;
    *need = window->nbytes - passed + 1;
    if (w->next == w->info->nmembers && !w->skip)
        return MILL_END;
    if (w->skip)
        return MILL_AGAIN;
    const mill_member *m = &w->info->members[w->next];
    size_t left = window->nbytes - passed;
    bool large = m->nbytes > w->max_sample_nbytes;
    if (m->nbytes > left && !large) {
        *need = (size_t)m->nbytes;
        return MILL_AGAIN;
    }
    fill(w, m, window->data + passed, sample);
    check(w, m, sample);
    check_key(w, m, report);
    size_t here = m->nbytes < left ? (size_t)m->nbytes : left;
    w->skip = m->nbytes - here;
    *used += here;
    w->next++;
    return MILL_OK;
}

static mill_status locate(const mill__format_ops *self, const mill_shard_info *info, const mill__window *head,
                          mill__extents *extents, mill_error *err)
{
    (void)self, (void)head;
    mill__extent *list = malloc((info->nmembers + 1) * sizeof *list);
    if (!list)
        return mill__no_memory(err, info->nmembers * sizeof *list, "the index of a folder");
    for (size_t i = 0; i < info->nmembers; i++)
        list[i] = (mill__extent){.offset = info->members[i].offset, .nbytes = info->members[i].nbytes};
    *extents = (mill__extents){.n = info->nmembers, .extents = list};
    return MILL_OK;
}

static mill_status at(void *self, const mill__window *window, int64_t ordinal, mill__sample *sample,
                      mill_error *err)
{
    walker *w = self;
    if (ordinal < 0 || (size_t)ordinal >= w->info->nmembers ||
        w->info->members[ordinal].nbytes != window->nbytes)
        return mill__not_indexed(window, err);
    fill(w, &w->info->members[ordinal], window->data, sample);
    check(w, &w->info->members[ordinal], sample);
    return MILL_OK;
}

static void close_walker(void *self)
{
    walker *w = self;
    mill__keys_free(&w->keys);
    free(w);
}

const mill__format_ops mill__format_folder = {.name = "folder",
                                              .summary = "a folder of images; the folder is the class",
                                              .extensions = "",
                                              .peek = peek,
                                              .open = open_walker,
                                              .next = next,
                                              .close = close_walker,
                                              .locate = locate,
                                              .at = at};
