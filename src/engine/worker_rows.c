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

static void fail_rows(mill__row *rows, size_t n, mill_status status, const mill_error *err)
{
    for (size_t i = 0; i < n && status; i++)
        if (!rows[i].status)
            mill__worker_fail_row(&rows[i], status, err);
}

/* Bad rows are zeros. */
static void finish_rows(const mill__worker *worker, mill__batch *batch, size_t begin, size_t n)
{
    for (size_t i = begin; i < begin + n; i++) {
        batch->rows[i].tensor = mill__worker_place(worker, batch, i);
        if (batch->rows[i].status)
            memset(mill__worker_place(worker, batch, i), 0, worker->job->plan->row_nbytes);
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
    fail_rows(&batch->rows[begin], n, status, &err);
    finish_rows(worker, batch, begin, n);
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

static void run_gathered(mill__worker *worker, mill__batch *batch, size_t begin, size_t n)
{
    const mill__plan *plan = worker->job->plan;
    mill_error err;
    mill__error_clear(&err);
    mill_tensor in = {.type = plan->stages[plan->segments[plan->tail].first].in, .n = (int64_t)n};
    size_t nbytes = (size_t)mill__type_nbytes(&in.type);
    worker->scratch_used = 0;
    mill_status status = mill__worker_start(worker, &err);
    if (!status) {
        in.data = mill__worker_take(worker, n * nbytes, &err);
        status = in.data ? MILL_OK : MILL_LIMIT;
    }
    for (size_t i = 0; i < n && !status; i++)
        gather_row(worker, &batch->rows[begin + i], (char *)in.data + i * nbytes, nbytes);
    if (!status)
        status = run_tail(worker, &in, true, mill__worker_place(worker, batch, begin), &err);
    fail_rows(&batch->rows[begin], n, status, &err);
    finish_rows(worker, batch, begin, n);
}

/* How many rows to gather for the tail, so that what lies between its stages stays in the cache and within
 * the thread's share of memory. */
static size_t rows_at_once(const mill__job *job)
{
    const size_t cache_nbytes = 1 << 20;
    const size_t room = job->scratch_nbytes / 4 < cache_nbytes ? job->scratch_nbytes / 4 : cache_nbytes;
    size_t n = job->plan->between_nbytes ? room / job->plan->between_nbytes : SIZE_MAX;
    return n ? n : 1;
}

/* So many rows from begin on in one call; 0: they are not worth it, or one of them has more to it. */
static size_t gathered_run(const mill__worker *worker, const mill__batch *batch, size_t begin, size_t end)
{
    size_t i = begin;
    while (i < end && !(batch->rows[i].carried && worker->job->encode))
        i++;
    return i - begin > 1 ? i - begin : 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void mill__worker_rows(mill__worker *worker, mill__batch *batch, size_t begin, size_t end)
{
    const mill__plan *plan = worker->job->plan;
    const mill__reduction *reduction = worker->job->reduction;
    bool together = batch->slab && !worker->job->probe && (!reduction || reduction->unit > 1);
    size_t most = plan->gathers ? rows_at_once(worker->job) : SIZE_MAX;
    while (begin < end) {
        size_t dense = together && plan->batched ? dense_run(worker, batch, begin, end) : 0;
        size_t gathered =
            together && plan->gathers && most > 1 && dense <= 1 ? gathered_run(worker, batch, begin, end) : 0;
        size_t n = least(dense > 1 ? dense : gathered > 1 ? gathered : 1, most);
        if (dense > 1)
            run_dense(worker, batch, begin, n);
        else if (gathered > 1)
            run_gathered(worker, batch, begin, n);
        else
            mill__worker_row(worker, batch, begin);
        begin += n;
    }
}
