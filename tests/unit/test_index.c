/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes of shards: made by walking, by the head, kept and loaded, DALI's text; and that none which is
 * stale, damaged or a lie is believed. */
#include "base/hash.h"
#include "engine/index.h"
#include "registry.h"
#include "unit/folder_of_test.h"
#include "unit/tar_writer.h"
#include <fcntl.h>
#include <shardmill/loader.h>

/* ---- a shard on disk ---- */

typedef struct shard {
    mill__shard_name name;
    mill_shard_info info;
    mill__indexed at;
    void *handle;
} shard;

static int64_t reads;

static mill_status counted_read(void *handle, uint64_t offset, void *data, size_t n, size_t *got,
                                mill_error *err)
{
    reads++;
    return mill__source_file.read(handle, offset, data, n, got, err);
}

static void open_shard(shard *s, const char *name)
{
    static mill_source_ops source;
    mill_error err;
    source = mill__source_file;
    source.read = counted_read;
    *s = (shard){.name = {.locator = strdup(path_of(name)), .name = strdup(name), .class_index = -1}};
    ck_assert_msg(source.open(NULL, s->name.locator, &s->handle, &s->info, &err) == MILL_OK, "%s",
                  err.message);
    s->at = (mill__indexed){.name = &s->name,
                            .format = mill__format_for_path(name),
                            .source = &source,
                            .handle = s->handle,
                            .info = &s->info,
                            .max_sample_nbytes = 1 << 20};
}

static void close_shard(shard *s)
{
    mill__source_file.close(s->handle);
    free(s->name.locator);
    free(s->name.name);
}

enum { SAMPLES = 20 };

/* Samples of several sizes, some with names that need a pax header. */
static void write_tar(const char *name, int n)
{
    archive a = {0};
    for (int i = 0; i < n; i++) {
        char key[200], member[240];
        snprintf(key, sizeof key, "%s%05d", i % 7 == 3 ? "some/folder/" : "", i);
        snprintf(member, sizeof member, "%s.jpg", key);
        add_large(&a, member, (size_t)(i * 397 % 3000));
        snprintf(member, sizeof member, "%s.cls", key);
        add_file(&a, member, "7");
    }
    add_end(&a);
    put_content(name, (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
}

static void make(mill__index *index, const char *name)
{
    shard s;
    mill_error err;
    *index = (mill__index){0};
    open_shard(&s, name);
    ck_assert_msg(mill__index_make(index, &s.at, &err) == MILL_OK, "%s", err.message);
    close_shard(&s);
}

static void expect_equal(const mill__index *a, const mill__index *b)
{
    ck_assert_uint_eq(a->extents.n, b->extents.n);
    for (size_t i = 0; i < a->extents.n; i++) {
        ck_assert_uint_eq(mill__index_extent(a, i).offset, mill__index_extent(b, i).offset);
        ck_assert_uint_eq(mill__index_extent(a, i).nbytes, mill__index_extent(b, i).nbytes);
    }
}

/* ---- made ---- */

/* Every sample that the walk found good is the very sample that its extent holds. */
static int expect_extents_hold_samples(const char *name)
{
    shard s;
    mill__index index = {0};
    void *walker;
    int good = 0;
    open_shard(&s, name);
    ck_assert_int_eq(mill__index_make(&index, &s.at, NULL), MILL_OK);
    ck_assert_int_eq(s.at.format->open(s.at.format, &walker, &s.info, -1, 1 << 20, NULL), MILL_OK);
    for (size_t i = 0; i < index.extents.n; i++) {
        mill__extent e = mill__index_extent(&index, i);
        if (mill__index_bad(&index, (int64_t)i))
            continue;
        uint8_t *bytes = malloc(e.nbytes + 1);
        size_t got;
        mill__sample sample;
        mill_error err;
        ck_assert_int_eq(s.at.source->read(s.handle, e.offset, bytes, e.nbytes, &got, &err), MILL_OK);
        ck_assert_uint_eq(got, e.nbytes);
        const mill__window window = {.data = bytes, .nbytes = got, .offset = e.offset};
        ck_assert_msg(s.at.format->at(walker, &window, (int64_t)i, &sample, &err) == MILL_OK, "%s: %s", name,
                      err.message);
        ck_assert_int_eq(sample.status, MILL_OK);
        ck_assert_uint_eq(sample.offset, e.offset);
        good++;
        free(bytes);
    }
    s.at.format->close(walker);
    mill__index_free(&index);
    close_shard(&s);
    return good;
}

START_TEST(a_walk_finds_every_sample)
{
    mill__index index;
    write_tar("a.tar", SAMPLES);
    make(&index, "a.tar");
    ck_assert_uint_eq(index.extents.n, SAMPLES);
    ck_assert_uint_eq(index.nissues, 0);
    ck_assert(index.walked);
    uint64_t end = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        ck_assert_uint_eq(mill__index_extent(&index, i).offset, end);
        end += mill__index_extent(&index, i).nbytes;
    }
    mill__index_free(&index);
    ck_assert_int_eq(expect_extents_hold_samples("a.tar"), SAMPLES);
}
END_TEST

START_TEST(large_samples_are_walked_in_pieces)
{
    archive a = {0};
    char *noise = malloc(900000);
    memset(noise, 'x', 900000);
    for (int i = 0; i < 6; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d.bin", i);
        add_head(&a, (head){.name = name, .size = 900000});
        add_data(&a, noise, 900000);
    }
    add_end(&a);
    put_content("large.tar", (char *)a.data, a.nbytes);
    free(noise);
    mill__buffer_free(&a);
    ck_assert_int_eq(expect_extents_hold_samples("large.tar"), 6);
}
END_TEST

START_TEST(npy_and_folder_are_located_by_their_head)
{
    char npy[128 + 60] =
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<i4', 'fortran_order': False, 'shape': (5, 3), }";
    for (size_t i = strlen(npy + 10) + 10; i < 127; i++)
        npy[i] = ' ';
    npy[127] = '\n';
    put_content("a.npy", npy, sizeof npy);
    mill__index index;
    make(&index, "a.npy");
    ck_assert_uint_eq(index.extents.n, 5);
    ck_assert(!index.walked);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(mill__index_extent(&index, i).offset, 128 + 12 * i);
        ck_assert_uint_eq(mill__index_extent(&index, i).nbytes, 12);
    }
    mill__index_free(&index);
    ck_assert_int_eq(expect_extents_hold_samples("a.npy"), 5);

    put_content("short.npy", npy, sizeof npy - 1);
    make(&index, "short.npy");
    ck_assert_uint_eq(index.extents.n, 0);
    ck_assert_uint_eq(index.nissues, 1);
    ck_assert_str_eq(index.issues[0].kind, "truncated");
    mill__index_free(&index);

    const mill_member members[] = {{"a.jpg", 0, 10, 0}, {"b.jpg", 10, 0, 0}, {"c.jpg", 10, 7, 0}};
    const mill_shard_info info = {.nbytes = 17, .mtime_ns = 5, .nmembers = 3, .members = members};
    const mill__shard_name name = {.locator = (char *)"somewhere", .is_folder = true};
    const mill__indexed folder_shard = {
        .name = &name, .format = &mill__format_folder, .source = &mill__source_folder, .info = &info};
    index = (mill__index){0};
    ck_assert_int_eq(mill__index_make(&index, &folder_shard, NULL), MILL_OK);
    ck_assert_uint_eq(index.extents.n, 3);
    ck_assert_uint_eq(mill__index_extent(&index, 1).nbytes, 0);
    ck_assert_uint_eq(mill__index_extent(&index, 2).offset, 10);
    mill__index_free(&index);
}
END_TEST

/* ---- bad samples and damage ---- */

/* i: two files of one extension in every third sample; a hole of noise behind each fifth. */
static void write_bad_tar(const char *name, int n)
{
    archive a = {0};
    for (int i = 0; i < n; i++) {
        char member[40];
        snprintf(member, sizeof member, "%05d.jpg", i);
        add_file(&a, member, "a picture");
        if (i % 3 == 0)
            add_file(&a, member, "another picture");
        if (i % 5 == 4)
            for (int k = 0; k < 512; k++)
                append(&a, "x", 1);
    }
    add_end(&a);
    put_content(name, (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
}

START_TEST(bad_samples_keep_their_places_and_are_found)
{
    mill__index index;
    write_bad_tar("bad.tar", 300);
    make(&index, "bad.tar");
    ck_assert_uint_eq(index.extents.n, 300);
    ck_assert_uint_eq(index.nbad, 100);
    ck_assert_uint_eq(index.nissues, 160);
    for (int i = 0; i < 300; i++) {
        const mill_issue *bad = mill__index_bad(&index, i);
        ck_assert_msg(!bad == (i % 3 != 0), "sample %d", i);
        if (bad) {
            ck_assert_int_eq(bad->sample, i);
            ck_assert_int_eq(atoi(bad->key), i);
            ck_assert_str_eq(bad->kind, "duplicate");
        }
    }
    ck_assert_ptr_null(mill__index_bad(&index, 300));
    ck_assert_ptr_null(mill__index_bad(&index, -1));
    mill__index_free(&index);
    ck_assert_int_eq(expect_extents_hold_samples("bad.tar"), 200);
}
END_TEST

START_TEST(a_cut_shard_keeps_what_is_whole)
{
    size_t nbytes;
    mill__index whole, cut;
    write_tar("a.tar", SAMPLES);
    make(&whole, "a.tar");
    char *bytes = content("a.tar", &nbytes);
    for (size_t length = 0; length < nbytes; length += 911) {
        put_content("cut.tar", bytes, length);
        make(&cut, "cut.tar");
        size_t good = 0;
        for (size_t i = 0; i < cut.extents.n; i++)
            if (!mill__index_bad(&cut, (int64_t)i)) {
                ck_assert_uint_eq(mill__index_extent(&cut, i).offset, mill__index_extent(&whole, i).offset);
                good++;
            }
        mill__extent last = mill__index_extent(&whole, SAMPLES - 1);
        ck_assert(cut.nissues > 0 || length == 0 || length >= last.offset + last.nbytes || good < SAMPLES);
        mill__index_free(&cut);
        expect_extents_hold_samples("cut.tar");
    }
    free(bytes);
    mill__index_free(&whole);
}
END_TEST

/* ---- our own file ---- */

static mill_status load(mill__index *index, const char *name, const char *shard_name)
{
    shard s;
    *index = (mill__index){0};
    open_shard(&s, shard_name);
    char *path = strdup(path_of(name));
    mill_status status = mill__index_load(index, path, &s.info);
    free(path);
    close_shard(&s);
    return status;
}

static void expect_refused(const char *shard_name, const char *text, size_t nbytes, const char *what)
{
    mill__index index;
    put_content("x.index", text, nbytes);
    ck_assert_msg(load(&index, "x.index", shard_name) == MILL_END, "%s was believed", what);
    ck_assert_ptr_null(index.extents.extents); /* and nothing is left of it */
    ck_assert_uint_eq(index.extents.n, 0);
}

START_TEST(what_was_saved_is_loaded)
{
    mill__index made, loaded;
    char path[700];
    write_tar("a.tar", SAMPLES);
    make(&made, "a.tar");
    snprintf(path, sizeof path, "%s/new/folders/x.index", folder);
    ck_assert_int_eq(mill__index_save(&made, path, NULL), MILL_OK);
    ck_assert_int_eq(load(&loaded, "new/folders/x.index", "a.tar"), MILL_OK);
    expect_equal(&made, &loaded);
    ck_assert_uint_eq(loaded.nbytes, made.nbytes);
    ck_assert_int_eq(loaded.mtime_ns, made.mtime_ns);
    mill__index_free(&made);
    mill__index_free(&loaded);
    write_tar("empty.tar", 0);
    make(&made, "empty.tar");
    ck_assert_int_eq(mill__index_save(&made, path, NULL), MILL_OK);
    ck_assert_int_eq(load(&loaded, "new/folders/x.index", "empty.tar"), MILL_OK);
    ck_assert_uint_eq(loaded.extents.n, 0);
    mill__index_free(&made);
    mill__index_free(&loaded);
}
END_TEST

static void touch(const char *name, int64_t seconds_later)
{
    struct stat st;
    stat(path_of(name), &st);
    st.st_mtim.tv_sec += seconds_later;
    const struct timespec times[2] = {st.st_mtim, st.st_mtim};
    ck_assert_int_eq(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

START_TEST(another_size_or_time_is_another_shard)
{
    mill__index made, loaded;
    write_tar("a.tar", SAMPLES);
    make(&made, "a.tar");
    ck_assert_int_eq(mill__index_save(&made, path_of("x.index"), NULL), MILL_OK);
    ck_assert_int_eq(load(&loaded, "x.index", "a.tar"), MILL_OK);
    mill__index_free(&loaded);
    touch("a.tar", 1);
    ck_assert_int_eq(load(&loaded, "x.index", "a.tar"), MILL_END);
    touch("a.tar", -1);
    ck_assert_int_eq(load(&loaded, "x.index", "a.tar"), MILL_OK);
    mill__index_free(&loaded);
    mill__index_free(&made);
    size_t nbytes;
    char *bytes = content("a.tar", &nbytes);
    struct stat st;
    stat(path_of("a.tar"), &st);
    put_content("a.tar", bytes, nbytes - 512);
    const struct timespec times[2] = {st.st_mtim, st.st_mtim};
    utimensat(AT_FDCWD, path_of("a.tar"), times, 0);
    ck_assert_int_eq(load(&loaded, "x.index", "a.tar"), MILL_END);
    free(bytes);
}
END_TEST

START_TEST(every_cut_and_every_changed_byte_is_noticed)
{
    mill__index made;
    size_t nbytes;
    write_tar("a.tar", 5);
    make(&made, "a.tar");
    ck_assert_int_eq(mill__index_save(&made, path_of("good.index"), NULL), MILL_OK);
    mill__index_free(&made);
    char *text = content("good.index", &nbytes);
    for (size_t n = 0; n < nbytes; n++)
        expect_refused("a.tar", text, n, "a cut index");
    for (size_t i = 0; i < nbytes; i++) {
        text[i] ^= 1;
        expect_refused("a.tar", text, nbytes, "a changed index");
        text[i] ^= 1;
    }
    char *longer = malloc(nbytes + 2);
    memcpy(longer, text, nbytes);
    longer[nbytes] = '\n';
    expect_refused("a.tar", longer, nbytes + 1, "an index with a line more");
    longer[nbytes] = 0;
    expect_refused("a.tar", longer, nbytes + 1, "an index with a NUL");
    free(longer);
    free(text);
}
END_TEST

/* With a checksum that is right. */
static void expect_lie_refused(const char *extents, unsigned long long n, const char *what)
{
    shard s;
    open_shard(&s, "a.tar");
    mill__buffer text = {0};
    mill__buffer_printf(&text, "shardmill-index 1\nshard %llu %lld %llu\n%s",
                        (unsigned long long)s.info.nbytes, (long long)s.info.mtime_ns, n, extents);
    mill__buffer_printf(&text, "xxh3 %016llx\n",
                        (unsigned long long)mill__hash_bytes(text.data, text.nbytes));
    close_shard(&s);
    expect_refused("a.tar", (char *)text.data, text.nbytes, what);
    mill__buffer_free(&text);
}

START_TEST(extents_that_cannot_be_are_refused)
{
    write_tar("a.tar", 5);
    expect_lie_refused("0 2048\n1024 2048\n", 2, "overlap");
    expect_lie_refused("4096 512\n0 512\n", 2, "backwards");
    expect_lie_refused("0 99999999\n", 1, "beyond the shard");
    expect_lie_refused("99999999 1\n", 1, "behind the shard");
    expect_lie_refused("512 18446744073709551615\n", 1, "overflow");
    expect_lie_refused("18446744073709551615 1\n", 1, "overflow");
    expect_lie_refused("0 99999999999999999999999\n", 1, "a number of 80 bits");
    expect_lie_refused("0 -5\n", 1, "a sign");
    expect_lie_refused("0 512", 1, "no end of line");
    expect_lie_refused("0  512\n", 1, "two blanks");
    expect_lie_refused("0 512\n", 2, "too few lines");
    expect_lie_refused("0 512\n512 512\n", 1, "too many lines");
    expect_lie_refused("", 1000000000000000, "a count that would take petabytes");
    expect_lie_refused("", 18446744073709551615u, "a count of 2^64 - 1");
    expect_lie_refused("hello\n", 1, "words");
}
END_TEST

START_TEST(what_is_no_file_is_no_index)
{
    mill__index index;
    write_tar("a.tar", 5);
    ck_assert_int_eq(load(&index, "missing.index", "a.tar"), MILL_END);
    mkdir(path_of("folder.index"), 0777);
    ck_assert_int_eq(load(&index, "folder.index", "a.tar"), MILL_END);
    mkfifo(path_of("pipe.index"), 0666); /* nobody writes into it: must not wait */
    ck_assert_int_eq(load(&index, "pipe.index", "a.tar"), MILL_END);
    ck_assert_int_eq(symlink("loop.index", path_of("loop.index")), 0);
    ck_assert_int_eq(load(&index, "loop.index", "a.tar"), MILL_END);
}
END_TEST

/* ---- kept ones ---- */

static bool walked_again(const mill__index_keep *keep, const char *name, size_t samples)
{
    shard s;
    mill_error err;
    mill__index index = {0};
    open_shard(&s, name);
    reads = 0;
    ck_assert_msg(mill__index_get(&index, &s.at, keep, &err) == MILL_OK, "%s", err.message);
    ck_assert_uint_eq(index.extents.n, samples);
    bool walked = index.walked;
    ck_assert(walked || reads <= 1); /* DALI's: its end is looked at */
    mill__index_free(&index);
    close_shard(&s);
    return walked;
}

START_TEST(kept_in_the_cache_found_beside_or_in_a_folder)
{
    char cache[600], other[600];
    snprintf(cache, sizeof cache, "%s/cache/shardmill", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    const mill__index_keep in_cache = {.place = MILL__INDEX_AUTO, .cache = cache};
    const mill__index_keep nowhere = {.place = MILL__INDEX_AUTO};
    const mill__index_keep none = {.place = MILL__INDEX_NONE};
    const mill__index_keep in_folder = {.place = MILL__INDEX_FOLDER, .folder = other};
    write_tar("a.tar", SAMPLES);
    int files = count_files();
    ck_assert(walked_again(&none, "a.tar", SAMPLES));
    ck_assert(walked_again(&nowhere, "a.tar", SAMPLES));
    ck_assert(walked_again(&nowhere, "a.tar", SAMPLES));
    ck_assert_int_eq(count_files(), files);
    ck_assert(walked_again(&in_cache, "a.tar", SAMPLES));
    ck_assert(!walked_again(&in_cache, "a.tar", SAMPLES));
    ck_assert(walked_again(&in_folder, "a.tar", SAMPLES));
    ck_assert(!walked_again(&in_folder, "a.tar", SAMPLES));
    ck_assert(walked_again(&none, "a.tar", SAMPLES));
    ck_assert_int_eq(count_files(), files + 2); /* the two folders: nothing beside the shard */
    mill__index made;
    make(&made, "a.tar");
    ck_assert_int_eq(mill__index_save(&made, path_of("a.tar.index"), NULL), MILL_OK);
    mill__index_free(&made);
    ck_assert(!walked_again(&nowhere, "a.tar", SAMPLES)); /* beside it */
    write_tar("a.tar", SAMPLES / 2);                      /* it changes */
    ck_assert(walked_again(&nowhere, "a.tar", SAMPLES / 2));
    ck_assert(walked_again(&in_cache, "a.tar", SAMPLES / 2));
    ck_assert(!walked_again(&in_cache, "a.tar", SAMPLES / 2));
}
END_TEST

START_TEST(an_index_that_is_garbage_is_made_anew)
{
    const mill__index_keep in_folder = {.place = MILL__INDEX_FOLDER, .folder = folder};
    write_tar("a.tar", SAMPLES);
    ck_assert(walked_again(&in_folder, "a.tar", SAMPLES));
    char *path = mill__index_path(&in_folder, path_of("a.tar"), false);
    put_content(strrchr(path, '/') + 1, "garbage", 7);
    ck_assert(walked_again(&in_folder, "a.tar", SAMPLES));
    ck_assert(!walked_again(&in_folder, "a.tar", SAMPLES));
    free(path);
}
END_TEST

START_TEST(what_is_damaged_is_not_kept)
{
    const mill__index_keep in_folder = {.place = MILL__INDEX_FOLDER, .folder = folder};
    size_t nbytes;
    write_bad_tar("bad.tar", 30);
    int files = count_files();
    ck_assert(walked_again(&in_folder, "bad.tar", 30));
    ck_assert(walked_again(&in_folder, "bad.tar", 30));
    ck_assert_int_eq(count_files(), files);
    write_tar("a.tar", SAMPLES);
    char *bytes = content("a.tar", &nbytes);
    put_content("cut.tar", bytes, nbytes / 2);
    files = count_files();
    mill__index index;
    make(&index, "cut.tar");
    size_t n = index.extents.n;
    mill__index_free(&index);
    ck_assert(walked_again(&in_folder, "cut.tar", n));
    ck_assert_int_eq(count_files(), files);
    free(bytes);
}
END_TEST

START_TEST(a_place_that_cannot_be_written_is_no_failure)
{
    char cache[700];
    write_tar("a.tar", SAMPLES);
    put_content("file", "", 0);
    snprintf(cache, sizeof cache, "%s/file/within", folder); /* also root cannot make a folder in a file */
    const mill__index_keep keep = {.place = MILL__INDEX_AUTO, .cache = cache};
    ck_assert(walked_again(&keep, "a.tar", SAMPLES));
    ck_assert(walked_again(&keep, "a.tar", SAMPLES));
    mill__index made;
    mill_error err;
    make(&made, "a.tar");
    ck_assert_int_eq(mill__index_save(&made, path_of("file/x.index"), &err), MILL_IO);
    ck_assert_msg(strstr(err.message, "file/x.index") != NULL, "%s", err.message);
    mill__index_free(&made);
}
END_TEST

START_TEST(paths_of_indexes)
{
    static const char *const dali[][2] = {{"a.tar", "a.idx"},
                                          {"dir.d/a.tar", "dir.d/a.idx"},
                                          {"dir/a.b.tar", "dir/a.idx"},
                                          {"dir/.a.tar", "dir/.a.idx"},
                                          {"dir/noext", "dir/noext.idx"},
                                          {"dir/", "dir/.idx"},
                                          {"", ".idx"}};
    for (size_t i = 0; i < sizeof dali / sizeof *dali; i++) {
        char *path = mill__index_dali_path(NULL, dali[i][0]);
        ck_assert_str_eq(path, dali[i][1]);
        free(path);
    }
    char *path = mill__index_dali_path("elsewhere", "dir/a.tar");
    ck_assert_str_eq(path, "elsewhere/a.idx");
    free(path);
    const mill__index_keep keep = {.place = MILL__INDEX_FOLDER, .folder = "f"};
    path = mill__index_path(&keep, "dir/a.tar", true);
    ck_assert_str_eq(path, "dir/a.tar.index");
    free(path);
    char *one = mill__index_path(&keep, "dir/a.tar", false),
         *two = mill__index_path(&keep, "dir/b.tar", false);
    ck_assert_str_ne(one, two);
    free(one);
    free(two);
}
END_TEST

/* ---- DALI ---- */

static char *write_dali(const char *shard_name)
{
    shard s;
    mill_error err;
    size_t nbytes;
    open_shard(&s, shard_name);
    char *path = mill__index_dali_path(NULL, s.name.locator);
    ck_assert_msg(mill__index_save_dali(&s.at, path, &err) == MILL_OK, "%s", err.message);
    char *text = content(strrchr(path, '/') + 1, &nbytes);
    free(path);
    close_shard(&s);
    return text;
}

START_TEST(dali_text_is_written_as_wds2idx_writes_it)
{
    archive a = {0};
    add_file(&a, "one.jpg", "picture");
    add_file(&a, "one.cls", "1");
    add_large(&a, "dir/two.x.jpg", 1000);
    add_end(&a);
    put_content("d.tar", (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
    char *text = write_dali("d.tar");
    ck_assert_str_eq(text, "v1.2 2\n"
                           "jpg 512 7 one.jpg cls 1536 1 one.cls\n"
                           "x.jpg 2560 1000 dir/two.x.jpg\n");
    free(text);
}
END_TEST

START_TEST(dali_text_is_read_as_the_walk_finds_it)
{
    mill__index made, read;
    shard s;
    write_tar("a.tar", SAMPLES);
    char *text = write_dali("a.tar");
    make(&made, "a.tar");
    open_shard(&s, "a.tar");
    read = (mill__index){0};
    ck_assert_int_eq(mill__index_load_dali(&read, path_of("a.idx"), &s.info), MILL_OK);
    expect_equal(&made, &read);
    mill__index_free(&read);
    /* v1.1 has no names */
    mill__buffer old = {0};
    char *rest = text, *line = strsep(&rest, "\n");
    mill__buffer_printf(&old, "v1.1 %s\n", line + 5);
    while ((line = strsep(&rest, "\n")) && *line) {
        char e[2][20];
        unsigned long long o[2], n[2];
        ck_assert_int_eq(
            sscanf(line, "%19s %llu %llu %*s %19s %llu %llu", e[0], &o[0], &n[0], e[1], &o[1], &n[1]), 6);
        mill__buffer_printf(&old, "%s %llu %llu %s %llu %llu\n", e[0], o[0], n[0], e[1], o[1], n[1]);
    }
    put_content("old.idx", (char *)old.data, old.nbytes);
    ck_assert_int_eq(mill__index_load_dali(&read, path_of("old.idx"), &s.info), MILL_OK);
    expect_equal(&made, &read);
    mill__index_free(&read);
    mill__buffer_free(&old);
    mill__index_free(&made);
    close_shard(&s);
    free(text);
}
END_TEST

static void expect_dali(const char *text, bool believed)
{
    shard s;
    mill__index index = {0};
    put_content("x.idx", text, strlen(text));
    open_shard(&s, "d.tar");
    mill_status status = mill__index_load_dali(&index, path_of("x.idx"), &s.info);
    ck_assert_msg((status == MILL_OK) == believed, "%s", text);
    ck_assert(status == MILL_OK || !index.extents.extents);
    mill__index_free(&index);
    close_shard(&s);
}

START_TEST(dali_text_that_cannot_be_is_refused)
{
    archive a = {0};
    add_pair(&a, "one"); /* data at 512 and 1536 */
    add_pair(&a, "two"); /* 2560 and 3584 */
    add_end(&a);
    put_content("d.tar", (char *)a.data, a.nbytes);
    mill__buffer_free(&a);
#define ONE "jpg 512 24 one.jpg cls 1536 1 one.cls\n"
#define TWO "jpg 2560 24 two.jpg cls 3584 1 two.cls\n"
    expect_dali("v1.2 2\n" ONE TWO, true);
    expect_dali("v1.1 2\njpg 512 24 cls 1536 1\njpg 2560 24 cls 3584 1\n", true);
    expect_dali("v1.3 2\n" ONE TWO, false);
    expect_dali("v1.2 1\n" ONE TWO, false);
    expect_dali("v1.2 3\n" ONE TWO, false);
    expect_dali("v1.2 2\n" TWO ONE, false);
    expect_dali("v1.2 two\n" ONE TWO, false);
    expect_dali("v1.2 -2\n" ONE TWO, false);
    expect_dali("v1.2 99999999999999\n" ONE TWO, false);
    expect_dali("v1.2 2\n" ONE "jpg 2560 24 two.jpg cls 3584\n", false);
    expect_dali("v1.2 2\n" ONE "jpg 2560 24 two.jpg cls 3584 1\n", false);
    expect_dali("v1.2 2\n" ONE "jpg 2560 24 two.jpg cls 3584 99999 two.cls\n", false);
    expect_dali("v1.2 2\n" ONE "jpg 2560 24 two.jpg cls 18446744073709551615 1 two.cls\n", false);
    expect_dali("v1.2 2\n" ONE "jpg 2560 24 two.jpg cls 3584 18446744073709551615 two.cls\n", false);
    expect_dali("v1.2 2\n" ONE "jpg 2561 24 two.jpg cls 3584 1 two.cls\n", false);
    expect_dali("v1.2 3\n" ONE "jpg 2560 24 two.jpg\ncls 3584 1 two.cls\n", false); /* a sample torn apart */
    expect_dali("v1.2 1\njpg 512 24 one.jpg cls 1536 1 one.cls jpg 2560 24 two.jpg cls 3584 1 two.cls\n",
                false);                /* two thrown together */
    expect_dali("v1.2 0\n", true);     /* for an empty shard: what lies behind is looked at by get() */
    expect_dali("v1.2 1\n" ONE, true); /* the same */
    expect_dali("v1.2 2\r\n" ONE TWO, false);
    expect_dali("", false);
    expect_dali("v1.2", false);
    expect_dali("\n\n\n", false);
    /* older than the shard */
    put_content("x.idx", "v1.2 2\n" ONE TWO, strlen("v1.2 2\n" ONE TWO));
    touch("x.idx", -100);
    shard s;
    mill__index index = {0};
    open_shard(&s, "d.tar");
    ck_assert_int_eq(mill__index_load_dali(&index, path_of("x.idx"), &s.info), MILL_END);
    close_shard(&s);
    /* samples behind what it lists: it is walked */
    const mill__index_keep keep = {.place = MILL__INDEX_AUTO};
    put_content("d.idx", "v1.2 1\n" ONE, strlen("v1.2 1\n" ONE));
    ck_assert(walked_again(&keep, "d.tar", 2));
    put_content("d.idx", "v1.2 0\n", 7);
    ck_assert(walked_again(&keep, "d.tar", 2));
    put_content("d.idx", "v1.2 2\n" ONE TWO, strlen("v1.2 2\n" ONE TWO));
    ck_assert(!walked_again(&keep, "d.tar", 2));
}
END_TEST

START_TEST(what_dali_cannot_say_is_not_written)
{
    static const char *const names[] = {"with blank.jpg", "with\nline.jpg", "a.with blank"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        shard s;
        mill_error err;
        archive a = {0};
        add_file(&a, names[i], "text");
        add_end(&a);
        put_content("d.tar", (char *)a.data, a.nbytes);
        mill__buffer_free(&a);
        open_shard(&s, "d.tar");
        ck_assert_msg(mill__index_save_dali(&s.at, path_of("d.idx"), &err) != MILL_OK, "%s", names[i]);
        ck_assert(!is_there("d.idx"));
        close_shard(&s);
    }
    shard s;
    mill_error err;
    write_bad_tar("bad.tar", 5);
    open_shard(&s, "bad.tar");
    ck_assert_int_eq(mill__index_save_dali(&s.at, path_of("bad.idx"), &err), MILL_BAD_DATA);
    ck_assert(!is_there("bad.idx"));
    close_shard(&s);
}
END_TEST

/* ---- the public call ---- */

typedef struct seen {
    int n, written, issues;
    int64_t samples;
    char names[8][40];
} seen;

static void on_shard(void *user, const char *name, int64_t samples, const char *path)
{
    seen *v = user;
    snprintf(v->names[v->n++], sizeof v->names[0], "%s", strrchr(name, '/') + 1);
    v->samples += samples;
    v->written += path != NULL;
    ck_assert(!path || !access(path, R_OK));
}

static void on_issue(void *user, const mill_issue *issue)
{
    (void)issue;
    ((seen *)user)->issues++;
}

START_TEST(the_public_call_indexes_a_data_set)
{
    seen v = {0};
    char spec[600], out[600];
    mill_error err;
    mill_stats stats;
    write_tar("t-0.tar", 3);
    write_tar("t-1.tar", 0);
    write_bad_tar("t-2.tar", 9);
    write_tar("t-3.tar", 4);
    snprintf(spec, sizeof spec, "%s/t-{0..3}.tar", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    mill_index_options o = mill_index_options_default();
    o.on_shard = on_shard;
    o.run.user = &v;
    o.run.on_issue = on_issue;
    o.run.io_depth = 2;
    ck_assert_msg(mill_index(spec, &o, &stats, &err) == MILL_OK, "%s", err.message);
    ck_assert_int_eq(v.n, 4);
    ck_assert_int_eq(v.written, 3); /* what is damaged gets none */
    ck_assert_int_eq(v.samples, 16);
    ck_assert_int_eq(v.issues, 4);
    ck_assert_str_eq(v.names[2], "t-2.tar");
    ck_assert(is_there("t-0.tar.index") && is_there("t-1.tar.index") && !is_there("t-2.tar.index"));
    ck_assert_int_eq(stats.shards_done, 4);
    ck_assert_int_eq(stats.samples, 16);
    const mill__index_keep keep = {.place = MILL__INDEX_AUTO};
    ck_assert(!walked_again(&keep, "t-3.tar", 4));

    v = (seen){0};
    o.dali = 1;
    o.folder = out;
    ck_assert_msg(mill_index(spec, &o, &stats, &err) == MILL_OK, "%s", err.message);
    ck_assert(is_there("out/t-0.idx") && is_there("out/t-3.idx") && !is_there("out/t-2.idx"));
    ck_assert(!is_there("t-0.idx"));

    o.folder = path_of("t-0.tar"); /* a file */
    ck_assert_int_eq(mill_index(spec, &o, &stats, &err), MILL_IO);
    o.folder = NULL;
    snprintf(spec, sizeof spec, "%s/t-{0..9}.tar", folder);
    ck_assert_int_eq(mill_index(spec, &o, &stats, &err), MILL_USAGE); /* no such file */
    ck_assert_int_eq(mill_index(NULL, &o, &stats, &err), MILL_USAGE);
    o.struct_nbytes = 0;
    ck_assert_int_eq(mill_index(spec, &o, &stats, &err), MILL_USAGE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("index");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, a_walk_finds_every_sample);
    tcase_add_test(tc, large_samples_are_walked_in_pieces);
    tcase_add_test(tc, npy_and_folder_are_located_by_their_head);
    tcase_add_test(tc, bad_samples_keep_their_places_and_are_found);
    tcase_add_test(tc, a_cut_shard_keeps_what_is_whole);
    tcase_add_test(tc, what_was_saved_is_loaded);
    tcase_add_test(tc, another_size_or_time_is_another_shard);
    tcase_add_test(tc, every_cut_and_every_changed_byte_is_noticed);
    tcase_add_test(tc, extents_that_cannot_be_are_refused);
    tcase_add_test(tc, what_is_no_file_is_no_index);
    tcase_add_test(tc, kept_in_the_cache_found_beside_or_in_a_folder);
    tcase_add_test(tc, an_index_that_is_garbage_is_made_anew);
    tcase_add_test(tc, what_is_damaged_is_not_kept);
    tcase_add_test(tc, a_place_that_cannot_be_written_is_no_failure);
    tcase_add_test(tc, paths_of_indexes);
    tcase_add_test(tc, dali_text_is_written_as_wds2idx_writes_it);
    tcase_add_test(tc, dali_text_is_read_as_the_walk_finds_it);
    tcase_add_test(tc, dali_text_that_cannot_be_is_refused);
    tcase_add_test(tc, what_dali_cannot_say_is_not_written);
    tcase_add_test(tc, the_public_call_indexes_a_data_set);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
