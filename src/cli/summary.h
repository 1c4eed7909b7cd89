/* SPDX-License-Identifier: Apache-2.0 */
/* cli/summary.h: what a run came to. */
#ifndef MILL_CLI_SUMMARY_H
#define MILL_CLI_SUMMARY_H

#include "json.h"
#include <shardmill/run.h>

/* out NULL: nothing was written. */
void cli_summary_print(const mill_stats *stats, const char *out, const char *sink);
/* Members of an open object: the statistics. */
void cli_summary_json(cli_json *json, const mill_stats *stats);

#endif
