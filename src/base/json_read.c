/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_read.h"
#include "base/error.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NBYTES = 1 << 30 };

static mill_status read_all(FILE *file, const char *path, mill__buffer *text, mill_error *err)
{
    for (;;) {
        size_t room = text->nbytes < 65536 ? 65536 : text->nbytes;
        if (text->nbytes > MOST_NBYTES)
            return mill_fail(err, MILL_LIMIT, "limit", "\"%s\" is too long for a file of statistics", path);
        if (mill__buffer_reserve(text, text->nbytes + room))
            return mill__no_memory(err, text->nbytes + room, "a file of statistics");
        errno = 0;
        size_t got = fread(text->data + text->nbytes, 1, room, file);
        text->nbytes += got;
        if (ferror(file))
            return mill__fail_os(err, errno ? errno : EIO, "cannot read \"%s\"", path);
        if (!got)
            return MILL_OK;
    }
}

mill_status mill__json_load(const char *path, mill__buffer *text, mill_error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return mill__fail_os(err, errno, "cannot open \"%s\"", path);
    *text = (mill__buffer){0};
    mill_status status = read_all(file, path, text, err);
    fclose(file);
    mill__json_walk walk;
    mill__json_piece key, value;
    int more = 0;
    bool begun =
        !status && mill__json_begin(&walk, (mill__json_piece){(char *)text->data, text->nbytes}, '{');
    if (begun)
        while ((more = mill__json_next(&walk, &key, &value)) > 0)
            continue;
    else
        more = -1;
    if (!status && (more < 0 || !mill__json_ended(&walk)))
        status = mill_fail(err, MILL_BAD_DATA, "json", "\"%s\" is not one JSON object: see near byte %zu",
                           path, begun ? (size_t)(walk.at - (char *)text->data) : 0);
    if (status)
        mill__buffer_free(text);
    return status;
}

bool mill__json_member(mill__json_piece object, const char *key, mill__json_piece *value)
{
    mill__json_walk walk;
    mill__json_piece name = {0};
    if (!mill__json_begin(&walk, object, '{'))
        return false;
    while (mill__json_next(&walk, &name, value) > 0)
        if (name.nbytes == strlen(key) && !memcmp(name.text, key, name.nbytes))
            return true;
    return false;
}

bool mill__json_is_text(mill__json_piece value, const char *text)
{
    size_t n = strlen(text);
    return value.nbytes == n + 2 && value.text[0] == '"' && !memcmp(value.text + 1, text, n);
}

/* ---- numbers ---- */

static const char *skip_digits(const char *at)
{
    while (*at >= '0' && *at <= '9')
        at++;
    return at;
}

/* By the grammar of RFC 8259. */
static bool is_number(const char *at)
{
    at += *at == '-';
    const char *whole = at;
    at = skip_digits(at);
    if (at == whole || (*whole == '0' && at > whole + 1))
        return false;
    if (*at == '.') {
        const char *fraction = ++at;
        if ((at = skip_digits(at)) == fraction)
            return false;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        const char *exponent = at;
        if ((at = skip_digits(at)) == exponent)
            return false;
    }
    return !*at;
}

static bool parse(mill__json_piece value, locale_t plain, double *number)
{
    char copy[64];
    if (value.nbytes == 4 && !memcmp(value.text, "null", 4)) {
        *number = NAN;
        return true;
    }
    if (!value.nbytes || value.nbytes >= sizeof copy)
        return false;
    memcpy(copy, value.text, value.nbytes);
    copy[value.nbytes] = 0;
    *number = is_number(copy) ? strtod_l(copy, NULL, plain) : INFINITY;
    return isfinite(*number);
}

bool mill__json_number(mill__json_piece value, double *number)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    bool good = plain && parse(value, plain, number);
    if (plain)
        freelocale(plain);
    return good;
}

static bool push(double **list, size_t *n, size_t *capacity, double number)
{
    if (*n == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 64;
        double *grown = realloc(*list, more * sizeof *grown);
        if (!grown)
            return false;
        *list = grown;
        *capacity = more;
    }
    (*list)[(*n)++] = number;
    return true;
}

bool mill__json_numbers(mill__json_piece value, double **list, size_t *n)
{
    mill__json_walk walk;
    mill__json_piece key, element;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    size_t capacity = 0;
    int more = -1;
    double number;
    *list = NULL;
    *n = 0;
    if (plain && mill__json_begin(&walk, value, '['))
        while ((more = mill__json_next(&walk, &key, &element)) > 0)
            if (!parse(element, plain, &number) || !push(list, n, &capacity, number))
                break;
    if (plain)
        freelocale(plain);
    if (more == 0 && mill__json_ended(&walk))
        return true;
    free(*list);
    *list = NULL;
    return false;
}

/* Where the first element is that is no finite number; n is how many are before it. */
static const char *first_bad(mill__json_piece value, size_t *n)
{
    mill__json_walk walk;
    mill__json_piece key, element = value;
    double number;
    *n = 0;
    if (!mill__json_begin(&walk, value, '['))
        return value.text;
    while (mill__json_next(&walk, &key, &element) > 0 && mill__json_number(element, &number) &&
           isfinite(number))
        ++*n;
    return element.text;
}

mill_status mill__json_list(const char *path, mill__json_piece object, const char *key, double **list,
                            size_t *n, mill_error *err)
{
    mill__json_piece value;
    *list = NULL;
    if (!mill__json_member(object, key, &value))
        return mill_fail(err, MILL_BAD_DATA, "json", "\"%.200s\" has no \"%s\"", path, key);
    bool good = mill__json_numbers(value, list, n);
    for (size_t i = 0; good && i < *n; i++)
        good = isfinite((*list)[i]);
    if (good)
        return MILL_OK;
    free(*list);
    *list = NULL;
    const char *at = first_bad(value, n);
    return mill_fail(
        err, MILL_BAD_DATA, "json",
        "\"%s\" in \"%.200s\" is no list of finite numbers: see element %zu (from 0) at byte %zu", key, path,
        *n, (size_t)(at - object.text));
}

/* ---- mean and std ---- */

mill_dtype mill__json_dtype(mill__json_piece object)
{
    mill__json_piece value;
    if (mill__json_member(object, "dtype", &value))
        for (int d = MILL_U8; d <= MILL_F64; d++)
            if (mill__json_is_text(value, mill_dtype_name((mill_dtype)d)))
                return (mill_dtype)d;
    return (mill_dtype)0;
}

static mill_status bad_list(const char *path, const char *what, mill_error *err)
{
    return mill_fail(err, MILL_USAGE, "pipeline",
                     "\"%s\" has no %s that a transform can use: it must have lists \"mean\" and \"std\" of "
                     "equal length, as shardmill stats --out writes them",
                     path, what);
}

static mill_status join(const char *path, double **mean, size_t n, double *std, size_t nstd, mill_error *err)
{
    double *both = n == nstd && n ? realloc(*mean, 2 * n * sizeof *both) : NULL;
    if (n != nstd || !n)
        return bad_list(path, "mean and std", err);
    if (!both)
        return mill__no_memory(err, 2 * n * sizeof *both, "mean and std");
    memcpy(both + n, std, n * sizeof *both);
    *mean = both;
    for (size_t i = 0; i < 2 * n; i++)
        if (!isfinite(both[i]))
            return bad_list(path, i < n ? "mean" : "std", err);
    return MILL_OK;
}

mill_status mill__json_mean_std(const char *path, double **mean, size_t *n, mill_dtype *dtype,
                                mill_error *err)
{
    mill__buffer text = {0};
    *mean = NULL;
    mill_status status = mill__json_load(path, &text, err);
    if (status)
        return status;
    mill__json_piece object = {(char *)text.data, text.nbytes}, value;
    double *std = NULL;
    size_t nstd = 0;
    *dtype = mill__json_dtype(object);
    if (!mill__json_member(object, "mean", &value) || !mill__json_numbers(value, mean, n))
        status = bad_list(path, "mean", err);
    else if (!mill__json_member(object, "std", &value) || !mill__json_numbers(value, &std, &nstd))
        status = bad_list(path, "std", err);
    else
        status = join(path, mean, *n, std, nstd, err);
    free(std);
    mill__buffer_free(&text);
    if (status) {
        free(*mean);
        *mean = NULL;
    }
    return status;
}
