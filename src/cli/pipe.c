/* SPDX-License-Identifier: Apache-2.0 */
#include "pipe.h"
#include "outcome.h"
#include "text.h"
#include <string.h>

/* Show the place that the parser's message begins with. */
static void point_at(const char *pipe, const mill_error *err)
{
    int column;
    if (sscanf(err->message, "column %d:", &column) != 1 || column < 1 || strpbrk(pipe, "\n\t"))
        return;
    fputs("    ", stderr);
    cli_plain(stderr, pipe);
    fprintf(stderr, "\n    %*s\n", column, "^");
}

int cli_pipe_open(mill_pipeline **pipeline, const char *text)
{
    mill_error err = {.offset = MILL_NO_OFFSET};
    *pipeline = mill_pipeline_new();
    mill_status status = *pipeline ? mill_pipeline_parse(*pipeline, text, &err) : MILL_NO_MEMORY;
    if (!status)
        return CLI_OK;
    cli_outcome_print(status, &err);
    point_at(text, &err);
    return cli_outcome_code(status, &err);
}

void cli_pipe_explain(mill_pipeline *pipeline)
{
    const char *text = mill_pipeline_text(pipeline);
    fputs("shardmill: pipeline: ", stderr);
    cli_plain(stderr, text && text[0] ? text : "none; samples stay as they are");
    fputc('\n', stderr);
}

mill_policy cli_policy(const char *word)
{
    if (!word || !strcmp(word, "fail"))
        return MILL_POLICY_FAIL;
    return strcmp(word, "skip") ? MILL_POLICY_SUBSTITUTE : MILL_POLICY_SKIP;
}
