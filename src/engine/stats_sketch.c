/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stats_sketch.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = MILL__SKETCH_SLOTS, PAGES = MILL__SKETCH_PAGES, HALF = MILL__SKETCH_BUCKETS / 2 };

/* Of a magnitude: its exponent, from -127 (what counts as 0) to 127, and six bits of its mantissa. */
static size_t magnitude_bucket(double magnitude)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023;
    if (exponent < -126)
        return 0;
    if (exponent > 127)
        return HALF - 1;
    return (size_t)(exponent + 127) * SLOTS + (size_t)(bits >> 46 & 63);
}

static size_t bucket_of(double value)
{
    size_t m = magnitude_bucket(fabs(value));
    return value < 0 && m ? HALF - 1 - m : HALF + m;
}

/* Its middle. */
static double bucket_value(size_t bucket)
{
    size_t m = bucket < HALF ? HALF - 1 - bucket : bucket - HALF;
    if (m < SLOTS)
        return 0.0;
    double value = ldexp(1.0 + ((double)(m % SLOTS) + 0.5) / SLOTS, (int)(m / SLOTS) - 127);
    return bucket < HALF ? -value : value;
}

bool mill__sketch_open(mill__sketch *sketch, size_t features)
{
    sketch->features = features;
    sketch->pages = calloc(features * PAGES, sizeof *sketch->pages);
    return sketch->pages != NULL;
}

bool mill__sketch_put(mill__sketch *sketch, size_t feature, size_t bucket, uint64_t count)
{
    uint64_t **page = &sketch->pages[feature * PAGES + bucket / SLOTS];
    if (!*page)
        *page = calloc(SLOTS, sizeof **page);
    if (!*page)
        return false;
    (*page)[bucket % SLOTS] += count;
    return true;
}

bool mill__sketch_add(mill__sketch *sketch, size_t feature, double value)
{
    return mill__sketch_put(sketch, feature, bucket_of(value), 1);
}

uint64_t mill__sketch_count(const mill__sketch *sketch, size_t feature, size_t bucket)
{
    const uint64_t *page = sketch->pages[feature * PAGES + bucket / SLOTS];
    return page ? page[bucket % SLOTS] : 0;
}

bool mill__sketch_merge(mill__sketch *into, const mill__sketch *from)
{
    for (size_t i = 0; i < from->features * PAGES; i++)
        for (size_t k = 0; from->pages[i] && k < SLOTS; k++)
            if (from->pages[i][k] &&
                !mill__sketch_put(into, i / PAGES, i % PAGES * SLOTS + k, from->pages[i][k]))
                return false;
    return true;
}

static uint64_t page_count(const uint64_t *page)
{
    uint64_t n = 0;
    for (size_t k = 0; page && k < SLOTS; k++)
        n += page[k];
    return n;
}

double mill__sketch_quantile(const mill__sketch *sketch, size_t feature, double p)
{
    uint64_t *const *pages = sketch->pages + feature * PAGES;
    uint64_t n = 0, below = 0;
    for (size_t i = 0; i < PAGES; i++)
        n += page_count(pages[i]);
    if (!n)
        return NAN;
    uint64_t rank = (uint64_t)(p * (double)(n - 1));
    for (size_t i = 0; i < PAGES; i++) {
        uint64_t here = page_count(pages[i]);
        for (size_t k = 0; below + here > rank && k < SLOTS; k++) {
            below += pages[i][k];
            here -= pages[i][k];
            if (below > rank)
                return bucket_value(i * SLOTS + k);
        }
        below += here;
    }
    return NAN;
}

void mill__sketch_free(mill__sketch *sketch)
{
    for (size_t i = 0; sketch->pages && i < sketch->features * PAGES; i++)
        free(sketch->pages[i]);
    free(sketch->pages);
    *sketch = (mill__sketch){0};
}
