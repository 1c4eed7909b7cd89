/* SPDX-License-Identifier: Apache-2.0 */
/* source/spec_braces.c: {a,b}, {000..005} and {0..9..3} in a word. As in the shells, except that braces which
 * are neither list nor range are an error and not taken literally, and so are ranges of letters and negative
 * numbers. */
#include "base/error.h"
#include "source/spec.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MOST 64 /* braces in one another, and one after another */

typedef struct range {
    uint64_t first, last, step, count;
    int width; /* with zeros in front, if any number has some */
} range;

/* The '}' of the '{' at s, or NULL; *ncommas: those between that belong to it. */
static const char *closing(const char *s, size_t *ncommas)
{
    int depth = 0;
    *ncommas = 0;
    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        else if (*s == '{')
            depth++;
        else if (*s == '}' && !--depth)
            return s;
        else if (*s == ',' && depth == 1)
            ++*ncommas;
    }
    return NULL;
}

/* Where the alternative at s ends within the list that ends at close: at a comma, or there. */
static const char *alternative_end(const char *s, const char *close)
{
    for (int depth = 0; s < close && (*s != ',' || depth); s++) {
        if (*s == '\\')
            s++;
        else
            depth += (*s == '{') - (*s == '}');
    }
    return s;
}

/* A number of at most 18 digits; *width is raised to its length if it begins with a zero in vain. */
static bool number(const char **s, uint64_t *value, bool *padded, int *width)
{
    size_t n = strspn(*s, "0123456789");
    if (!n || n > 18)
        return false;
    *padded = *padded || (n > 1 && **s == '0');
    if ((int)n > *width)
        *width = (int)n;
    *value = strtoull(*s, NULL, 10);
    *s += n;
    return true;
}

/* Whether "{...}" from open to close is a range of numbers. */
static bool parse_range(const char *open, const char *close, range *r)
{
    const char *s = open + 1;
    bool padded = false, ignored = false;
    int no_width = 0;
    *r = (range){.step = 1};
    if (!number(&s, &r->first, &padded, &r->width) || strncmp(s, "..", 2) != 0)
        return false;
    s += 2;
    if (!number(&s, &r->last, &padded, &r->width))
        return false;
    if (!strncmp(s, "..", 2)) {
        s += 2;
        if (!number(&s, &r->step, &ignored, &no_width) || !r->step)
            return false;
    }
    if (!padded)
        r->width = 0;
    r->count = (r->last > r->first ? r->last - r->first : r->first - r->last) / r->step + 1;
    return s == close;
}

/* ---- counting, which also checks ---- */

static uint64_t limited(uint64_t a)
{
    return a > MILL__SHARDS_MOST ? MILL__SHARDS_MOST + 1 : a;
}

static mill_status count(const char *s, const char *end, int depth, uint64_t *n, mill_error *err);

/* How many the list from open to close stands for: the sum over its alternatives. */
static mill_status count_list(const char *open, const char *close, int depth, uint64_t *n, mill_error *err)
{
    *n = 0;
    const char *end;
    for (const char *begin = open + 1; begin <= close; begin = end + 1) {
        end = alternative_end(begin, close);
        uint64_t k;
        mill_status status = count(begin, end, depth + 1, &k, err);
        if (status)
            return status;
        *n = limited(*n + k);
    }
    return MILL_OK;
}

/* How many words s to end stands for (at most MILL__SHARDS_MOST + 1): the product over its braces. */
static mill_status count(const char *s, const char *end, int depth, uint64_t *n, mill_error *err)
{
    *n = 1;
    for (int groups = depth; s < end; s++) {
        if (*s == '\\' && s + 1 < end) {
            s++;
            continue;
        }
        if (*s == '}')
            return mill_fail(err, MILL_USAGE, "spec",
                             "there is a '}' without its '{'; write \\} for the character");
        if (*s != '{')
            continue;
        if (++groups > DEPTH_MOST)
            return mill_fail(err, MILL_USAGE, "spec",
                             "there are more than %d braces in or behind one another", DEPTH_MOST);
        size_t ncommas;
        const char *close = closing(s, &ncommas);
        if (!close)
            return mill_fail(err, MILL_USAGE, "spec", "a '{' is not closed; write \\{ for the character");
        range r;
        uint64_t k = 0;
        mill_status status = MILL_OK;
        if (parse_range(s, close, &r))
            k = limited(r.count);
        else if (ncommas)
            status = count_list(s, close, groups, &k, err);
        else
            status = mill_fail(
                err, MILL_USAGE, "spec",
                "'%.*s' is neither a list such as {a,b} nor a range such as {000..005} or {0..9..3}; "
                "write \\{ and \\} for the characters",
                (int)(close - s < 100 ? close - s + 1 : 100), s);
        if (status)
            return status;
        *n = limited(*n * k);
        s = close;
    }
    return MILL_OK;
}

/* ---- expanding ---- */

typedef struct expansion {
    mill__buffer prefix; /* what stands before the braces at hand */
    mill_status (*visit)(void *self, const char *word, mill_error *err);
    void *self;
} expansion;

static mill_status expand(expansion *e, const char *s, mill_error *err);

static mill_status expand_range(expansion *e, const range *r, const char *tail, mill_error *err)
{
    size_t mark = e->prefix.nbytes;
    mill_status status = MILL_OK;
    for (uint64_t i = 0; i < r->count && !status; i++) {
        uint64_t value = r->last >= r->first ? r->first + i * r->step : r->first - i * r->step;
        if (mill__buffer_printf(&e->prefix, "%0*" PRIu64, r->width, value))
            return mill__no_memory(err, mark, "a word of the data-set spec");
        status = expand(e, tail, err);
        e->prefix.nbytes = mark;
    }
    return status;
}

/* One alternative may hold braces itself: it is expanded together with what follows. */
static mill_status expand_alternative(expansion *e, const char *begin, const char *end, const char *tail,
                                      mill_error *err)
{
    char *rest = NULL;
    if (asprintf(&rest, "%.*s%s", (int)(end - begin), begin, tail) < 0)
        return mill__no_memory(err, strlen(begin), "a word of the data-set spec");
    mill_status status = expand(e, rest, err);
    free(rest);
    return status;
}

static mill_status expand_list(expansion *e, const char *open, const char *close, mill_error *err)
{
    const char *end;
    mill_status status = MILL_OK;
    for (const char *begin = open + 1; begin <= close && !status; begin = end + 1) {
        end = alternative_end(begin, close);
        status = expand_alternative(e, begin, end, close + 1, err);
    }
    return status;
}

static mill_status expand(expansion *e, const char *s, mill_error *err)
{
    size_t mark = e->prefix.nbytes;
    const char *open = s;
    while (*open && *open != '{')
        open += *open == '\\' && open[1] ? 2 : 1;
    if (mill__buffer_append(&e->prefix, s, (size_t)(open - s)) ||
        mill__buffer_reserve(&e->prefix, e->prefix.nbytes + 1))
        return mill__no_memory(err, mark, "a word of the data-set spec");
    mill_status status;
    if (*open) {
        size_t ncommas;
        range r;
        const char *close = closing(open, &ncommas);
        status = parse_range(open, close, &r) ? expand_range(e, &r, close + 1, err)
                                              : expand_list(e, open, close, err);
    } else {
        e->prefix.data[e->prefix.nbytes] = 0;
        status = e->visit(e->self, (const char *)e->prefix.data, err);
    }
    e->prefix.nbytes = mark;
    return status;
}

mill_status mill__braces_expand(const char *word,
                                mill_status (*visit)(void *self, const char *word, mill_error *err),
                                void *self, mill_error *err)
{
    uint64_t n;
    mill_status status = count(word, word + strlen(word), 0, &n, err);
    if (!status && n > MILL__SHARDS_MOST)
        status =
            mill_fail(err, MILL_USAGE, "spec", "its braces stand for more than %d shards", MILL__SHARDS_MOST);
    if (status)
        return status;
    expansion e = {.visit = visit, .self = self};
    status = expand(&e, word, err);
    mill__buffer_free(&e.prefix);
    return status;
}
