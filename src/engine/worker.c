/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "engine/worker_parts.h"
#include "transform/context.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void mill__worker_init(mill__worker *worker, const mill__job *job)
{
    *worker = (mill__worker){.job = job};
}

bool mill__worker_is_bound(const mill__job *job)
{
    for (int i = 0; i < job->plan->nstages; i++)
        if (job->plan->stages[i].ops->stop)
            return true;
    return false;
}

void mill__worker_end(mill__worker *worker)
{
    const mill__plan *plan = worker->job ? worker->job->plan : NULL;
    for (int i = 0; plan && worker->states && i < plan->nstages; i++)
        if (worker->started[i] && plan->stages[i].ops->stop)
            plan->stages[i].ops->stop(plan->stages[i].self, worker->states[i]);
    free(worker->states);
    free(worker->started);
    for (int i = 0; i < worker->nscratch; i++)
        mill__buffer_free(&worker->scratch[i]);
    free(worker->scratch);
    mill__renderer_free(worker->renderer);
    *worker = (mill__worker){0};
}

mill_status mill__worker_start(mill__worker *worker, mill_error *err)
{
    const mill__plan *plan = worker->job->plan;
    size_t n = (size_t)plan->nstages + 1;
    if (!worker->renderer)
        worker->renderer = mill__renderer_new(worker->job->scratch_nbytes);
    if (worker->renderer && plan->kernels) {
        mill__renderer_use(worker->renderer, plan->kernels);
        mill__renderer_by_library(worker->renderer, plan->jpeg_by_library);
    }
    if (!worker->states)
        worker->states = calloc(n, sizeof *worker->states);
    if (!worker->started)
        worker->started = calloc(n, 1);
    if (!worker->renderer || !worker->states || !worker->started)
        return mill__no_memory(err, n * sizeof *worker->states, "a compute thread's state");
    for (int i = 0; i < plan->nstages; i++) {
        const mill__stage *stage = &plan->stages[i];
        if (worker->started[i] || !stage->ops->start)
            continue;
        mill_status status = stage->ops->start(stage->self, &worker->states[i], err);
        if (status)
            return status;
        worker->started[i] = 1;
    }
    return MILL_OK;
}

/* The next of the thread's scratch buffers, at least nbytes large; NULL beyond the limit. */
void *mill__worker_scratch(void *owner, size_t nbytes)
{
    mill__worker *worker = owner;
    if (worker->scratch_used == worker->nscratch) {
        mill__buffer *more = realloc(worker->scratch, (size_t)(worker->nscratch + 1) * sizeof *more);
        if (!more)
            return NULL;
        worker->scratch = more;
        more[worker->nscratch++] = (mill__buffer){0};
    }
    mill__buffer *buffer = &worker->scratch[worker->scratch_used];
    if (buffer->capacity < nbytes) {
        if (nbytes > worker->job->scratch_nbytes ||
            worker->scratch_held - buffer->capacity + nbytes > worker->job->scratch_nbytes)
            return NULL;
        worker->scratch_held -= buffer->capacity;
        mill__buffer_free(buffer);
        if (mill__buffer_reserve(buffer, nbytes))
            return NULL;
        worker->scratch_held += buffer->capacity;
    }
    worker->scratch_used++;
    return buffer->data;
}

void *mill__worker_take(mill__worker *worker, uint64_t nbytes, mill_error *err)
{
    void *p = nbytes > SIZE_MAX / 2 ? NULL : mill__worker_scratch(worker, (size_t)nbytes);
    if (!p)
        mill_fail(err, MILL_LIMIT, "limit",
                  "needs %llu bytes of scratch, more than a thread's share of the memory budget (%llu); "
                  "raise the budget",
                  (unsigned long long)nbytes, (unsigned long long)worker->job->scratch_nbytes);
    return p;
}

/* ---- image segments ---- */

typedef struct image_work {
    mill__worker *worker;
    mill_context *ctx;
    const mill__segment *segment;
    const uint8_t *pixels; /* NULL while the image is still encoded */
    uint64_t encoded_at;   /* where its file begins in the shard */
    int channels;
    mill_view view;
} image_work;

/* Codecs know offsets in the image's file; people look for them in the shard. */
static mill_status place_error(mill_status status, uint64_t begin, mill_error *err)
{
    if (status && err && err->offset != MILL_NO_OFFSET)
        err->offset += begin;
    return status;
}

static mill_status render(image_work *w, const mill__target *target, mill_error *err)
{
    if (w->pixels)
        return mill__pixels_render(w->worker->renderer, w->pixels, w->channels, &w->view, target, err);
    return place_error(mill__jpeg_render(w->worker->renderer, &w->view, target, err), w->encoded_at, err);
}

/* A step cannot be folded: render what there is to u8 pixels and begin a new view on them. */
static mill_status materialise(image_work *w, mill_error *err)
{
    int64_t width = mill_view_width(&w->view), height = mill_view_height(&w->view);
    uint8_t *pixels =
        mill__worker_take(w->worker, (uint64_t)width * (uint64_t)height * (uint64_t)w->channels, err);
    if (!pixels)
        return MILL_LIMIT;
    mill__target target = {.data = pixels, .layout = MILL_HWC, .channels = w->channels, .dtype = MILL_U8};
    mill_status status = render(w, &target, err);
    w->pixels = pixels;
    mill__view_init(&w->view, width, height);
    return status;
}

static mill_status compose(image_work *w, mill_error *err)
{
    const mill__plan *plan = w->worker->job->plan;
    for (int i = w->segment->first; i < w->segment->first + w->segment->nviews; i++) {
        const mill__stage *stage = &plan->stages[i];
        w->ctx->random.transform = (uint32_t)i;
        mill_status status = stage->ops->view(stage->self, w->ctx, &w->view, err);
        if (status == MILL_AGAIN) {
            status = materialise(w, err);
            if (!status)
                status = stage->ops->view(stage->self, w->ctx, &w->view, err);
            if (status == MILL_AGAIN)
                status = mill_fail(err, MILL_INTERNAL, "pipeline", "%s does not fold into a fresh view",
                                   stage->ops->name);
        }
        if (status)
            return status;
    }
    return MILL_OK;
}

static mill_status begin_image(image_work *w, const mill_tensor *in, mill_error *err)
{
    const mill__plan *plan = w->worker->job->plan;
    const mill_type *source = &plan->stages[w->segment->first - w->segment->decodes].in;
    if (!w->segment->decodes) {
        w->pixels = in->data;
        w->channels = (int)source->shape[2];
        mill__view_init(&w->view, in->type.shape[1], in->type.shape[0]);
        return MILL_OK;
    }
    const mill__decode *decode = plan->stages[w->segment->first - 1].self;
    const mill__field *field = decode->field[0] ? mill__sample_field(w->ctx->sample, decode->field)
                                                : mill__sample_image(w->ctx->sample);
    if (!field)
        return mill_fail(err, MILL_BAD_DATA, "field", "the sample has no %s field to decode",
                         decode->field[0] ? decode->field : "jpg or jpeg");
    mill__decode_options options = decode->options;
    if (w->worker->job->max_pixels)
        options.max_pixels = w->worker->job->max_pixels;
    mill__image_info info;
    mill_status status =
        mill__jpeg_begin(w->worker->renderer, field->data, field->nbytes, &options, &info, err);
    if (status)
        return place_error(status, field->offset, err);
    w->encoded_at = field->offset;
    w->channels = options.channels;
    mill__view_init(&w->view, info.width, info.height);
    return MILL_OK;
}

/* The type of this sample's output, and where it goes: its final place, or scratch. */
static mill_status make_room(mill__worker *worker, mill_tensor *out, void *place, mill_error *err)
{
    uint64_t nbytes = mill__type_nbytes(&out->type);
    out->n = 1;
    out->data = place ? place : mill__worker_take(worker, nbytes, err);
    return out->data ? MILL_OK : MILL_LIMIT;
}

/* The colour table of the sample at hand: the segment's, taken through the stages that draw random numbers
 * and all that follow them. 256 pixel values of each channel are a (c, 256, 1) image. */
static mill_status live_table(image_work *w, const void **table, mill_error *err)
{
    const mill__plan *plan = w->worker->job->plan;
    const mill__segment *segment = w->segment;
    *table = segment->table;
    if (!segment->live)
        return MILL_OK;
    size_t n = 256 * (size_t)w->channels, most = n * sizeof(uint64_t);
    uint8_t *now = mill__worker_take(w->worker, most, err);
    uint8_t *next = now ? mill__worker_take(w->worker, most, err) : NULL;
    if (!next)
        return MILL_LIMIT;
    for (size_t i = 0; i < n && !segment->table; i++)
        now[i] = (uint8_t)i;
    if (segment->table)
        memcpy(now, segment->table, n * mill_dtype_nbytes(plan->stages[segment->live].in.dtype));
    mill_status status = MILL_OK;
    for (int i = segment->live; i < segment->end && !status; i++) {
        const mill__stage *stage = &plan->stages[i];
        if (stage->ops == &mill__layout_ops)
            continue;
        mill_tensor in = {.type = {.layout = MILL_CHW, .rank = 3, .shape = {w->channels, 256, 1}}, .n = 1};
        mill_tensor out = in;
        in.type.dtype = stage->in.dtype;
        in.data = now;
        out.type.dtype = stage->out.dtype;
        out.data = next;
        w->ctx->random.transform = (uint32_t)i;
        status = stage->ops->run(stage->self, w->worker->states[i],
                                 stage->ops->flags & MILL_RANDOM ? w->ctx : NULL, &in, &out, err);
        next = now;
        now = out.data;
    }
    *table = now;
    return status;
}

static mill_status run_image(mill__worker *worker, mill_context *ctx, const mill__segment *segment,
                             const mill_tensor *in, mill_tensor *out, void *place, mill_error *err)
{
    image_work w = {.worker = worker, .ctx = ctx, .segment = segment};
    mill_status status = begin_image(&w, in, err);
    if (!status)
        status = compose(&w, err);
    if (status)
        return status;
    int64_t width = mill_view_width(&w.view), height = mill_view_height(&w.view);
    bool planar = segment->out.layout == MILL_CHW;
    mill_type type = segment->out;
    type.shape[planar ? 1 : 0] = height;
    type.shape[planar ? 2 : 1] = width;
    for (int i = 0; i < 3; i++)
        if (segment->out.shape[i] >= 0 && segment->out.shape[i] != type.shape[i])
            return mill_fail(err, MILL_INTERNAL, "shape",
                             "a view of %lld x %lld pixels where another size was planned", (long long)width,
                             (long long)height);
    out->type = type;
    const void *table;
    status = make_room(worker, out, place, err);
    if (!status)
        status = live_table(&w, &table, err);
    if (status)
        return status;
    mill__target target = {.data = out->data,
                           .layout = type.layout,
                           .channels = w.channels,
                           .dtype = type.dtype,
                           .table = table};
    return render(&w, &target, err);
}

/* ---- run segments ---- */

static bool is_in_place(const mill__plan *plan, int segment)
{
    const mill__segment *s = &plan->segments[segment];
    return !s->image && plan->stages[s->first].ops->flags & MILL_IN_PLACE;
}

static mill_status run_stage(mill__worker *worker, mill_context *ctx, const mill__segment *segment,
                             const mill_tensor *in, mill_tensor *out, void *place, mill_error *err)
{
    const mill__stage *stage = &worker->job->plan->stages[segment->first];
    const unsigned flags = stage->ops->flags;
    bool pointwise = flags & MILL_POINTWISE, in_place = flags & MILL_IN_PLACE;
    out->type = stage->out;
    out->n = 1;
    out->data = NULL;
    if (pointwise || in_place || stage->ops == &mill__layout_ops) /* shapes follow from what came in */
        for (int i = 0; i < out->type.rank; i++)
            out->type.shape[i] = in->type.shape[i];
    if (stage->ops == &mill__layout_ops && in->type.layout != out->type.layout) {
        bool planar = out->type.layout == MILL_CHW;
        const int64_t *from = in->type.shape;
        int64_t chw[] = {from[2], from[0], from[1]}, hwc[] = {from[1], from[2], from[0]};
        memcpy(out->type.shape, planar ? chw : hwc, sizeof chw);
    }
    if (in_place && segment > worker->job->plan->segments) { /* else the data are the sample's own */
        out->data = in->data;
    } else if (mill__type_nbytes(&out->type)) {
        mill_status status = make_room(worker, out, place, err);
        if (status)
            return status;
    }
    ctx->random.transform = (uint32_t)segment->first;
    mill_status status = stage->ops->run(stage->self, worker->states[segment->first],
                                         pointwise && !(flags & MILL_RANDOM) ? NULL : ctx, in, out, err);
    if (!status && !out->data && mill__type_nbytes(&out->type))
        status = mill_fail(err, MILL_INTERNAL, "shape", "%s gave no data", stage->ops->name);
    return status;
}

/* What a sample brings along: its tensor, or nothing when it has named fields only. */
static mill_status first_tensor(const mill__worker *worker, mill_tensor *tensor, mill_error *err)
{
    const mill__plan *plan = worker->job->plan;
    const mill__sample *sample = &worker->sample;
    *tensor = (mill_tensor){.type = plan->input, .n = 1};
    const mill__field *field =
        plan->input.layout == MILL_ENCODED ? mill__sample_image(sample) : mill__sample_field(sample, "data");
    if (field) {
        tensor->data = (void *)(uintptr_t)field->data;
        if (plan->input.layout == MILL_ENCODED)
            tensor->type.shape[0] = (int64_t)field->nbytes;
        else if (field->nbytes != mill__type_nbytes(&plan->input))
            return mill_fail(err, MILL_BAD_DATA, "shape",
                             "a row of %zu bytes where the first shard has rows of %llu", field->nbytes,
                             (unsigned long long)mill__type_nbytes(&plan->input));
    } else if (plan->input.layout != MILL_ENCODED) {
        return mill_fail(err, MILL_BAD_DATA, "field",
                         "the sample has no tensor; the first shard's samples are tensors");
    }
    return MILL_OK;
}

/* Elements must be aligned for their type; rows of an odd file may not be. */
mill_status mill__worker_align(mill__worker *worker, mill_tensor *tensor, size_t nbytes, mill_error *err)
{
    if (tensor->type.layout == MILL_ENCODED ||
        (uintptr_t)tensor->data % mill_dtype_nbytes(tensor->type.dtype) == 0)
        return MILL_OK;
    void *copy = mill__worker_take(worker, nbytes, err);
    if (!copy)
        return MILL_LIMIT;
    memcpy(copy, tensor->data, nbytes);
    tensor->data = copy;
    return MILL_OK;
}

/* The sample at hand through the first nsegments segments. nbytes: of their result at place. */
static mill_status transform(mill__worker *worker, mill_context *ctx, int nsegments, void *place,
                             size_t nbytes, mill_tensor *result, mill_error *err)
{
    const mill__plan *plan = worker->job->plan;
    mill_tensor now;
    mill_status status = first_tensor(worker, &now, err);
    if (!status && plan->input.layout != MILL_ENCODED)
        status = mill__worker_align(worker, &now, (size_t)mill__type_nbytes(&now.type), err);
    int final = nsegments - 1; /* or the one that is followed only by what works on its output */
    while (final > 0 && is_in_place(plan, final))
        final--;
    for (int i = 0; i < nsegments && !status; i++) {
        const mill__segment *segment = &plan->segments[i];
        mill_tensor out = {0};
        status = (segment->image ? run_image : run_stage)(worker, ctx, segment, &now, &out,
                                                          i == final ? place : NULL, err);
        now = out;
    }
    if (!status && place && now.data != place && nbytes) {
        if (!now.data)
            return mill_fail(err, MILL_INTERNAL, "shape", "the pipeline gave no data");
        memcpy(place, now.data, nbytes);
    }
    *result = now;
    return status;
}

/* ---- what goes beside the tensor ---- */

static mill_status parse_label(const mill__sample *sample, int64_t *label, mill_error *err)
{
    const mill__field *field = mill__sample_field(sample, "cls");
    *label = sample->label;
    if (!field)
        return MILL_OK;
    char text[24];
    size_t n = field->nbytes, begin = 0;
    while (n && strchr(" \t\r\n", field->data[n - 1]))
        n--;
    while (begin < n && strchr(" \t", field->data[begin]))
        begin++;
    n -= begin;
    bool good = n && n < sizeof text;
    for (size_t i = 0; good && i < n; i++)
        good = (field->data[begin + i] >= '0' && field->data[begin + i] <= '9') ||
               (!i && n > 1 && field->data[begin] == '-');
    if (good) {
        memcpy(text, field->data + begin, n);
        text[n] = 0;
        errno = 0;
        *label = strtoll(text, NULL, 10);
        good = !errno;
    }
    if (good)
        return MILL_OK;
    mill_fail(err, MILL_BAD_DATA, "label", "the .cls field is not a decimal number");
    mill__error_where(err, NULL, NULL, field->offset);
    return MILL_BAD_DATA;
}

static bool carry(mill__row *row, const char *name, size_t name_nbytes, const void *data, size_t nbytes)
{
    mill__carried *c = &row->carried[row->ncarried];
    if (name_nbytes >= sizeof c->name)
        name_nbytes = sizeof c->name - 1;
    memcpy(c->name, name, name_nbytes);
    c->name[name_nbytes] = 0;
    c->offset = row->blob.nbytes;
    c->nbytes = nbytes;
    row->ncarried++;
    return !mill__buffer_append(&row->blob, data, nbytes);
}

/* Re-encode the result in the place of the image field, and copy the other fields that the sink wants. */
static mill_status carry_fields(mill__worker *worker, mill__row *row, const mill_tensor *result,
                                mill_error *err)
{
    const mill__job *job = worker->job;
    const mill__field *image = mill__sample_image(&worker->sample);
    for (int i = 0; i < row->nfields; i++) {
        const mill__field *field = &worker->sample.fields[i];
        bool encode = field == image && job->encode && job->plan->has_tensor;
        if (!encode && !mill__carries(job->carry, field))
            continue;
        if (!encode) {
            if (!carry(row, field->name, field->name_nbytes, field->data, field->nbytes))
                return mill__no_memory(err, field->nbytes, "a carried field");
            continue;
        }
        size_t at = row->blob.nbytes;
        const int64_t *shape = result->type.shape;
        mill_status status =
            mill__jpeg_encode(worker->renderer, result->data, shape[1], shape[0], (int)shape[2], job->quality,
                              job->subsampling, &row->blob, err);
        if (status)
            return status;
        mill__carried *c = &row->carried[row->ncarried++];
        *c = (mill__carried){.offset = at, .nbytes = row->blob.nbytes - at};
        memcpy(c->name, field->name, field->name_nbytes); /* jpg or jpeg, as it was: a sample may have both */
    }
    return MILL_OK;
}

static mill_status probe(mill__worker *worker, mill__row *row, mill_error *err)
{
    const mill__field *image = mill__sample_image(&worker->sample);
    if (!image)
        return MILL_OK;
    mill__image_info info = {0};
    mill_status status = mill__jpeg_probe(worker->renderer, image->data, image->nbytes, &info, err);
    if (!status) {
        row->width = (int)info.width;
        row->height = (int)info.height;
        row->channels = info.stored_components;
    }
    return place_error(status, image->offset, err);
}

/* ---- one row ---- */

mill_status mill__worker_transform(mill__worker *worker, mill__row *row, int nsegments, void *place,
                                   size_t nbytes, void *partial, mill_error *err)
{
    const mill__job *job = worker->job;
    mill__sample *sample = &worker->sample;
    sample->key = row->key;
    sample->label = row->label;
    sample->offset = row->offset;
    sample->nbytes = row->nbytes;
    sample->nfields = row->nfields;
    if (row->nfields)
        memcpy(sample->fields, row->fields, (size_t)row->nfields * sizeof *row->fields);
    mill_context ctx = {.sample = sample,
                        .random = {.seed = job->seed,
                                   .epoch = row->epoch,
                                   .shard = (uint32_t)row->shard,
                                   .sample = (uint64_t)row->sample},
                        .scratch = mill__worker_scratch,
                        .owner = worker};
    mill_tensor result = {0};
    mill_status status = parse_label(sample, &row->label, err);
    ctx.label = row->label;
    if (!status && job->probe)
        status = probe(worker, row, err);
    if (!status && job->probe == 1)
        return MILL_OK;
    if (!status && (job->plan->has_tensor || job->plan->nsegments) && (!job->probe || row->width))
        status = transform(worker, &ctx, nsegments, place, nbytes, &result, err);
    if (!status && partial)
        job->reduction->run(job->reduction->self, &result, row, partial);
    if (!status && row->carried)
        status = carry_fields(worker, row, &result, err);
    return status;
}

void mill__worker_fail_row(mill__row *row, mill_status status, const mill_error *err)
{
    row->status = status;
    row->ncarried = 0;
    row->blob.nbytes = 0;
    row->error = malloc(sizeof *row->error);
    if (row->error) {
        *row->error = *err;
        mill__error_where(row->error, NULL, row->key,
                          err->offset == MILL_NO_OFFSET ? row->offset : MILL_NO_OFFSET);
    }
}

void *mill__worker_place(const mill__worker *worker, const mill__batch *batch, size_t i)
{
    return batch->slab ? batch->slab + i * worker->job->plan->row_nbytes : NULL;
}

/* Where what the row alone is reduced to goes, empty. */
static void *row_partial(const mill__worker *worker, const mill__batch *batch, size_t i)
{
    const mill__reduction *reduction = worker->job->reduction;
    if (!reduction || reduction->unit > 1)
        return NULL;
    return memset(batch->partials + i * reduction->nbytes, 0, reduction->nbytes);
}

void mill__worker_row(mill__worker *worker, mill__batch *batch, size_t i)
{
    const mill__plan *plan = worker->job->plan;
    mill__row *row = &batch->rows[i];
    void *place = mill__worker_place(worker, batch, i), *partial = row_partial(worker, batch, i);
    row->tensor = place;
    worker->scratch_used = 0;
    if (!row->status) {
        mill_error err;
        mill__error_clear(&err);
        mill_status status = mill__worker_start(worker, &err);
        if (!status)
            status =
                mill__worker_transform(worker, row, plan->nsegments, place, plan->row_nbytes, partial, &err);
        if (status)
            mill__worker_fail_row(row, status, &err);
    }
    if (row->status && place)
        memset(place, 0, plan->row_nbytes);
}
