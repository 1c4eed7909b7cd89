/* SPDX-License-Identifier: Apache-2.0 */
/* format/tar.c: WebDataset shards: tar files in which the members of a sample stand together and share a key,
 * the path up to the first dot of its last component. The walker accounts for every byte: what is no sound
 * member is reported, and walking goes on at the next header that is.
 *
 * What comes out must not depend on where the windows are cut. A sample whose end is not in the window is
 * walked again from its beginning when more has come, so nothing that was learnt from it may be kept: `place`
 * is what the walker knows at its position, and a call works on a copy that is stored when the position moves
 * on. A sample that is bad anyway need not be held together: it is dropped file by file, and given when it
 * ends. */
#include "base/error.h"
#include "format/format.h"
#include "format/keys.h"
#include "format/tar_header.h"
#include "format/tar_member.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* How far to look behind the zeros that end a sample for something that is no header. */
enum { HOLE_NBYTES = 64 * 1024 };

/* What is known of what stands before a position. */
typedef struct place {
    int zeros;   /* zero blocks in a row just before it */
    bool ended;  /* the end-of-archive marker, and no member since */
    bool damage; /* bytes were lost since the last sample */
} place;

typedef struct walker {
    uint64_t nbytes, max_sample_nbytes;
    place place;
    size_t told;   /* findings told since the position: they are found again, and not told again */
    uint64_t skip; /* bytes to pass over unseen; none while a sample is being built */
    bool lost;     /* looking for the next header */
    bool orphan;   /* ... which must not be taken for a member's */
    uint64_t lost_at;
    char lost_kind[16], lost_reason[200];
    bool dropping; /* a bad sample is being passed over */
    uint64_t drop_at;
    mill_error drop_error;
    int last_nfields; /* of the last good sample */
    bool single;      /* one sample by its extent: its key is not looked for among others */
    mill__keys keys;
    char key[MILL__TAR_MAX_NAME + 1]; /* of the sample being built or dropped */
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
    place place;
    size_t found; /* findings since the position of the call */
    size_t need;  /* with WANT_MORE: bytes wanted from here on, or from the sample's beginning */
} walk;

typedef enum verdict { GO_ON, SAMPLE, CUT_SAMPLE, WANT_MORE } verdict;

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
    (void)self, (void)class_index;
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
    mill__keys_free(&w->keys);
    free(w);
}

/* ---- where we are ---- */

static uint64_t absolute(const walk *k)
{
    return k->window->offset + k->at;
}

static uint64_t left(const walk *k)
{
    return k->w->nbytes - absolute(k);
}

static size_t min_size(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static bool in_sample(const walk *k)
{
    return k->building || k->w->dropping;
}

/* Move over bytes whether they are in the window or not. */
static void pass(walk *k, uint64_t nbytes)
{
    size_t here = min_size(nbytes, k->window->nbytes - k->at);
    k->at += here;
    k->w->skip = nbytes - here;
}

/* What was learnt up to here holds. */
static void settle(walk *k)
{
    k->w->place = k->place;
    k->w->told = k->found = 0;
}

static verdict want(walk *k, uint64_t relative_end)
{
    uint64_t need = relative_end - (k->building ? k->begin : k->at);
    k->need = need > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)need;
    return WANT_MORE;
}

/* at: absolute */
static void tell(walk *k, mill_severity severity, uint64_t at, uint64_t nbytes, const char *kind,
                 const char *key, const char *reason)
{
    if (k->found++ < k->w->told)
        return;
    k->w->told = k->found;
    const mill_issue issue = {.severity = severity,
                              .key = key,
                              .kind = kind,
                              .reason = reason,
                              .sample = -1,
                              .offset = at,
                              .nbytes = nbytes};
    k->report->issue(k->report->self, &issue);
}

/* ---- samples ---- */

static void begin_sample(walk *k, size_t key_nbytes)
{
    walker *w = k->w;
    k->building = true;
    k->begin = k->at;
    memcpy(w->key, w->member.name, key_nbytes);
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

/* The sample, being bad, is from here on passed over. */
static void drop_sample(walk *k)
{
    k->w->dropping = true;
    k->w->drop_at = k->sample->offset;
    k->w->drop_error = k->sample->error;
    k->building = false;
}

static void take_dropped(walk *k)
{
    walker *w = k->w;
    w->dropping = false;
    k->sample->key = w->key;
    k->sample->label = -1;
    k->sample->offset = w->drop_at;
    k->sample->nfields = 0;
    k->sample->status = w->drop_error.status;
    k->sample->error = w->drop_error;
}

/* cut: it ends where the shard is damaged, so that files of it may be missing, as they may when it begins
 * behind a damage. */
static mill_status end_sample(walk *k, size_t *used, bool cut)
{
    walker *w = k->w;
    mill__sample *s = k->sample;
    if (!k->building)
        take_dropped(k);
    s->nbytes = absolute(k) - s->offset;
    if ((cut || k->place.damage) && s->nfields < w->last_nfields)
        spoil(k, MILL_BAD_DATA, "incomplete", s->offset,
              "the sample has fewer files than the one before, and the shard is damaged or ends beside it");
    if (!s->status)
        w->last_nfields = s->nfields;
    if (!w->single && mill__keys_seen(&w->keys, w->key, w->key_nbytes))
        tell(k, MILL_WARNING, s->offset, s->nbytes, "duplicate", w->key,
             "this key was seen before in the shard: a duplicate, or a sample whose files do not stand "
             "together");
    k->place = (place){.ended = k->place.ended};
    settle(k);
    *used = k->at;
    return MILL_OK;
}

/* Where the extension's text lies within the window, so that it outlives this call: the name was assembled.
 */
static const char *extension_in_window(const walk *k, const char *extension, size_t n)
{
    const uint8_t *from = k->window->data + k->at;
    const uint8_t *found = n ? memmem(from, (size_t)k->w->member.header_nbytes, extension, n) : from;
    return (const char *)found;
}

static void add_field(walk *k)
{
    const walker *w = k->w;
    mill__sample *s = k->sample;
    const char *name = w->member.name + w->key_nbytes + 1;
    size_t n = w->member.name_nbytes - w->key_nbytes - 1;
    if (n > MILL__MAX_FIELD_NAME) {
        spoil(k, MILL_LIMIT, "limit", absolute(k), "a file's extension is longer than 55 bytes");
        return;
    }
    for (int i = 0; i < s->nfields; i++)
        if (s->fields[i].name_nbytes == n && !strncasecmp(s->fields[i].name, name, n)) {
            spoil(k, MILL_BAD_DATA, "duplicate", absolute(k),
                  "the sample has two files with the same extension");
            return;
        }
    if (s->nfields == MILL__MAX_FIELDS) {
        spoil(k, MILL_LIMIT, "limit", absolute(k), "the sample has more files than a sample may have (32)");
        return;
    }
    s->fields[s->nfields++] = (mill__field){.name = extension_in_window(k, name, n),
                                            .name_nbytes = (uint32_t)n,
                                            .data = k->window->data + k->at + w->member.header_nbytes,
                                            .nbytes = (size_t)w->member.size,
                                            .offset = absolute(k) + w->member.header_nbytes};
}

/* ---- members ---- */

/* With its padding; a shard that ends within the padding has all that matters. */
static uint64_t member_nbytes(const walk *k)
{
    const mill__tar_member *m = &k->w->member;
    uint64_t nbytes = m->header_nbytes + mill__tar_padded(m->size);
    return nbytes < left(k) ? nbytes : left(k);
}

static bool is_truncated(const walk *k)
{
    const mill__tar_member *m = &k->w->member;
    return m->header_nbytes > left(k) || m->size > left(k) - m->header_nbytes;
}

static void pass_member(walk *k)
{
    if (is_truncated(k))
        tell(k, MILL_ERROR, absolute(k), left(k), "truncated", k->w->member.name,
             "the shard ends within this member");
    pass(k, member_nbytes(k));
}

/* The member that is at hand, and a sample so far with it, takes more than a sample may. */
static void drop_too_large(walk *k, size_t key_nbytes)
{
    char reason[160];
    if (!k->building)
        begin_sample(k, key_nbytes);
    snprintf(reason, sizeof reason,
             "a sample of more than %llu bytes, the most that the memory budget allows",
             (unsigned long long)k->w->max_sample_nbytes);
    spoil(k, MILL_LIMIT, "limit", absolute(k), reason);
    drop_sample(k);
}

/* A file that is to become part of the sample: the shard ends before it does. */
static void drop_truncated(walk *k, size_t key_nbytes)
{
    if (!k->building)
        begin_sample(k, key_nbytes);
    bool told = k->sample->status == MILL_OK;
    spoil(k, MILL_BAD_DATA, "truncated", absolute(k), "the shard ends within a file of this sample");
    drop_sample(k);
    if (told)
        pass(k, left(k));
    else
        pass_member(k);
}

static bool is_too_large(const walk *k)
{
    uint64_t begin = k->building ? k->begin : k->at;
    return k->at - begin + member_nbytes(k) > k->w->max_sample_nbytes;
}

static bool ends_in_window(const walk *k)
{
    return member_nbytes(k) <= k->window->nbytes - k->at;
}

static verdict take_file(walk *k, size_t key_nbytes)
{
    walker *w = k->w;
    const mill__tar_member *m = &w->member;
    if (in_sample(k) && (key_nbytes != w->key_nbytes || memcmp(m->name, w->key, key_nbytes) != 0))
        return SAMPLE;
    const char *unsafe = mill__tar_unsafe_name(m);
    if (unsafe)
        tell(k, MILL_WARNING, absolute(k), m->size, "name", m->name, unsafe);
    if (w->dropping) {
        pass_member(k);
    } else if (is_truncated(k)) {
        drop_truncated(k, key_nbytes);
    } else if (is_too_large(k)) {
        drop_too_large(k, key_nbytes);
        pass_member(k);
    } else if (!ends_in_window(k)) {
        return want(k, k->at + member_nbytes(k) + MILL__TAR_BLOCK);
    } else {
        if (!k->building)
            begin_sample(k, key_nbytes);
        add_field(k);
        k->at += (size_t)member_nbytes(k);
    }
    return GO_ON;
}

/* A member that is no file of a sample; one may stand amid the files of a sample. */
static verdict take_other(walk *k, const mill__tar_refusal *why)
{
    const mill__tar_member *m = &k->w->member;
    if (k->building && is_truncated(k))
        return CUT_SAMPLE;
    if (k->building && is_too_large(k))
        drop_too_large(k, 0);
    else if (k->building && !ends_in_window(k))
        return want(k, k->at + member_nbytes(k) + MILL__TAR_BLOCK);
    if (why->reason)
        tell(k, why->severity, absolute(k), member_nbytes(k), why->kind, m->name, why->reason);
    pass_member(k);
    return GO_ON;
}

/* Whether data follow the header at hand; false: that cannot be told yet. */
static bool find_size(walk *k)
{
    mill__tar_member *m = &k->w->member;
    if (!mill__tar_has_doubtful_size(m))
        return true;
    const uint8_t *behind = k->window->data + k->at + m->header_nbytes;
    uint64_t end = k->at + m->header_nbytes + MILL__TAR_BLOCK;
    if (end > k->window->nbytes) {
        if (k->window->last)
            m->size = 0;
        return k->window->last;
    }
    if (mill__tar_is_zero(behind, MILL__TAR_BLOCK) || mill__tar_is_header(behind))
        m->size = 0;
    return true;
}

static verdict take_member(walk *k)
{
    const mill__tar_member *m = &k->w->member;
    size_t key_nbytes;
    mill__tar_refusal why;
    if (k->place.zeros && !in_sample(k))
        tell(k, MILL_WARNING, absolute(k), 0, "eof", m->name,
             "members after the end-of-archive marker: shards were joined, or a part was overwritten by "
             "zeros");
    k->place.zeros = 0;
    k->place.ended = false;
    if (!find_size(k))
        return want(k, k->at + m->header_nbytes + MILL__TAR_BLOCK);
    return mill__tar_refused(m, &key_nbytes, &why) ? take_other(k, &why) : take_file(k, key_nbytes);
}

/* ---- damage ---- */

static verdict lose(walk *k)
{
    walker *w = k->w;
    if (in_sample(k))
        return CUT_SAMPLE;
    bool behind = k->place.ended && !strcmp(w->member.kind, "checksum");
    w->lost = true;
    w->orphan = w->member.orphan;
    w->lost_at = absolute(k);
    snprintf(w->lost_kind, sizeof w->lost_kind, "%s", behind ? "trailing" : w->member.kind);
    snprintf(w->lost_reason, sizeof w->lost_reason, "%s",
             behind ? "bytes behind the end-of-archive marker that are no members" : w->member.reason);
    k->place.zeros = 0;
    pass(k, w->member.skip < left(k) ? w->member.skip : left(k));
    return GO_ON;
}

static void found_again(walk *k)
{
    walker *w = k->w;
    w->lost = w->orphan = false;
    tell(k, MILL_ERROR, w->lost_at, absolute(k) - w->lost_at, w->lost_kind, "", w->lost_reason);
    k->place.damage = true;
    settle(k);
}

/* Look for a header; false: there is none in this window. */
static bool find_header(walk *k)
{
    for (; k->at + MILL__TAR_BLOCK <= k->window->nbytes; k->at += MILL__TAR_BLOCK) {
        const uint8_t *block = k->window->data + k->at;
        if (!mill__tar_is_zero(block, MILL__TAR_BLOCK)) {
            k->place.zeros = 0;
            if (mill__tar_is_header(block))
                return true;
        } else if (++k->place.zeros > 1) {
            k->place.ended = true;
        }
    }
    return false;
}

/* The header whose records were bad: the member it begins is lost with them. */
static void pass_orphan(walk *k)
{
    const uint8_t *block = k->window->data + k->at;
    uint64_t body = mill__tar_body_nbytes(block);
    k->w->orphan = mill__tar_is_record(block);
    pass(k, body < left(k) - MILL__TAR_BLOCK ? MILL__TAR_BLOCK + body : left(k));
}

/* Come to a place where a header should be; false: it is not in this window. */
static bool arrive(walk *k)
{
    walker *w = k->w;
    for (;;) {
        pass(k, w->skip);
        if (w->skip)
            return false;
        if (!w->lost)
            return true;
        bool found = find_header(k);
        settle(k);
        if (!found)
            return false;
        if (!w->orphan) {
            found_again(k);
            return true;
        }
        pass_orphan(k);
    }
}

/* ---- the end ---- */

/* A sample ends at zeros, which may be a hole: then bytes that are no header follow. It matters only if files
 * might be missing. */
static verdict end_at_zeros(walk *k)
{
    const mill__window *window = k->window;
    if (!k->building || k->sample->nfields >= k->w->last_nfields)
        return SAMPLE;
    uint64_t wanted = left(k) < HOLE_NBYTES ? left(k) : HOLE_NBYTES;
    if (k->at - k->begin + wanted > k->w->max_sample_nbytes)
        return SAMPLE;
    if (wanted > window->nbytes - k->at && !window->last)
        return want(k, k->at + wanted);
    size_t end = k->at + min_size(wanted, window->nbytes - k->at);
    for (size_t at = k->at; at + MILL__TAR_BLOCK <= end; at += MILL__TAR_BLOCK)
        if (!mill__tar_is_zero(window->data + at, MILL__TAR_BLOCK))
            return mill__tar_is_header(window->data + at) ? SAMPLE : CUT_SAMPLE;
    return SAMPLE;
}

static verdict take_zeros(walk *k)
{
    if (in_sample(k))
        return end_at_zeros(k);
    k->place.zeros++;
    k->place.ended = k->place.ended || k->place.zeros > 1;
    k->at += MILL__TAR_BLOCK;
    return GO_ON;
}

/* The shard ends within the headers of a member. */
static verdict lose_headers(walk *k)
{
    mill__tar_member *m = &k->w->member;
    m->kind = "truncated";
    m->skip = left(k);
    m->orphan = false;
    snprintf(m->reason, sizeof m->reason, "the shard ends within an extension record");
    return lose(k);
}

/* The shard ends here: say what is missing. */
static mill_status end_shard(walk *k, size_t *used)
{
    walker *w = k->w;
    size_t rest = k->window->nbytes - k->at;
    bool zeros = mill__tar_is_zero(k->window->data + k->at, rest), ended = k->place.ended;
    uint64_t at = absolute(k);
    k->at = k->window->nbytes;
    if (w->lost)
        found_again(k);
    else if (rest && !(zeros && k->place.zeros))
        tell(k, MILL_ERROR, at, rest, ended ? "trailing" : "truncated", "",
             ended ? "bytes behind the end-of-archive marker that are no members"
                   : "the shard ends within a header");
    else if (!w->nbytes)
        tell(k, MILL_ERROR, 0, 0, "truncated", "", "the shard is empty: 0 bytes");
    if (!ended && w->nbytes)
        tell(k, MILL_WARNING, at, 0, "eof", "",
             k->place.zeros ? "a single zero block at the end, where two mark the end of an archive"
                            : "no end-of-archive marker: the shard may be cut");
    *used = k->at;
    return MILL_END;
}

/* ---- the walk ---- */

/* One member, zero block or damaged place. */
static verdict take_one(walk *k)
{
    walker *w = k->w;
    mill__tar_member *m = &w->member;
    uint64_t most =
        w->max_sample_nbytes < MILL__TAR_MAX_HEADERS ? w->max_sample_nbytes : MILL__TAR_MAX_HEADERS;
    switch (mill__tar_parse(k->window->data + k->at, k->window->nbytes - k->at, most, m)) {
    case MILL__TAR_ZERO:
        return take_zeros(k);
    case MILL__TAR_BAD:
        return lose(k);
    case MILL__TAR_MEMBER:
        return take_member(k);
    case MILL__TAR_MORE:
        break;
    }
    if (!k->window->last)
        return want(k, k->at + (uint64_t)m->need);
    if (in_sample(k))
        return CUT_SAMPLE;
    return k->at + MILL__TAR_BLOCK <= k->window->nbytes ? lose_headers(k) : WANT_MORE;
}

static mill_status again(const walk *k, size_t *used, size_t *need)
{
    *used = k->building ? k->begin : k->at;
    size_t rest = k->window->nbytes - *used;
    *need = k->need > rest ? k->need : rest + MILL__TAR_BLOCK;
    return MILL_AGAIN;
}

static mill_status next(void *self, const mill__window *window, const mill__report *report,
                        mill__sample *sample, size_t *used, size_t *need, mill_error *err)
{
    (void)err;
    walker *w = self;
    walk k = {.w = w, .window = window, .report = report, .sample = sample, .place = w->place};
    for (;;) {
        switch (arrive(&k) ? take_one(&k) : WANT_MORE) {
        case GO_ON:
            if (!k.building)
                settle(&k);
            break;
        case SAMPLE:
            return end_sample(&k, used, false);
        case CUT_SAMPLE:
            return end_sample(&k, used, true);
        case WANT_MORE:
            return window->last ? end_shard(&k, used) : again(&k, used, need);
        }
    }
}

static void keep_silent(void *self, const mill_issue *issue)
{
    (void)self, (void)issue; /* told when the shard was indexed */
}

static mill_status at(void *self, const mill__window *window, int64_t ordinal, mill__sample *sample,
                      mill_error *err)
{
    (void)ordinal;
    walker *w = self;
    const mill__report report = {.issue = keep_silent};
    mill__window whole = *window;
    whole.last = true;
    mill__keys_free(&w->keys);
    *w = (walker){
        .nbytes = window->offset + window->nbytes, .max_sample_nbytes = w->max_sample_nbytes, .single = true};
    size_t used = 0, need = 0;
    mill_status status = next(w, &whole, &report, sample, &used, &need, err);
    /* bad ones are known by the index, and are not asked for */
    bool sound = status == MILL_OK && !sample->status && used == window->nbytes;
    return sound ? MILL_OK : mill__not_indexed(window, err);
}

const mill__format_ops mill__format_tar = {.name = "tar",
                                           .summary =
                                               "WebDataset: files of a sample share a key and stand together",
                                           .extensions = ".tar",
                                           .peek = peek,
                                           .open = open_walker,
                                           .next = next,
                                           .close = close_walker,
                                           .at = at};
