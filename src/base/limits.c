/* SPDX-License-Identifier: Apache-2.0 */
/* base/limits.c: see limits.h. A cgroup's limits hold for all below it, so the least on the way to the root
 * counts. */
#include "base/limits.h"
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mill__affinity_cpus(void)
{
    /* the main thread's mask: libgomp and libomp bind threads one by one when OMP_PROC_BIND is set, so take
     * the widest of it and the calling thread's */
    int most = 1;
    const pid_t threads[] = {getpid(), 0};
    for (int cpus = 1024; cpus <= 1 << 16; cpus *= 2) {
        size_t nbytes = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        bool fits = false;
        for (int i = 0; set && i < 2; i++)
            if (!sched_getaffinity(threads[i], nbytes, set)) {
                fits = true;
                if (CPU_COUNT_S(nbytes, set) > most)
                    most = CPU_COUNT_S(nbytes, set);
            }
        CPU_FREE(set);
        if (fits)
            break;
    }
    return most;
}

static bool read_text(const char *root, const char *path, const char *name, char *text, size_t nbytes)
{
    char full[1024];
    int n = snprintf(full, sizeof full, "%s%s%s%s", root, path, *name ? "/" : "", name);
    FILE *f = n > 0 && (size_t)n < sizeof full ? fopen(full, "re") : NULL;
    if (!f)
        return false;
    size_t got = fread(text, 1, nbytes - 1, f);
    fclose(f);
    text[got] = 0;
    return true;
}

/* The process's path in the hierarchy of controller; "" for the unified one. */
static bool cgroup_path(const char *root, const char *controller, char *path, size_t nbytes)
{
    char text[8192];
    if (!read_text(root, "/proc/self/cgroup", "", text, sizeof text))
        return false;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':');
        char *where = names ? strchr(names + 1, ':') : NULL;
        if (!where)
            continue;
        *where = 0;
        bool mine = !*controller ? !names[1] : false;
        char *more = NULL;
        for (char *name = strtok_r(names + 1, ",", &more); name && *controller;
             name = strtok_r(NULL, ",", &more))
            mine |= !strcmp(name, controller);
        if (mine && strlen(where + 1) < nbytes) {
            strcpy(path, where + 1);
            return true;
        }
    }
    return false;
}

/* Call look for the cgroup's folder and each above it, up to the mount. */
static void walk_up(const char *root, const char *mount, const char *controller,
                    void (*look)(const char *root, const char *folder, void *result), void *result)
{
    char path[768], folder[1024];
    if (!cgroup_path(root, controller, path, sizeof path))
        return;
    for (;;) {
        snprintf(folder, sizeof folder, "%s%s", mount, strcmp(path, "/") ? path : "");
        look(root, folder, result);
        char *slash = strrchr(path, '/');
        if (!slash || !path[1])
            return;
        slash[slash == path] = 0;
    }
}

static void least_cpus(double cpus, int *least)
{
    int n = (int)cpus + (cpus > (int)cpus);
    n = n < 1 ? 1 : n;
    if (!*least || n < *least)
        *least = n;
}

static void look_v2_cpu(const char *root, const char *folder, void *result)
{
    char text[128];
    double quota, period;
    if (read_text(root, folder, "cpu.max", text, sizeof text) &&
        sscanf(text, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0)
        least_cpus(quota / period, result);
}

static void look_v1_cpu(const char *root, const char *folder, void *result)
{
    char quota[64], period[64];
    if (read_text(root, folder, "cpu.cfs_quota_us", quota, sizeof quota) &&
        read_text(root, folder, "cpu.cfs_period_us", period, sizeof period) && atof(quota) > 0 &&
        atof(period) > 0)
        least_cpus(atof(quota) / atof(period), result);
}

static void look_memory(const char *root, const char *folder, const char *name, uint64_t *least)
{
    char text[64], *end;
    if (!read_text(root, folder, name, text, sizeof text))
        return;
    unsigned long long n = strtoull(text, &end, 10);
    /* v1 says "no limit" by a number near 2^63 */
    if (end != text && n && n < (1ull << 60) && (!*least || n < *least))
        *least = n;
}

static void look_v2_memory(const char *root, const char *folder, void *result)
{
    look_memory(root, folder, "memory.max", result);
}

static void look_v1_memory(const char *root, const char *folder, void *result)
{
    look_memory(root, folder, "memory.limit_in_bytes", result);
}

int mill__quota_cpus_at(const char *root)
{
    int least = 0;
    walk_up(root, "/sys/fs/cgroup", "", look_v2_cpu, &least);
    walk_up(root, "/sys/fs/cgroup/unified", "", look_v2_cpu, &least);
    walk_up(root, "/sys/fs/cgroup/cpu", "cpu", look_v1_cpu, &least);
    walk_up(root, "/sys/fs/cgroup/cpu,cpuacct", "cpu", look_v1_cpu, &least);
    return least;
}

uint64_t mill__memory_limit_at(const char *root)
{
    uint64_t least = 0;
    walk_up(root, "/sys/fs/cgroup", "", look_v2_memory, &least);
    walk_up(root, "/sys/fs/cgroup/memory", "memory", look_v1_memory, &least);
    return least;
}

int mill__quota_cpus(void)
{
    return mill__quota_cpus_at("");
}

/* Where Slurm confines tasks, the affinity mask or the cgroup tells; where it does not, this alone does. */
int mill__slurm_cpus(void)
{
    const char *text = getenv("SLURM_CPUS_PER_TASK");
    char *end = NULL;
    long n = text ? strtol(text, &end, 10) : 0;
    return text && end != text && !*end && n > 0 && n <= 1 << 16 ? (int)n : 0;
}

uint64_t mill__memory_nbytes(void)
{
    uint64_t physical = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = mill__memory_limit_at("");
    return limit && limit < physical ? limit : physical;
}
