/* SPDX-License-Identifier: Apache-2.0 */
/* Which of how many processes this is: every launcher, which comes first, and what makes no sense. */
#include "base/ranks.h"
#include <check.h>
#include <shardmill/shardmill.h>
#include <stdlib.h>
#include <string.h>

/* "NAME=value NAME=value": what the made-up environment holds. */
static const char *environment;

static char *look_up(const char *name)
{
    static char values[4][32];
    static int turn;
    size_t n = strlen(name);
    for (const char *at = environment; *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (!strncmp(at, name, n) && at[n] == '=') {
            char *value = values[turn++ % 4];
            size_t length = strcspn(at + n + 1, " ");
            memcpy(value, at + n + 1, length);
            value[length] = 0;
            return value;
        }
    return NULL;
}

static void expect(const char *variables, int rank, int world_size, const char *by)
{
    mill__ranks r;
    mill_error err;
    environment = variables;
    ck_assert_msg(mill__ranks_find(&r, 0, 0, look_up, &err) == MILL_OK, "%s: %s", variables, err.message);
    ck_assert_msg(r.rank == rank && r.world_size == world_size, "%s: rank %d of %d", variables, r.rank,
                  r.world_size);
    ck_assert_msg(strstr(r.by, by) != NULL, "%s: by %s", variables, r.by);
}

static void refuse(const char *variables, const char *why)
{
    mill__ranks r;
    mill_error err;
    environment = variables;
    ck_assert_msg(mill__ranks_find(&r, 0, 0, look_up, &err) == MILL_USAGE, "%s was taken", variables);
    ck_assert_str_eq(err.kind, "ranks");
    ck_assert_msg(strstr(err.message, why) != NULL, "%s: %s", variables, err.message);
}

#define OURS  "SHARDMILL_RANK=1 SHARDMILL_WORLD_SIZE=10 "
#define TORCH "RANK=2 WORLD_SIZE=20 "
#define OMPI  "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=30 "
#define PMIX  "PMIX_RANK=4 PMIX_SIZE=40 "
#define PMI   "PMI_RANK=5 PMI_SIZE=50 "
#define STEP  "SLURM_PROCID=6 SLURM_STEP_NUM_TASKS=60 SLURM_STEP_ID=0 "

START_TEST(each_launcher_is_recognised)
{
    expect("", 0, 1, "default");
    expect(OURS, 1, 10, "SHARDMILL_RANK");
    expect(TORCH, 2, 20, "RANK and WORLD_SIZE");
    expect(OMPI, 3, 30, "Open MPI");
    expect(PMIX, 4, 40, "PMIx");
    expect(PMI, 5, 50, "PMI");
    expect(STEP, 6, 60, "Slurm");
}
END_TEST

START_TEST(the_more_explicit_one_comes_first_wherever_it_stands)
{
    expect(STEP PMI PMIX OMPI TORCH OURS, 1, 10, "SHARDMILL_RANK");
    expect(STEP PMI PMIX OMPI TORCH, 2, 20, "RANK and WORLD_SIZE");
    expect(STEP PMI PMIX OMPI, 3, 30, "Open MPI");
    expect(STEP PMI PMIX, 4, 40, "PMIx");
    expect(STEP PMI, 5, 50, "PMI");
}
END_TEST

/* PMIx servers set PMIX_RANK without a size; a shell may have RANK for something else. */
START_TEST(half_a_pair_is_somebody_elses)
{
    expect("RANK=7 " OMPI, 3, 30, "Open MPI");
    expect("WORLD_SIZE=7 " OMPI, 3, 30, "Open MPI");
    expect("RANK= WORLD_SIZE=4 " OMPI, 3, 30, "Open MPI");
    expect("RANK=1 WORLD_SIZE= " OMPI, 3, 30, "Open MPI");
    expect("PMIX_RANK=9 " STEP, 6, 60, "Slurm");
    expect("PMIX_RANK=9 ", 0, 1, "default");
    expect("PMI_SIZE=9 ", 0, 1, "default");
}
END_TEST

START_TEST(half_of_our_own_pair_is_a_mistake)
{
    refuse("SHARDMILL_RANK=1 ", "SHARDMILL_WORLD_SIZE is not");
    refuse("SHARDMILL_RANK=1 " OMPI, "SHARDMILL_WORLD_SIZE is not");
    refuse("SHARDMILL_WORLD_SIZE=2 ", "SHARDMILL_RANK is not");
    refuse("SHARDMILL_WORLD_SIZE=2 " OMPI, "SHARDMILL_RANK is not");
}
END_TEST

/* In the batch script SLURM_PROCID is 0 for all that it starts; a step's number there is that of the batch
 * step (4294967291) or missing. */
START_TEST(slurm_counts_inside_a_step_only)
{
    expect("SLURM_PROCID=0 SLURM_NTASKS=8 ", 0, 1, "default");
    expect("SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 ", 0, 1, "default");
    expect("SLURM_PROCID=0 SLURM_STEP_ID=4294967291 SLURM_STEP_NUM_TASKS=1 ", 0, 1, "default");
    expect("SLURM_PROCID=3 SLURM_STEP_ID=2 ", 0, 1, "default");
    expect("SLURM_PROCID=3 SLURM_STEP_ID=2 SLURM_STEP_NUM_TASKS=4 ", 3, 4, "Slurm");
}
END_TEST

START_TEST(nonsense_is_refused_and_quoted)
{
    refuse("RANK=one WORLD_SIZE=2 ", "RANK=\"one\"");
    refuse("RANK=1 WORLD_SIZE=two ", "WORLD_SIZE=\"two\"");
    refuse("RANK=-1 WORLD_SIZE=2 ", "\"-1\"");
    refuse("RANK=1x WORLD_SIZE=2 ", "\"1x\"");
    refuse("RANK=0.5 WORLD_SIZE=2 ", "\"0.5\"");
    refuse("RANK=2 WORLD_SIZE=2 ", "rank 2 of 2");
    refuse("RANK=0 WORLD_SIZE=0 ", "rank 0 of 0");
    refuse("RANK=99999999999999999999 WORLD_SIZE=2 ", "99999999999999999999");
    refuse("RANK=4294967296 WORLD_SIZE=4294967297 ", "4294967296");
    refuse("SHARDMILL_RANK=5 SHARDMILL_WORLD_SIZE=5 ", "rank 5 of 5");
    refuse("OMPI_COMM_WORLD_RANK=a OMPI_COMM_WORLD_SIZE=5 ", "OMPI_COMM_WORLD_RANK=\"a\"");
}
END_TEST

START_TEST(arguments_beat_the_environment)
{
    mill__ranks r;
    mill_error err;
    environment = OURS TORCH;
    ck_assert_int_eq(mill__ranks_find(&r, 3, 4, look_up, &err), MILL_OK);
    ck_assert_int_eq(r.rank, 3);
    ck_assert_int_eq(r.world_size, 4);
    ck_assert_int_eq(mill__ranks_find(&r, 0, 1, look_up, &err), MILL_OK);
    ck_assert_int_eq(r.world_size, 1);
    static const int wrong[][2] = {{4, 4}, {-1, 4}, {1, 0}, {0, -1}, {5, -5}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(mill__ranks_find(&r, wrong[i][0], wrong[i][1], look_up, &err) == MILL_USAGE,
                      "rank %d of %d was taken", wrong[i][0], wrong[i][1]);
}
END_TEST

START_TEST(the_public_call_reads_the_real_environment)
{
    mill_rank_info info;
    mill_error err;
    setenv("SHARDMILL_RANK", "2", 1);
    setenv("SHARDMILL_WORLD_SIZE", "3", 1);
    ck_assert_int_eq(mill_ranks(0, 0, &info, &err), MILL_OK);
    ck_assert_int_eq(info.rank, 2);
    ck_assert_int_eq(info.world_size, 3);
    ck_assert_str_eq(info.reason, "rank 2 of 3, by SHARDMILL_RANK and SHARDMILL_WORLD_SIZE");
    ck_assert_int_eq(mill_ranks(1, 2, &info, &err), MILL_OK);
    ck_assert_str_eq(info.reason, "rank 1 of 2, by the options");
    setenv("SHARDMILL_RANK", "3", 1);
    ck_assert_int_eq(mill_ranks(0, 0, &info, &err), MILL_USAGE);
    ck_assert_int_eq(mill_ranks(0, 0, &info, NULL), MILL_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ranks");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, each_launcher_is_recognised);
    tcase_add_test(tc, the_more_explicit_one_comes_first_wherever_it_stands);
    tcase_add_test(tc, half_a_pair_is_somebody_elses);
    tcase_add_test(tc, half_of_our_own_pair_is_a_mistake);
    tcase_add_test(tc, slurm_counts_inside_a_step_only);
    tcase_add_test(tc, nonsense_is_refused_and_quoted);
    tcase_add_test(tc, arguments_beat_the_environment);
    tcase_add_test(tc, the_public_call_reads_the_real_environment);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
