/* SPDX-License-Identifier: Apache-2.0 */
#include "signals.h"
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#define SAME_NS 300000000 /* signals so close together are one request */

static volatile sig_atomic_t caught;
static atomic_llong caught_ns;

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Any thread may be the one that runs it. timeout(1) and batch systems send a signal to the process and again
 * to its group, which is no second request. */
static void on_signal(int number)
{
    if (!caught) {
        atomic_store(&caught_ns, now_ns());
        caught = number;
    } else if (now_ns() - atomic_load(&caught_ns) > SAME_NS) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

void cli_signals_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) || action.sa_handler == SIG_IGN)
            continue;
        action = (struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigemptyset(&action.sa_mask);
        sigaction(numbers[i], &action, NULL);
    }
}

int cli_signals_caught(void)
{
    return caught;
}
