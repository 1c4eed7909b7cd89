/* SPDX-License-Identifier: Apache-2.0 */
/* format/tar.c: WebDataset shards: tar files in which the members of a sample stand together and share a key,
 * the path up to the first dot of its last component. The walker accounts for every byte: what is no sound
 * member is reported, and walking goes on at the next header that is. */
#include "base/error.h"
#include "format/format.h"
#include "format/tar_header.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEEN = 1 << 18 }; /* keys remembered to find duplicates */

typedef struct walker {
    uint64_t nbytes, max_sample_nbytes;
    uint64_t skip;        /* bytes to pass over unseen */
    uint64_t reported_to; /* findings before this offset were told already */
    bool lost;            /* looking for the next header */
    uint64_t lost_at;
    char lost_kind[16], lost_reason[200];
    int zeros; /* zero blocks in a row just before here */
    int last_nfields;
    uint64_t *seen; /* hashes of keys, open addressing, 0 is free */
    size_t nseen, capacity;
    char key[MILL__TAR_MAX_NAME + 1];
    size_t key_nbytes;
    mill__tar_member member;
} walker;

/* What next() works with: positions are relative to the window. */
typedef struct walk {
    walker *w;
    const mill__window *window;
    const mill__report *report;
    mill__sample *sample;
    size_t at;    /* where we are */
    size_t begin; /* of the sample being built */
    bool building;
} walk;

static mill_status peek(const mill__window *head, mill_type *type, mill_error *err)
{
    (void)head, (void)err;
    *type = (mill_type){.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
    return MILL_OK;
}

static mill_status open_walker(void **out, const mill_shard_info *info, int64_t class_index,
                               uint64_t max_sample_nbytes, mill_error *err)
{
    (void)class_index;
    walker *w = *out = calloc(1, sizeof *w);
    if (!w)
        return mill__no_memory(err, sizeof *w, "a tar walker");
    w->nbytes = info->nbytes;
    w->max_sample_nbytes = max_sample_nbytes;
    return MILL_OK;
}

static void close_walker(void *self)
{
    walker *w = self;
    free(w->seen);
    free(w);
}

/* ---- findings ---- */

/* at: absolute. A sample that is walked again with a larger window does not tell its findings twice. */
static void tell(walk *k, mill_severity severity, uint64_t at, uint64_t nbytes, const char *kind,
                 const char *key, const char *reason)
{
    if (at < k->w->reported_to)
        return;
    k->w->reported_to = at + 1;
    const mill_issue issue = {.severity = severity,
                              .key = key,
                              .kind = kind,
                              .reason = reason,
                              .sample = -1,
                              .offset = at,
                              .nbytes = nbytes};
    k->report->issue(k->report->self, &issue);
}

static uint64_t absolute(const walk *k)
{
    return k->window->offset + k->at;
}

/* ---- keys seen ---- */

static uint64_t hash(const char *key, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (uint8_t)key[i]) * 0x100000001b3u;
    return h ? h : 1;
}

static bool insert(uint64_t *table, size_t capacity, uint64_t h)
{
    for (size_t i = h & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        if (table[i] == h)
            return false;
        if (!table[i]) {
            table[i] = h;
            return true;
        }
    }
}

static void grow(walker *w)
{
    size_t capacity = w->capacity ? 2 * w->capacity : 1024;
    uint64_t *table = calloc(capacity, sizeof *table);
    if (!table)
        return; /* then some duplicates go unnoticed, nothing else */
    for (size_t i = 0; i < w->capacity; i++)
        if (w->seen[i])
            insert(table, capacity, w->seen[i]);
    free(w->seen);
    w->seen = table;
    w->capacity = capacity;
}

static bool seen_before(walker *w)
{
    if (w->nseen * 2 >= w->capacity && w->nseen < MAX_SEEN)
        grow(w);
    uint64_t h = hash(w->key, w->key_nbytes);
    if (w->nseen * 2 >= w->capacity) { /* full: only look */
        for (size_t i = h & (w->capacity - 1); w->capacity && w->seen[i]; i = (i + 1) & (w->capacity - 1))
            if (w->seen[i] == h)
                return true;
        return false;
    }
    bool is_new = insert(w->seen, w->capacity, h);
    w->nseen += is_new;
    return !is_new;
}

/* ---- building a sample ---- */

static void begin_sample(walk *k, const char *name, size_t key_nbytes)
{
    walker *w = k->w;
    k->building = true;
    k->begin = k->at;
    memcpy(w->key, name, key_nbytes);
    w->key[key_nbytes] = 0;
    w->key_nbytes = key_nbytes;
    k->sample->key = w->key;
    k->sample->label = -1;
    k->sample->offset = absolute(k);
    k->sample->nfields = 0;
    k->sample->status = MILL_OK;
}

static void spoil(walk *k, mill_status status, const char *kind, uint64_t offset, const char *reason)
{
    if (k->sample->status)
        return;
    k->sample->status = mill_fail(&k->sample->error, status, kind, "%s", reason);
    mill__error_where(&k->sample->error, NULL, k->w->key, offset);
}

/* cut: the sample ends where the shard is damaged, so that members may be missing. */
static mill_status end_sample(walk *k, size_t *used, bool cut)
{
    walker *w = k->w;
    mill__sample *s = k->sample;
    s->nbytes = k->at - k->begin;
    if (cut && s->nfields < w->last_nfields)
        spoil(k, MILL_BAD_DATA, "truncated", s->offset,
              "the sample has fewer files than the one before, and the shard is damaged or ends behind it");
    if (!s->status)
        w->last_nfields = s->nfields;
    if (seen_before(w)) {
        uint64_t reported_to = w->reported_to;
        w->reported_to = 0; /* a finding of its own, told once because a sample ends once */
        tell(k, MILL_WARNING, s->offset, s->nbytes, "duplicate", w->key,
             "this key was seen before in the shard: a duplicate, or a sample whose files do not stand "
             "together");
        w->reported_to = reported_to > w->reported_to ? reported_to : w->reported_to;
    }
    *used = k->at;
    return MILL_OK;
}

static void add_field(walk *k, const char *extension, size_t extension_nbytes, const uint8_t *data,
                      uint64_t size, uint64_t name_offset)
{
    mill__sample *s = k->sample;
    for (int i = 0; i < s->nfields; i++)
        if (s->fields[i].name_nbytes == extension_nbytes &&
            !memcmp(s->fields[i].name, extension, extension_nbytes)) {
            spoil(k, MILL_BAD_DATA, "duplicate", name_offset,
                  "the sample has two files with the same extension");
            return;
        }
    if (s->nfields == MILL__MAX_FIELDS) {
        spoil(k, MILL_LIMIT, "limit", name_offset, "the sample has more files than a sample may have (32)");
        return;
    }
    s->fields[s->nfields++] = (mill__field){.name = extension,
                                            .name_nbytes = (uint32_t)extension_nbytes,
                                            .data = data,
                                            .nbytes = (size_t)size,
                                            .offset = k->window->offset + (uint64_t)(data - k->window->data)};
}

static const char *unsafe_name(const char *name, size_t n)
{
    if (name[0] == '/')
        return "an absolute member name";
    if (n > 1 && name[1] == ':')
        return "a member name with a drive letter";
    for (const char *s = name; s; s = strchr(s, '/'), s = s ? s + 1 : NULL)
        if (s[0] == '.' && s[1] == '.' && (!s[2] || s[2] == '/'))
            return "a member name that climbs out of its folder by \"..\"";
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)name[i] < 0x20 || name[i] == 0x7f)
            return "a control character in a member name";
    return NULL;
}

/* Where the extension's text lies within the window, so that it outlives this call: the name was assembled.
 */
static const char *extension_in_window(const walk *k, const char *extension, size_t n)
{
    const uint8_t *from = k->window->data + k->at;
    const uint8_t *found = n ? memmem(from, (size_t)k->w->member.header_nbytes, extension, n) : from;
    return (const char *)found;
}

static uint64_t padded(uint64_t n)
{
    return n > UINT64_MAX - MILL__TAR_BLOCK ? UINT64_MAX
                                            : (n + MILL__TAR_BLOCK - 1) / MILL__TAR_BLOCK * MILL__TAR_BLOCK;
}

static size_t min_size(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

/* Pass over the headers and data of the member, which may reach beyond the window. */
static void pass_member(walk *k)
{
    uint64_t all = k->w->member.header_nbytes + padded(k->w->member.size);
    uint64_t left = k->w->nbytes - absolute(k);
    if (all > left || all < k->w->member.size) {
        tell(k, MILL_ERROR, absolute(k), left, "truncated", k->w->member.name,
             "the shard ends within this member");
        all = left;
    }
    size_t here = min_size(all, k->window->nbytes - k->at);
    k->at += here;
    k->w->skip = all - here;
}

/* ---- members that are no files of samples ---- */

/* true: passed over */
static bool pass_other(walk *k)
{
    const mill__tar_member *m = &k->w->member;
    const char *reason = NULL;
    mill_severity severity = MILL_WARNING;
    const char *kind = "member";
    if (m->sparse) {
        severity = MILL_ERROR;
        kind = "unsupported";
        reason = "a sparse file; shards hold plain files only";
    } else if (m->type == '5' || (m->name_nbytes && m->name[m->name_nbytes - 1] == '/')) {
        reason = "";
    } else if (m->type == '1' || m->type == '2') {
        reason = "a link; it is passed over";
    } else if (m->type == '3' || m->type == '4' || m->type == '6') {
        reason = "a device or fifo; it is passed over";
    } else if (m->type != '0' && m->type != '7') {
        reason = "a member of unknown type; it is passed over";
    } else if (!m->name_nbytes) {
        kind = "name";
        reason = "a member without a name; it is passed over";
    }
    if (!reason)
        return false;
    if (*reason)
        tell(k, severity, absolute(k), m->header_nbytes + m->size, kind, m->name, reason);
    pass_member(k);
    return true;
}

/* Length of the key in a member's name; 0: the member belongs to no sample. */
static size_t split_name(walk *k, const char **extension)
{
    const mill__tar_member *m = &k->w->member;
    const char *slash = strrchr(m->name, '/'), *base = slash ? slash + 1 : m->name;
    const char *dot = strchr(base, '.');
    if (!dot)
        return 0;
    if (dot == base) {
        tell(k, MILL_WARNING, absolute(k), m->size, "name", m->name,
             "a hidden file, which has no key; it is passed over");
        return 0;
    }
    const char *unsafe = unsafe_name(m->name, m->name_nbytes);
    if (unsafe)
        tell(k, MILL_WARNING, absolute(k), m->size, "name", m->name, unsafe);
    *extension = dot + 1;
    return (size_t)(dot - m->name);
}

/* ---- the walk ---- */

typedef enum verdict { GO_ON, SAMPLE, WANT_MORE } verdict;

static verdict want(walk *k, uint64_t relative_end, size_t *need)
{
    size_t from = k->building ? k->begin : k->at;
    *need = relative_end - from > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)(relative_end - from);
    return WANT_MORE;
}

static verdict too_large(walk *k, const char *name, size_t key_nbytes)
{
    char reason[160];
    if (!k->building)
        begin_sample(k, name, key_nbytes);
    snprintf(reason, sizeof reason,
             "a sample of more than %llu bytes, the most that the memory budget allows",
             (unsigned long long)k->w->max_sample_nbytes);
    spoil(k, MILL_LIMIT, "limit", absolute(k), reason);
    pass_member(k);
    return SAMPLE;
}

static verdict cut_in_data(walk *k, const char *name, size_t key_nbytes)
{
    if (!k->building)
        begin_sample(k, name, key_nbytes);
    spoil(k, MILL_BAD_DATA, "truncated", absolute(k), "the shard ends within a file of this sample");
    k->at = k->window->nbytes;
    return SAMPLE;
}

static verdict take_file(walk *k, size_t *need)
{
    walker *w = k->w;
    const mill__tar_member *m = &w->member;
    const char *extension = NULL;
    size_t key_nbytes = split_name(k, &extension);
    if (!key_nbytes) {
        pass_member(k);
        return GO_ON;
    }
    if (k->building && (key_nbytes != w->key_nbytes || memcmp(m->name, w->key, key_nbytes) != 0))
        return SAMPLE;
    size_t begin = k->building ? k->begin : k->at;
    uint64_t end = k->at + m->header_nbytes + padded(m->size);
    if (m->size > w->nbytes - absolute(k) ||
        (k->window->last && k->at + m->header_nbytes + m->size > k->window->nbytes)) {
        if (!k->window->last &&
            k->window->offset + k->window->nbytes < w->nbytes) { /* let the end come first */
            w->skip = w->nbytes - k->window->offset - k->window->nbytes;
        }
        return cut_in_data(k, m->name, key_nbytes);
    }
    if (end - begin > w->max_sample_nbytes)
        return too_large(k, m->name, key_nbytes);
    if (end > k->window->nbytes && !k->window->last)
        return want(k, end + MILL__TAR_BLOCK, need);
    if (!k->building)
        begin_sample(k, m->name, key_nbytes);
    size_t extension_nbytes = m->name_nbytes - key_nbytes - 1;
    add_field(k, extension_in_window(k, extension, extension_nbytes), extension_nbytes,
              k->window->data + k->at + m->header_nbytes, m->size, absolute(k));
    k->at = min_size(end, k->window->nbytes);
    return GO_ON;
}

static void lose(walk *k)
{
    walker *w = k->w;
    w->lost = true;
    w->lost_at = absolute(k);
    snprintf(w->lost_kind, sizeof w->lost_kind, "%s", w->member.kind);
    snprintf(w->lost_reason, sizeof w->lost_reason, "%s", w->member.reason);
    uint64_t skip = w->member.skip, left = w->nbytes - absolute(k);
    skip = skip < left ? skip : left;
    size_t here = min_size(skip, k->window->nbytes - k->at);
    k->at += here;
    w->skip = skip - here;
}

static void found_again(walk *k)
{
    walker *w = k->w;
    uint64_t here = absolute(k);
    w->lost = false;
    w->reported_to = 0;
    tell(k, MILL_ERROR, w->lost_at, here - w->lost_at, w->lost_kind, "", w->lost_reason);
    w->reported_to = here;
}

/* Look for a header; false: not in this window. */
static bool resync(walk *k)
{
    for (; k->at + MILL__TAR_BLOCK <= k->window->nbytes; k->at += MILL__TAR_BLOCK) {
        const uint8_t *block = k->window->data + k->at;
        bool zero = mill__tar_is_zero(block, MILL__TAR_BLOCK);
        if (!zero && mill__tar_is_header(block)) {
            k->w->zeros = 0;
            found_again(k);
            return true;
        }
        k->w->zeros = zero ? k->w->zeros + 1 : 0;
    }
    return false;
}

/* The shard ends here: say what is missing. */
static mill_status end_shard(walk *k, size_t *used)
{
    walker *w = k->w;
    size_t rest = k->window->nbytes - k->at;
    bool zeros = mill__tar_is_zero(k->window->data + k->at, rest);
    uint64_t at = absolute(k);
    k->at = k->window->nbytes;
    if (w->lost)
        found_again(k);
    else if (rest && !(zeros && w->zeros))
        tell(k, MILL_ERROR, at, rest, "truncated", "", "the shard ends within a header");
    else if (!w->nbytes)
        tell(k, MILL_ERROR, 0, 0, "truncated", "", "the shard is empty: 0 bytes");
    w->reported_to = 0;
    if (w->zeros < 2 && w->nbytes)
        tell(k, MILL_WARNING, at, 0, "eof", "",
             w->zeros ? "a single zero block at the end, where two mark the end of an archive"
                      : "no end-of-archive marker: the shard may be cut");
    *used = k->at;
    return MILL_END;
}

static void pass_zero_block(walk *k)
{
    k->w->zeros++;
    k->at += MILL__TAR_BLOCK;
}

static bool skip_unseen(walk *k)
{
    walker *w = k->w;
    size_t here = min_size(w->skip, k->window->nbytes - k->at);
    k->at += here;
    w->skip -= here;
    return w->skip == 0;
}

static mill_status again(walk *k, size_t *used, size_t *need, size_t wanted)
{
    *used = k->building ? k->begin : k->at;
    size_t left = k->window->nbytes - *used;
    *need = wanted > left ? wanted : left + MILL__TAR_BLOCK;
    return MILL_AGAIN;
}

/* One member, zero block or damaged place. */
static verdict take_one(walk *k, size_t *need, bool *damaged)
{
    walker *w = k->w;
    switch (mill__tar_parse(k->window->data + k->at, k->window->nbytes - k->at, &w->member)) {
    case MILL__TAR_ZERO:
        if (k->building)
            return SAMPLE;
        pass_zero_block(k);
        return GO_ON;
    case MILL__TAR_MORE:
        *damaged = true;
        return want(k, k->at + (uint64_t)w->member.need, need);
    case MILL__TAR_BAD:
        *damaged = true;
        if (k->building)
            return SAMPLE;
        lose(k);
        return GO_ON;
    case MILL__TAR_MEMBER:
        break;
    }
    if (w->zeros) {
        tell(k, MILL_WARNING, absolute(k), 0, "eof", w->member.name,
             "members after the end-of-archive marker: shards were joined, or a part was overwritten by "
             "zeros");
        w->zeros = 0;
    }
    if (pass_other(k))
        return w->skip && k->building ? SAMPLE : GO_ON;
    return take_file(k, need);
}

static mill_status next(void *self, const mill__window *window, const mill__report *report,
                        mill__sample *sample, size_t *used, size_t *need, mill_error *err)
{
    (void)err;
    walk k = {.w = self, .window = window, .report = report, .sample = sample};
    for (;;) {
        size_t wanted = 0;
        bool damaged = false;
        bool here = skip_unseen(&k) && (!k.w->lost || resync(&k));
        verdict v = here ? take_one(&k, &wanted, &damaged) : WANT_MORE;
        if (v == GO_ON)
            continue;
        if (v == SAMPLE)
            return end_sample(&k, used, damaged || (sample->status != MILL_OK && window->last));
        if (!window->last)
            return again(&k, used, need, wanted);
        if (k.building) /* the last sample of a shard without an end marker */
            return end_sample(&k, used, true);
        if (here && k.at + MILL__TAR_BLOCK <= window->nbytes && k.w->skip == 0 && !k.w->lost) {
            /* an extension record that the shard cuts: nothing behind it can be a member */
            k.w->member.kind = "truncated";
            snprintf(k.w->member.reason, sizeof k.w->member.reason,
                     "the shard ends within an extension record");
            k.w->member.skip = window->nbytes - k.at;
            lose(&k);
            continue;
        }
        return end_shard(&k, used);
    }
}

const mill__format_ops mill__format_tar = {.name = "tar",
                                           .summary =
                                               "WebDataset: files of a sample share a key and stand together",
                                           .extensions = ".tar",
                                           .peek = peek,
                                           .open = open_walker,
                                           .next = next,
                                           .close = close_walker};
