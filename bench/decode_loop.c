/* SPDX-License-Identifier: Apache-2.0 */
/* bench/decode_loop.c: the reference of bench-eval by itself (see bare.h). Prints images a second.
 * decode_loop THREADS REPEATS FILE.tar ... */
#include "bare.h"

int main(int argc, char **argv)
{
    bare_set set = {0};
    if (argc < 4)
        return 2;
    for (int i = 3; i < argc; i++)
        if (bare_load(&set, argv[i]))
            return 1;
    double best = 0;
    for (int r = 0; r < atoi(argv[2]); r++) {
        double rate = (double)set.n / bare_run(&set, atoi(argv[1]));
        best = rate > best ? rate : best;
    }
    printf("%.2f\n", best);
    return 0;
}
