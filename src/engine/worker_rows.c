/* SPDX-License-Identifier: Apache-2.0 */
/* engine/worker_rows.c: rows one by one, or many of them in one call where the end of the pipeline, its tail,
 * takes many: those whose data lie one behind the other as they are, and, if one of the tail's transforms
 * gains by it (a product of matrices), others too, which are put side by side first. What a row becomes does
 * not depend on which. */
#include "base/error.h"
#include "engine/worker_parts.h"
#include "transform/context.h"
#include <string.h>

/* Good rows from begin on whose data lie one behind the other. */
static size_t dense_run(const mill__worker *worker, const mill__batch *batch, size_t begin, size_t end)
{
    uint64_t nbytes = mill__type_nbytes(&worker->job->plan->input);
    size_t i = begin;
    while (i < end) {
        const mill__row *row = &batch->rows[i];
        bool plain = !row->status && !row->carried && row->nfields == 1 && row->fields[0].nbytes == nbytes;
        if (!plain || (i > begin && row->fields[0].data != batch->rows[i - 1].fields[0].data + nbytes))
            break;
        i++;
    }
    return i - begin;
}

const void *mill__worker_lying(const mill__worker *worker, const mill__batch *batch, size_t begin, size_t end)
{
    const mill__job *job = worker->job;
    if (job->plan->nstages || !job->plan->batched || job->probe ||
        dense_run(worker, batch, begin, end) < end - begin)
        return NULL;
    const uint8_t *data = batch->rows[begin].fields[0].data;
    return (uintptr_t)data % mill_dtype_nbytes(job->plan->output.dtype) ? NULL : data;
}

/* n samples through the tail of the plan, to place. in: their data, one behind the other; own: they lie in
 * scratch. */
static mill_status run_tail(mill__worker *worker, mill_tensor *in, bool own, void *place, mill_error *err)
{
    const mill__plan *plan = worker->job->plan;
    const mill__sample nothing = {.key = "", .label = -1};
    const mill_context ctx = {
        .sample = &nothing, .label = -1, .scratch = mill__worker_scratch, .owner = worker};
    mill_tensor now = *in;
    size_t n = (size_t)in->n;
    int final = plan->nstages - 1; /* it, or what follows it in place, gives the result */
    int first = plan->nsegments > plan->tail ? plan->segments[plan->tail].first : plan->nstages;
    while (final > first && mill__stage_in_place(&plan->stages[final]))
        final--;
    for (int i = first; i < plan->nstages; i++) {
        const mill__stage *stage = &plan->stages[i];
        mill_tensor out = {.type = stage->out, .n = in->n, .data = place};
        if (i < final && own && mill__stage_in_place(stage))
            out.data = now.data;
        else if (i < final)
            out.data = mill__worker_take(worker, n * mill__type_nbytes(&stage->out), err);
        if (!out.data)
            return MILL_LIMIT;
        int used = worker->scratch_used;
        bool pointwise = stage->ops->flags & MILL_POINTWISE;
        mill_status status =
            stage->ops->run(stage->self, worker->states[i], pointwise ? NULL : &ctx, &now, &out, err);
        if (status)
            return status;
        worker->scratch_used = used;
        own = true;
        now = out;
    }
    if (now.data != place)
        memcpy(place, now.data, n * plan->row_nbytes);
    return MILL_OK;
}

/* Rows of a batch: those that list names, or those from first on. */
typedef struct some {
    mill__batch *batch;
    const uint32_t *list; /* NULL: neighbours */
    size_t first, n;
} some;

static size_t number_of(const some *rows, size_t i)
{
    return rows->list ? rows->list[i] : rows->first + i;
}

/* What went wrong for all of them; bad rows are zeros. */
static void finish(const mill__worker *worker, const some *rows, mill_status status, const mill_error *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        mill__row *row = &rows->batch->rows[number_of(rows, i)];
        void *place = mill__worker_place(worker, rows->batch, number_of(rows, i));
        row->tensor = place;
        if (status && !row->status)
            mill__worker_fail_row(row, status, err);
        if (row->status)
            memset(place, 0, worker->job->plan->row_nbytes);
    }
}

/* Rows whose data lie one behind the other already. */
static void run_dense(mill__worker *worker, mill__batch *batch, size_t begin, size_t n)
{
    mill_error err;
    mill__error_clear(&err);
    mill_tensor in = {.type = worker->job->plan->input,
                      .n = (int64_t)n,
                      .data = (void *)(uintptr_t)batch->rows[begin].fields[0].data};
    worker->scratch_used = 0;
    mill_status status = mill__worker_start(worker, &err);
    if (!status)
        status = mill__worker_align(worker, &in, n * (size_t)mill__type_nbytes(&in.type), &err);
    if (!status)
        status = run_tail(worker, &in, false, mill__worker_place(worker, batch, begin), &err);
    finish(worker, &(some){batch, NULL, begin, n}, status, &err);
}

/* A row through what stands in front of the tail, to its place among those that the tail takes. */
static void gather_row(mill__worker *worker, mill__row *row, void *place, size_t nbytes)
{
    mill_error err;
    mill__error_clear(&err);
    mill_status status = row->status;
    int used = worker->scratch_used;
    if (!status) {
        status = mill__worker_transform(worker, row, worker->job->plan->tail, place, nbytes, NULL, &err);
        if (status)
            mill__worker_fail_row(row, status, &err);
    }
    if (status)
        memset(place, 0, nbytes);
    worker->scratch_used = used;
}

/* From side by side to where rows have their places. */
static void scatter(const mill__worker *worker, const some *rows, const char *results)
{
    const size_t nbytes = worker->job->plan->row_nbytes;
    for (size_t i = 0; i < rows->n; i++)
        memcpy(mill__worker_place(worker, rows->batch, number_of(rows, i)), results + i * nbytes, nbytes);
}

static mill_status gather_and_run(mill__worker *worker, const some *rows, mill_error *err)
{
    const mill__plan *plan = worker->job->plan;
    mill_tensor in = {.type = plan->stages[plan->segments[plan->tail].first].in, .n = (int64_t)rows->n};
    size_t nbytes = (size_t)mill__type_nbytes(&in.type);
    mill_status status = mill__worker_start(worker, err);
    if (status)
        return status;
    in.data = mill__worker_take(worker, rows->n * nbytes, err);
    void *results = !in.data     ? NULL
                    : rows->list ? mill__worker_take(worker, rows->n * plan->row_nbytes, err)
                                 : mill__worker_place(worker, rows->batch, rows->first);
    if (!results)
        return MILL_LIMIT;
    for (size_t i = 0; i < rows->n; i++)
        gather_row(worker, &rows->batch->rows[number_of(rows, i)], (char *)in.data + i * nbytes, nbytes);
    status = run_tail(worker, &in, true, results, err);
    if (!status && rows->list)
        scatter(worker, rows, results);
    return status;
}

static void run_gathered(mill__worker *worker, const some *rows)
{
    mill_error err;
    mill__error_clear(&err);
    worker->scratch_used = 0;
    mill_status status = gather_and_run(worker, rows, &err);
    finish(worker, rows, status, &err);
}

/* How many rows the tail takes in one call, so that what lies between its stages stays in the cache and
 * within half the thread's share of memory: a buffer for each stage, one to gather in and one for results. */
static size_t rows_at_once(const mill__worker *worker)
{
    const mill__plan *plan = worker->job->plan;
    const size_t cache_nbytes = 1 << 20, buffers = (size_t)(plan->nsegments - plan->tail) + 2;
    const size_t share = worker->job->scratch_nbytes / 2 / buffers;
    const size_t room = share < cache_nbytes ? share : cache_nbytes;
    if (!plan->between_nbytes)
        return SIZE_MAX;
    return room > plan->between_nbytes ? room / plan->between_nbytes : 1;
}

/* How many to gather. 1: it is not worth the while. */
static size_t gathered_at_once(const mill__worker *worker, const mill__batch *batch)
{
    const mill__job *job = worker->job;
    bool gathers = job->plan->gathers && batch->slab && !job->probe;
    return gathers && !(job->reduction && job->reduction->unit == 1) ? rows_at_once(worker) : 1;
}

/* Rows from begin on, most at most, of which none is wanted as an image beside its tensor. */
static size_t gathered_run(const mill__worker *worker, const mill__batch *batch, size_t begin, size_t end,
                           size_t most)
{
    size_t i = begin;
    while (i < end && i - begin < most && !(batch->rows[i].carried && worker->job->encode))
        i++;
    return i - begin;
}

void mill__worker_rows(mill__worker *worker, mill__batch *batch, size_t begin, size_t end)
{
    const mill__job *job = worker->job;
    bool batched =
        job->plan->batched && batch->slab && !job->probe && (!job->reduction || job->reduction->unit > 1);
    size_t dense = rows_at_once(worker), most = gathered_at_once(worker, batch), n;
    for (; begin < end; begin += n) {
        size_t stop = dense < end - begin ? begin + dense : end;
        n = batched ? dense_run(worker, batch, begin, stop) : 0;
        if (n > 1) {
            run_dense(worker, batch, begin, n);
            continue;
        }
        n = most > 1 ? gathered_run(worker, batch, begin, end, most) : 0;
        if (n > 1) {
            run_gathered(worker, &(some){batch, NULL, begin, n});
            continue;
        }
        mill__worker_row(worker, batch, begin);
        n = 1;
    }
}

/* How many of them are neighbours, from the first on. */
static size_t neighbours(const uint32_t *rows, size_t n)
{
    size_t i = 1;
    while (i < n && rows[i] == rows[i - 1] + 1)
        i++;
    return i;
}

void mill__worker_list(mill__worker *worker, mill__batch *batch, const uint32_t *rows, size_t n)
{
    size_t most = worker->job->encode ? 1 : gathered_at_once(worker, batch);
    for (size_t take; n; rows += take, n -= take) {
        take = neighbours(rows, n);
        if (take < n && most > 1) {
            take = n < most ? n : most;
            run_gathered(worker, &(some){batch, rows, 0, take});
        } else {
            mill__worker_rows(worker, batch, rows[0], rows[0] + take);
        }
    }
}
