/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits.c: CPUs and memory that a process may use, from made-up trees of /proc and /sys/fs/cgroup, and
 * how many threads are chosen. */
#include "base/limits.h"
#include <check.h>
#include <sched.h>
#include <shardmill/shardmill.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/shardmill-limits-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void drop_root(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    ck_assert_int_eq(system(command), 0);
}

/* A file below root with all folders on the way. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(full, 0777);
        *at = '/';
    }
    FILE *f = fopen(full, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(no_files_no_limit)
{
    ck_assert_int_eq(mill__quota_cpus_at(root), 0);
    ck_assert_uint_eq(mill__memory_limit_at(root), 0);
}
END_TEST

START_TEST(v2_quota_is_rounded_up)
{
    put("/proc/self/cgroup", "0::/job\n");
    put("/sys/fs/cgroup/job/cpu.max", "max 100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 0);
    put("/sys/fs/cgroup/job/cpu.max", "250000 100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 3);
    put("/sys/fs/cgroup/job/cpu.max", "200000 100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 2);
    put("/sys/fs/cgroup/job/cpu.max", "1000 100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 1);
}
END_TEST

START_TEST(v2_least_of_all_ancestors)
{
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 3);
    put("/sys/fs/cgroup/a/b/cpu.max", "50000 50000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 1);
    put("/sys/fs/cgroup/a/b/c/memory.max", "max\n");
    put("/sys/fs/cgroup/a/memory.max", "2147483648\n");
    ck_assert_uint_eq(mill__memory_limit_at(root), 2147483648u);
    put("/sys/fs/cgroup/a/b/memory.max", "1073741824\n");
    ck_assert_uint_eq(mill__memory_limit_at(root), 1073741824u);
}
END_TEST

START_TEST(v2_in_a_container_shows_the_root_alone)
{
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/memory.max", "1000000000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 2);
    ck_assert_uint_eq(mill__memory_limit_at(root), 1000000000u);
}
END_TEST

START_TEST(v1_quota_of_nested_groups)
{
    put("/proc/self/cgroup",
        "12:memory:/slurm/job_7\n4:cpu,cpuacct:/slurm/job_7/step_0\n1:name=systemd:/x\n");
    put("/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/step_0/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/step_0/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 0);
    put("/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us", "350000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 4);
    put("/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes", "9223372036854771712\n");
    ck_assert_uint_eq(mill__memory_limit_at(root), 0);
    put("/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes", "4294967296\n");
    ck_assert_uint_eq(mill__memory_limit_at(root), 4294967296u);
}
END_TEST

START_TEST(v1_mounted_at_the_group_itself)
{
    /* a container sees its own group at the mount, and a path of the host */
    put("/proc/self/cgroup", "4:cpu,cpuacct:/docker/0123\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 2);
}
END_TEST

START_TEST(nonsense_is_no_limit)
{
    put("/proc/self/cgroup", "garbage\n0::/j\n");
    put("/sys/fs/cgroup/j/cpu.max", "100000 0\n");
    put("/sys/fs/cgroup/j/memory.max", "none at all\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 0);
    ck_assert_uint_eq(mill__memory_limit_at(root), 0);
    put("/sys/fs/cgroup/j/cpu.max", "-5 100000\n");
    ck_assert_int_eq(mill__quota_cpus_at(root), 0);
    put("/sys/fs/cgroup/j/cpu.max", "");
    ck_assert_int_eq(mill__quota_cpus_at(root), 0);
}
END_TEST

START_TEST(a_request_wins)
{
    mill_threads_info info = mill_threads(5);
    ck_assert_int_eq(info.chosen, 5);
    ck_assert_int_eq(info.requested, 5);
    ck_assert_ptr_nonnull(strstr(info.reason, "the request"));
}
END_TEST

START_TEST(one_cpu_one_thread)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    mill_threads_info info = mill_threads(0);
    ck_assert_int_eq(info.affinity, 1);
    ck_assert_int_eq(info.chosen, 1);
}
END_TEST

START_TEST(slurm_may_tell)
{
    setenv("SLURM_CPUS_PER_TASK", "1", 1);
    ck_assert_int_eq(mill__slurm_cpus(), 1);
    ck_assert_int_eq(mill_threads(0).chosen, 1);
    setenv("SLURM_CPUS_PER_TASK", "100000000", 1);
    ck_assert_int_eq(mill__slurm_cpus(), 0);
    setenv("SLURM_CPUS_PER_TASK", "4x", 1);
    ck_assert_int_eq(mill__slurm_cpus(), 0);
    unsetenv("SLURM_CPUS_PER_TASK");
    ck_assert_int_eq(mill__slurm_cpus(), 0);
    ck_assert_int_ge(mill_threads(0).chosen, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tc = tcase_create("limits");
    tcase_add_checked_fixture(tc, make_root, drop_root);
    tcase_add_test(tc, no_files_no_limit);
    tcase_add_test(tc, v2_quota_is_rounded_up);
    tcase_add_test(tc, v2_least_of_all_ancestors);
    tcase_add_test(tc, v2_in_a_container_shows_the_root_alone);
    tcase_add_test(tc, v1_quota_of_nested_groups);
    tcase_add_test(tc, v1_mounted_at_the_group_itself);
    tcase_add_test(tc, nonsense_is_no_limit);
    tcase_add_test(tc, a_request_wins);
    tcase_add_test(tc, one_cpu_one_thread);
    tcase_add_test(tc, slurm_may_tell);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
