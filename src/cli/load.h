/* SPDX-License-Identifier: Apache-2.0 */
/* cli/load.h: what the files of `shardmill load` share: what it is told, a run's times and counts, what is
 * shown while it goes on, and what is told of it at its end. */
#ifndef MILL_CLI_LOAD_H
#define MILL_CLI_LOAD_H

#include "digest.h"
#include "engine_args.h"
#include "issues.h"
#include "json.h"
#include <shardmill/loader.h>

typedef struct cli_load_args {
    cli_operands operands;
    const char *pipe, *shuffle, *digest, *state, *on_error, *fields, *index, *mix;
    int64_t batch, epochs, window, seed, rank, world_size, most_batches, first, repeat, prefetch;
    int64_t max_errors, max_pixels;
    double step_ms;
    bool drop_last, json;
    cli_engine_args engine;
} cli_load_args;

/* Times in nanoseconds of the monotonic clock. "Steady" is what comes after the first batch's step. */
typedef struct cli_pace {
    int64_t begin_ns, first_ns, steady_ns, end_ns; /* first, steady: 0 without a batch */
    int64_t step_ns;                               /* of one step, as asked for */
    int64_t batches, epochs;                       /* given, finished */
    int64_t samples, steady_samples;               /* padding not counted */
    int64_t stepped_ns, steady_stepped_ns;         /* in steps, measured */
    int64_t steady_waited_ns, steady_digest_ns;
    mill_loader_stats at_first, stats; /* of the loader: when it became steady, and now */
} cli_pace;

int64_t cli_now_ns(void);

/* ---- load_progress.c ---- */

typedef struct cli_load_progress {
    bool none, json, bar;
    int drawn; /* columns that hold the line */
    int64_t epochs, said_ns, drawn_ns;
} cli_load_progress;

void cli_load_progress_begin(cli_load_progress *progress, bool quiet, bool json, int64_t epochs);
void cli_load_progress_show(cli_load_progress *progress, const cli_pace *pace);
void cli_load_progress_hide(cli_load_progress *progress);

/* ---- load_loop.c ---- */

typedef struct cli_loading {
    const cli_load_args *args;
    mill_loader *loader;
    cli_load_progress progress;
    cli_issue_log issues;
    cli_pace pace;
    cli_digest digest;
    char state[MILL_STATE_NBYTES]; /* after the last batch that was worked on */
    bool resumed;
    int64_t epoch_ns, epoch_batches, epoch_samples; /* of the epoch under way */
} cli_loading;

/* All batches that are asked for. MILL_CANCELED: a signal came first. */
mill_status cli_load_iterate(cli_loading *l, mill_error *err);
void cli_load_take_state(cli_loading *l); /* if it is to be kept */

/* ---- load_report.c ---- */

void cli_load_print(const cli_pace *pace, const cli_engine_args *args);
/* Members of an open object. */
void cli_load_json(cli_json *json, const cli_pace *pace, const cli_engine_args *args);

#endif
