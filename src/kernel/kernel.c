/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/kernel.c: one const table a level, and the choice among them. The functions come from the
 * *_levels.c files, each compiled once a level with the level in its functions' names. */
#include "kernel/kernel.h"
#include "kernel/store_vbmi.h"
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The element-wise kernels may be missing from a tree that is being put together. */
#if __has_include("kernel/elementwise_levels.c")
#define ELEMENTWISE(X, id)                                                                                   \
    X(f32_scale_add, id, (float *, const float *, size_t, float, float))                                     \
    X(f32_clip, id, (float *, const float *, size_t, float, float))                                          \
    X(f32_sin, id, (float *, const float *, size_t))                                                         \
    X(f32_log1p, id, (float *, const float *, size_t))                                                       \
    X(f32_standardize, id, (float *, const float *, size_t, const float *, const float *, size_t))
#else
#define ELEMENTWISE(X, id)
#endif

/* Kernels that every level has of its own. */
#define PIXELS(X, id)                                                                                        \
    X(resample_rows, id,                                                                                     \
      (uint8_t *const *, const uint8_t *const *, size_t, size_t, int, const int32_t *, const int16_t *,      \
       size_t))                                                                                              \
    X(resample_column, id, (uint8_t *, const uint8_t *const *, size_t, const int16_t *, size_t))             \
    X(store_hwc, id, (void *, const uint8_t *, size_t, int, const mill__store_table *, int))                 \
    ELEMENTWISE(X, id)
#define STORE(X, id)                                                                                         \
    X(store_prepare, id, (mill__store_table *, const void *, int, size_t))                                   \
    X(store_chw, id, (void *, size_t, const uint8_t *, size_t, int, const mill__store_table *, int))

#define DECLARE(name, id, arguments) void mill__##name##_##id arguments;
#define MEMBER(name, id, arguments)  .name = mill__##name##_##id,
#define TABLE(level_name, id, compiled)                                                                      \
    PIXELS(DECLARE, id)                                                                                      \
    STORE(DECLARE, id)                                                                                       \
    static const mill__kernels id##_kernels = {                                                              \
        .level = level_name, .others = compiled, PIXELS(MEMBER, id) STORE(MEMBER, id)};

TABLE("c", base, MILL__BASE)

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
TABLE("x86-64-v3", x86_64_v3, MILL__X86_64_V3)
TABLE("x86-64-v4", x86_64_v4, MILL__X86_64_V4)

/* v4 as processors have it since Ice Lake and Zen 4. */
static const mill__kernels vbmi_kernels = {.level = "x86-64-v4-vbmi",
                                           .others = MILL__X86_64_V4,
                                           PIXELS(MEMBER, x86_64_v4) STORE(MEMBER, x86_64_v4_vbmi)};

/* The builtins also ask whether the operating system saves the wide registers; what they have no name for in
 * every compiler is asked of cpuid. */
static bool has_v3(void)
{
    unsigned a, b, c, d, extended_c;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !__get_cpuid(0x80000001, &a, &b, &extended_c, &d))
        return false;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma") && c & bit_MOVBE && c & bit_F16C &&
           extended_c & bit_LZCNT;
}

static bool has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_vbmi(void)
{
    return has_v4() && __builtin_cpu_supports("avx512vbmi");
}
#endif

static const struct {
    const mill__kernels *kernels;
    bool (*is_supported)(void);
} levels[] = {
    {&base_kernels, always},
#if defined(__x86_64__)
    {&x86_64_v3_kernels, has_v3},
    {&x86_64_v4_kernels, has_v4},
    {&vbmi_kernels, has_vbmi},
#endif
};

const mill__kernels *mill__kernels_get(const char *cap)
{
    size_t n = sizeof levels / sizeof *levels, best = 0;
    for (size_t i = 0; cap && i < n; i++)
        if (!strcmp(cap, levels[i].kernels->level))
            n = i + 1;
    for (size_t i = 0; i < n; i++)
        if (levels[i].is_supported())
            best = i;
    return levels[best].kernels;
}

const char *mill__kernels_cap(void)
{
    const char *cap = getenv("SHARDMILL_CPU");
    return cap && cap[0] ? cap : NULL;
}

bool mill__kernels_known(const char *level)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(level, levels[i].kernels->level))
            return true;
    return false;
}

const char *mill__kernels_levels(void)
{
#if defined(__x86_64__)
    return "c, x86-64-v3, x86-64-v4 or x86-64-v4-vbmi";
#else
    return "c";
#endif
}
