/* SPDX-License-Identifier: Apache-2.0 */
/* folder_fixture.h: a temporary folder that is the current one while a test runs. */
#ifndef FOLDER_FIXTURE_H
#define FOLDER_FIXTURE_H

#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char fixture_path[4096];

static inline void enter_folder(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(fixture_path, sizeof fixture_path, "%s/shardmill-test-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(fixture_path));
    ck_assert_int_eq(chdir(fixture_path), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

static inline void leave_folder(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    nftw(fixture_path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* File permissions bind everybody but root: tests of them run as somebody else. False if that cannot be. */
static inline bool drop_root(void)
{
    return geteuid() || (!chmod(fixture_path, 0777) && !seteuid(65534) && geteuid());
}

static inline void restore_root(void)
{
    if (!getuid())
        ck_assert_int_eq(seteuid(0), 0);
}

/* Make a file of n bytes at path, and the folders that it is in. */
static inline void put_bytes(const char *path, const void *bytes, size_t n)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(folder, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    ck_assert_msg(file != NULL, "cannot make %s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

#endif
