/* SPDX-License-Identifier: Apache-2.0 */
/* cli/pipe.h: what commands that have a pipeline share: --pipe and --on-error. */
#ifndef MILL_CLI_PIPE_H
#define MILL_CLI_PIPE_H

#include "command.h"

/* Parse the text of --pipe. An exit code; what is wrong was said, and shown where it stands. */
int cli_pipe_open(mill_pipeline **pipeline, const char *text);
/* The pipeline as it was understood, on standard error (-v). */
void cli_pipe_explain(mill_pipeline *pipeline);

/* NULL: fail. */
mill_policy cli_policy(const char *word);

#endif
