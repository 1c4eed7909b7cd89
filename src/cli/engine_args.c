/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_args.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_engine_fill(const cli_command *command, const cli_engine_args *args, mill_options *options)
{
    if (args->verbose && args->quiet)
        return cli_usage(command, "--verbose and --quiet contradict each other");
    options->threads = (int)args->threads;
    options->io_depth = (int)args->depth;
    options->memory_nbytes = args->memory;
    options->io = args->io;
    options->executor = args->executor;
    options->format = args->format;
    options->trace = args->trace;
    return CLI_OK;
}

void cli_engine_explain(const cli_engine_args *args, const mill_stats *stats)
{
    if (!stats) {
        fprintf(stderr, "shardmill: threads: %s\n", mill_threads((int)args->threads).reason);
        return;
    }
    const bool named = args->io && strcmp(args->io, "auto") != 0;
    fprintf(stderr, "shardmill: reads: %s%s (--io %s); executor: %s; ", named ? "" : "the page cache, else ",
            stats->io && !strcmp(stats->io, "uring") ? "io_uring" : "a pool of threads",
            args->io ? args->io : "auto", stats->executor ? stats->executor : "?");
    if (stats->level)
        fprintf(stderr, "kernels: %s; ", stats->level);
    fputs("memory: ", stderr);
    if (stats->memory_nbytes)
        fprintf(stderr, "%s%s", cli_memory(stats->memory_nbytes).s, args->memory ? "" : ", ");
    fprintf(stderr, "%s\n", args->memory ? "" : "a quarter of what there is, at most 2 GiB");
}

/* ---- the spec ---- */

static bool means_itself(const char *word)
{
    return strpbrk(word, " \t\n\r\v\f\"\\{}*?[],@") && !access(word, F_OK);
}

static char *quote(char *to, const char *word)
{
    *to++ = '"';
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            *to++ = '\\';
        *to++ = *word;
    }
    *to++ = '"';
    return to;
}

char *cli_spec_join(const cli_operands *operands)
{
    size_t nbytes = 1;
    for (int i = 0; i < operands->n; i++)
        nbytes += 2 * strlen(operands->words[i]) + 3;
    char *spec = malloc(nbytes), *to = spec;
    for (int i = 0; i < operands->n && spec; i++) {
        if (i)
            *to++ = ' ';
        to =
            means_itself(operands->words[i]) ? quote(to, operands->words[i]) : stpcpy(to, operands->words[i]);
    }
    if (spec)
        *to = 0;
    return spec;
}
