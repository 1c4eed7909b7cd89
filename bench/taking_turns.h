/* SPDX-License-Identifier: Apache-2.0 */
/* bench/taking_turns.h: two pieces of work on one thread, in turns as short as they come, timed by the CPU
 * time of the thread: other programs on the machine hardly count, and what they do count for hits both alike.
 */
#ifndef MILL_BENCH_TAKING_TURNS_H
#define MILL_BENCH_TAKING_TURNS_H

#include <stdlib.h>
#include <time.h>

typedef void turn(void *user, size_t i);

typedef struct turns {
    double a, b;  /* medians of the seconds of one turn */
    double ratio; /* median of the pairs' b / a */
} turns;

static inline double turn_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int turn_order(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static inline double turn_median(double *list, size_t n)
{
    qsort(list, n, sizeof *list, turn_order);
    return list[n / 2];
}

/* n turns of each; i counts them. */
static inline turns take_turns(turn *a, turn *b, void *user, size_t n)
{
    double *times = calloc(3 * n, sizeof *times);
    turns t = {0};
    if (!times)
        return t;
    for (size_t i = 0; i < n; i++) {
        double begin = turn_seconds();
        a(user, i);
        double middle = turn_seconds();
        b(user, i);
        double end = turn_seconds();
        times[i] = middle - begin;
        times[n + i] = end - middle;
        times[2 * n + i] = (end - middle) / (middle - begin);
    }
    t.a = turn_median(times, n);
    t.b = turn_median(times + n, n);
    t.ratio = turn_median(times + 2 * n, n);
    free(times);
    return t;
}

#endif
