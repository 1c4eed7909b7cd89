/* SPDX-License-Identifier: Apache-2.0 */
/* cli/progress.h: how far a run is: one line that is redrawn on a terminal, a plain line every ten seconds
 * elsewhere, or JSON. */
#ifndef MILL_CLI_PROGRESS_H
#define MILL_CLI_PROGRESS_H

#include <shardmill/run.h>
#include <stdbool.h>

typedef enum cli_progress_kind { CLI_PROGRESS_NONE, CLI_PROGRESS_AUTO, CLI_PROGRESS_JSON } cli_progress_kind;

typedef struct cli_progress {
    cli_progress_kind kind;
    bool bar;        /* redrawn on a terminal */
    int drawn;       /* columns that hold it now */
    int64_t said_ns; /* when the last plain line was written */
    /* the rates of late: smoothed over some seconds */
    int64_t seen_ns, seen_samples;
    uint64_t seen_nbytes;
    double samples_rate, bytes_rate;
} cli_progress;

void cli_progress_begin(cli_progress *progress, cli_progress_kind kind);
void cli_progress_show(cli_progress *progress, const mill_stats *stats);
void cli_progress_hide(cli_progress *progress); /* before anything else is written; also at the end */

#endif
