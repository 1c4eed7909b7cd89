/* SPDX-License-Identifier: Apache-2.0 */
/* select: some places of an axis, such as columns of a table, in any order. */
#include "base/error.h"
#include "base/memory.h"
#include "transform/tensor.h"
#include <stdlib.h>
#include <string.h>

/* Places begin, begin + step, ...: n of them. */
typedef struct range {
    size_t begin, n;
    ptrdiff_t step;
} range;

/* A tensor is outer x extent x inner elements. */
typedef struct selection {
    size_t outer, extent, inner, places;
    int nranges;
    range ranges[];
} selection;

static mill_status bad_places(const char *text, size_t extent, mill_error *err)
{
    return mill_fail(
        err, MILL_USAGE, "pipeline",
        "select: \"%.60s\" does not name places of an axis of %zu: numbers from 0, or from -1 at "
        "the end, and ranges begin:end:step as in Python, with commas between them",
        text, extent);
}

static bool take_number(const char **at, int64_t *number)
{
    const char *digit = *at + (**at == '-');
    if (*digit < '0' || *digit > '9')
        return false;
    char *end;
    *number = strtoll(*at, &end, 10);
    *at = end;
    return true;
}

static int64_t clamp(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

/* begin:end:step, any of which may be absent, means what it does in Python. */
static bool parse_slice(const char **at, int64_t begin, bool has_begin, int64_t extent, range *r)
{
    int64_t end = 0, step = 1;
    ++*at;
    bool has_end = take_number(at, &end);
    if (**at == ':') {
        ++*at;
        take_number(at, &step);
    }
    if (!step || step < INT64_MIN / 2 || step > INT64_MAX / 2)
        return false;
    int64_t least = step > 0 ? 0 : -1, most = step > 0 ? extent : extent - 1;
    begin = !has_begin ? (step > 0 ? least : most) : clamp(begin < 0 ? begin + extent : begin, least, most);
    end = !has_end ? (step > 0 ? most : least) : clamp(end < 0 ? end + extent : end, least, most);
    int64_t span = step > 0 ? end - begin : begin - end, stride = step > 0 ? step : -step;
    r->n = span > 0 ? (size_t)((span - 1) / stride + 1) : 0;
    r->begin = r->n ? (size_t)begin : 0;
    r->step = (ptrdiff_t)step;
    return true;
}

static bool parse_range(const char **at, int64_t extent, range *r)
{
    int64_t begin = 0;
    bool has_begin = take_number(at, &begin);
    if (**at == ':')
        return parse_slice(at, begin, has_begin, extent, r);
    if (begin < 0)
        begin += extent;
    *r = (range){.begin = (size_t)begin, .n = 1, .step = 1};
    return has_begin && begin >= 0 && begin < extent;
}

static mill_status parse_places(const char *text, selection *s, mill_error *err)
{
    const char *at = text;
    for (;;) {
        range *r = &s->ranges[s->nranges++];
        if (!parse_range(&at, (int64_t)s->extent, r) || (*at && *at != ','))
            return bad_places(text, s->extent, err);
        if (__builtin_add_overflow(s->places, r->n, &s->places))
            return bad_places(text, s->extent, err);
        if (!*at++)
            break;
    }
    return s->places ? MILL_OK : mill_fail(err, MILL_USAGE, "pipeline", "select: nothing is selected");
}

static selection *new_selection(const mill_type *in, int axis, const char *text)
{
    size_t n = 1;
    for (const char *c = text; *c; c++)
        n += *c == ',';
    selection *s = mill__alloc(sizeof *s + n * sizeof *s->ranges);
    if (s)
        *s = (selection){.outer = mill__tensor_extent(in, 0, axis),
                         .extent = (size_t)in->shape[axis],
                         .inner = mill__tensor_extent(in, axis + 1, in->rank)};
    return s;
}

static mill_status plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err)
{
    (void)user;
    int axis = 0;
    mill_status status = mill__tensor_check("select", in, err);
    if (!status)
        status = mill__tensor_axis("select", values[1].i, in->rank, &axis, err);
    if (status)
        return status;
    selection *s = new_selection(in, axis, values[0].text);
    if (!s)
        return mill__no_memory(err, strlen(values[0].text), "select");
    status = parse_places(values[0].text, s, err);
    out->shape[axis] = (int64_t)s->places;
    if (!status)
        status = mill__tensor_too_large("select", out, err);
    if (status)
        mill__free(s);
    else
        *self = s;
    return status;
}

/* One range of places, each of inner elements. */
static void copy_range(char *to, const char *from, const range *r, size_t inner, size_t size)
{
    from += r->begin * inner * size;
    if (inner == 1 && r->step != 1) {
        mill__tensor_gather(to, from, r->n, r->step, size);
    } else if (r->step == 1) {
        memcpy(to, from, r->n * inner * size);
    } else {
        for (size_t i = 0; i < r->n; i++)
            memcpy(to + i * inner * size, from + (ptrdiff_t)(i * inner * size) * r->step, inner * size);
    }
}

static mill_status run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx, (void)err;
    const selection *s = self;
    size_t size = mill_dtype_nbytes(in->type.dtype);
    const char *from = in->data;
    char *to = out->data;
    for (size_t o = 0; o < (size_t)in->n * s->outer; o++, from += s->extent * s->inner * size)
        for (int i = 0; i < s->nranges; i++) {
            copy_range(to, from, &s->ranges[i], s->inner, size);
            to += s->ranges[i].n * s->inner * size;
        }
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "places",
     .type = MILL_PARAM_TEXT,
     .help = "numbers from 0, or from -1 at the end, and ranges as in Python: 0,3,5:8,-1"},
    {.name = "axis",
     .type = MILL_PARAM_INT,
     .fallback = "-1",
     .min = -MILL_MAX_RANK,
     .max = MILL_MAX_RANK - 1,
     .help = "that they are places of, from 0, or from -1 at the end"}};

const mill_transform_ops mill__select_ops = {.struct_nbytes = sizeof(mill_transform_ops),
                                             .name = "select",
                                             .summary = "some places of an axis, e.g. columns, in any order",
                                             .example = "select 0,2,4:8",
                                             .params = params,
                                             .nparams = 2,
                                             .flags = MILL_BATCHED,
                                             .plan = plan,
                                             .drop = mill__free,
                                             .run = run};
