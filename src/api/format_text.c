/* SPDX-License-Identifier: Apache-2.0 */
/* api/format_text.c: the name of a shard format and its arguments, joined by colons: raw:f32:3x32x32. */
#include "api/options.h"
#include "base/error.h"
#include "base/params.h"
#include "registry.h"
#include <stdlib.h>
#include <string.h>

/* The words of a pipeline's clause, cut at colons instead of blanks. */
static mill_status cut(const char *text, mill__clause **clauses, mill_error *err)
{
    char *words = strdup(text);
    if (!words)
        return mill__no_memory(err, strlen(text), "the name of a format");
    for (char *c = words; *c; c++)
        if (*c == ':')
            *c = ' ';
    int n = 0;
    mill_status status = mill__clauses_parse(words, clauses, &n, err);
    free(words);
    if (!status && n != 1) {
        mill__clauses_free(*clauses, n);
        return mill_fail(err, MILL_USAGE, "option", "format: \"%s\" is no name of a shard format", text);
    }
    return status;
}

static mill_status settle(const mill__clause *clause, mill__format_ops *format, mill_error *err)
{
    mill_value *values = NULL;
    mill_status status = mill__params_check(clause, format->params, format->nparams, &values, err);
    if (!status && format->settle)
        status = format->settle(values, &format->settings, err);
    mill__free(values);
    return status;
}

mill_status mill__format_parse(const char *text, mill__format_ops *format, mill_error *err)
{
    mill__clause *clause = NULL;
    mill_status status = cut(text, &clause, err);
    if (status)
        return status;
    const mill__format_ops *found = mill__format_named(clause->name);
    if (found)
        *format = *found;
    status = found ? settle(clause, format, err)
                   : mill_fail(err, MILL_USAGE, "option", "format: there is no shard format \"%s\"", text);
    mill__clauses_free(clause, 1);
    return status;
}
