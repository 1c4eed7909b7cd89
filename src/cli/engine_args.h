/* SPDX-License-Identifier: Apache-2.0 */
/* cli/engine_args.h: the data set and the machinery: what every command that reads shards is told. */
#ifndef MILL_CLI_ENGINE_ARGS_H
#define MILL_CLI_ENGINE_ARGS_H

#include "command.h"
#include <stddef.h>

typedef struct cli_engine_args {
    int64_t threads, depth;
    uint64_t memory;
    const char *io, *executor, *format, *trace;
    bool verbose, quiet;
} cli_engine_args;

/* Rows of a table of options; args: the command's struct, with a member "engine". */
#define CLI_ENGINE_OPTIONS(args)                                                                             \
    {.name = "threads",                                                                                      \
     .kind = CLI_COUNT,                                                                                      \
     .offset = offsetof(args, engine.threads),                                                               \
     .value = "N",                                                                                           \
     .min = 1,                                                                                               \
     .max = 4096,                                                                                            \
     .fallback = "what OpenMP, the affinity mask and the cgroup allow",                                      \
     .help = "compute threads"},                                                                             \
        {.name = "io",                                                                                       \
         .kind = CLI_CHOICE,                                                                                 \
         .offset = offsetof(args, engine.io),                                                                \
         .value = "WAY",                                                                                     \
         .choices = "auto|uring|threads",                                                                    \
         .fallback = "auto",                                                                                 \
         .help = "how to read; auto: what is in the page cache at once, the rest by io_uring if it can be"}, \
        {.name = "executor",                                                                                 \
         .kind = CLI_CHOICE,                                                                                 \
         .offset = offsetof(args, engine.executor),                                                          \
         .value = "KIND",                                                                                    \
         .choices = "tasks|loop",                                                                            \
         .fallback = "tasks",                                                                                \
         .help = "OpenMP task graph or plain worker loop"},                                                  \
        {.name = "trace",                                                                                    \
         .kind = CLI_TEXT,                                                                                   \
         .offset = offsetof(args, engine.trace),                                                             \
         .value = "FILE",                                                                                    \
         .help = "write what each thread did and when, for ui.perfetto.dev or chrome://tracing"},            \
        CLI_SHARD_OPTIONS(args)

/* Those that have a meaning also where nothing is computed. */
#define CLI_SHARD_OPTIONS(args)                                                                              \
    {.name = "memory",                                                                                       \
     .kind = CLI_SIZE,                                                                                       \
     .offset = offsetof(args, engine.memory),                                                                \
     .value = "SIZE",                                                                                        \
     .fallback = "a quarter of the memory, at most 2G",                                                      \
     .help = "never use more for data than this, e.g. 256M"},                                                \
        {.name = "format",                                                                                   \
         .kind = CLI_NAME,                                                                                   \
         .choices = "shard format",                                                                          \
         .offset = offsetof(args, engine.format),                                                            \
         .value = "NAME",                                                                                    \
         .fallback = "by extension",                                                                         \
         .help = "shard format"},                                                                            \
        {.name = "io-depth",                                                                                 \
         .kind = CLI_COUNT,                                                                                  \
         .offset = offsetof(args, engine.depth),                                                             \
         .value = "N",                                                                                       \
         .min = 1,                                                                                           \
         .max = 1024,                                                                                        \
         .fallback = "8",                                                                                    \
         .help = "reads in flight"},                                                                         \
        {.name = "verbose",                                                                                  \
         .letter = 'v',                                                                                      \
         .kind = CLI_FLAG,                                                                                   \
         .offset = offsetof(args, engine.verbose),                                                           \
         .help = "say which threads, I/O and memory were chosen and why; show all issues"},                  \
    {                                                                                                        \
        .name = "quiet", .letter = 'q', .kind = CLI_FLAG, .offset = offsetof(args, engine.quiet),            \
        .help = "no progress and no summary, errors only"                                                    \
    }

/* A usage error, or options filled. */
int cli_engine_fill(const cli_command *command, const cli_engine_args *args, mill_options *options);
/* What was chosen, on standard error (-v): the threads and why before, the rest once stats tells it. */
void cli_engine_explain(const cli_engine_args *args, const mill_stats *stats);

/* The operands as one spec; free() it. A word that is the name of an existing file means that file, whatever
 * characters it holds. NULL without memory. */
char *cli_spec_join(const cli_operands *operands);

#endif
