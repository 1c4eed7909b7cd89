/* SPDX-License-Identifier: Apache-2.0 */
/* format/raw.c: rows of one size and nothing else, but perhaps a header that is skipped. What they are has to
 * be said: raw:f32:3x32x32. */
#include "base/error.h"
#include "format/rows.h"
#include <inttypes.h>
#include <stdlib.h>

static mill_status rows(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        mill__rows *is, size_t *need, mill_error *err)
{
    (void)head, (void)need;
    const mill__format_settings *s = &self->settings;
    if (!s->type.dtype)
        return mill_fail(
            err, MILL_USAGE, "format",
            "nothing in a raw shard says what it holds: name the format with dtype and shape of a "
            "sample, as in raw:f32:3x32x32");
    *is = (mill__rows){.type = s->type, .first = s->skip, .swapped = s->swapped};
    mill__rows_nbytes(&s->type, &is->row_nbytes);
    if (nbytes == UINT64_MAX)
        return MILL_OK;
    if (nbytes < s->skip)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "the shard has %" PRIu64 " bytes, of which %" PRIu64 " are to be skipped", nbytes,
                         s->skip);
    if ((nbytes - s->skip) % is->row_nbytes)
        return mill_fail(err, MILL_BAD_DATA, "size",
                         "%" PRIu64 " bytes are no whole number of samples of %" PRIu64
                         " bytes; are dtype, shape and skip right?",
                         nbytes - s->skip, is->row_nbytes);
    is->rows = (nbytes - s->skip) / is->row_nbytes;
    return MILL_OK;
}

/* "3x32x32" */
static bool parse_shape(const char *text, mill_type *type)
{
    for (type->rank = 0; type->rank < MILL_MAX_RANK; text++) {
        char *end;
        bool digit = *text >= '0' && *text <= '9';
        long long extent = strtoll(text, &end, 10);
        if (!digit || extent < 1 || extent > INT64_MAX / 2)
            return false;
        type->shape[type->rank++] = extent;
        text = end;
        if (!*text)
            return true;
        if (*text != 'x')
            return false;
    }
    return false;
}

static mill_status settle(const mill_value *values, mill__format_settings *s, mill_error *err)
{
    static const mill_layout layouts[] = {MILL_PLAIN, MILL_HWC, MILL_CHW};
    uint64_t nbytes;
    s->type = (mill_type){.dtype = (mill_dtype)(MILL_U8 + values[0].i), .layout = layouts[values[3].i]};
    if (!parse_shape(values[1].text, &s->type))
        return mill_fail(err, MILL_USAGE, "option",
                         "format raw: shape is one to %d numbers such as 3x32x32, not \"%s\"", MILL_MAX_RANK,
                         values[1].text);
    if (!mill__rows_nbytes(&s->type, &nbytes))
        return mill_fail(err, MILL_USAGE, "option", "format raw: samples of 2^62 bytes and more");
    if (s->type.layout && s->type.rank != 3)
        return mill_fail(err, MILL_USAGE, "option",
                         "format raw: images have three axes: %s, and the shape \"%s\" has %d",
                         s->type.layout == MILL_HWC ? "height, width, channel" : "channel, height, width",
                         values[1].text, s->type.rank);
    s->skip = (uint64_t)values[2].i;
    s->swapped = values[4].i && mill_dtype_nbytes(s->type.dtype) > 1;
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "dtype",
     .type = MILL_PARAM_CHOICE,
     .choices = "u8|i8|u16|i16|u32|i32|u64|i64|f16|bf16|f32|f64",
     .help = "of the elements"},
    {.name = "shape", .type = MILL_PARAM_TEXT, .help = "of a sample, such as 3x32x32"},
    {.name = "skip",
     .type = MILL_PARAM_INT,
     .fallback = "0",
     .min = 0,
     .max = 1e15,
     .help = "bytes in front of the first sample"},
    {.name = "layout",
     .type = MILL_PARAM_CHOICE,
     .fallback = "plain",
     .choices = "plain|hwc|chw",
     .help = "what the axes mean"},
    {.name = "order",
     .type = MILL_PARAM_CHOICE,
     .fallback = "little",
     .choices = "little|big",
     .help = "byte order of the elements"}};

const mill__format_ops mill__format_raw = {
    .name = "raw",
    .summary = "samples of one size and nothing else: raw:f32:3x32x32, raw:u8:16:skip=512",
    .extensions = ".raw",
    .usual = ".raw .bin .dat",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .settle = settle,
    .rows = rows,
    .view = mill__rows_view,
    MILL__ROWS_CALLBACKS};
