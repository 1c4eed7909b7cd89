/* SPDX-License-Identifier: Apache-2.0 */
/* bench/resident.c: resident memory of a process with a loader over many epochs of a small set, under a
 * budget.
 *
 *   resident EPOCHS BUDGET_MIB SPEC INDEX_FOLDER */
#include "measure.h"
#include <stdbool.h>

enum { MIB = 1 << 20 };

static const char text[] = "decode | random_resized_crop 160 | hflip | normalize imagenet | layout chw";

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    const int epochs = atoi(argv[1]);
    const double budget = atof(argv[2]) * MIB;
    mill_loader_stats stats;
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = 32;
    o.shuffle = MILL_SHUFFLE_WINDOW;
    o.epochs = epochs;
    o.world_size = 1;
    o.index = argv[4];
    o.run.memory_nbytes = (uint64_t)budget;
    mill_pipeline *p = pipeline_of(text);
    mill_loader *l = loader_of(argv[3], p, &o);
    double settled = 0, last = 0;
    printf("%s\nbudget %.0f MiB\n%8s %14s %14s %18s\n", text, budget / MIB, "epochs", "resident MiB",
           "peak MiB", "of budget taken");
    for (int64_t shown = 0, epoch = 0; epoch < epochs;) {
        mill_error err;
        mill_batch *b;
        mill_status status = mill_loader_next(l, &b, &err);
        if (status == MILL_OK) {
            mill_batch_release(b);
            continue;
        }
        if (status != MILL_END)
            must(status, &err);
        epoch++;
        last = memory_nbytes("VmRSS");
        if (epoch == epochs / 4)
            settled = last;
        if (epoch != 1 && epoch != epochs / 4 && epoch < shown + epochs / 4)
            continue;
        shown = epoch / (epochs / 4) * (epochs / 4);
        mill_loader_stats_get(l, &stats);
        printf("%8lld %14.1f %14.1f %18.1f\n", (long long)epoch, last / MIB, memory_nbytes("VmHWM") / MIB,
               (double)stats.peak_nbytes / MIB);
    }
    mill_loader_close(l);
    mill_pipeline_free(p);
    double growth = last - settled, peak = memory_nbytes("VmHWM");
    bool flat = growth <= budget / 100;
    printf("growth from epoch %d to %d: %.2f MiB: %s\n", epochs / 4, epochs, growth / MIB,
           flat ? "flat" : "not flat (more than 1 % of the budget)");
    /* what grows is a failure, however little it is yet */
    printf("resident ratio=%.3f target=1.0\n", flat || peak > budget ? peak / budget : 1 + growth / budget);
    return 0;
}
