/* SPDX-License-Identifier: Apache-2.0 */
/* cli/outcome.h: what a call of the library answered, as an exit code and as words. */
#ifndef MILL_CLI_OUTCOME_H
#define MILL_CLI_OUTCOME_H

#include "json.h"
#include <shardmill/run.h>

int cli_outcome_code(mill_status status, const mill_error *err);
/* The error, where it is, and what to do next; nothing when all is well or canceled. */
void cli_outcome_print(mill_status status, const mill_error *err);
/* Members "status", "exit" and "error" of an open object. */
void cli_outcome_json(cli_json *json, mill_status status, const mill_error *err, int code);

#endif
