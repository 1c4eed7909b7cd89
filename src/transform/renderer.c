/* SPDX-License-Identifier: Apache-2.0 */
/* transform/renderer.c: what a renderer holds between images, and how much. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/render.h"
#include <string.h>

mill__renderer *mill__renderer_new(uint64_t limit_nbytes)
{
    mill__renderer *r = mill__alloc(sizeof *r);
    if (r)
        *r = (mill__renderer){.limit_nbytes = limit_nbytes};
    if (r)
        mill__renderer_use(r, mill__kernels_get(NULL));
    return r;
}

void mill__renderer_use(mill__renderer *r, const mill__kernels *kernels)
{
    r->kernels = kernels;
    r->huffman_mcu = mill__huffman_get(kernels);
}

void mill__renderer_by_library(mill__renderer *r, bool by_library)
{
    r->by_library = by_library;
}

uint64_t mill__renderer_nbytes(const mill__renderer *r)
{
    return sizeof *r + r->held_nbytes;
}

static void drop_cached(mill__renderer *r, mill__cached *cached)
{
    r->held_nbytes -= cached->coefficients.nbytes;
    mill__coefficients_free(&cached->coefficients);
    cached->used = 0;
}

void mill__renderer_free(mill__renderer *r)
{
    if (!r)
        return;
    mill__scratch *all[] = {&r->row, &r->ring, &r->window, &r->line, &r->bounds, &r->frame, &r->huffman};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        mill__release(r, all[i]);
    for (int i = 0; i < MILL__CACHED; i++)
        drop_cached(r, &r->cached[i]);
    mill__jpeg_free(r->jpeg);
    mill__free(r);
}

void mill__release(mill__renderer *r, mill__scratch *scratch)
{
    r->held_nbytes -= scratch->nbytes;
    mill__free(scratch->data);
    *scratch = (mill__scratch){0};
}

bool mill__has_room(mill__renderer *r, uint64_t nbytes)
{
    for (int i = 0; i < MILL__CACHED; i++) {
        if (nbytes <= r->limit_nbytes && r->held_nbytes <= r->limit_nbytes - nbytes)
            return true;
        if (r->cached[i].used && r->cached[i].used != r->renderings)
            drop_cached(r, &r->cached[i]);
    }
    return nbytes <= r->limit_nbytes && r->held_nbytes <= r->limit_nbytes - nbytes;
}

mill_status mill__reserve(mill__renderer *r, mill__scratch *scratch, uint64_t nbytes, const char *what,
                          mill_error *err)
{
    if (nbytes <= scratch->nbytes && scratch->data)
        return MILL_OK;
    mill__release(r, scratch);
    nbytes = nbytes < 64 ? 64 : nbytes;
    if (!mill__has_room(r, nbytes))
        return mill_fail(err, MILL_LIMIT, "limit",
                         "%s needs %llu bytes, but a thread that renders images may hold only %llu; "
                         "raise the memory budget",
                         what, (unsigned long long)nbytes, (unsigned long long)r->limit_nbytes);
    scratch->data = nbytes > SIZE_MAX ? NULL : mill__alloc((size_t)nbytes);
    if (!scratch->data)
        return mill__no_memory(err, (size_t)nbytes, what);
    scratch->nbytes = nbytes;
    r->held_nbytes += nbytes;
    return MILL_OK;
}

mill_status mill__coefficients_for(mill__renderer *r, int64_t in, float from, float to, int64_t out,
                                   mill_filter filter, const mill__coefficients **c, mill_error *err)
{
    mill__cached *oldest = &r->cached[0];
    for (int i = 0; i < MILL__CACHED; i++) {
        mill__cached *cached = &r->cached[i];
        const mill__coefficients *have = &cached->coefficients;
        if (cached->used && have->in == in && have->out == out && have->filter == filter &&
            have->from == from && have->to == to) {
            cached->used = r->renderings;
            *c = have;
            return MILL_OK;
        }
        if (cached->used < oldest->used)
            oldest = cached;
    }
    mill__coefficients *made = &oldest->coefficients;
    oldest->used = r->renderings;           /* its memory is not to be let go of */
    mill__has_room(r, r->limit_nbytes / 2); /* rather let go of old weights than refuse new ones */
    uint64_t held = r->held_nbytes - made->nbytes;
    uint64_t left = held < r->limit_nbytes ? r->limit_nbytes - held : 0;
    mill_status status = mill__coefficients_make_part(made, in, from, to, out, filter, left, err);
    r->held_nbytes = held + made->nbytes;
    if (status) {
        oldest->used = 0;
        return status;
    }
    *c = &oldest->coefficients;
    return MILL_OK;
}
