/* SPDX-License-Identifier: Apache-2.0 */
/* cli/gather.h: what commands share that gather statistics of a data set: options, the run, how it ended. */
#ifndef MILL_CLI_GATHER_H
#define MILL_CLI_GATHER_H

#include "engine_args.h"
#include "issues.h"
#include "json.h"
#include "progress.h"

typedef struct cli_gather_args {
    const char *pipe, *on_error;
    cli_budget max_errors;
    int64_t seed, epoch, max_pixels;
    bool json;
} cli_gather_args;

/* Rows of a table of options; args: the command's struct, with members "gather" and "engine". */
#define CLI_PIPE_OPTION(args)                                                                                \
    {                                                                                                        \
        .name = "pipe", .kind = CLI_TEXT, .offset = offsetof(args, gather.pipe), .value = "TEXT",            \
        .fallback = "\"\": samples as they are",                                                             \
        .help = "the pipeline: transforms joined by '|'; statistics are of what it gives"                    \
    }
#define CLI_GATHER_OPTIONS(args)                                                                             \
    {.name = "on-error",                                                                                     \
     .kind = CLI_CHOICE,                                                                                     \
     .offset = offsetof(args, gather.on_error),                                                              \
     .value = "POLICY",                                                                                      \
     .choices = "fail|skip",                                                                                 \
     .fallback = "fail",                                                                                     \
     .help = "what becomes of a bad sample"},                                                                \
        {.name = "max-errors",                                                                               \
         .kind = CLI_BUDGET,                                                                                 \
         .offset = offsetof(args, gather.max_errors),                                                        \
         .value = "N|P%",                                                                                    \
         .fallback = "any number",                                                                           \
         .help = "with skip: fail at more than N errors, or more errors than P percent of the samples"},     \
        {.name = "seed",                                                                                     \
         .kind = CLI_COUNT,                                                                                  \
         .offset = offsetof(args, gather.seed),                                                              \
         .value = "N",                                                                                       \
         .max = INT64_MAX,                                                                                   \
         .fallback = "0",                                                                                    \
         .help = "seed of the random transforms"},                                                           \
        {.name = "epoch",                                                                                    \
         .kind = CLI_COUNT,                                                                                  \
         .offset = offsetof(args, gather.epoch),                                                             \
         .value = "N",                                                                                       \
         .max = INT64_MAX,                                                                                   \
         .fallback = "0",                                                                                    \
         .help = "epoch: another one draws other random numbers"},                                           \
        {.name = "max-pixels",                                                                               \
         .kind = CLI_COUNT,                                                                                  \
         .offset = offsetof(args, gather.max_pixels),                                                        \
         .value = "N",                                                                                       \
         .min = 1,                                                                                           \
         .max = INT64_MAX,                                                                                   \
         .fallback = "178956970",                                                                            \
         .help = "refuse images of more"},                                                                   \
    {                                                                                                        \
        .name = "json", .kind = CLI_FLAG, .offset = offsetof(args, gather.json),                             \
        .help = "JSON lines: \"issue\", \"progress\" and at last \"total\", which has the result"            \
    }

typedef struct cli_gathering {
    const cli_gather_args *args;
    const cli_engine_args *engine;
    cli_progress progress;
    cli_issue_log issues;
    bool explained;
    /* what became of it */
    mill_statistics *statistics; /* NULL after a failure */
    mill_stats stats;
    mill_status status;
    mill_error err;
} cli_gathering;

void cli_gather_begin(cli_gathering *g, const cli_gather_args *args, const cli_engine_args *engine);
/* Gather statistics of what the operands name; o: what is asked for, the rest of it is filled here. An exit
 * code after a message if the command line is wrong; else CLI_OK, and g tells whether it worked. */
int cli_gather(cli_gathering *g, const cli_command *command, const cli_operands *operands,
               mill_statistics_options *o);
/* Take what is in a file that stats --out wrote. */
void cli_gather_read(cli_gathering *g, const char *path);
/* Members of the last JSON line: how it ended, and the work done. */
void cli_gather_json(const cli_gathering *g, cli_json *json);
/* Say what went wrong, and free the statistics. The exit code. */
int cli_gather_end(cli_gathering *g);

#endif
