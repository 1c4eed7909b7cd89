/* SPDX-License-Identifier: Apache-2.0 */
/* cli/issues.h: what is wrong with shards and samples, for people and for machines. */
#ifndef MILL_CLI_ISSUES_H
#define MILL_CLI_ISSUES_H

#include <shardmill/types.h>
#include <stdbool.h>
#include <stdio.h>

/* One line: SHARD: sample KEY, byte N: KIND: REASON. The word before it is not part of it. */
void cli_issue_print(FILE *file, const mill_issue *issue);
/* One JSON object of type "issue". */
void cli_issue_json(FILE *file, const mill_issue *issue);

/* Issues as they come: JSON lines, or lines on standard error, the first few unless verbose. */
typedef struct cli_issue_log {
    bool json, quiet, verbose;
    int64_t n; /* shown or not */
} cli_issue_log;

void cli_issue_log_add(cli_issue_log *log, const mill_issue *issue);
void cli_issue_log_end(const cli_issue_log *log); /* how many were not shown */

const char *cli_severity(mill_severity severity);

#endif
