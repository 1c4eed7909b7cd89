/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/order.h"
#include "base/error.h"
#include <stdlib.h>

enum { PURPOSE_SHARDS = 0x73686172, PURPOSE_WINDOW = 0x77696e64 };

mill_status mill__order_init(mill__order *order, const mill__order_config *config, mill_error *err)
{
    *order = (mill__order){.config = *config};
    order->ends = calloc(config->nshards + 1, sizeof *order->ends);
    if (!order->ends)
        return mill__no_memory(err, config->nshards * sizeof *order->ends, "the order of samples");
    mill__order_begin(order, 0);
    return MILL_OK;
}

void mill__order_free(mill__order *order)
{
    free(order->ends);
    *order = (mill__order){0};
}

void mill__order_begin(mill__order *order, uint64_t epoch)
{
    order->epoch = epoch;
    order->counted = 0;
    order->window_at = UINT64_MAX;
    order->found = SIZE_MAX;
    mill__permutation_init(&order->sequence, order->config.nshards, order->config.seed, epoch, PURPOSE_SHARDS,
                           0);
}

/* ---- counts ---- */

size_t mill__order_shard(const mill__order *order, size_t j)
{
    return order->config.shuffle ? (size_t)mill__permute(&order->sequence, j) : j;
}

bool mill__order_wants(const mill__order *order, size_t ahead, size_t *shard)
{
    size_t j = order->counted + ahead;
    if (j >= order->config.nshards)
        return false;
    *shard = mill__order_shard(order, j);
    return true;
}

static uint64_t known(const mill__order *order)
{
    return order->counted ? order->ends[order->counted - 1] : 0;
}

static bool all_known(const mill__order *order)
{
    return order->counted == order->config.nshards;
}

/* What a shard claims to have may be a lie: sums and the next multiples of windows must not overflow. */
static const uint64_t most_samples = (uint64_t)1 << 61;

bool mill__order_count(mill__order *order, uint64_t samples)
{
    if (samples > (most_samples - known(order)) / order->config.repeat)
        return false;
    order->ends[order->counted] = known(order) + samples * order->config.repeat;
    order->counted++;
    return true;
}

/* ---- batches ---- */

static uint64_t global_size(const mill__order *order)
{
    return order->config.batch_size * order->config.world_size;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

bool mill__order_totals(const mill__order *order, uint64_t *samples, uint64_t *batches)
{
    if (!all_known(order))
        return false;
    uint64_t n = known(order), global = global_size(order);
    *samples = n;
    *batches = order->config.drop_last ? n / global : (n + global - 1) / global;
    return true;
}

/* What must be known for the positions before end: whole windows. */
static uint64_t window_end(const mill__order *order, uint64_t end)
{
    const mill__order_config *c = &order->config;
    if (!c->shuffle)
        return end;
    return c->window ? round_up(end, c->window) : UINT64_MAX;
}

mill__order_answer mill__order_batch(const mill__order *order, uint64_t step, size_t *rows)
{
    const mill__order_config *c = &order->config;
    uint64_t global = global_size(order), samples, batches;
    if (mill__order_totals(order, &samples, &batches)) {
        if (step >= batches)
            return MILL__ORDER_END;
        uint64_t left = samples - step * global;
        *rows = (size_t)(left >= global ? c->batch_size : (left + c->world_size - 1) / c->world_size);
        return MILL__ORDER_BATCH;
    }
    *rows = (size_t)c->batch_size;
    return window_end(order, (step + 1) * global) <= known(order) ? MILL__ORDER_BATCH : MILL__ORDER_COUNT;
}

/* Shards at the front of the sequence that end at or before position. */
static size_t shards_before(const mill__order *order, uint64_t position)
{
    size_t low = 0, high = order->counted;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order->ends[middle] > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t mill__order_reached(const mill__order *order, uint64_t step)
{
    return shards_before(order, step * global_size(order));
}

size_t mill__order_needed(const mill__order *order, uint64_t step)
{
    uint64_t end = window_end(order, (step + 1) * global_size(order));
    size_t before = shards_before(order, end - 1);
    return before < order->counted ? before + 1 : before;
}

/* ---- places ---- */

static uint64_t shuffled(mill__order *order, uint64_t position)
{
    const mill__order_config *c = &order->config;
    if (!c->shuffle)
        return position;
    uint64_t window = c->window ? position / c->window : 0, begin = window * c->window;
    if (order->window_at != window) {
        uint64_t n = known(order) - begin;
        n = c->window && c->window < n ? c->window : n;
        mill__permutation_init(&order->window, n, c->seed, order->epoch, PURPOSE_WINDOW, window);
        order->window_at = window;
    }
    return begin + mill__permute(&order->window, position - begin);
}

/* Places are asked for one after the other: most lie in the shard of the last one. */
static mill__place find(mill__order *order, uint64_t position)
{
    size_t j = order->found;
    if (j >= order->counted || position >= order->ends[j] || (j && position < order->ends[j - 1])) {
        order->found = j = shards_before(order, position);
        order->found_shard = mill__order_shard(order, j);
    }
    uint64_t within = position - (j ? order->ends[j - 1] : 0), repeat = order->config.repeat;
    mill__place place = {.shard = order->found_shard, .sample = within};
    if (repeat > 1) {
        place.sample = within / repeat;
        place.repeat = within % repeat;
    }
    return place;
}

bool mill__order_place(mill__order *order, uint64_t step, size_t rows, size_t i, uint64_t skip,
                       mill__place *place)
{
    const mill__order_config *c = &order->config;
    uint64_t position = step * global_size(order) + c->rank * rows + i + skip, n = known(order);
    if (!all_known(order) && window_end(order, position + 1) > n)
        return false;
    bool padded = !skip && position >= n;
    *place = find(order, shuffled(order, position < n ? position : n ? position % n : 0));
    place->padded = padded;
    return true;
}
