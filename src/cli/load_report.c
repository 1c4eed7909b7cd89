/* SPDX-License-Identifier: Apache-2.0 */
/* cli/load_report.c: what a run of `shardmill load` came to, what set its pace, and what to try next.
 *
 * Accelerator utilisation is what MLPerf Storage's DLIO calls AU: emulated compute time over total time. As
 * there, the compute time is measured around the sleep, and the first batch with its step is left out of
 * both. Told as well: the figure with it, and a strict one that counts each step as long as was asked for, so
 * that a late wake-up is idle time. */
#include "load.h"
#include "text.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct shares {
    double elapsed, steady;   /* seconds */
    double wait, use, strict; /* of the steady time; NAN where there is none */
    double use_with_first;    /* of all */
    double busy;              /* of the compute threads' steady time */
    double reads;             /* in flight, on the average */
    double blocked, digest;   /* of the steady time */
    double rate, steady_rate; /* samples a second */
} shares;

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static shares shares_of(const cli_pace *p)
{
    const mill_loader_stats *a = &p->at_first, *b = &p->stats;
    int64_t steady_ns = p->steady_ns && p->batches > 1 ? p->end_ns - p->steady_ns : 0;
    double steady = steady_ns > 0 ? (double)steady_ns : NAN, all = (double)(p->end_ns - p->begin_ns);
    int64_t work = b->walk_ns + b->transform_ns - a->walk_ns - a->transform_ns;
    return (shares){.elapsed = all / 1e9,
                    .steady = steady / 1e9,
                    .wait = (double)p->steady_waited_ns / steady,
                    .use = (double)p->steady_stepped_ns / steady,
                    .strict = (double)(p->batches - 1) * (double)p->step_ns / steady,
                    .use_with_first = (double)p->stepped_ns / all,
                    .busy = (double)work / (steady * (b->threads > 0 ? b->threads : 1)),
                    .reads = (double)(b->read_ns - a->read_ns) / steady,
                    .blocked = (double)(b->blocked_ns - a->blocked_ns) / steady,
                    .digest = (double)p->steady_digest_ns / steady,
                    .rate = (double)p->samples * 1e9 / all,
                    .steady_rate = (double)p->steady_samples * 1e9 / steady};
}

/* ---- what set the pace ---- */

typedef struct verdict {
    const char *bound; /* one word, for programs */
    char what[96], next[200];
} verdict;

static int cpus(void)
{
    mill_threads_info info = mill_threads(0);
    int n = info.affinity;
    return info.quota > 0 && (info.quota < n || n <= 0) ? info.quota : n;
}

static void compute_bound(verdict *v, const mill_loader_stats *s)
{
    v->bound = "compute";
    snprintf(v->what, sizeof v->what, "computing: the loader's threads were busy");
    if (s->threads < cpus())
        snprintf(v->next, sizeof v->next,
                 "more compute threads: --threads; this process may use %d CPUs, a trainer's among them",
                 cpus());
    else
        snprintf(v->next, sizeof v->next,
                 "more CPUs, a cheaper pipeline, or smaller images by shardmill run once before training");
}

static void reads_bound(verdict *v, int depth)
{
    v->bound = "reads";
    snprintf(v->what, sizeof v->what, "reading: as many reads as are allowed were in flight");
    snprintf(v->next, sizeof v->next,
             "more reads in flight: --io-depth %d; if that changes nothing the storage gives no more",
             2 * depth);
}

static verdict judge(const cli_pace *p, const shares *x, const cli_engine_args *args)
{
    verdict v = {.bound = "unknown"};
    const mill_loader_stats *s = &p->stats;
    int depth = args->depth ? (int)args->depth : 8;
    if (!(x->steady > 0.2) || p->batches < 4)
        snprintf(v.what, sizeof v.what, "too short to tell"),
            snprintf(v.next, sizeof v.next, "more epochs: --epochs");
    else if (x->wait < 0.05) {
        v.bound = x->digest > 0.5 ? "digest" : "step";
        snprintf(v.what, sizeof v.what, "the %s: batches were there when they were wanted",
                 x->digest > 0.5 ? "digest" : "training step");
        snprintf(v.next, sizeof v.next, "nothing: the loader has time to spare");
    } else if (x->busy >= 0.8)
        compute_bound(&v, s);
    else if (x->reads >= 0.7 * depth)
        reads_bound(&v, depth);
    else if (args->memory && s->peak_nbytes >= args->memory / 10 * 9) {
        v.bound = "memory";
        snprintf(v.what, sizeof v.what, "memory: all that is allowed was in use");
        snprintf(v.next, sizeof v.next, "a larger --memory, or smaller batches");
    } else if (x->busy >= 0.5)
        compute_bound(&v, s);
    else {
        snprintf(v.what, sizeof v.what, "nothing in particular: threads and reads were mostly idle");
        snprintf(v.next, sizeof v.next,
                 "--prefetch and --io-depth for steps or reads that vary; --trace FILE shows what waits");
    }
    return v;
}

/* ---- for people ---- */

static void print_counts(const cli_pace *p)
{
    const mill_loader_stats *s = &p->stats;
    printf("%" PRId64 " sample%s in %" PRId64 " batch%s, %" PRId64 " epoch%s finished", p->samples,
           cli_plural(p->samples), p->batches, p->batches == 1 ? "" : "es", p->epochs, cli_plural(p->epochs));
    if (s->skipped)
        printf("; %" PRId64 " bad one%s replaced by others", s->skipped, cli_plural(s->skipped));
    if (s->substituted)
        printf("; %" PRId64 " bad one%s replaced by zeros", s->substituted, cli_plural(s->substituted));
    if (s->padded)
        printf("; %" PRId64 " row%s of padding", s->padded, cli_plural(s->padded));
    printf("\n");
}

static void print_step(const cli_pace *p, const shares *x)
{
    if (!p->step_ns || !(x->steady > 0))
        return;
    printf("  step     %s, asleep, in place of an accelerator's work: it would be used %.1f %% of the time\n",
           cli_duration(p->step_ns).s, x->use * 100);
    printf(
        "           (utilisation = compute time / total, the first batch left out; with it %.1f %%; without\n"
        "           what the sleeps took too long %.1f %%)\n",
        x->use_with_first * 100, x->strict * 100);
}

static void print_wait(const shares *x)
{
    printf("  wait     %.1f %% of the time was spent waiting for batches", x->wait * 100);
    if (x->digest > 0)
        printf(", %.1f %% with the digest", x->digest * 100);
    printf("\n");
}

static void print_loader(const cli_pace *p, const shares *x, const cli_engine_args *args)
{
    const mill_loader_stats *s = &p->stats;
    if (x->steady > 0)
        printf(
            "  loader   %d thread%s busy %.0f %% of the time; %.1f of %d reads in flight; idle %.0f %%, with "
            "all batches ready\n",
            s->threads, cli_plural(s->threads), x->busy * 100, x->reads, args->depth ? (int)args->depth : 8,
            x->blocked * 100);
    printf("  memory   at most %s", cli_memory(s->peak_nbytes).s);
    if (args->memory)
        printf(" of %s", cli_memory(args->memory).s);
    printf("\n");
}

void cli_load_print(const cli_pace *p, const cli_engine_args *args)
{
    const shares x = shares_of(p);
    const verdict v = judge(p, &x, args);
    print_counts(p);
    if (!p->batches)
        return;
    printf("  pace     %s samples/s in %s", cli_rate(x.rate).s, cli_duration(p->end_ns - p->begin_ns).s);
    if (x.steady > 0)
        printf("; %s samples/s after the first batch", cli_rate(x.steady_rate).s);
    printf("\n  first    batch after %s", cli_duration(p->first_ns - p->begin_ns).s);
    if (p->stats.index_ns > (p->first_ns - p->begin_ns) / 2)
        printf(", %s of work to index shards in it: shardmill index does that once",
               cli_duration(p->stats.index_ns).s);
    printf("\n");
    print_step(p, &x);
    if (x.steady > 0)
        print_wait(&x);
    print_loader(p, &x, args);
    printf("  bound    by %s\n  next     %s\n", v.what, v.next);
}

/* ---- for programs ---- */

void cli_load_json(cli_json *json, const cli_pace *p, const cli_engine_args *args)
{
    const mill_loader_stats *s = &p->stats;
    const shares x = shares_of(p);
    const verdict v = judge(p, &x, args);
    cli_json_int(json, "epochs", p->epochs);
    cli_json_int(json, "batches", p->batches);
    cli_json_int(json, "samples", p->samples);
    cli_json_int(json, "padded", s->padded);
    cli_json_int(json, "skipped", s->skipped);
    cli_json_int(json, "substituted", s->substituted);
    cli_json_int(json, "epoch_samples", s->epoch_samples);
    cli_json_int(json, "epoch_batches", s->epoch_batches);
    cli_json_uint(json, "bytes_in", s->bytes_in);
    cli_json_uint(json, "bytes_out", s->bytes_out);
    cli_json_number(json, "elapsed_s", x.elapsed);
    cli_json_number(json, "samples_per_s", x.rate);
    cli_json_number(json, "steady_samples_per_s", x.steady_rate);
    cli_json_number(json, "first_batch_s", p->first_ns ? seconds(p->first_ns - p->begin_ns) : NAN);
    cli_json_number(json, "step_s", seconds(p->step_ns));
    cli_json_number(json, "utilisation", x.use);
    cli_json_number(json, "utilisation_strict", x.strict);
    cli_json_number(json, "utilisation_with_first", p->batches ? x.use_with_first : NAN);
    cli_json_number(json, "wait_share", x.wait);
    cli_json_number(json, "digest_share", x.digest);
    cli_json_number(json, "busy_share", x.busy);
    cli_json_number(json, "blocked_share", x.blocked);
    cli_json_number(json, "reads_in_flight", x.reads);
    cli_json_number(json, "index_s", seconds(s->index_ns));
    cli_json_text(json, "bound", v.bound);
    cli_json_text(json, "next", v.next);
    cli_json_int(json, "threads", s->threads);
    cli_json_int(json, "rank", s->rank);
    cli_json_int(json, "world_size", s->world_size);
    cli_json_text(json, "io", s->io);
    cli_json_text(json, "executor", s->executor);
    cli_json_text(json, "level", s->level);
    cli_json_uint(json, "peak_nbytes", s->peak_nbytes);
}
