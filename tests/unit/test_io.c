/* SPDX-License-Identifier: Apache-2.0 */
/* test_io.c: the I/O engine, on both backends. */
#include "source/source.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NBYTES (3 * 1024 * 1024 + 123)

static const char *const backends[] = {"uring", "threads"};
enum { NBACKENDS = 2 };

static int file_fd; /* holds byte_at(0), byte_at(1), ... */

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)((offset * 2654435761u) >> 13);
}

static void make_file(void)
{
    file_fd = memfd_create("test_io", MFD_CLOEXEC);
    ck_assert_int_ge(file_fd, 0);
    uint8_t *bytes = malloc(FILE_NBYTES);
    for (uint64_t i = 0; i < FILE_NBYTES; i++)
        bytes[i] = byte_at(i);
    ck_assert_int_eq(write(file_fd, bytes, FILE_NBYTES), FILE_NBYTES);
    free(bytes);
}

static void drop_file(void)
{
    close(file_fd);
}

/* NULL after saying so where io_uring is not to be had. */
static mill__io *engine(int backend, int depth)
{
    mill__io *io = NULL;
    mill_error err = {0};
    mill_status status =
        mill__io_open(&io, &(mill__io_config){.backend = backends[backend], .depth = depth}, &err);
    if (status == MILL_UNSUPPORTED) {
        printf("skip: %s\n", err.message);
        return NULL;
    }
    ck_assert_msg(status == MILL_OK, "%s", err.message);
    ck_assert_str_eq(mill__io_name(io), backends[backend]);
    return io;
}

/* Counts what is done. */
typedef struct tally {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int ndone;
} tally;
#define TALLY                                                                                                \
    {                                                                                                        \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0                                               \
    }

static void on_done(mill__io_request *request)
{
    tally *t = request->owner;
    pthread_mutex_lock(&t->mutex);
    t->ndone++;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

static void wait_for(tally *t, int n)
{
    pthread_mutex_lock(&t->mutex);
    while (t->ndone < n)
        pthread_cond_wait(&t->changed, &t->mutex);
    pthread_mutex_unlock(&t->mutex);
}

static mill__io_request read_of(tally *t, int fd, uint64_t offset, void *data, size_t n)
{
    return (mill__io_request){.fd = fd, .offset = offset, .data = data, .n = n, .done = on_done, .owner = t};
}

/* Hand in one request and wait for it. */
static void serve(mill__io *io, mill__io_request *request)
{
    tally *t = request->owner;
    int before = t->ndone;
    mill__io_submit(io, request);
    wait_for(t, before + 1);
}

/* ---- reads on descriptors ---- */

enum { NSUBMITTERS = 4, NREADS = 100, READ_MOST = 40000 };

static void *submit_and_compare(void *arg)
{
    mill__io *io = arg;
    tally t = TALLY;
    mill__io_request *requests = calloc(NREADS, sizeof *requests);
    uint8_t *data = malloc((size_t)NREADS * READ_MOST);
    unsigned random = (unsigned)(uintptr_t)&t;
    for (int i = 0; i < NREADS; i++) {
        uint64_t offset = (uint64_t)rand_r(&random) % FILE_NBYTES;
        requests[i] = read_of(&t, file_fd, offset, data + (size_t)i * READ_MOST,
                              1 + (size_t)rand_r(&random) % READ_MOST);
        mill__io_submit(io, &requests[i]);
    }
    wait_for(&t, NREADS);
    size_t wrong = 0;
    for (int i = 0; i < NREADS; i++) {
        mill__io_request *r = &requests[i];
        size_t expected = r->offset + r->n > FILE_NBYTES ? (size_t)(FILE_NBYTES - r->offset) : r->n;
        wrong += r->status != MILL_OK || r->got != expected || r->begin_ns <= 0;
        for (size_t k = 0; k < r->got; k++)
            wrong += ((uint8_t *)r->data)[k] != byte_at(r->offset + k);
    }
    free(requests);
    free(data);
    return (void *)wrong;
}

START_TEST(reads_from_many_threads_give_the_bytes_of_the_file)
{
    mill__io *io = engine(_i, 4);
    if (!io)
        return;
    pthread_t threads[NSUBMITTERS];
    for (int i = 0; i < NSUBMITTERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, submit_and_compare, io), 0);
    for (int i = 0; i < NSUBMITTERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        ck_assert_ptr_null(wrong);
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

/* ---- jobs and reads by callback ---- */

typedef struct job {
    pthread_t thread;
    sigset_t blocked;
    char name[16];
    bool called_before_done;
    tally t;
} job;

static void look_around(void *arg)
{
    job *j = arg;
    j->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &j->blocked);
    pthread_getname_np(pthread_self(), j->name, sizeof j->name);
    j->called_before_done = j->t.ndone == 0;
}

START_TEST(a_job_runs_on_a_named_thread_with_signals_blocked)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    job j = {.t = TALLY};
    mill__io_request r = {.fd = -1, .call = look_around, .arg = &j, .done = on_done, .owner = &j.t};
    serve(io, &r);
    ck_assert(!pthread_equal(j.thread, pthread_self()));
    ck_assert(j.called_before_done);
    ck_assert_int_eq(strncmp(j.name, "mill-io-", 8), 0);
    ck_assert(sigismember(&j.blocked, SIGINT) && sigismember(&j.blocked, SIGTERM) &&
              sigismember(&j.blocked, SIGALRM));
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    ck_assert(!sigismember(&mine, SIGINT));
    mill__io_close(io);
}
END_TEST

/* Each of n reads waits until all n are being read: without n threads this never ends. */
static mill_status meet(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)err;
    pthread_barrier_wait(handle);
    memset(data, (int)offset, n);
    *got = n;
    return MILL_OK;
}

START_TEST(blocking_reads_run_side_by_side)
{
    enum { DEPTH = 5 };
    mill__io *io = engine(_i, DEPTH);
    if (!io)
        return;
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, DEPTH);
    tally t = TALLY;
    char data[DEPTH][10];
    mill__io_request r[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        r[i] = (mill__io_request){.fd = -1,
                                  .read = meet,
                                  .handle = &barrier,
                                  .offset = (uint64_t)i,
                                  .data = data[i],
                                  .n = 10,
                                  .done = on_done,
                                  .owner = &t};
        mill__io_submit(io, &r[i]);
    }
    wait_for(&t, DEPTH);
    for (int i = 0; i < DEPTH; i++)
        ck_assert(r[i].status == MILL_OK && r[i].got == 10 && data[i][9] == i);
    mill__io_close(io);
    pthread_barrier_destroy(&barrier);
}
END_TEST

typedef struct crowd {
    int now, most; /* threads inside; by atomics */
} crowd;

static void join_crowd(void *arg)
{
    crowd *c = arg;
    int now = __atomic_add_fetch(&c->now, 1, __ATOMIC_SEQ_CST),
        most = __atomic_load_n(&c->most, __ATOMIC_SEQ_CST);
    while (now > most &&
           !__atomic_compare_exchange_n(&c->most, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    usleep(2000);
    __atomic_sub_fetch(&c->now, 1, __ATOMIC_SEQ_CST);
}

START_TEST(no_more_threads_than_depth)
{
    enum { NJOBS = 20, DEPTH = 3 };
    mill__io *io = engine(_i, DEPTH);
    if (!io)
        return;
    tally t = TALLY;
    crowd c = {0};
    mill__io_request r[NJOBS];
    for (int i = 0; i < NJOBS; i++) {
        r[i] = (mill__io_request){.fd = -1, .call = join_crowd, .arg = &c, .done = on_done, .owner = &t};
        mill__io_submit(io, &r[i]);
    }
    wait_for(&t, NJOBS);
    ck_assert_int_le(c.most, DEPTH);
    mill__io_close(io);
}
END_TEST

static mill_status refuse(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)offset, (void)data, (void)n;
    *got = 3;
    const char *reason = handle;
    return *reason ? mill_fail(err, MILL_BAD_DATA, "test", "%s", reason) : MILL_CANCELED;
}

static mill_status boast(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err)
{
    (void)handle, (void)offset, (void)data, (void)err;
    *got = n + 1;
    return MILL_OK;
}

START_TEST(what_a_callback_answers_reaches_done)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    char data[4];
    mill__io_request r = {.fd = -1,
                          .read = refuse,
                          .handle = (void *)"the tape is torn",
                          .data = data,
                          .n = 4,
                          .done = on_done,
                          .owner = &t};
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_BAD_DATA);
    ck_assert_str_eq(r.error.message, "the tape is torn");
    ck_assert_uint_eq(r.got, 0);
    r.handle = (void *)""; /* fails, and does not say why */
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_CANCELED);
    ck_assert_int_eq(r.error.status, MILL_CANCELED);
    ck_assert_ptr_nonnull(strstr(r.error.message, "canceled"));
    r.read = boast;
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_INTERNAL);
    ck_assert_uint_eq(r.got, 0);
    mill__io_close(io);
}
END_TEST

START_TEST(an_empty_request_is_an_error)
{
    mill__io *io = engine(_i, 2);
    if (!io)
        return;
    tally t = TALLY;
    mill__io_request r = {.fd = -1, .done = on_done, .owner = &t};
    serve(io, &r);
    ck_assert_int_eq(r.status, MILL_INTERNAL);
    mill__io_close(io);
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

/* ---- a kernel that refuses ---- */

/* System calls first and second fail with os_error from now on, in all threads or in this one and its
 * children. */
static bool forbid(int first, int second, int os_error, bool all_threads)
{
    struct sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)first, 1, 0),
                                   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)second, 0, 1),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)os_error),
                                   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0,
                    &program);
}

enum { CANNOT_FORBID = 77 };

/* The line where run() found something wrong, 0 if nothing, in a child that may spoil itself. */
static void in_child(int (*run)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (!child)
        _exit(run());
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "the child died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == CANNOT_FORBID)
        printf("skip: no seccomp filters here\n");
    else
        ck_assert_msg(WEXITSTATUS(status) == 0, "step %d of the child failed", WEXITSTATUS(status));
}

static int reads_well(mill__io *io)
{
    enum { N = 40 };
    tally t = TALLY;
    static uint8_t data[N][1000];
    mill__io_request r[N];
    for (int i = 0; i < N; i++) {
        r[i] = read_of(&t, file_fd, (uint64_t)i * 1000, data[i], sizeof data[i]);
        mill__io_submit(io, &r[i]);
    }
    wait_for(&t, N);
    int well = 1;
    for (int i = 0; i < N; i++)
        for (size_t k = 0; k < sizeof data[i]; k++)
            well &= !r[i].status && r[i].got == sizeof data[i] && data[i][k] == byte_at(r[i].offset + k);
    return well;
}

static int without_io_uring(void)
{
    const int reasons[] = {EPERM, ENOSYS, ENOMEM};
    for (int i = 0; i < 3; i++) {
        /* of several filters that forbid, the latest decides on the errno */
        if (!forbid(SYS_io_uring_setup, SYS_io_uring_setup, reasons[i], false))
            return CANNOT_FORBID;
        mill__io *io = NULL;
        mill_error err = {0};
        if (mill__io_open(&io, &(mill__io_config){.backend = "uring", .depth = 2}, &err) !=
                MILL_UNSUPPORTED ||
            io || err.os_error != reasons[i] || err.status != MILL_UNSUPPORTED ||
            !strstr(err.message, "threads"))
            return 1;
        err.message[0] = 0;
        if (mill__io_open(&io, &(mill__io_config){.backend = "auto", .depth = 2}, &err) || err.message[0])
            return 2;
        if (strcmp(mill__io_name(io), "threads") != 0 || !reads_well(io))
            return 3;
        mill__io_close(io);
    }
    return 0;
}

START_TEST(where_io_uring_is_forbidden_threads_read)
{
    in_child(without_io_uring);
}
END_TEST

static int io_uring_lost(void)
{
    mill__io *io = NULL;
    if (mill__io_open(&io, &(mill__io_config){.depth = 2}, NULL) || !reads_well(io))
        return 1;
    if (!forbid(SYS_io_uring_enter, SYS_io_uring_enter, EPERM, true))
        return CANNOT_FORBID;
    for (int i = 0; i < 5; i++)
        if (!reads_well(io))
            return 2;
    mill__io_close(io);
    return 0;
}

START_TEST(io_uring_forbidden_halfway_loses_no_read)
{
    in_child(io_uring_lost);
}
END_TEST

static int without_new_threads(void)
{
    mill__io *io = NULL;
    if (mill__io_open(&io, &(mill__io_config){.backend = "threads", .depth = 8}, NULL))
        return 1;
    if (!forbid(SYS_clone, SYS_clone3, EAGAIN, false))
        return CANNOT_FORBID;
    if (!reads_well(io))
        return 2;
    mill__io_close(io);
    for (int i = 0; i < NBACKENDS; i++) {
        mill_error err = {0};
        io = NULL;
        if (mill__io_open(&io, &(mill__io_config){.backend = backends[i], .depth = 8}, &err) != MILL_IO ||
            io || err.os_error != EAGAIN)
            return 3;
    }
    return 0;
}

START_TEST(where_threads_run_out_those_there_are_serve_all)
{
    in_child(without_new_threads);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io");
    TCase *tc = tcase_create("both backends");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_file, drop_file);
    tcase_add_loop_test(tc, reads_from_many_threads_give_the_bytes_of_the_file, 0, NBACKENDS);
    tcase_add_loop_test(tc, only_the_end_of_the_file_shortens_a_read, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_bad_descriptor_is_reported_by_done, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_folder_cannot_be_read, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_read_beyond_one_gibibyte_is_whole, 0, NBACKENDS);
    tcase_add_loop_test(tc, done_may_hand_in_the_next_read, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_job_runs_on_a_named_thread_with_signals_blocked, 0, NBACKENDS);
    tcase_add_loop_test(tc, blocking_reads_run_side_by_side, 0, NBACKENDS);
    tcase_add_loop_test(tc, no_more_threads_than_depth, 0, NBACKENDS);
    tcase_add_loop_test(tc, what_a_callback_answers_reaches_done, 0, NBACKENDS);
    tcase_add_loop_test(tc, an_empty_request_is_an_error, 0, NBACKENDS);
    tcase_add_loop_test(tc, close_waits_for_what_is_in_flight, 0, NBACKENDS);
    tcase_add_loop_test(tc, opened_and_closed_300_times, 0, NBACKENDS);
    tcase_add_loop_test(tc, a_forked_child_may_close_its_copy, 0, NBACKENDS);
    tcase_add_test(tc, an_unknown_backend_is_a_usage_error);
    tcase_add_test(tc, where_io_uring_is_forbidden_threads_read);
    tcase_add_test(tc, io_uring_forbidden_halfway_loses_no_read);
    tcase_add_test(tc, where_threads_run_out_those_there_are_serve_all);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
