/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/context.h"
#include <shardmill/extend.h>

const char *mill_context_key(const mill_context *ctx)
{
    return ctx->sample->key;
}

int64_t mill_context_label(const mill_context *ctx)
{
    return ctx->label;
}

mill_status mill_context_field(const mill_context *ctx, const char *name, const void **data, size_t *nbytes)
{
    const mill__field *field = mill__sample_field(ctx->sample, name);
    if (!field)
        return MILL_END;
    *data = field->data;
    *nbytes = field->nbytes;
    return MILL_OK;
}

uint32_t mill_context_random(const mill_context *ctx, uint32_t k)
{
    return mill__random_u32(&ctx->random, k);
}

double mill_context_uniform(const mill_context *ctx, uint32_t k)
{
    /* 53 bits from two words, so that no two of 2^53 equidistant values are favoured */
    uint64_t high = mill__random_u32(&ctx->random, 2 * k), low = mill__random_u32(&ctx->random, 2 * k + 1);
    return (double)((high << 21) ^ (low >> 11)) * 0x1p-53;
}

int64_t mill_context_below(const mill_context *ctx, uint32_t k, int64_t n)
{
    return n > 0 ? (int64_t)(mill_context_uniform(ctx, k) * (double)n) : 0;
}

void *mill_context_scratch(const mill_context *ctx, size_t nbytes)
{
    return ctx->scratch(ctx->owner, nbytes);
}
