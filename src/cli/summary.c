/* SPDX-License-Identifier: Apache-2.0 */
#include "summary.h"
#include "text.h"
#include <inttypes.h>

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

/* The share of the compute threads' time in which they computed, or -1 if there is too little to tell by. */
static double busy_share(const mill_stats *s)
{
    if (s->elapsed_ns < 200000000 || s->threads < 1 || s->shards_kept == s->shards)
        return -1;
    double share = (double)s->busy_ns / ((double)s->elapsed_ns * s->threads);
    return share < 1 ? share : 1;
}

static void print_samples(const mill_stats *s)
{
    printf("%" PRId64 " sample%s = %" PRId64 " written + %" PRId64 " skipped", s->samples,
           cli_plural(s->samples), s->written, s->skipped);
    if (s->substituted)
        printf("; %" PRId64 " of the written are substitutes", s->substituted);
    if (s->errors || s->warnings)
        printf("; %" PRId64 " error%s, %" PRId64 " warning%s", s->errors, cli_plural(s->errors), s->warnings,
               cli_plural(s->warnings));
    printf("\n");
}

/* What held the run up, as far as it can be told from outside. */
static void print_bound(const mill_stats *s)
{
    double share = busy_share(s);
    if (share < 0)
        return;
    printf("  compute  %d thread%s, busy %.0f %% of the time: ", s->threads, cli_plural(s->threads),
           share * 100);
    if (share >= 0.8)
        printf("computing set the pace\n");
    else if (share >= 0.5)
        printf("computing set most of the pace, waiting the rest\n");
    else
        printf("they mostly waited, for reads or for the output; --trace shows for which\n");
}

void cli_summary_print(const mill_stats *s, const char *out, const char *sink)
{
    double elapsed = seconds(s->elapsed_ns);
    printf("%" PRId64 " of %" PRId64 " shard%s", s->shards_done, s->shards, cli_plural(s->shards));
    if (s->shards_kept)
        printf(", %" PRId64 " of them kept from an earlier run", s->shards_kept);
    printf("; ");
    print_samples(s);
    if (elapsed > 0 && s->shards_kept < s->shards)
        printf("  read     %s in %s: %s samples/s, %s/s\n", cli_size(s->bytes_in).s,
               cli_duration(s->elapsed_ns).s, cli_rate((double)(s->samples - s->samples_kept) / elapsed).s,
               cli_size((uint64_t)((double)s->bytes_in / elapsed)).s);
    if (out && s->shards_kept < s->shards) {
        printf("  wrote    %s as %s into ", cli_size(s->bytes_out).s, sink);
        cli_plain(stdout, out);
        printf("\n");
    }
    if (s->first_sample_ns)
        printf("  first    sample after %s\n", cli_duration(s->first_sample_ns).s);
    print_bound(s);
    if (s->peak_nbytes)
        printf("  memory   at most %s of %s\n", cli_memory(s->peak_nbytes).s, cli_memory(s->memory_nbytes).s);
}

void cli_summary_json(cli_json *json, const mill_stats *s)
{
    double elapsed = seconds(s->elapsed_ns), share = busy_share(s);
    cli_json_int(json, "shards", s->shards);
    cli_json_int(json, "shards_done", s->shards_done);
    cli_json_int(json, "shards_kept", s->shards_kept);
    cli_json_int(json, "samples", s->samples);
    cli_json_int(json, "written", s->written);
    cli_json_int(json, "skipped", s->skipped);
    cli_json_int(json, "substituted", s->substituted);
    cli_json_int(json, "errors", s->errors);
    cli_json_int(json, "warnings", s->warnings);
    cli_json_uint(json, "bytes_in", s->bytes_in);
    cli_json_uint(json, "bytes_out", s->bytes_out);
    cli_json_number(json, "elapsed_s", elapsed);
    cli_json_number(json, "samples_per_s",
                    elapsed > 0 ? (double)(s->samples - s->samples_kept) / elapsed : 0);
    cli_json_number(json, "bytes_per_s", elapsed > 0 ? (double)s->bytes_in / elapsed : 0);
    if (s->first_sample_ns)
        cli_json_number(json, "first_sample_s", seconds(s->first_sample_ns));
    else
        cli_json_null(json, "first_sample_s");
    if (share >= 0)
        cli_json_number(json, "busy_share", share);
    else
        cli_json_null(json, "busy_share");
    cli_json_int(json, "threads", s->threads);
    cli_json_text(json, "io", s->io);
    cli_json_text(json, "executor", s->executor);
    cli_json_text(json, "level", s->level);
    cli_json_uint(json, "memory_nbytes", s->memory_nbytes);
    cli_json_uint(json, "peak_nbytes", s->peak_nbytes);
}
