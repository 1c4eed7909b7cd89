/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"
#include "base/error.h"
#include "kernel/kernel.h"
#include "transform/image.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t mill__type_nbytes(const mill_type *type)
{
    uint64_t n = mill_dtype_nbytes(type->dtype);
    for (int i = 0; i < type->rank; i++) {
        if (type->shape[i] < 0)
            return 0;
        if (__builtin_mul_overflow(n, (uint64_t)type->shape[i], &n))
            return UINT64_MAX;
    }
    return n;
}

static bool is_fixed(const mill_type *type)
{
    for (int i = 0; i < type->rank; i++)
        if (type->shape[i] < 0)
            return false;
    return type->layout != MILL_ENCODED;
}

void mill__type_text(const mill_type *type, char *text, size_t nbytes)
{
    static const char *const layouts[] = {"", " encoded", " hwc", " chw"};
    int used = snprintf(text, nbytes, "%s%s ", mill_dtype_name(type->dtype), layouts[type->layout]);
    for (int i = 0; i < type->rank && used > 0 && (size_t)used < nbytes; i++) {
        const char *times = i ? "x" : "";
        if (type->shape[i] < 0)
            used += snprintf(text + used, nbytes - (size_t)used, "%s?", times);
        else
            used += snprintf(text + used, nbytes - (size_t)used, "%s%lld", times, (long long)type->shape[i]);
    }
}

static int image_channels(const mill_type *type)
{
    return (int)(type->layout == MILL_CHW ? type->shape[0] : type->shape[2]);
}

static bool is_pixels(const mill_type *type)
{
    return type->dtype == MILL_U8 && type->layout == MILL_HWC && type->rank == 3 &&
           (type->shape[2] == 1 || type->shape[2] == 3);
}

/* Run a pointwise stage over a segment's colour table: 256 pixel values of each channel are a (c, 256, 1)
 * image. */
static mill_status fold_pointwise(mill__segment *segment, const mill__stage *stage, mill_error *err)
{
    int channels = image_channels(&stage->in);
    size_t n = 256 * (size_t)channels;
    mill_tensor in = {.type = {.layout = MILL_CHW, .rank = 3, .shape = {channels, 256, 1}}, .n = 1};
    mill_tensor out = in;
    in.type.dtype = stage->in.dtype;
    out.type.dtype = stage->out.dtype;
    in.data = segment->table;
    if (!in.data) {
        uint8_t *identity = in.data = mill__alloc(n);
        for (size_t i = 0; identity && i < n; i++)
            identity[i] = (uint8_t)i;
    }
    out.data = mill__alloc(n * mill_dtype_nbytes(out.type.dtype));
    void *state = NULL;
    mill_status status = in.data && out.data ? MILL_OK : mill__no_memory(err, n * 4, "a colour table");
    if (!status && stage->ops->start)
        status = stage->ops->start(stage->self, &state, err);
    if (!status) {
        status = stage->ops->run(stage->self, state, NULL, &in, &out, err);
        if (stage->ops->stop)
            stage->ops->stop(stage->self, state);
    }
    mill__free(in.data);
    segment->table = out.data;
    return status;
}

/* From the first random pointwise stage of a segment on, the table is a sample's own. */
static mill_status fold(mill__plan *plan, mill__segment *segment, int index, mill_error *err)
{
    const mill__stage *stage = &plan->stages[index];
    segment->out = stage->out;
    if (!segment->live && !(stage->ops->flags & MILL_RANDOM))
        return fold_pointwise(segment, stage, err);
    if (!segment->live)
        segment->live = index;
    segment->end = index + 1;
    return MILL_OK;
}

/* Pixels that a run stage gave are stored once more if colour steps or a layout follow: that is an image
 * segment without views. (A pipeline of nothing but pointwise stages has no need of it.) */
static bool begins_store(const mill__plan *plan, const mill__stage *stage)
{
    const mill__segment *last = plan->nsegments ? &plan->segments[plan->nsegments - 1] : NULL;
    if (!last || last->image || plan->stages[last->first].ops->flags & MILL_POINTWISE ||
        !is_pixels(&stage->in))
        return false;
    return stage->ops == &mill__layout_ops ||
           (stage->ops->flags & MILL_POINTWISE && mill_dtype_nbytes(stage->out.dtype) <= 4);
}

/* Where a stage goes: into the image segment that is open, or into a new one. */
static mill_status place(mill__plan *plan, int index, bool *open, mill_error *err)
{
    const mill__stage *stage = &plan->stages[index];
    mill__segment *last = plan->nsegments ? &plan->segments[plan->nsegments - 1] : NULL;
    if (!*open && begins_store(plan, stage)) {
        last = &plan->segments[plan->nsegments++];
        *last = (mill__segment){.image = true, .first = index, .out = stage->in};
        *open = true;
    }
    bool coloured = *open && (last->table || last->live);
    bool folded = *open && (coloured || last->out.layout == MILL_CHW); /* colour steps have begun */
    bool viewable = stage->ops->view && (is_pixels(&stage->in) || (*open && !folded));

    if (stage->ops == &mill__decode_ops) {
        plan->segments[plan->nsegments++] =
            (mill__segment){.image = true, .first = index + 1, .decodes = true, .out = stage->out};
        *open = true;
    } else if (viewable) {
        if (!*open || folded) {
            plan->segments[plan->nsegments++] = (mill__segment){.image = true, .first = index};
            last = &plan->segments[plan->nsegments - 1];
        }
        *open = true;
        last->nviews++;
        last->out = stage->out;
    } else if (*open && stage->ops == &mill__layout_ops) {
        last->out = stage->out;
    } else if (*open && stage->ops->flags & MILL_POINTWISE && mill_dtype_nbytes(stage->out.dtype) <= 4 &&
               (coloured || last->out.dtype == MILL_U8)) {
        return fold(plan, last, index, err);
    } else if (stage->ops->run) {
        plan->segments[plan->nsegments++] = (mill__segment){.first = index, .out = stage->out};
        *open = false;
    } else {
        return mill_fail(err, MILL_USAGE, "pipeline", "needs u8 hwc pixels; put decode before it");
    }
    return MILL_OK;
}

static mill_status check_output(mill__stage *stage, mill_error *err)
{
    const mill_type *out = &stage->out;
    if (!mill_dtype_nbytes(out->dtype) || out->rank < 0 || out->rank > MILL_MAX_RANK)
        return mill_fail(err, MILL_INTERNAL, "pipeline",
                         "its plan() gave a type without dtype or with rank %d", out->rank);
    if (mill__type_nbytes(out) == UINT64_MAX || mill__type_nbytes(out) > (uint64_t)1 << 46)
        return mill_fail(err, MILL_LIMIT, "limit", "its output of one sample is beyond all memory");
    if (!stage->ops->run && !stage->ops->view && stage->ops != &mill__decode_ops)
        return mill_fail(err, MILL_INTERNAL, "pipeline", "it has neither run() nor view()");
    return MILL_OK;
}

static mill_status compile_item(mill__plan *plan, const mill__item *item, mill_type *type, bool *open,
                                mill_error *err)
{
    mill__stage *stage = &plan->stages[plan->nstages];
    *stage = (mill__stage){.ops = item->ops, .in = *type, .out = *type};
    mill_status status =
        item->ops->plan(item->values, item->user, &stage->in, &stage->out, &stage->self, err);
    if (status)
        return status;
    plan->nstages++;
    status = check_output(stage, err);
    if (!status)
        status = place(plan, plan->nstages - 1, open, err);
    *type = stage->out;
    return status;
}

static void name_the_place(mill_error *err, int index, const char *name)
{
    if (!err)
        return;
    mill_error inner = *err;
    snprintf(err->message, sizeof err->message, "transform %d, %s: %.400s", index + 1, name, inner.message);
}

static bool takes_many(const mill__plan *plan, const mill__segment *segment)
{
    const mill__stage *stage = &plan->stages[segment->first];
    return !segment->image && stage->ops && stage->ops->run && is_fixed(&stage->in) &&
           is_fixed(&stage->out) && stage->ops->flags & (MILL_POINTWISE | MILL_BATCHED) &&
           !(stage->ops->flags & MILL_RANDOM);
}

bool mill__stage_in_place(const mill__stage *stage)
{
    return stage->ops->flags & MILL_POINTWISE &&
           mill_dtype_nbytes(stage->in.dtype) == mill_dtype_nbytes(stage->out.dtype);
}

/* The segments that take many samples at once. Behind others, pointwise ones at their front stay with those,
 * sample by sample, while the data are in the cache. */
static void find_tail(mill__plan *plan)
{
    int i = plan->nsegments;
    plan->tail = i;
    if (!plan->has_tensor || !plan->fixed)
        return;
    for (; i > 0 && takes_many(plan, &plan->segments[i - 1]); i--)
        if (plan->stages[plan->segments[i - 1].first].ops->flags & MILL_BATCHED) {
            plan->tail = i - 1;
            plan->gathers = true;
        }
    plan->batched = i == 0;
    if (plan->batched)
        plan->tail = 0;
    for (int k = plan->tail; k < plan->nsegments; k++) {
        const mill__stage *stage = &plan->stages[plan->segments[k].first];
        size_t nbytes = (size_t)mill__type_nbytes(&stage->in);
        if (nbytes > plan->between_nbytes && (k > plan->tail || plan->gathers))
            plan->between_nbytes = nbytes;
    }
    if (plan->gathers && plan->row_nbytes > plan->between_nbytes)
        plan->between_nbytes = plan->row_nbytes;
}

int mill__pipeline_print(const mill_pipeline *pipeline, mill__buffer *out)
{
    int failed = mill__buffer_reserve(out, 1);
    for (int i = 0; i < pipeline->nitems && !failed; i++) {
        const mill__item *item = &pipeline->items[i];
        failed = (i && mill__buffer_append(out, " | ", 3)) ||
                 mill__params_text(item->ops->name, item->ops->params, item->ops->nparams, item->values, out);
    }
    return failed || mill__buffer_append(out, "", 1) ? -1 : 0;
}

/* The level that the environment allows (SHARDMILL_CPU). */
static mill_status choose_kernels(mill__plan *plan, mill_error *err)
{
    const char *cap = mill__kernels_cap();
    if (cap && !mill__kernels_known(cap))
        return mill_fail(
            err, MILL_USAGE, "environment",
            "SHARDMILL_CPU is \"%.40s\", which is no level of instruction sets; the levels are %s", cap,
            mill__kernels_levels());
    plan->kernels = mill__kernels_get(cap);
    return MILL_OK;
}

/* Who decodes the Huffman codes of JPEGs (SHARDMILL_JPEG). */
static mill_status choose_jpeg(mill__plan *plan, mill_error *err)
{
    const char *choice = getenv("SHARDMILL_JPEG");
    plan->jpeg_by_library = choice && !strcmp(choice, "library");
    if (choice && choice[0] && !plan->jpeg_by_library)
        return mill_fail(err, MILL_USAGE, "environment",
                         "SHARDMILL_JPEG is \"%.40s\"; if it is given, it must be library", choice);
    return MILL_OK;
}

mill_status mill__plan_compile(const mill_pipeline *pipeline, const mill_type *input, mill__plan *plan,
                               mill_error *err)
{
    size_t n = (size_t)pipeline->nitems + 1;
    *plan = (mill__plan){.input = *input, .output = *input};
    plan->stages = calloc(n, sizeof *plan->stages);
    plan->segments = calloc(n, sizeof *plan->segments);
    mill__buffer text = {0};
    int failed = mill__pipeline_print(pipeline, &text);
    plan->text = (char *)text.data;
    if (!plan->stages || !plan->segments || failed) {
        mill__plan_free(plan);
        return mill__no_memory(err, n * sizeof *plan->stages, "a plan");
    }
    bool open = false;
    mill_status status = choose_kernels(plan, err);
    if (!status)
        status = choose_jpeg(plan, err);
    if (status) {
        mill__plan_free(plan);
        return status;
    }
    for (int i = 0; i < pipeline->nitems; i++) {
        const mill__item *item = &pipeline->items[i];
        status = compile_item(plan, item, &plan->output, &open, err);
        if (status) {
            name_the_place(err, i, item->ops->name);
            mill__plan_free(plan);
            return status;
        }
    }
    status = mill__plan_hash_files(pipeline, plan->files, err);
    if (status) {
        mill__plan_free(plan);
        return status;
    }
    plan->has_tensor = plan->output.layout != MILL_ENCODED;
    plan->fixed = is_fixed(&plan->output);
    plan->row_nbytes = plan->fixed ? (size_t)mill__type_nbytes(&plan->output) : 0;
    find_tail(plan);
    return MILL_OK;
}

const char *mill__plan_level(const mill__plan *plan)
{
    return plan && plan->kernels ? plan->kernels->level : NULL;
}

void mill__plan_free(mill__plan *plan)
{
    for (int i = 0; plan->stages && i < plan->nstages; i++)
        if (plan->stages[i].ops && plan->stages[i].ops->drop)
            plan->stages[i].ops->drop(plan->stages[i].self);
    for (int i = 0; plan->segments && i < plan->nsegments; i++)
        mill__free(plan->segments[i].table);
    mill__free(plan->text);
    free(plan->stages);
    free(plan->segments);
    *plan = (mill__plan){0};
}
