/* SPDX-License-Identifier: Apache-2.0 */
#include "outcome.h"
#include "command.h"
#include "screen.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>

int cli_outcome_code(mill_status status, const mill_error *err)
{
    switch (status) {
    case MILL_OK:
    case MILL_END:
    case MILL_AGAIN:
        return CLI_OK;
    case MILL_USAGE:
        return CLI_USAGE;
    case MILL_LIMIT:
    case MILL_UNSUPPORTED: /* of a shard, or of what was asked for */
        return err->shard[0] ? CLI_BAD_DATA : CLI_USAGE;
    case MILL_BAD_DATA:
    case MILL_TOO_MANY_BAD:
        return CLI_BAD_DATA;
    case MILL_CANCELED:
        return CLI_INTERRUPTED;
    case MILL_IO:
    case MILL_NO_MEMORY:
    case MILL_INTERNAL:
        return CLI_SYSTEM;
    }
    return CLI_SYSTEM;
}

static const char *advice(mill_status status, const mill_error *err)
{
    static const char budget[] = "--memory sets the budget, --threads how many threads share it";
    switch (status) {
    case MILL_BAD_DATA:
        return err->shard[0]
                   ? "--on-error skip goes on without bad samples; shardmill inspect lists all that is wrong"
                   : NULL; /* it is no shard, but a file of statistics or the like */
    case MILL_TOO_MANY_BAD:
        return "allow more by --max-errors, or see all that is wrong by shardmill inspect";
    case MILL_USAGE:
        if (!strcmp(err->kind, "pipeline"))
            return "shardmill transforms lists the transforms, shardmill transforms NAME tells about one";
        if (!strcmp(err->kind, "spec"))
            return "a data set is a file, a folder, a glob, braces such as train-{000..005}.tar or @list.txt";
        return strcmp(err->kind, "limit") ? NULL : budget;
    case MILL_IO:
        if (err->os_error == ENOSPC || err->os_error == EDQUOT)
            return "make room and run the same command again: finished shards are kept";
        return NULL;
    case MILL_LIMIT:
        return err->shard[0] ? NULL : budget;
    case MILL_NO_MEMORY:
        return "give it less to work with: --memory, --threads";
    case MILL_INTERNAL:
        return "this is a defect of shardmill: please report it";
    default:
        return NULL;
    }
}

void cli_outcome_print(mill_status status, const mill_error *err)
{
    if (status == MILL_OK || status == MILL_CANCELED)
        return;
    fputs("shardmill: ", stderr);
    cli_word(CLI_SAY_ERROR);
    if (err->shard[0] && !strstr(err->message, err->shard)) {
        cli_plain(stderr, err->shard);
        fputs(": ", stderr);
    }
    if (err->key[0]) {
        fputs("sample ", stderr);
        cli_short(stderr, err->key);
        fputs(err->offset == MILL_NO_OFFSET ? ": " : ", ", stderr);
    }
    if (err->offset != MILL_NO_OFFSET)
        fprintf(stderr, "byte %" PRIu64 ": ", err->offset);
    cli_plain(stderr, err->message[0] ? err->message : mill_status_name(status));
    fputc('\n', stderr);
    const char *next = advice(status, err);
    if (next)
        cli_warn(CLI_SAY_NOTE, "%s", next);
}

static const char *optional(const char *text)
{
    return text[0] ? text : NULL;
}

void cli_outcome_json(cli_json *json, mill_status status, const mill_error *err, int code)
{
    cli_json_text(json, "status", mill_status_name(status));
    cli_json_int(json, "exit", code);
    if (status == MILL_OK) {
        cli_json_null(json, "error");
        return;
    }
    cli_json_open(json, "error", '{');
    cli_json_text(json, "message", err->message);
    cli_json_text(json, "kind", optional(err->kind));
    cli_json_text(json, "shard", optional(err->shard));
    cli_json_text(json, "key", optional(err->key));
    if (err->offset != MILL_NO_OFFSET)
        cli_json_uint(json, "offset", err->offset);
    else
        cli_json_null(json, "offset");
    cli_json_int(json, "errno", err->os_error);
    cli_json_close(json, '}');
}
