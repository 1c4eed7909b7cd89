/* SPDX-License-Identifier: Apache-2.0 */
/* cli/progress.c: the bar is redrawn by a carriage return and blanks alone, so that it needs no escape codes.
 */
#include "progress.h"
#include "json.h"
#include "screen.h"
#include "text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLAIN_NS 10000000000 /* between plain lines */

void cli_progress_begin(cli_progress *p, cli_progress_kind kind)
{
    *p = (cli_progress){.kind = kind, .bar = kind == CLI_PROGRESS_AUTO && cli_stderr_is_terminal()};
}

/* Part of the work that is done, 0 to 1, or -1 if there is nothing to tell it by. What is not opened yet is
 * taken to be as large as what was. */
static double part_done(const mill_stats *s)
{
    int64_t opened = s->shards_opened - s->shards_kept, left = s->shards - s->shards_opened;
    if (opened <= 0 || !s->bytes_total)
        return -1;
    double total = (double)s->bytes_total * (1 + (double)left / (double)opened);
    double part = (double)s->bytes_in / total;
    return part < 1 ? part : 1;
}

/* Seconds to go, or -1. */
static double seconds_left(const mill_stats *s)
{
    double part = part_done(s), elapsed = (double)s->elapsed_ns * 1e-9;
    return part > 0 && elapsed > 0.5 ? elapsed * (1 - part) / part : -1;
}

static void measure(cli_progress *p, const mill_stats *s)
{
    int64_t samples = s->samples - s->samples_kept;
    double seconds = (double)(s->elapsed_ns - p->seen_ns) * 1e-9;
    if (seconds < 0.05)
        return;
    double new_samples = (double)(samples - p->seen_samples) / seconds;
    double new_bytes = (double)(s->bytes_in - p->seen_nbytes) / seconds;
    /* the mean since the start at first, then one that forgets within some three seconds */
    double weight = 1 - exp(-seconds / 3), least = seconds / ((double)s->elapsed_ns * 1e-9);
    weight = weight > least ? weight : least;
    p->samples_rate += weight * (new_samples - p->samples_rate);
    p->bytes_rate += weight * (new_bytes - p->bytes_rate);
    p->seen_ns = s->elapsed_ns;
    p->seen_samples = samples;
    p->seen_nbytes = s->bytes_in;
}

/* ---- the bar ---- */

/* What is said, the most useful first; what does not fit is left out. Answers the columns used. */
static int compose(char *text, size_t nbytes, int width, const cli_progress *p, const mill_stats *s)
{
    char parts[5][48];
    double left = seconds_left(s);
    snprintf(parts[0], sizeof parts[0], "%lld samples", (long long)s->samples);
    snprintf(parts[1], sizeof parts[1], "%s/s", cli_rate(p->samples_rate).s);
    parts[2][0] = parts[3][0] = 0;
    if (left >= 0)
        snprintf(parts[2], sizeof parts[2], "ETA %s", cli_clock(left).s);
    if (s->skipped + s->substituted)
        snprintf(parts[3], sizeof parts[3], "%lld %s", (long long)(s->skipped + s->substituted),
                 s->substituted ? "substituted" : "skipped");
    snprintf(parts[4], sizeof parts[4], "%s/s",
             cli_size((uint64_t)(p->bytes_rate > 0 ? p->bytes_rate : 0)).s);
    static const int order[] = {0, 1, 4, 3, 2}; /* as they stand in the line */
    bool fits[5] = {false};
    int used = 0;
    for (int i = 0; i < 5; i++) {
        int n = (int)strlen(parts[i]);
        fits[i] = n && used + n + 2 <= width;
        used += fits[i] ? n + 2 : 0;
    }
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < 5; i++)
        if (fits[order[i]])
            at += (size_t)snprintf(text + at, nbytes - at, "%s%s", at ? "  " : "", parts[order[i]]);
    return (int)at;
}

static void draw(cli_progress *p, const mill_stats *s)
{
    enum { LONGEST = 24 };
    char text[256], line[400];
    int width = cli_width(STDERR_FILENO) - 1; /* the last column may wrap */
    double part = part_done(s);
    int n = compose(text, sizeof text, width < 200 ? width - 5 : 195, p, s);
    int room = width - n - 10, columns = room > LONGEST ? LONGEST : room, at = 0;
    if (part >= 0 && columns >= 6) {
        int full = (int)(part * columns);
        line[at++] = '[';
        for (int i = 0; i < columns; i++)
            line[at++] = i < full ? '=' : i == full ? '>' : ' ';
        line[at++] = ']';
        line[at++] = ' ';
    }
    if (part >= 0)
        at += snprintf(line + at, sizeof line - (size_t)at, "%3d%%  ", (int)(part * 100));
    at += snprintf(line + at, sizeof line - (size_t)at, "%s", text);
    fprintf(stderr, "\r%s%*s", line, p->drawn > at ? p->drawn - at : 0, "");
    fflush(stderr);
    p->drawn = at;
}

void cli_progress_hide(cli_progress *p)
{
    if (!p->drawn)
        return;
    fprintf(stderr, "\r%*s\r", p->drawn, "");
    fflush(stderr);
    p->drawn = 0;
}

/* ---- elsewhere ---- */

static void say(const cli_progress *p, const mill_stats *s)
{
    double left = seconds_left(s);
    fprintf(stderr, "shardmill: %lld of %lld shards, %lld samples, %s samples/s, %s/s, %lld skipped",
            (long long)s->shards_done, (long long)s->shards, (long long)s->samples,
            cli_rate(p->samples_rate).s, cli_size((uint64_t)p->bytes_rate).s, (long long)s->skipped);
    if (s->substituted)
        fprintf(stderr, ", %lld substituted", (long long)s->substituted);
    if (left >= 0)
        fprintf(stderr, ", about %s left", cli_clock(left).s);
    fputc('\n', stderr);
}

static void say_json(const cli_progress *p, const mill_stats *s)
{
    double left = seconds_left(s), part = part_done(s);
    cli_json json = cli_json_begin(stdout, "progress");
    cli_json_number(&json, "elapsed_s", (double)s->elapsed_ns / 1e9);
    cli_json_int(&json, "shards", s->shards);
    cli_json_int(&json, "shards_done", s->shards_done);
    cli_json_int(&json, "samples", s->samples);
    cli_json_int(&json, "skipped", s->skipped);
    cli_json_int(&json, "substituted", s->substituted);
    cli_json_uint(&json, "bytes_in", s->bytes_in);
    cli_json_number(&json, "samples_per_s", p->samples_rate);
    cli_json_number(&json, "bytes_per_s", p->bytes_rate);
    cli_json_number(&json, "done", part >= 0 ? part : NAN);
    cli_json_number(&json, "left_s", left >= 0 ? left : NAN);
    cli_json_end(&json);
    fflush(stdout);
}

void cli_progress_show(cli_progress *p, const mill_stats *s)
{
    if (p->kind == CLI_PROGRESS_NONE)
        return;
    measure(p, s);
    if (p->bar) {
        draw(p, s);
    } else if (s->elapsed_ns - p->said_ns >= PLAIN_NS) {
        p->said_ns = s->elapsed_ns;
        if (p->kind == CLI_PROGRESS_JSON)
            say_json(p, s);
        else
            say(p, s);
    }
}
