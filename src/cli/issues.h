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
const char *cli_severity(mill_severity severity);

#endif
