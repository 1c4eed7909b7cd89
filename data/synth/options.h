/* SPDX-License-Identifier: Apache-2.0 */
/* data/synth/options.h: what the user asked for. */
#ifndef SYNTH_OPTIONS_H
#define SYNTH_OPTIONS_H

#include "random.h"

enum pattern { PHOTO, FLAT, NOISE };
static const char *const pattern_names[] = {"photo", "flat", "noise"};

typedef struct {
    const char *folder, *prefix;
    int nshards, nsamples, nclasses, width, height, reuse, digits, quality;
    bool fixed, spoil;
    uint64_t seed;
    enum pattern pattern;
    int row[4], nrow; /* .npy: the shape of a row */
} options;

#endif
