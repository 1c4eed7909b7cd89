/* SPDX-License-Identifier: Apache-2.0 */
/* format/tokens.c: text as token numbers, to train language models with: a sample is a window of T + 1
 * tokens, T of which are seen and T predicted. Windows begin at every stride-th token of the data set, its
 * shards one behind the other, or of each shard; those that would reach over the end are left out.
 *
 * A shard may begin with the header of llm.c: 256 int32, of which the first is 20240520 (u16 tokens, version
 * 1) or 20240801 (u32 tokens, version 7), the second the version, the third the number of tokens. */
#include "base/error.h"
#include "format/rows.h"
#include <inttypes.h>
#include <string.h>

enum { HEADER_NBYTES = 1024, MAGIC_U16 = 20240520, MAGIC_U32 = 20240801 };

/* Little-endian, on any machine. */
static uint32_t word(const uint8_t *p, int i)
{
    p += 4 * i;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static mill_dtype dtype_of(uint32_t magic)
{
    return magic == MAGIC_U16 ? MILL_U16 : magic == MAGIC_U32 ? MILL_U32 : (mill_dtype)0;
}

static mill_status parse_header(const uint8_t *p, mill_dtype given, mill__rows *is, uint64_t *ntokens,
                                mill_error *err)
{
    mill_dtype dtype = dtype_of(word(p, 0));
    uint32_t version = word(p, 1), wanted = dtype == MILL_U16 ? 1 : 7;
    if (version != wanted)
        return mill_fail(err, MILL_UNSUPPORTED, "unsupported",
                         "llm.c tokens with magic %" PRIu32 " and version %" PRIu32 "; version %" PRIu32
                         " is read",
                         word(p, 0), version, wanted);
    if (given && given != dtype)
        return mill_fail(err, MILL_BAD_DATA, "header", "the header says that tokens are %s, not %s",
                         mill_dtype_name(dtype), mill_dtype_name(given));
    if (word(p, 2) > INT32_MAX)
        return mill_fail(err, MILL_BAD_DATA, "header", "the header states a negative number of tokens");
    is->type.dtype = dtype;
    is->first = HEADER_NBYTES;
    *ntokens = word(p, 2);
    return MILL_OK;
}

/* What there is of a header, and how many tokens follow (or as many as there are). */
static mill_status find_header(const mill__format_settings *s, const mill__window *head, uint64_t nbytes,
                               mill__rows *is, uint64_t *ntokens, size_t *need, mill_error *err)
{
    bool short_head = head->nbytes < 4 && !head->last && nbytes >= 4;
    *need = s->plain ? 0 : short_head ? 4 : HEADER_NBYTES;
    if (!s->plain && short_head)
        return MILL_AGAIN;
    if (!s->plain && head->nbytes >= 4 && dtype_of(word(head->data, 0))) {
        if (head->nbytes < HEADER_NBYTES)
            return MILL_AGAIN;
        return parse_header(head->data, s->type.dtype, is, ntokens, err);
    }
    if (!s->type.dtype)
        return mill_fail(err, MILL_BAD_DATA, "header",
                         "no llm.c header says what the tokens are: say dtype=u16 or dtype=u32");
    is->type.dtype = s->type.dtype;
    *ntokens = nbytes / mill_dtype_nbytes(s->type.dtype);
    return MILL_OK;
}

static mill_status check_length(const mill__rows *is, uint64_t ntokens, uint64_t nbytes, mill_error *err)
{
    uint64_t there = (nbytes - is->first) / mill_dtype_nbytes(is->type.dtype);
    if (ntokens > there)
        return mill_fail(err, MILL_BAD_DATA, "truncated",
                         "the header promises %" PRIu64 " tokens, but there are %" PRIu64, ntokens, there);
    return MILL_OK;
}

/* What lies behind the tokens is not passed over: it may well be that the header is wrong. */
static mill_status piece(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                         mill__piece *piece, size_t *need, mill_error *err)
{
    uint64_t ntokens = 0;
    mill__rows is = {0};
    mill_status status = find_header(&self->settings, head, nbytes, &is, &ntokens, need, err);
    if (!status)
        status = check_length(&is, ntokens, nbytes, err);
    if (status)
        return status;
    *piece = (mill__piece){.dtype = is.type.dtype, .first = is.first, .n = ntokens};
    uint64_t end = is.first + ntokens * mill_dtype_nbytes(is.type.dtype);
    if (end < nbytes)
        return mill_fail(err, MILL_BAD_DATA, "size",
                         "%" PRIu64 " bytes behind the %" PRIu64 " tokens; within=shard passes over them",
                         nbytes - end, ntokens);
    return MILL_OK;
}

static mill_status rows(const mill__format_ops *self, const mill__window *head, uint64_t nbytes,
                        mill__rows *is, size_t *need, mill_error *err)
{
    const mill__format_settings *s = &self->settings;
    uint64_t ntokens = 0;
    *is = (mill__rows){.type = {.rank = 1, .shape = {(int64_t)s->window}}};
    mill_status status = find_header(s, head, nbytes, is, &ntokens, need, err);
    if (status || nbytes == UINT64_MAX)
        return status;
    status = check_length(is, ntokens, nbytes, err);
    if (status)
        return status;
    uint64_t token = mill_dtype_nbytes(is->type.dtype);
    is->row_nbytes = s->window * token;
    is->stride_nbytes = s->stride * token;
    is->rows = ntokens < s->window ? 0 : (ntokens - s->window) / s->stride + 1;
    if (s->part) {
        is->first = s->part->first;
        is->rows = s->part->rows;
        is->lost = s->part->lost;
    }
    return MILL_OK;
}

static mill_status settle(const mill_value *values, mill__format_settings *s, mill_error *err)
{
    s->window = (uint64_t)values[0].i + 1;
    s->stride = (uint64_t)(values[1].i ? values[1].i : values[0].i);
    if (s->stride > s->window)
        return mill_fail(err, MILL_USAGE, "option",
                         "format tokens: with stride=%" PRIu64 " and T=%" PRIu64
                         " tokens between the windows would never be seen; stride is at most T + 1",
                         s->stride, s->window - 1);
    static const mill_dtype dtypes[] = {0, MILL_U16, MILL_U32};
    s->type.dtype = dtypes[values[2].i];
    s->plain = values[3].i;
    s->joined = values[4].i == 0;
    if (s->plain && !s->type.dtype)
        return mill_fail(err, MILL_USAGE, "option",
                         "format tokens: without a header, dtype=u16 or dtype=u32 has to be said");
    return MILL_OK;
}

static const mill_param params[] = {
    {.name = "T", .type = MILL_PARAM_INT, .min = 1, .max = 1 << 28, .help = "a sample has T + 1 tokens"},
    {.name = "stride",
     .type = MILL_PARAM_INT,
     .fallback = "0",
     .min = 0,
     .max = (1 << 28) + 1,
     .help = "tokens from window to window; 0: T"},
    {.name = "dtype",
     .type = MILL_PARAM_CHOICE,
     .choices = "header|u16|u32",
     .fallback = "header",
     .help = "of the tokens; header: what the header says"},
    {.name = "header",
     .type = MILL_PARAM_CHOICE,
     .choices = "auto|none",
     .fallback = "auto",
     .help = "none: all is tokens, even what looks like a header"},
    {.name = "within",
     .type = MILL_PARAM_CHOICE,
     .choices = "dataset|shard",
     .fallback = "dataset",
     .help = "dataset: windows go on from shard to shard; shard: none leaves its shard"}};

const mill__format_ops mill__format_tokens = {
    .name = "tokens",
    .summary = "token numbers, in files of llm.c or plain: tokens:T=1024:stride=1024",
    .extensions = "",
    .usual = ".bin",
    .params = params,
    .nparams = sizeof params / sizeof *params,
    .settle = settle,
    .rows = rows,
    .piece = piece,
    MILL__ROWS_CALLBACKS};
