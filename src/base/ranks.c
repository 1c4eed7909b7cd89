/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ranks.h"
#include "base/error.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* In order: what the user set for us, what torchrun and its kin set, then the launchers, innermost first: an
 * mpirun within a Slurm batch job sets its own variables, and Slurm's there speak of the batch step. */
static const struct {
    const char *rank, *world_size, *by;
} launchers[] = {
    {"SHARDMILL_RANK", "SHARDMILL_WORLD_SIZE", "SHARDMILL_RANK and SHARDMILL_WORLD_SIZE"},
    {"RANK", "WORLD_SIZE", "RANK and WORLD_SIZE"},
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "Open MPI (OMPI_COMM_WORLD_RANK)"},
    {"PMIX_RANK", "PMIX_SIZE", "PMIx (PMIX_RANK)"},
    {"PMI_RANK", "PMI_SIZE", "PMI (PMI_RANK)"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "the Slurm step (SLURM_PROCID)"},
};

static bool number(const char *text, int *value)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    *value = (int)n;
    return *text && !*end && !errno && n >= 0 && n <= INT_MAX;
}

/* SLURM_PROCID is meant only inside a step that was started by srun: in the batch script itself it is 0 for
 * everybody. A step has a number, other than the batch step's, and tasks. */
static bool inside_step(char *(*get)(const char *name))
{
    const char *step = get("SLURM_STEP_ID"), *tasks = get("SLURM_STEP_NUM_TASKS");
    int id;
    return step && tasks && number(step, &id);
}

static mill_status check(const mill__ranks *r, mill_error *err)
{
    if (r->world_size < 1 || r->rank < 0 || r->rank >= r->world_size)
        return mill_fail(err, MILL_USAGE, "ranks",
                         "rank %d of %d, by %s: a rank is 0 or more and less than the world size", r->rank,
                         r->world_size, r->by);
    return MILL_OK;
}

mill_status mill__ranks_find(mill__ranks *ranks, int rank, int world_size, char *(*get)(const char *name),
                             mill_error *err)
{
    *ranks = (mill__ranks){.rank = rank, .world_size = world_size, .by = "the options"};
    if (world_size || rank)
        return check(ranks, err);
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const char *r = get(launchers[i].rank), *w = get(launchers[i].world_size);
        bool slurm = i + 1 == sizeof launchers / sizeof *launchers, has_rank = r && *r, has_size = w && *w;
        /* half a pair is somebody else's variable, unless it is ours */
        if (i == 0 && has_rank != has_size)
            return mill_fail(err, MILL_USAGE, "ranks", "%s is set and %s is not: set both, or neither",
                             has_rank ? launchers[i].rank : launchers[i].world_size,
                             has_rank ? launchers[i].world_size : launchers[i].rank);
        if (!has_rank || !has_size || (slurm && !inside_step(get)))
            continue;
        ranks->by = launchers[i].by;
        if (!number(r, &ranks->rank) || !number(w, &ranks->world_size))
            return mill_fail(err, MILL_USAGE, "ranks",
                             "%s=\"%s\" and %s=\"%s\": two whole numbers are needed", launchers[i].rank, r,
                             launchers[i].world_size, w);
        return check(ranks, err);
    }
    *ranks = (mill__ranks){.rank = 0, .world_size = 1, .by = "default: no launcher was recognised"};
    return MILL_OK;
}
