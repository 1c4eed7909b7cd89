/* SPDX-License-Identifier: Apache-2.0 */
/* bench/idle.c: the CPU time of a loader that has nothing to do, as a share of one core over SECONDS: because
 * the consumer holds its batch and asks for none, and because a read does not come back.
 *
 *   idle SECONDS RUNTIME      prints one line a row: RUNTIME, executor, why, share */
#include "../tests/fake.h"
#include "measure.h"
#include <stdbool.h>

static double share_of(mill_loader *l, double seconds)
{
    mill_batch *b = next_of(l);
    sleep_s(0.5); /* what can be made ahead is made */
    double cpu = cpu_s();
    sleep_s(seconds);
    double share = (cpu_s() - cpu) / seconds;
    mill_batch_release(b);
    return share;
}

static double measure(const char *executor, bool stuck, double seconds)
{
    fake source = {.rows = 64, .elements = 1024, .fail_open = -1, .fail_read = -1, .shrink = -1};
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = 64;
    o.epochs = -1;
    o.prefetch = stuck ? 16 : 4;
    o.world_size = 1;
    o.run.threads = 4;
    o.run.executor = executor;
    o.run.source = &fake_source;
    o.run.source_user = &source;
    o.run.format = "npy";
    mill_pipeline *p = pipeline_of("scale 2 | sin");
    mill_loader *l = loader_of("fake-{0..7}", p, &o);
    if (stuck) {
        mill_batch_release(next_of(l));
        source.latency_ns = (int64_t)((seconds + 1) * 1e9); /* of the reads that come now */
        for (int i = 0; i < 10; i++)                        /* what was under way is used up */
            mill_batch_release(next_of(l));
    }
    double share = share_of(l, seconds);
    source.latency_ns = 0;
    mill_loader_close(l);
    mill_pipeline_free(p);
    return share;
}

int main(int argc, char **argv)
{
    static const char *const executors[] = {"tasks", "loop"};
    if (argc != 3)
        return 2;
    for (int e = 0; e < 2; e++)
        for (int stuck = 0; stuck < 2; stuck++)
            printf("%-28s %-6s %-30s %.5f\n", argv[2], executors[e],
                   stuck ? "reads that do not come back" : "the consumer has stalled",
                   measure(executors[e], stuck, atof(argv[1])));
    return 0;
}
