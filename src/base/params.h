/* SPDX-License-Identifier: Apache-2.0 */
/* base/params.h: the text grammar of pipelines, and arguments checked against a table of mill_param. */
#ifndef MILL_BASE_PARAMS_H
#define MILL_BASE_PARAMS_H

#include "base/memory.h"
#include <shardmill/extend.h>

/* One transform's text: name and raw arguments. A piece of `a 1 k=v | b` each. */
typedef struct mill__clause {
    char *name;
    int nargs;
    char **keys;   /* NULL for positional */
    char **values; /* quotes removed */
    size_t column; /* 1-based place in the text, for messages */
} mill__clause;

/* Cut text at '|' into clauses (malloc'd; free with mill__clauses_free). Empty text gives 0 clauses; an empty
 * clause between bars is an error. Messages name the column. */
mill_status mill__clauses_parse(const char *text, mill__clause **clauses, int *n, mill_error *err);
void mill__clauses_free(mill__clause *clauses, int n);

/* Check a clause against params: unknown keys (with the nearest known name suggested), duplicates, missing
 * ones, bad numbers, ranges. *values gets one mill_value per param, in one block to be freed with mill__free
 * (lists and texts are inside). */
mill_status mill__params_check(const mill__clause *clause, const mill_param *params, int nparams,
                               mill_value **values, mill_error *err);
/* Append "name key=value ..." with every present parameter spelled out, numbers in shortest round-trip form.
 */
int mill__params_text(const char *name, const mill_param *params, int nparams, const mill_value *values,
                      mill__buffer *out);
/* The nearest of candidates (NULL-terminated) to word by edit distance, or NULL when none is near. */
const char *mill__nearest(const char *word, const char *const *candidates);

#endif
