/* SPDX-License-Identifier: Apache-2.0 */
/* Batch after batch, epoch after epoch, with a sleep in place of an accelerator's work. */
#include "digest.h"
#include "load.h"
#include "signals.h"
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 100 /* between looks for signals while there is no batch */

/* ---- one batch ---- */

static void tell_batch(cli_loading *l, const mill_batch *b, uint64_t digest)
{
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64, digest);
    if (l->args->json) {
        cli_json json = cli_json_begin(stdout, "batch");
        cli_json_int(&json, "epoch", mill_batch_epoch(b));
        cli_json_int(&json, "step", mill_batch_step(b));
        cli_json_int(&json, "rows", mill_batch_size(b));
        cli_json_text(&json, "digest", hex);
        cli_json_end(&json);
        return;
    }
    cli_load_progress_hide(&l->progress);
    printf("batch %" PRId64 " %" PRId64 " rows %" PRId64 " digest %s\n", mill_batch_epoch(b),
           mill_batch_step(b), mill_batch_size(b), hex);
}

static void digest_batch(cli_loading *l, const mill_batch *b)
{
    const char *fields = l->args->fields ? l->args->fields : "json";
    if (!l->args->digest)
        return;
    int64_t begin = cli_now_ns();
    uint64_t digest = cli_digest_add(&l->digest, b, fields);
    if (l->pace.steady_ns)
        l->pace.steady_digest_ns += cli_now_ns() - begin;
    if (!strcmp(l->args->digest, "batches"))
        tell_batch(l, b, digest);
}

/* In place of an accelerator; until a signal comes at the longest. */
static void step(cli_loading *l)
{
    const int64_t begin = cli_now_ns(), end = begin + l->pace.step_ns;
    int64_t now = begin;
    while (l->pace.step_ns && now < end && !cli_signals_caught()) {
        int64_t next = end - now < LOOK_MS * INT64_C(1000000) ? end : now + LOOK_MS * INT64_C(1000000);
        const struct timespec t = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        now = cli_now_ns();
    }
    l->pace.stepped_ns += now - begin;
    if (l->pace.steady_ns)
        l->pace.steady_stepped_ns += now - begin;
}

void cli_load_take_state(cli_loading *l)
{
    if (l->args->state)
        mill_loader_state(l->loader, l->state, NULL);
}

static void take_batch(cli_loading *l, mill_batch *b)
{
    cli_pace *p = &l->pace;
    mill_loader_stats before = p->stats;
    mill_loader_stats_get(l->loader, &p->stats);
    int64_t samples = p->stats.samples - before.samples;
    p->first_ns = p->first_ns ? p->first_ns : cli_now_ns();
    digest_batch(l, b);
    step(l);
    mill_batch_release(b);
    cli_load_take_state(l);
    p->batches++;
    p->samples += samples;
    l->epoch_batches++;
    l->epoch_samples += samples;
    if (p->steady_ns) {
        p->steady_samples += samples;
    } else {
        p->steady_ns = cli_now_ns();
        mill_loader_stats_get(l->loader, &p->at_first);
    }
}

/* ---- epochs ---- */

static void end_epoch(cli_loading *l)
{
    int64_t now = cli_now_ns(), elapsed_ns = now - l->epoch_ns;
    mill_loader_stats_get(l->loader, &l->pace.stats);
    l->pace.epochs++;
    cli_load_take_state(l);
    if (l->args->json) {
        cli_json json = cli_json_begin(stdout, "epoch");
        cli_json_int(&json, "epoch", l->pace.stats.epoch - 1);
        cli_json_int(&json, "batches", l->epoch_batches);
        cli_json_int(&json, "samples", l->epoch_samples);
        cli_json_number(&json, "elapsed_s", (double)elapsed_ns / 1e9);
        cli_json_number(&json, "samples_per_s", (double)l->epoch_samples * 1e9 / (double)(elapsed_ns + 1));
        cli_json_end(&json);
    }
    l->epoch_ns = now;
    l->epoch_batches = l->epoch_samples = 0;
}

/* The next batch. MILL_CANCELED: a signal came first. */
static mill_status next(cli_loading *l, mill_batch **b, mill_error *err)
{
    mill_status status = MILL_AGAIN;
    int64_t begin = cli_now_ns();
    while (status == MILL_AGAIN) {
        if (cli_signals_caught())
            return MILL_CANCELED;
        status = mill_loader_try_next(l->loader, LOOK_MS, b, err);
        cli_load_progress_show(&l->progress, &l->pace);
    }
    if (l->pace.steady_ns)
        l->pace.steady_waited_ns += cli_now_ns() - begin;
    return status;
}

mill_status cli_load_iterate(cli_loading *l, mill_error *err)
{
    const int64_t most = l->args->most_batches;
    l->epoch_ns = cli_now_ns();
    while (!most || l->pace.batches < most) {
        mill_batch *b;
        mill_status status = next(l, &b, err);
        if (status == MILL_OK)
            take_batch(l, b);
        else if (status != MILL_END)
            return status;
        else if (l->pace.stats.epoch >= l->args->epochs)
            return MILL_OK;
        else
            end_epoch(l);
    }
    return MILL_OK;
}
