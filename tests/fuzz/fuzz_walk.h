/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_walk.h: walk a shard in windows cut at random: the walker keeps its contract (format.h), and what it
 * gives does not depend on the cuts. */
#ifndef MILL_FUZZ_WALK_H
#define MILL_FUZZ_WALK_H

#include "base/error.h"
#include "format/format.h"
#include "fuzz.h"
#include <stdbool.h>

typedef struct fuzz_walked {
    uint64_t digest; /* of samples and findings */
    uint64_t nbytes;
    uint64_t samples, issues;
    mill_status status;
} fuzz_walked;

static inline void fuzz_digest(fuzz_walked *w, const void *data, size_t nbytes)
{
    w->digest = (w->digest ^ fuzz_hash(data, nbytes)) * 0x9e3779b97f4a7c15u;
    w->digest ^= w->digest >> 31;
}

static inline void fuzz_issue(void *self, const mill_issue *issue)
{
    fuzz_walked *w = self;
    PROMISE(issue->key && issue->kind && issue->kind[0] && issue->reason && issue->reason[0]);
    PROMISE(issue->offset <= w->nbytes && issue->nbytes <= w->nbytes - issue->offset);
    fuzz_digest(w, issue->key, strlen(issue->key));
    fuzz_digest(w, issue->kind, strlen(issue->kind));
    fuzz_digest(w, &issue->offset, sizeof issue->offset);
    fuzz_digest(w, &issue->nbytes, sizeof issue->nbytes);
    w->issues++;
}

static inline void fuzz_sample(fuzz_walked *w, const mill__sample *s, const mill__window *window, size_t used)
{
    PROMISE(s->offset + s->nbytes == window->offset + used && s->nbytes > 0);
    PROMISE(s->nfields >= 0 && s->nfields <= MILL__MAX_FIELDS && strlen(s->key) <= MILL__MAX_KEY);
    PROMISE(!s->status || (s->error.kind[0] && s->error.message[0] && s->error.status == s->status));
    fuzz_digest(w, s->key, strlen(s->key));
    fuzz_digest(w, &s->offset, sizeof s->offset);
    fuzz_digest(w, &s->status, sizeof s->status);
    for (int i = 0; i < s->nfields; i++) {
        const mill__field *f = &s->fields[i];
        PROMISE(f->data >= window->data && f->nbytes <= window->nbytes &&
                f->data + f->nbytes <= window->data + window->nbytes);
        PROMISE(f->offset - window->offset == (uint64_t)(f->data - window->data));
        fuzz_digest(w, f->name, f->name_nbytes);
        fuzz_digest(w, f->data, f->nbytes); /* reads it all */
    }
    w->samples++;
}

static inline fuzz_walked fuzz_walk(const mill__format_ops *format, const uint8_t *data, size_t nbytes,
                                    uint64_t max_sample_nbytes, uint32_t block, uint64_t state)
{
    fuzz_walked w = {.nbytes = nbytes};
    const mill_shard_info info = {.nbytes = nbytes};
    const mill__report report = {fuzz_issue, &w};
    void *walker = NULL;
    mill_error err;
    PROMISE(format->open(format, &walker, &info, -1, max_sample_nbytes, &err) == MILL_OK);
    size_t position = 0, least = 0, calls = 0;
    do {
        size_t left = nbytes - position, here = block ? least + fuzz_draw(&state, block) : left;
        here = here < left ? here : left;
        uint8_t *bytes = fuzz_copy(data + position, here);
        size_t at = 0;
        do {
            const mill__window window = {bytes + at, here - at, position + at, position + here == nbytes};
            mill__sample sample;
            size_t used = 0, need = 0;
            mill__error_clear(&err);
            w.status = format->next(walker, &window, &report, &sample, &used, &need, &err);
            PROMISE(++calls < 10000 + 16 * nbytes);
            PROMISE(w.status > MILL_AGAIN || used <= window.nbytes);
            PROMISE(w.status != MILL_AGAIN || (!window.last && need > window.nbytes - used));
            PROMISE(w.status != MILL_END || (window.last && used == window.nbytes));
            PROMISE(w.status <= MILL_AGAIN || (err.kind[0] && err.message[0]));
            if (w.status == MILL_OK)
                fuzz_sample(&w, &sample, &window, used);
            at += used;
            least = need;
        } while (w.status == MILL_OK);
        free(bytes);
        position += at;
    } while (w.status == MILL_AGAIN);
    format->close(walker);
    return w;
}

static inline void fuzz_format(const mill__format_ops *format, const uint8_t *data, size_t nbytes)
{
    uint64_t state = fuzz_hash(data, nbytes);
    static const uint64_t limits[] = {1 << 24, 4096, 1500, 600};
    uint64_t limit = limits[fuzz_draw(&state, 4)];
    static const uint32_t blocks[] = {1, 600, 1500, 5000};
    fuzz_walked whole = fuzz_walk(format, data, nbytes, limit, 0, 0);
    fuzz_walked cut = fuzz_walk(format, data, nbytes, limit, blocks[fuzz_draw(&state, 4)], state);
    PROMISE(whole.status == cut.status && whole.samples == cut.samples && whole.issues == cut.issues);
    PROMISE(whole.digest == cut.digest);
}

#endif
