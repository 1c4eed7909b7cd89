/* SPDX-License-Identifier: Apache-2.0 */
/* bench/firstbatch.c: how long the first batch of 64 takes beyond the making of 64 samples, on a data set of
 * many shards; median of ROUNDS. What 64 samples take is a 64-sample batch's share of the rest of the epoch.
 *
 *   firstbatch SPEC INDEX_FOLDER ROUNDS      INDEX_FOLDER has the indexes of all shards */
#include "measure.h"
#include <stdbool.h>

enum { BATCH = 64, MORE = 8, MOST = 99 };

static const char text[] = "decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw";

static mill_loader_options options_of(const char *index, mill_shuffle shuffle)
{
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = BATCH;
    o.shuffle = shuffle;
    o.index = index;
    o.world_size = 1;
    return o;
}

/* Seconds a batch when the loader is under way. */
static double making(const char *spec, mill_pipeline *p, const char *index)
{
    const mill_loader_options o = options_of(index, MILL_SHUFFLE_WINDOW);
    mill_loader *l = loader_of(spec, p, &o);
    mill_batch_release(next_of(l));
    double begin = now_s();
    for (int i = 0; i < MORE; i++)
        mill_batch_release(next_of(l));
    double each = (now_s() - begin) / MORE;
    mill_loader_close(l);
    return each;
}

static double first(const char *spec, mill_pipeline *p, const char *index, mill_shuffle shuffle)
{
    const mill_loader_options o = options_of(index, shuffle);
    double begin = now_s();
    mill_loader *l = loader_of(spec, p, &o);
    mill_batch_release(next_of(l));
    double took = now_s() - begin;
    mill_loader_close(l);
    return took;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        mill_shuffle shuffle;
        bool index, counts;
    } rows[] = {{"in order, no index", MILL_SHUFFLE_NONE, false, true},
                {"in order, indexed", MILL_SHUFFLE_NONE, true, true},
                {"window of 8192, indexed", MILL_SHUFFLE_WINDOW, true, true},
                {"global shuffle, indexed", MILL_SHUFFLE_GLOBAL, true, true},
                {"window of 8192, no index", MILL_SHUFFLE_WINDOW, false, false}};
    enum { ROWS = sizeof rows / sizeof *rows };
    static double makes[MOST], firsts[ROWS][MOST], extras[ROWS][MOST];
    double worst = 0;
    if (argc != 4)
        return 2;
    int rounds = atoi(argv[3]) < MOST ? atoi(argv[3]) : MOST;
    mill_pipeline *p = pipeline_of(text);
    making(argv[1], p, argv[2]);
    for (int i = 0; i < rounds; i++) {
        for (int k = 0; k < ROWS; k++)
            firsts[k][i] = first(argv[1], p, rows[k].index ? argv[2] : "none", rows[k].shuffle);
        makes[i] = making(argv[1], p, argv[2]);
        for (int k = 0; k < ROWS; k++)
            extras[k][i] = (firsts[k][i] - makes[i]) * 1e3;
    }
    printf("%s\n%d threads; making 64 samples takes %.0f ms; medians of %d rounds\n", text,
           mill_threads(0).chosen, median(makes, rounds) * 1e3, rounds);
    printf("%-28s %16s %12s\n", "", "first batch, ms", "beyond, ms");
    for (int k = 0; k < ROWS; k++) {
        double extra = median(extras[k], rounds);
        printf("%-28s %16.0f %12.0f%s\n", rows[k].name, median(firsts[k], rounds) * 1e3, extra,
               rows[k].counts ? "" : "   (walks what the window covers: not counted)");
        worst = rows[k].counts && extra > worst ? extra : worst;
    }
    printf("firstbatch ratio=%.3f target=1.0\n", worst / 100);
    mill_pipeline_free(p);
    return 0;
}
