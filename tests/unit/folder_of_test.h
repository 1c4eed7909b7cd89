/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for each test, and looking into it. Use make_folder and remove_folder as a checked fixture. */
#ifndef TESTS_FOLDER_OF_TEST_H
#define TESTS_FOLDER_OF_TEST_H

#include <check.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

/* In memory where there is a place for that: these tests sync a lot. */
static inline void make_folder(void)
{
    const char *root = getenv("TMPDIR");
    if (!root || strlen(root) > 200)
        root = access("/dev/shm", W_OK) ? P_tmpdir : "/dev/shm";
    snprintf(folder, sizeof folder, "%s/shardmill.XXXXXX", root);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline int count_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static inline char *path_of(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void remove_folder(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int is_there(const char *name)
{
    return !access(path_of(name), F_OK);
}

/* The bytes of a file, a NUL behind them; free them. */
static inline char *content(const char *name, size_t *nbytes)
{
    FILE *f = fopen(path_of(name), "rb");
    ck_assert_msg(f != NULL, "%s is not there", name);
    fseek(f, 0, SEEK_END);
    *nbytes = (size_t)ftell(f);
    rewind(f);
    char *data = malloc(*nbytes + 1);
    ck_assert_uint_eq(fread(data, 1, *nbytes, f), *nbytes);
    data[*nbytes] = 0;
    fclose(f);
    return data;
}

static inline void put_content(const char *name, const char *data, size_t nbytes)
{
    FILE *f = fopen(path_of(name), "wb");
    ck_assert_uint_eq(fwrite(data, 1, nbytes, f), nbytes);
    fclose(f);
}

static inline void expect_text(const char *name, const char *text)
{
    size_t nbytes;
    char *read = content(name, &nbytes);
    ck_assert_str_eq(read, text);
    ck_assert_uint_eq(nbytes, strlen(text));
    free(read);
}

#endif
