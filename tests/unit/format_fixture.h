/* SPDX-License-Identifier: Apache-2.0 */
/* format_fixture.h: walk a shard in memory as the engine would, in windows cut as a test likes, hold the
 * walker to its contract, and write down what it gave, so that two walks can be compared as text. Every
 * window is a heap block of exactly its size: AddressSanitizer then sees any look beyond it. */
#ifndef FORMAT_FIXTURE_H
#define FORMAT_FIXTURE_H

#include "api/options.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/format.h"
#include "registry.h"
#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* check notes the place of every assertion that it comes by, in a file: too slow for each byte of a shard. */
#define HOLDS(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            ck_abort_msg(__VA_ARGS__);                                                                       \
    } while (0)

/* How windows are cut: one that begins at `from` and must hold `least` bytes ends where? */
typedef struct cuts {
    size_t first; /* the first window ends here; 0: no such */
    size_t block; /* windows end at multiples of it; 0: at the end of the shard; 1: as short as allowed */
} cuts;

typedef struct walked {
    const uint8_t *data;
    size_t nbytes;
    mill__buffer log;   /* one line for each sample and finding, in order */
    mill__buffer lines; /* the same without offsets: easy to write down in a test */
    uint8_t *covered;   /* a byte for each byte of the shard: it belongs to a sample or a finding */
    int nsamples, nbad, nerrors, nwarnings;
    mill_status status; /* MILL_END, or why the shard could not be read on */
    mill_error error;
} walked;

static inline void cover(walked *w, uint64_t offset, uint64_t nbytes)
{
    HOLDS(offset <= w->nbytes && nbytes <= w->nbytes - offset,
          "bytes %" PRIu64 " + %" PRIu64 " of a shard of %zu", offset, nbytes, w->nbytes);
    memset(w->covered + offset, 1, (size_t)nbytes);
}

static inline void note_issue(void *self, const mill_issue *issue)
{
    walked *w = self;
    bool error = issue->severity == MILL_ERROR;
    w->nerrors += error;
    w->nwarnings += !error;
    HOLDS(issue->key && issue->kind[0] && issue->reason[0], "a finding without kind or reason");
    HOLDS(strlen(issue->kind) < sizeof((mill_error *)0)->kind, "the kind \"%s\" is too long", issue->kind);
    cover(w, issue->offset, issue->nbytes);
    mill__buffer_printf(&w->log, "%s %s @%" PRIu64 "+%" PRIu64 " [%s]\n", error ? "error" : "warning",
                        issue->kind, issue->offset, issue->nbytes, issue->key);
    mill__buffer_printf(&w->lines, "%s:%s ", error ? "error" : "warning", issue->kind);
}

static inline uint32_t digest(const uint8_t *data, size_t nbytes)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < nbytes; i++)
        h = (h ^ data[i]) * 16777619u;
    return h;
}

static inline void note_sample(walked *w, const mill__sample *s, const mill__window *window)
{
    w->nsamples++;
    w->nbad += s->status != MILL_OK;
    cover(w, s->offset, s->nbytes);
    mill__buffer_printf(&w->log, "sample [%s] %" PRId64 " @%" PRIu64 "+%" PRIu64 " %s", s->key, s->label,
                        s->offset, s->nbytes, s->status ? s->error.kind : "ok");
    mill__buffer_printf(&w->lines, "%s%s%s", s->key, s->status ? "!" : "", s->status ? s->error.kind : "");
    HOLDS(!s->status || (s->error.message[0] && s->error.kind[0]), "a bad sample without a reason");
    for (int i = 0; i < s->nfields; i++) {
        const mill__field *f = &s->fields[i];
        HOLDS(f->data >= window->data && f->data + f->nbytes <= window->data + window->nbytes,
              "a field that is not in the window");
        HOLDS(f->offset == window->offset + (uint64_t)(f->data - window->data) &&
                  !memcmp(f->data, w->data + f->offset, f->nbytes),
              "a field at a wrong offset, %" PRIu64, f->offset);
        mill__buffer_printf(&w->log, " %.*s@%" PRIu64 "+%zu=%08x", (int)f->name_nbytes, f->name, f->offset,
                            f->nbytes, digest(f->data, f->nbytes));
        if (!s->status)
            mill__buffer_printf(&w->lines, "%c%.*s", i ? ',' : '.', (int)f->name_nbytes, f->name);
    }
    mill__buffer_printf(&w->log, "\n");
    mill__buffer_printf(&w->lines, " ");
}

static inline size_t window_end(const cuts *c, size_t from, size_t least, size_t nbytes, bool first)
{
    size_t end = from + least;
    if (first && c->first)
        end = c->first > end ? c->first : end;
    else if (c->block)
        end = (end + c->block - 1) / c->block * c->block;
    else
        end = nbytes;
    return end < nbytes ? end : nbytes;
}

/* The answer to one window must be what format.h promises. */
static inline void check_answer(mill_status status, const mill__window *window, size_t used, size_t need)
{
    if (status == MILL_OK || status == MILL_AGAIN || status == MILL_END)
        HOLDS(used <= window->nbytes, "more bytes are used than there are");
    if (status == MILL_AGAIN) {
        HOLDS(!window->last, "more than the whole shard is wanted");
        HOLDS(need > window->nbytes - used, "what is wanted is there");
    }
    if (status == MILL_END)
        HOLDS(window->last && used == window->nbytes, "the walk ends before the shard does");
}

typedef struct shard {
    const char *format;
    const void *data;
    size_t nbytes;
    uint64_t max_sample_nbytes;
    const mill_member *members; /* of a folder */
    size_t nmembers;
    int64_t class_index;
} shard;

static inline walked walk_shard(const shard *in, cuts c)
{
    walked w = {.data = in->data, .nbytes = in->nbytes, .covered = calloc(1, in->nbytes + 1)};
    const mill_shard_info info = {.nbytes = in->nbytes, .nmembers = in->nmembers, .members = in->members};
    mill__format_ops made, *format = &made;
    HOLDS(!mill__format_parse(in->format, &made, &w.error), "%s: %s", in->format, w.error.message);
    const mill__report report = {.issue = note_issue, .self = &w};
    void *walker = NULL;
    HOLDS(!format->open(format, &walker, &info, in->class_index, in->max_sample_nbytes, &w.error),
          "cannot open");
    size_t position = 0, least = 0, calls = 0;
    mill__buffer_printf(&w.log, "%s", "");
    mill__buffer_printf(&w.lines, "%s", "");
    for (bool first = true;; first = false) {
        size_t end = window_end(&c, position, least, in->nbytes, first), nbytes = end - position;
        uint8_t *bytes = malloc(nbytes ? nbytes : 1);
        memcpy(bytes, w.data + position, nbytes);
        mill_status status = MILL_OK;
        size_t at = 0;
        while (status == MILL_OK) { /* all samples that this window gives */
            mill__window window = {bytes + at, nbytes - at, position + at, end == in->nbytes};
            mill__sample sample;
            size_t used = 0, need = 0;
            mill__error_clear(&w.error);
            status = format->next(walker, &window, &report, &sample, &used, &need, &w.error);
            check_answer(status, &window, used, need);
            HOLDS(++calls < 100000 + 20 * in->nbytes, "the walk gets nowhere");
            if (status == MILL_OK) {
                note_sample(&w, &sample, &window);
                if (!in->nmembers && !format->settings.window) /* windows overlap */
                    HOLDS(sample.offset + sample.nbytes == window.offset + used, "a sample of a wrong size");
            }
            at += used;
            least = need;
        }
        free(bytes);
        position += at;
        w.status = status;
        if (status != MILL_AGAIN)
            break;
    }
    if (w.status == MILL_END)
        HOLDS(position == in->nbytes, "the walk ends at %zu of %zu", position, in->nbytes);
    else
        mill__buffer_printf(&w.lines, "FAILED:%s ", w.error.kind);
    while (w.lines.nbytes && w.lines.data[w.lines.nbytes - 1] == ' ')
        w.lines.data[--w.lines.nbytes] = 0;
    format->close(walker);
    return w;
}

static inline const char *text_of(const mill__buffer *buffer)
{
    return buffer->data ? (const char *)buffer->data : "";
}

static inline void end_walk(walked *w)
{
    mill__buffer_free(&w->log);
    mill__buffer_free(&w->lines);
    free(w->covered);
}

/* What the walk gives, in short: "key.ext,ext key!kind warning:kind ..." */
static inline void assert_walk(const shard *in, const char *expected)
{
    walked w = walk_shard(in, (cuts){0});
    const char *got = text_of(&w.lines);
    size_t same = 0; /* check cannot show long texts */
    while (got[same] && got[same] == expected[same])
        same++;
    HOLDS(!strcmp(got, expected), "at %zu: got \"%.200s\", not \"%.200s\"", same,
          got + (same > 40 ? same - 40 : 0), expected + (same > 40 ? same - 40 : 0));
    end_walk(&w);
}

/* Cut as it may be, the walk gives the same. */
static inline void assert_cut_is_same(const shard *in, cuts c, const walked *whole)
{
    walked w = walk_shard(in, c);
    HOLDS(!strcmp(text_of(&w.log), text_of(&whole->log)) && w.status == whole->status,
          "cut at %zu, then every %zu bytes:\n%.1500s\nuncut:\n%.1500s", c.first, c.block, text_of(&w.log),
          text_of(&whole->log));
    end_walk(&w);
}

static inline void assert_all_cuts_are_same(const shard *in)
{
    walked whole = walk_shard(in, (cuts){0});
    static const size_t blocks[] = {1, 2, 7, 64, 511, 512, 513, 1024, 1536, 4096, 10240};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        assert_cut_is_same(in, (cuts){.block = blocks[i]}, &whole);
    size_t step = in->nbytes > 20000 ? 13 : 1;
    for (size_t first = 1; first < in->nbytes; first += step)
        assert_cut_is_same(in, (cuts){.first = first}, &whole);
    end_walk(&whole);
}

#endif
