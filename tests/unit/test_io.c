/* SPDX-License-Identifier: Apache-2.0 */
/* test_io.c: the I/O engine, on both backends. */
#include "io_fixture.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

/* ---- reads on descriptors ---- */

enum { NSUBMITTERS = 4, NREADS = 100, READ_MOST = 40000 };

typedef struct submitter {
    pthread_t thread;
    mill__io *io;
    unsigned random;
    size_t nwrong;
} submitter;

static void *submit_and_compare(void *arg)
{
    submitter *self = arg;
    tally t = TALLY;
    mill__io_request *requests = calloc(NREADS, sizeof *requests);
    uint8_t *data = malloc((size_t)NREADS * READ_MOST);
    for (int i = 0; i < NREADS; i++) {
        uint64_t offset = (uint64_t)rand_r(&self->random) % FILE_NBYTES;
        requests[i] = read_of(&t, file_fd, offset, data + (size_t)i * READ_MOST,
                              1 + (size_t)rand_r(&self->random) % READ_MOST);
        mill__io_submit(self->io, &requests[i]);
    }
    wait_for(&t, NREADS);
    for (int i = 0; i < NREADS; i++) {
        mill__io_request *r = &requests[i];
        size_t expected = r->offset + r->n > FILE_NBYTES ? (size_t)(FILE_NBYTES - r->offset) : r->n;
        self->nwrong += r->status != MILL_OK || r->got != expected || r->begin_ns <= 0;
        for (size_t k = 0; k < r->got; k++)
            self->nwrong += ((uint8_t *)r->data)[k] != byte_at(r->offset + k);
    }
    free(requests);
    free(data);
    return NULL;
}

START_TEST(reads_from_many_threads_give_the_bytes_of_the_file)
{
    mill__io *io = engine(_i, 4);
    if (!io)
        return;
    submitter submitters[NSUBMITTERS];
    for (int i = 0; i < NSUBMITTERS; i++) {
        submitters[i] = (submitter){.io = io, .random = (unsigned)i};
        ck_assert_int_eq(pthread_create(&submitters[i].thread, NULL, submit_and_compare, &submitters[i]), 0);
    }
    for (int i = 0; i < NSUBMITTERS; i++) {
        pthread_join(submitters[i].thread, NULL);
        ck_assert_uint_eq(submitters[i].nwrong, 0);
    }
    ck_assert_int_eq(mill__io_in_flight(io), 0);
    mill__io_close(io);
}
END_TEST

START_TEST(only_the_end_of_the_file_shortens_a_read)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    uint8_t data[64];
    const struct {
        uint64_t offset;
        size_t n, got;
    } cases[] = {{FILE_NBYTES - 64, 64, 64},
                 {FILE_NBYTES - 10, 64, 10},
                 {FILE_NBYTES, 64, 0},
                 {FILE_NBYTES + 1000, 64, 0},
                 {5, 0, 0},
                 {INT64_MAX, 64, 0},
                 {(uint64_t)INT64_MAX + 1, 64, 0},
                 {UINT64_MAX, 64, 0},
                 {UINT64_MAX - 63, 64, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mill__io_request r = read_of(&t, file_fd, cases[i].offset, data, cases[i].n);
        serve(io, &r);
        ck_assert_int_eq(r.status, MILL_OK);
        ck_assert_uint_eq(r.got, cases[i].got);
        for (size_t k = 0; k < r.got; k++)
            ck_assert_uint_eq(data[k], byte_at(r.offset + k));
    }
    mill__io_close(io);
}
END_TEST

START_TEST(a_bad_descriptor_is_reported_by_done)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    char data[8];
    int closed = dup(file_fd);
    close(closed);
    mill__io_request r = read_of(&t, closed, 77, data, sizeof data);
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_IO);
    ck_assert_int_eq(r.error.os_error, EBADF);
    ck_assert_uint_eq(r.error.offset, 77);
    ck_assert_ptr_nonnull(strstr(r.error.message, "offset 77"));
    mill__io_close(io);
}
END_TEST

START_TEST(a_folder_cannot_be_read)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    char data[8];
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mill__io_request r = read_of(&t, fd, 0, data, sizeof data);
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_IO);
    ck_assert_int_eq(r.error.os_error, EISDIR);
    close(fd);
    mill__io_close(io);
}
END_TEST

/* The kernel reads less than 2 GiB at a time. The memory for it is one small window, mapped again and again.
 */
START_TEST(a_read_beyond_one_gibibyte_is_whole)
{
    const size_t window = (size_t)64 << 20, n = ((size_t)2 << 30) + window;
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    int sparse = memfd_create("sparse", MFD_CLOEXEC), memory = memfd_create("window", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(sparse, (off_t)n + 5) | ftruncate(memory, (off_t)window), 0);
    ck_assert_int_eq(pwrite(sparse, "mark", 4, (off_t)(n - 4)), 4);
    char *data = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(data, MAP_FAILED);
    for (size_t at = 0; at < n; at += window)
        ck_assert_ptr_eq(mmap(data + at, window, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0),
                         data + at);
    mill__io_request r = read_of(&t, sparse, 0, data, n);
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_OK);
    ck_assert_uint_eq(r.got, n);
    ck_assert_int_eq(memcmp(data + n - 4, "mark", 4), 0);
    mill__io_close(io);
    munmap(data, n);
    close(sparse);
    close(memory);
}
END_TEST

/* A reader's chain: each completion hands in the next read, until the file ends. */
typedef struct chain {
    mill__io *io;
    mill__io_request request;
    tally t;
    uint64_t nbytes, nwrong;
    uint8_t data[50000];
} chain;

static void on_link(mill__io_request *r)
{
    chain *c = r->owner;
    for (size_t k = 0; k < r->got; k++)
        c->nwrong += c->data[k] != byte_at(r->offset + k);
    c->nbytes += r->got;
    r->offset += r->got;
    if (r->status || r->got < r->n) {
        pthread_mutex_lock(&c->t.mutex);
        c->t.ndone = 1;
        pthread_cond_broadcast(&c->t.changed);
        pthread_mutex_unlock(&c->t.mutex);
    } else {
        mill__io_submit(c->io, r);
    }
}

START_TEST(done_may_hand_in_the_next_read)
{
    mill__io *io = engine(_i, 1);
    if (!io)
        return;
    chain c = {.io = io, .t = TALLY};
    c.request =
        (mill__io_request){.fd = file_fd, .data = c.data, .n = sizeof c.data, .done = on_link, .owner = &c};
    mill__io_submit(io, &c.request);
    wait_for(&c.t, 1);
    mill__io_close(io);
    ck_assert_uint_eq(c.nbytes, FILE_NBYTES);
    ck_assert_uint_eq(c.nwrong, 0);
}
END_TEST

/* ---- life ---- */

static mill_status dawdle(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)handle, (void)offset, (void)data, (void)err;
    usleep(20000);
    *got = n;
    return MILL_OK;
}

START_TEST(close_waits_for_what_is_in_flight)
{
    enum { N = 12 };
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    static uint8_t data[N][100000];
    mill__io_request r[N];
    for (int i = 0; i < N; i++) {
        r[i] = read_of(&t, i % 2 ? file_fd : -1, 0, data[i], sizeof data[i]);
        r[i].read = dawdle;
        mill__io_submit(io, &r[i]);
    }
    mill__io_close(io);
    ck_assert_int_eq(t.ndone, N);
    for (int i = 0; i < N; i++)
        ck_assert(r[i].status == MILL_OK && r[i].got == sizeof data[i]);
}
END_TEST

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

START_TEST(opened_and_closed_300_times)
{
    int before = count_descriptors();
    for (int i = 0; i < 300; i++) {
        mill__io *io = engine(_i, 1 + i % 5);
        if (!io)
            return;
        tally t = TALLY;
        uint8_t data[256];
        mill__io_request r = read_of(&t, file_fd, (uint64_t)i, data, sizeof data);
        if (i % 3)
            mill__io_submit(io, &r);
        if (i % 3 == 1)
            wait_for(&t, 1);
        mill__io_close(io);
        ck_assert_int_eq(t.ndone, i % 3 != 0);
        ck_assert(i % 3 == 0 || data[255] == byte_at((uint64_t)i + 255));
    }
    ck_assert_int_eq(count_descriptors(), before);
    mill__io_close(NULL);
}
END_TEST

START_TEST(an_unknown_backend_is_a_usage_error)
{
    mill__io *io = NULL;
    mill_error err = {0};
    ck_assert_int_eq(mill__io_open(&io, &(mill__io_config){.backend = "aio", .depth = 2}, &err), MILL_USAGE);
    ck_assert_ptr_null(io);
    ck_assert_ptr_nonnull(strstr(err.message, "'aio'"));
}
END_TEST

START_TEST(a_forked_child_may_close_its_copy)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    fflush(NULL);
    pid_t child = fork();
    if (!child) {
        mill__io_close(io);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    tally t = TALLY;
    char data[8];
    mill__io_request r = read_of(&t, file_fd, 0, data, sizeof data);
    serve(io, &r);
    ck_assert_uint_eq(r.got, sizeof data);
    mill__io_close(io);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io");
    TCase *tc = tcase_create("both backends");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, make_file, drop_file);
    tcase_add_loop_test(tc, reads_from_many_threads_give_the_bytes_of_the_file, 0, NBACKENDS);
    tcase_add_loop_test(tc, only_the_end_of_the_file_shortens_a_read, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_bad_descriptor_is_reported_by_done, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_folder_cannot_be_read, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_read_beyond_one_gibibyte_is_whole, 0, NBACKENDS);
    tcase_add_loop_test(tc, done_may_hand_in_the_next_read, 0, NBACKENDS);
    tcase_add_loop_test(tc, close_waits_for_what_is_in_flight, 0, NBACKENDS);
    tcase_add_loop_test(tc, opened_and_closed_300_times, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_forked_child_may_close_its_copy, 0, NBACKENDS);
    tcase_add_test(tc, an_unknown_backend_is_a_usage_error);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
