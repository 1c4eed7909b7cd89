/* SPDX-License-Identifier: Apache-2.0 */
/* base/clause.c: the text of a pipeline cut at bars and blanks; see params.h. */
#include "base/error.h"
#include "base/params.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void mill__clauses_free(mill__clause *clauses, int n)
{
    for (int i = 0; i < n; i++) {
        for (int a = 0; a < clauses[i].nargs; a++) {
            free(clauses[i].keys[a]);
            free(clauses[i].values[a]);
        }
        free(clauses[i].keys);
        free(clauses[i].values);
        free(clauses[i].name);
    }
    free(clauses);
}

/* A word up to a blank, bar or, if stop_at_equals, '='; quotes removed. *at moves behind it. NULL without
 * memory or with an open quote (err tells). */
static char *take_word(const char *text, const char **at, bool stop_at_equals, mill_error *err)
{
    const char *s = *at;
    char *word = malloc(strlen(s) + 1);
    if (!word) {
        mill__no_memory(err, strlen(s), "a pipeline");
        return NULL;
    }
    size_t n = 0;
    while (*s && !is_blank(*s) && *s != '|' && !(stop_at_equals && *s == '=')) {
        if (*s != '"' && *s != '\'') {
            word[n++] = *s++;
            continue;
        }
        const char *open = s++;
        for (; *s && *s != *open; s++) {
            if (*s == '\\' && s[1])
                s++;
            word[n++] = *s;
        }
        if (!*s) {
            mill_fail(err, MILL_USAGE, "pipeline", "column %zu: the quote that opens here is never closed",
                      (size_t)(open - text) + 1);
            free(word);
            return NULL;
        }
        s++;
    }
    word[n] = 0;
    *at = s;
    return word;
}

static bool add_argument(mill__clause *clause, char *key, char *value)
{
    size_t n = (size_t)clause->nargs + 1;
    char **keys = realloc(clause->keys, n * sizeof *keys);
    if (keys)
        clause->keys = keys;
    char **values = keys ? realloc(clause->values, n * sizeof *values) : NULL;
    if (!values)
        return false;
    clause->values = values;
    keys[clause->nargs] = key;
    values[clause->nargs++] = value;
    return true;
}

static mill_status take_argument(const char *text, const char **at, mill__clause *clause, mill_error *err)
{
    const char *begin = *at;
    char *key = NULL, *value = take_word(text, at, true, err);
    if (value && **at == '=') {
        key = value;
        bool quoted = *++*at == '"' || **at == '\'';
        value = take_word(text, at, false, err);
        if (value && (!key[0] || (!value[0] && !quoted))) {
            mill_fail(err, MILL_USAGE, "pipeline",
                      "column %zu: \"%s=%s\": a key and a value belong around '='",
                      (size_t)(begin - text) + 1, key, value);
            free(value);
            value = NULL;
        }
    }
    if (value && add_argument(clause, key, value))
        return MILL_OK;
    if (value)
        mill__no_memory(err, sizeof *clause, "a pipeline");
    free(key);
    free(value);
    return MILL_USAGE;
}

static const char *skip_blanks(const char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

static mill_status take_clause(const char *text, const char **at, mill__clause *clause, mill_error *err)
{
    const char *s = skip_blanks(*at);
    clause->column = (size_t)(s - text) + 1;
    if (!*s || *s == '|')
        return mill_fail(err, MILL_USAGE, "pipeline", "column %zu: a transform is expected here",
                         clause->column);
    clause->name = take_word(text, &s, false, err);
    mill_status status = clause->name ? MILL_OK : MILL_USAGE;
    for (s = skip_blanks(s); !status && *s && *s != '|'; s = skip_blanks(s))
        status = take_argument(text, &s, clause, err);
    *at = s;
    return status;
}

mill_status mill__clauses_parse(const char *text, mill__clause **clauses, int *n, mill_error *err)
{
    *clauses = NULL;
    *n = 0;
    const char *s = skip_blanks(text ? text : "");
    while (*s) {
        mill__clause *more = realloc(*clauses, (size_t)(*n + 1) * sizeof *more);
        mill_status status = more ? MILL_OK : mill__no_memory(err, sizeof *more, "a pipeline");
        if (more) {
            *clauses = more;
            more[(*n)++] = (mill__clause){0};
            status = take_clause(text, &s, &more[*n - 1], err);
        }
        if (!status && *s == '|' && !*skip_blanks(++s))
            status =
                mill_fail(err, MILL_USAGE, "pipeline",
                          "column %zu: a transform is expected behind the last '|'", (size_t)(s - text) + 1);
        if (status) {
            mill__clauses_free(*clauses, *n);
            *clauses = NULL;
            *n = 0;
            return status;
        }
        s = skip_blanks(s);
    }
    return MILL_OK;
}

const char *mill__nearest(const char *word, const char *const *candidates)
{
    enum { LONGEST = 40 };
    size_t n = strlen(word), best_distance = n / 3 + 2;
    const char *best = NULL;
    if (n > LONGEST)
        return NULL;
    for (; *candidates; candidates++) {
        size_t m = strlen(*candidates), row[LONGEST + 1]; /* Levenshtein distance, one row at a time */
        for (size_t i = 0; i <= n; i++)
            row[i] = i;
        for (size_t k = 1; k <= m; k++) {
            size_t diagonal = row[0];
            row[0] = k;
            for (size_t i = 1; i <= n; i++) {
                size_t change = diagonal + (word[i - 1] != (*candidates)[k - 1]);
                diagonal = row[i];
                size_t insert = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
                row[i] = change < insert ? change : insert;
            }
        }
        if (row[n] < best_distance) {
            best_distance = row[n];
            best = *candidates;
        }
    }
    return best;
}
