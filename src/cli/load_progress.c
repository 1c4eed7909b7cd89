/* SPDX-License-Identifier: Apache-2.0 */
/* cli/load_progress.c: where a loader is: a line that is redrawn on a terminal, a plain line every ten
 * seconds elsewhere, or JSON. */
#include "load.h"
#include "screen.h"
#include "text.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define DRAWN_NS 100000000   /* between redraws */
#define PLAIN_NS 10000000000 /* between plain lines */

int64_t cli_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void cli_load_progress_begin(cli_load_progress *p, bool quiet, bool json, int64_t epochs)
{
    *p = (cli_load_progress){.none = quiet,
                             .json = json,
                             .bar = !quiet && !json && cli_stderr_is_terminal(),
                             .epochs = epochs,
                             .said_ns = cli_now_ns()};
}

void cli_load_progress_hide(cli_load_progress *p)
{
    if (!p->drawn)
        return;
    fprintf(stderr, "\r%*s\r", p->drawn, "");
    fflush(stderr);
    p->drawn = 0;
}

static double rate(const cli_pace *pace, int64_t now)
{
    return (double)pace->samples * 1e9 / (double)(now - pace->begin_ns + 1);
}

static double waited_share(const cli_pace *pace, int64_t now)
{
    return pace->steady_ns ? (double)pace->steady_waited_ns / (double)(now - pace->steady_ns + 1) : 0;
}

static int compose(char *text, size_t nbytes, const cli_load_progress *p, const cli_pace *pace, int64_t now)
{
    const mill_loader_stats *s = &pace->stats;
    char of[32] = "";
    if (s->epoch_batches > 0)
        snprintf(of, sizeof of, "/%lld", (long long)s->epoch_batches);
    return snprintf(text, nbytes,
                    "epoch %lld/%lld  batch %lld%s  %lld samples  %s/s  waited %.0f %%  %d ready",
                    (long long)(s->epoch < p->epochs ? s->epoch + 1 : p->epochs), (long long)p->epochs,
                    (long long)s->step, of, (long long)pace->samples, cli_rate(rate(pace, now)).s,
                    waited_share(pace, now) * 100, s->ready);
}

static void draw(cli_load_progress *p, const cli_pace *pace, int64_t now)
{
    char text[256];
    int n = compose(text, sizeof text, p, pace, now), width = cli_width(STDERR_FILENO) - 1;
    n = n < width ? n : width; /* the last column may wrap */
    fprintf(stderr, "\r%.*s%*s", n, text, p->drawn > n ? p->drawn - n : 0, "");
    fflush(stderr);
    p->drawn = n;
}

static void say_json(const cli_pace *pace, int64_t now)
{
    const mill_loader_stats *s = &pace->stats;
    cli_json json = cli_json_begin(stdout, "progress");
    cli_json_number(&json, "elapsed_s", (double)(now - pace->begin_ns) / 1e9);
    cli_json_int(&json, "epoch", s->epoch);
    cli_json_int(&json, "step", s->step);
    cli_json_int(&json, "batches", pace->batches);
    cli_json_int(&json, "samples", pace->samples);
    cli_json_number(&json, "samples_per_s", rate(pace, now));
    cli_json_number(&json, "wait_share", waited_share(pace, now));
    cli_json_int(&json, "ready", s->ready);
    cli_json_int(&json, "reads", s->reads);
    cli_json_end(&json);
    fflush(stdout);
}

void cli_load_progress_show(cli_load_progress *p, const cli_pace *pace)
{
    int64_t now = cli_now_ns();
    if (p->none)
        return;
    if (p->bar && now - p->drawn_ns >= DRAWN_NS) {
        p->drawn_ns = now;
        draw(p, pace, now);
    } else if (!p->bar && now - p->said_ns >= PLAIN_NS) {
        char text[256];
        p->said_ns = now;
        compose(text, sizeof text, p, pace, now);
        if (p->json)
            say_json(pace, now);
        else
            fprintf(stderr, "shardmill: %s\n", text);
    }
}
