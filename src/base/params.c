/* SPDX-License-Identifier: Apache-2.0 */
/* base/params.c: arguments of a clause against a table of parameters, and back to text. clause.c cuts the
 * text. */
#include "base/params.h"
#include "base/error.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values, their lists and texts live in one block: filled front to back. */
typedef struct block {
    mill_value *values;
    double *lists;
    char *texts;
} block;

typedef struct where { /* for messages */
    const mill__clause *clause;
    const mill_param *param;
} where;

/* Numbers are written with a point, whatever the caller's locale says. */
typedef struct plain_numbers {
    locale_t plain, before;
} plain_numbers;

static plain_numbers begin_plain(void)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return (plain_numbers){plain, uselocale(plain)};
}

static void end_plain(plain_numbers numbers)
{
    uselocale(numbers.before);
    if (numbers.plain)
        freelocale(numbers.plain);
}

static mill_status bad(const where *at, const char *text, const char *expected, mill_error *err)
{
    return mill_fail(err, MILL_USAGE, "pipeline", "column %zu: %s: %s is \"%s\"; expected %s",
                     at->clause->column, at->clause->name, at->param->name, text, expected);
}

static mill_status check_range(const where *at, const char *text, double value, mill_error *err)
{
    const mill_param *p = at->param;
    if ((p->min == 0 && p->max == 0) || (value >= p->min && value <= p->max))
        return MILL_OK;
    char range[96];
    snprintf(range, sizeof range, "a number from %g to %g", p->min, p->max);
    return bad(at, text, range, err);
}

/* The first n letters of text; whole is the argument they are of. */
static mill_status parse_number(const where *at, const char *whole, const char *text, size_t n, double *value,
                                mill_error *err)
{
    char copy[64], *end;
    bool plain = n && n < sizeof copy && strspn(text, "0123456789+-.eE") >= n;
    if (plain) {
        memcpy(copy, text, n);
        copy[n] = 0;
        *value = strtod(copy, &end);
        plain = !*end && isfinite(*value);
    }
    return plain ? check_range(at, whole, *value, err) : bad(at, whole, "a number such as 0.5", err);
}

static mill_status parse_int(const where *at, const char *text, mill_value *value, mill_error *err)
{
    char *end;
    errno = 0;
    value->i = strtoll(text, &end, 10);
    bool digits =
        text[text[0] == '-' || text[0] == '+'] >= '0' && text[text[0] == '-' || text[0] == '+'] <= '9';
    if (*end || errno || !digits)
        return bad(at, text, "a whole number", err);
    value->f = (double)value->i;
    value->n = 1;
    return check_range(at, text, value->f, err);
}

static mill_status parse_floats(const where *at, const char *text, mill_value *value, block *b,
                                mill_error *err)
{
    double *list = b->lists;
    value->list = list;
    for (const char *s = text;; s++) {
        size_t n = strcspn(s, ",");
        mill_status status = parse_number(at, text, s, n, b->lists, err);
        if (status)
            return status;
        b->lists++;
        value->n++;
        s += n;
        if (!*s)
            break;
    }
    value->f = list[0];
    return MILL_OK;
}

static mill_status parse_bool(const where *at, const char *text, mill_value *value, mill_error *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "0", "1"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(text, words[i])) {
            value->i = i % 2;
            value->n = 1;
            return MILL_OK;
        }
    return bad(at, text, "true or false", err);
}

/* Whether the parameter can be a file instead, and text is the name of one: no choice and no number has a
 * slash or an extension of letters. */
static bool is_file(const mill_param *param, const char *text)
{
    const char *file = param->choices ? strstr(param->choices, "FILE") : NULL;
    size_t n = strlen(text);
    return file && !file[4] && (strchr(text, '/') || (n > 5 && !strcmp(text + n - 5, ".json")));
}

static mill_status parse_choice(const where *at, const char *text, mill_value *value, mill_error *err)
{
    const char *s = at->param->choices;
    size_t length = strlen(text);
    for (int64_t i = 0;; i++) {
        size_t n = strcspn(s, "|");
        if (n == length && !memcmp(s, text, n)) {
            value->i = i;
            value->n = 1;
            return MILL_OK;
        }
        s += n;
        if (!*s++)
            break;
    }
    char expected[256];
    snprintf(expected, sizeof expected, "one of %s", at->param->choices);
    return bad(at, text, expected, err);
}

static mill_status parse_size(const where *at, const char *text, mill_value *value, block *b, mill_error *err)
{
    double *list = b->lists;
    value->list = list;
    for (const char *s = text; value->n < 2;) {
        char *end;
        errno = 0;
        long long side = *s >= '0' && *s <= '9' ? strtoll(s, &end, 10) : 0;
        if (side <= 0 || errno || side > 1 << 30)
            return bad(at, text, "a size in pixels such as 224 or 320x240 (width x height)", err);
        mill_status status = check_range(at, text, (double)side, err);
        if (status)
            return status;
        *b->lists++ = (double)side;
        value->n++;
        s = end;
        if (!*s)
            break;
        if (*s++ != 'x' || value->n == 2)
            return bad(at, text, "a size in pixels such as 224 or 320x240 (width x height)", err);
    }
    value->i = (int64_t)list[0];
    value->f = list[0];
    return MILL_OK;
}

static mill_status parse_value(const where *at, const char *text, mill_value *value, block *b,
                               mill_error *err)
{
    *value = (mill_value){.text = strcpy(b->texts, text)};
    b->texts += strlen(text) + 1;
    if (is_file(at->param, text)) {
        value->n = -1;
        return MILL_OK;
    }
    switch (at->param->type) {
    case MILL_PARAM_INT:
        return parse_int(at, text, value, err);
    case MILL_PARAM_FLOAT:
        value->n = 1;
        if (parse_number(at, text, text, strlen(text), &value->f, err))
            return MILL_USAGE;
        value->i = fabs(value->f) < 9e18 ? (int64_t)value->f : 0;
        return MILL_OK;
    case MILL_PARAM_FLOATS:
        return parse_floats(at, text, value, b, err);
    case MILL_PARAM_BOOL:
        return parse_bool(at, text, value, err);
    case MILL_PARAM_CHOICE:
        return parse_choice(at, text, value, err);
    case MILL_PARAM_SIZE:
        return parse_size(at, text, value, b, err);
    case MILL_PARAM_TEXT:
        value->n = 1;
        return MILL_OK;
    }
    return mill_fail(err, MILL_INTERNAL, "pipeline", "parameter %s has no known type", at->param->name);
}

/* ---- which argument belongs to which parameter ---- */

static int find_param(const mill_param *params, int nparams, const char *key)
{
    for (int i = 0; i < nparams; i++)
        if (!strcmp(params[i].name, key))
            return i;
    return -1;
}

static mill_status unknown_key(const mill__clause *clause, const char *key, const mill_param *params,
                               int nparams, mill_error *err)
{
    const char *names[64];
    int n = 0;
    char known[200] = "none";
    for (size_t used = 0; n < nparams && n < 63 && used < sizeof known; n++) {
        names[n] = params[n].name;
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", n ? ", " : "", params[n].name);
    }
    names[n] = NULL;
    const char *nearest = mill__nearest(key, names);
    if (nearest)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "column %zu: %s has no parameter \"%s\"; did you mean \"%s\"?", clause->column,
                         clause->name, key, nearest);
    return mill_fail(err, MILL_USAGE, "pipeline", "column %zu: %s has no parameter \"%s\"; it has: %s",
                     clause->column, clause->name, key, known);
}

/* texts[i]: what was given for parameter i, or NULL */
static mill_status assign(const mill__clause *clause, const mill_param *params, int nparams,
                          const char **texts, mill_error *err)
{
    for (int a = 0; a < clause->nargs; a++) {
        int i = 0;
        if (clause->keys[a]) {
            i = find_param(params, nparams, clause->keys[a]);
            if (i < 0)
                return unknown_key(clause, clause->keys[a], params, nparams, err);
        } else {
            while (i < nparams && texts[i])
                i++;
            if (i == nparams)
                return mill_fail(err, MILL_USAGE, "pipeline",
                                 "column %zu: %s takes %d argument%s; \"%s\" is one too many", clause->column,
                                 clause->name, nparams, nparams == 1 ? "" : "s", clause->values[a]);
        }
        if (texts[i])
            return mill_fail(err, MILL_USAGE, "pipeline", "column %zu: %s: %s is given twice", clause->column,
                             clause->name, params[i].name);
        texts[i] = clause->values[a];
    }
    return MILL_OK;
}

static mill_status fill_defaults(const mill__clause *clause, const mill_param *params, int nparams,
                                 const char **texts, mill_error *err)
{
    for (int i = 0; i < nparams; i++) {
        if (texts[i])
            continue;
        if (!params[i].fallback)
            return mill_fail(err, MILL_USAGE, "pipeline", "column %zu: %s needs %s: %s", clause->column,
                             clause->name, params[i].name, params[i].help ? params[i].help : "");
        if (params[i].fallback[0])
            texts[i] = params[i].fallback;
    }
    return MILL_OK;
}

static mill_status make_block(int nparams, const char **texts, block *b, mill_error *err)
{
    size_t characters = 0, numbers = 0;
    for (int i = 0; i < nparams; i++)
        if (texts[i]) {
            characters += strlen(texts[i]) + 1;
            numbers += 2;
            for (const char *s = texts[i]; *s; s++)
                numbers += *s == ',';
        }
    size_t values = (size_t)nparams * sizeof(mill_value), lists = numbers * sizeof(double);
    char *memory = mill__alloc(values + lists + characters);
    if (!memory)
        return mill__no_memory(err, values, "arguments");
    *b = (block){.values = (mill_value *)memory,
                 .lists = (double *)(memory + values),
                 .texts = memory + values + lists};
    return MILL_OK;
}

mill_status mill__params_check(const mill__clause *clause, const mill_param *params, int nparams,
                               mill_value **values, mill_error *err)
{
    const char **texts = calloc((size_t)nparams + 1, sizeof *texts);
    if (!texts)
        return mill__no_memory(err, sizeof *texts, "arguments");
    const plain_numbers numbers = begin_plain();
    block b = {0};
    mill_status status = assign(clause, params, nparams, texts, err);
    if (!status)
        status = fill_defaults(clause, params, nparams, texts, err);
    if (!status)
        status = make_block(nparams, texts, &b, err);
    for (int i = 0; i < nparams && !status; i++) {
        const where at = {clause, &params[i]};
        b.values[i] = (mill_value){0};
        if (texts[i])
            status = parse_value(&at, texts[i], &b.values[i], &b, err);
    }
    end_plain(numbers);
    free(texts);
    if (status)
        mill__free(b.values);
    else
        *values = b.values;
    return status;
}

/* ---- back to text ---- */

static int put_number(mill__buffer *out, double value)
{
    char text[32];
    if (fabs(value) < 1e15 && value == floor(value)) /* 10, not 1e+01 */
        return mill__buffer_printf(out, "%.0f", value);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return mill__buffer_append(out, text, strlen(text));
}

static int put_text(mill__buffer *out, const char *text)
{
    if (*text && !strpbrk(text, " \t\r\n|=\"'\\"))
        return mill__buffer_append(out, text, strlen(text));
    int failed = mill__buffer_append(out, "\"", 1);
    for (; *text && !failed; text++)
        failed = ((*text == '"' || *text == '\\') && mill__buffer_append(out, "\\", 1)) ||
                 mill__buffer_append(out, text, 1);
    return failed || mill__buffer_append(out, "\"", 1);
}

static int put_value(mill__buffer *out, const mill_param *param, const mill_value *value)
{
    int failed = 0;
    if (value->n < 0)
        return put_text(out, value->text);
    switch (param->type) {
    case MILL_PARAM_INT:
        return mill__buffer_printf(out, "%lld", (long long)value->i);
    case MILL_PARAM_FLOAT:
        return put_number(out, value->f);
    case MILL_PARAM_FLOATS:
    case MILL_PARAM_SIZE:
        for (int i = 0; i < value->n && !failed; i++)
            failed =
                (i && mill__buffer_append(out, param->type == MILL_PARAM_SIZE ? "x" : ",", 1)) ||
                (param->type == MILL_PARAM_SIZE ? mill__buffer_printf(out, "%lld", (long long)value->list[i])
                                                : put_number(out, value->list[i]));
        return failed;
    case MILL_PARAM_BOOL:
        return mill__buffer_printf(out, "%s", value->i ? "true" : "false");
    case MILL_PARAM_CHOICE:
    case MILL_PARAM_TEXT:
        return put_text(out, value->text);
    }
    return -1;
}

int mill__params_text(const char *name, const mill_param *params, int nparams, const mill_value *values,
                      mill__buffer *out)
{
    const plain_numbers numbers = begin_plain();
    int failed = mill__buffer_append(out, name, strlen(name));
    for (int i = 0; i < nparams && !failed; i++)
        if (values[i].n)
            failed =
                mill__buffer_printf(out, " %s=", params[i].name) || put_value(out, &params[i], &values[i]);
    end_plain(numbers);
    return failed ? -1 : 0;
}
