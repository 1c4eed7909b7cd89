/* SPDX-License-Identifier: Apache-2.0 */
/* spec_fixture.h: specs and what they expand to, as text. */
#ifndef SPEC_FIXTURE_H
#define SPEC_FIXTURE_H

#include "folder_fixture.h"
#include "source/source.h"

static mill__shard_name *shards;
static size_t nshards;
static mill_error err;

static inline mill_status expand(const char *spec, bool plain)
{
    mill__spec_free(shards, nshards);
    shards = NULL;
    nshards = 0;
    err = (mill_error){0};
    mill_status status = mill__spec_expand(spec, ".tar .npy", plain, &shards, &nshards, &err);
    return status ? status : mill__spec_check_names(shards, nshards, &err);
}

/* "locator=name" of all shards, blanks between; class folders with "#class" behind. */
static inline const char *picture(void)
{
    static char text[20000];
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < nshards && used < sizeof text; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s%s", i ? " " : "",
                                 shards[i].locator, shards[i].name, shards[i].is_folder ? "/" : "");
        if (shards[i].class_index >= 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "#%d", (int)shards[i].class_index);
    }
    return text;
}

#define ASSERT_EXPANDS(spec, expected)                                                                       \
    do {                                                                                                     \
        mill_status status_ = expand(spec, false);                                                           \
        ck_assert_msg(status_ == MILL_OK, "%s: %s", spec, err.message);                                      \
        ck_assert_str_eq(picture(), expected);                                                               \
    } while (0)

/* All locators, blanks between. */
static inline const char *locators(void)
{
    static char text[20000];
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < nshards && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", shards[i].locator);
    return text;
}

/* Braces only: no files are needed. */
#define ASSERT_PLAIN(spec, expected)                                                                         \
    do {                                                                                                     \
        mill_status status_ = expand(spec, true);                                                            \
        ck_assert_msg(status_ == MILL_OK, "%s: %s", spec, err.message);                                      \
        ck_assert_str_eq(locators(), expected);                                                              \
    } while (0)

#define ASSERT_REFUSED(spec, plain, part1, part2)                                                            \
    do {                                                                                                     \
        ck_assert_int_eq(expand(spec, plain), MILL_USAGE);                                                   \
        ck_assert_int_eq(err.status, MILL_USAGE);                                                            \
        ck_assert_msg(strstr(err.message, part1) && strstr(err.message, part2), "%s: %s", spec,              \
                      err.message);                                                                          \
    } while (0)

static inline void tidy(void)
{
    mill__spec_free(shards, nshards);
    shards = NULL;
    nshards = 0;
    leave_folder();
}

#endif
