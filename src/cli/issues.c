/* SPDX-License-Identifier: Apache-2.0 */
#include "issues.h"
#include "json.h"
#include "screen.h"
#include "text.h"
#include <inttypes.h>

#define LINES_MOST 20 /* issues shown on standard error */

const char *cli_severity(mill_severity severity)
{
    return severity == MILL_WARNING ? "warning" : "error";
}

void cli_issue_print(FILE *file, const mill_issue *issue)
{
    cli_plain(file, issue->shard);
    fputs(": ", file);
    if (issue->key[0]) {
        fputs("sample ", file);
        cli_short(file, issue->key);
        fputs(issue->offset == MILL_NO_OFFSET ? ": " : ", ", file);
    }
    if (issue->offset != MILL_NO_OFFSET)
        fprintf(file, "byte %" PRIu64 ": ", issue->offset);
    fprintf(file, "%s: ", issue->kind);
    cli_plain(file, issue->reason);
    fputc('\n', file);
}

void cli_issue_json(FILE *file, const mill_issue *issue)
{
    cli_json json = cli_json_begin(file, "issue");
    cli_json_text(&json, "severity", cli_severity(issue->severity));
    cli_json_text(&json, "shard", issue->shard);
    cli_json_text(&json, "key", issue->key[0] ? issue->key : NULL);
    if (issue->sample >= 0)
        cli_json_int(&json, "sample", issue->sample);
    else
        cli_json_null(&json, "sample");
    if (issue->offset != MILL_NO_OFFSET)
        cli_json_uint(&json, "offset", issue->offset);
    else
        cli_json_null(&json, "offset");
    cli_json_uint(&json, "nbytes", issue->nbytes);
    cli_json_text(&json, "kind", issue->kind);
    cli_json_text(&json, "reason", issue->reason);
    cli_json_end(&json);
}

void cli_issue_log_add(cli_issue_log *log, const mill_issue *issue)
{
    log->n++;
    if (log->json) {
        cli_issue_json(stdout, issue);
    } else if (!log->quiet && (log->verbose || log->n <= LINES_MOST)) {
        cli_word(issue->severity == MILL_ERROR ? CLI_SAY_ERROR : CLI_SAY_WARNING);
        cli_issue_print(stderr, issue);
    }
}

void cli_issue_log_end(const cli_issue_log *log)
{
    if (!log->json && !log->quiet && !log->verbose && log->n > LINES_MOST)
        cli_warn(CLI_SAY_NOTE, "%" PRId64 " more issues are not shown; -v shows them", log->n - LINES_MOST);
}
