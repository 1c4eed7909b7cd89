/* SPDX-License-Identifier: Apache-2.0 */
/* The image path allocates nothing for a sample once it is warm. This program brings a malloc of its own that
 * counts and hands on to the C library's. */
#include "engine/worker.h"
#include "jpeg_fixture.h"
#include <errno.h>
#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)
#define COUNTS 1
static atomic_long allocations;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

void *malloc(size_t n)
{
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    allocations++;
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    allocations++;
    return __libc_memalign(alignment, n);
}

void *memalign(size_t alignment, size_t n);
void *memalign(size_t alignment, size_t n)
{
    allocations++;
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    allocations++;
    *p = __libc_memalign(alignment, n);
    return *p ? 0 : ENOMEM;
}
#else
static long allocations;
#endif

enum { IMAGES = 40 };

static const char *const pipelines[] = {
    "decode | resize 64 | center_crop 56 | normalize imagenet | layout chw",
    "decode orient=true | random_resized_crop 48 filter=bicubic | hflip | normalize half | layout chw",
    "decode grey | resize 40x30 filter=lanczos | pad 4 mode=reflect",
    "decode | resize 50 | hflip | resize 30x30 filter=box", /* two renderings */
};

static void add_images(mill__batch *batch, const jpeg_file *files)
{
    for (int i = 0; i < IMAGES; i++) {
        mill__sample sample = {.key = "key", .label = -1, .nfields = 1};
        sample.fields[0] =
            (mill__field){.name = "jpg", .name_nbytes = 3, .data = files[i].data, .nbytes = files[i].nbytes};
        EXPECT(mill__batch_add(batch, &sample, NULL));
    }
}

START_TEST(a_warm_worker_allocates_nothing)
{
#ifndef COUNTS
    printf("skip: a sanitizer has its own malloc\n");
    return;
#endif
    const mill_type input = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
    mill_pipeline *pipeline = mill_pipeline_new();
    mill__plan plan;
    mill_error err;
    ck_assert_int_eq(mill_pipeline_parse(pipeline, pipelines[_i], &err), MILL_OK);
    ck_assert_int_eq(mill__plan_compile(pipeline, &input, &plan, &err), MILL_OK);
    jpeg_file files[IMAGES];
    for (int i = 0; i < IMAGES; i++)
        files[i] =
            jpeg_random(random_between(60, 200), random_between(60, 200), &jpeg_kinds[i % JPEG_KINDS], i % 9);
    const mill__job job = {.plan = &plan, .max_pixels = 1 << 20, .scratch_nbytes = 1 << 25};
    mill__worker worker;
    mill__batch batch;
    memset(&batch, 0, sizeof batch);
    mill__worker_init(&worker, &job);
    ck_assert_int_eq(mill__batch_open(&batch, IMAGES), MILL_OK);
    batch.slab = calloc(IMAGES, plan.row_nbytes);
    add_images(&batch, files);
    for (int round = 0; round < 8; round++) /* weights are made anew for each size: memory finds its size */
        mill__worker_rows(&worker, &batch, 0, IMAGES);
    long before = allocations;
    mill__worker_rows(&worker, &batch, 0, IMAGES);
    long made = allocations - before;
    for (int i = 0; i < IMAGES; i++)
        EXPECT_MSG(batch.rows[i].status == MILL_OK, "%s", batch.rows[i].error->message);
    EXPECT_MSG(made == 0, "%s: %ld allocations for %d images", pipelines[_i], made, IMAGES);
    EXPECT(before > IMAGES); /* it does count */
    free(batch.slab);
    batch.slab = NULL;
    mill__batch_free(&batch);
    mill__worker_end(&worker);
    mill__plan_free(&plan);
    mill_pipeline_free(pipeline);
    for (int i = 0; i < IMAGES; i++)
        free(files[i].data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pipeline memory");
    TCase *tests = tcase_create("pipeline memory");
    tcase_add_loop_test(tests, a_warm_worker_allocates_nothing, 0, sizeof pipelines / sizeof *pipelines);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
