/* SPDX-License-Identifier: Apache-2.0 */
/* base/limits.h: what this process may use: CPUs by affinity, CPU quota and memory by cgroup (v1 and v2). */
#ifndef MILL_BASE_LIMITS_H
#define MILL_BASE_LIMITS_H

#include <stdint.h>

int mill__affinity_cpus(void);      /* CPUs in the affinity mask of the process's main thread; >= 1 */
int mill__quota_cpus(void);         /* cgroup CPU quota rounded up; 0: none. Walks up to the root cgroup */
int mill__slurm_cpus(void);         /* what Slurm gave the task, if it says so; 0: nothing said */
uint64_t mill__memory_nbytes(void); /* physical memory or the cgroup's limit, the lesser */
/* The same with the places to read given (tests): root is put before /proc/self/cgroup and /sys/fs/cgroup/...
 */
int mill__quota_cpus_at(const char *root);
uint64_t mill__memory_limit_at(const char *root); /* cgroup limit alone; 0: none */

#endif
