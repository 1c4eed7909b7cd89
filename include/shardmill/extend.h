/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/extend.h: transforms and sources of your own. The built-in ones are written against these very
 * structs; `src/transform/hflip.c` and `src/source/file.c` are short examples. */
#ifndef SHARDMILL_EXTEND_H
#define SHARDMILL_EXTEND_H

#include <shardmill/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- parameters ------------------------------------------------------------------------------------------
 */

typedef enum mill_param_type {
    MILL_PARAM_INT,    /* 224; accepts min..max */
    MILL_PARAM_FLOAT,  /* 0.5; accepts min..max */
    MILL_PARAM_FLOATS, /* 0.1,0.2,0.3; each within min..max */
    MILL_PARAM_BOOL,   /* true|false|yes|no|1|0 */
    MILL_PARAM_CHOICE, /* one of choices */
    MILL_PARAM_SIZE,   /* 224 or 320x240 (width x height) */
    MILL_PARAM_TEXT    /* any word or "quoted text" */
} mill_param_type;

typedef struct mill_param {
    const char *name;
    mill_param_type type;
    const char *fallback; /* text of the default; NULL: must be given; "": absent unless given */
    const char *choices;  /* "a|b|c" for MILL_PARAM_CHOICE; "FILE" as the last of them, or alone for another
                             type: a file name, which has a '/' or ends in .json, can be given instead; alone
                             for MILL_PARAM_TEXT: the text is one. What is in the file counts as part of the
                             pipeline: a run or a loader's state is not continued with another content */
    double min, max;      /* both 0: no limits */
    const char *help;     /* one line */
} mill_param;

/* A checked argument. Which member is filled follows from the type: i for INT, BOOL and CHOICE (the index in
 * choices); f and i for FLOAT; list and n for FLOATS; list[0], list[1] for SIZE with n 1 (one number) or 2
 * (width, height); text for all. n is 0 for an absent argument, -1 for a file
 * (its name is text). */
typedef struct mill_value {
    int64_t i;
    double f;
    const double *list;
    int n;
    const char *text;
} mill_value;

/* ---- views: geometry without touching pixels -------------------------------------------------------------
 */

typedef enum mill_filter {
    MILL_NEAREST,
    MILL_BOX,
    MILL_BILINEAR,
    MILL_HAMMING,
    MILL_BICUBIC,
    MILL_LANCZOS
} mill_filter;
#define MILL_FILTERS "nearest|box|bilinear|hamming|bicubic|lanczos"

/* An image that is yet to be rendered. A view transform asks for its present size and composes one step more.
 * The calls answer MILL_AGAIN when the step cannot be folded into what is there; pass that on: the engine
 * then renders what it has and calls the transform again on a fresh view. */
typedef struct mill_view mill_view;
MILL_API int64_t mill_view_width(const mill_view *view);
MILL_API int64_t mill_view_height(const mill_view *view);
/* Keep the rectangle (x, y, width, height); what lies outside of the image becomes fill. */
MILL_API mill_status mill_view_crop(mill_view *view, int64_t x, int64_t y, int64_t width, int64_t height,
                                    uint8_t fill);
MILL_API mill_status mill_view_resize(mill_view *view, int64_t width, int64_t height, mill_filter filter);
MILL_API mill_status mill_view_hflip(mill_view *view);

/* ---- what a transform is told about the sample at hand ---------------------------------------------------
 */

typedef struct mill_context mill_context;
MILL_API const char *mill_context_key(const mill_context *ctx);
MILL_API int64_t mill_context_label(const mill_context *ctx); /* -1: none */
/* The bytes of a field ("jpg", "json", ...) of the sample; MILL_END when it has none. Valid during the call.
 */
MILL_API mill_status mill_context_field(const mill_context *ctx, const char *name, const void **data,
                                        size_t *nbytes);
/* The k-th random number of this transform for this sample: 32 uniform bits, a function of (seed, epoch,
 * sample, position of the transform in the pipeline, k) alone. */
MILL_API uint32_t mill_context_random(const mill_context *ctx, uint32_t k);
/* The same as a double in [0, 1), and as an integer in [0, n). */
MILL_API double mill_context_uniform(const mill_context *ctx, uint32_t k);
MILL_API int64_t mill_context_below(const mill_context *ctx, uint32_t k, int64_t n);
/* 64-byte aligned scratch of the calling thread, valid until run() of the next transform returns; counted
 * against the memory budget. NULL when the budget or memory is exhausted. */
MILL_API void *mill_context_scratch(const mill_context *ctx, size_t nbytes);

/* ---- transforms ------------------------------------------------------------------------------------------
 */

enum {
    MILL_POINTWISE =
        1, /* each output element depends on the input element at its place (and its channel) only:
              run() is batched (n samples in one call), in->data may equal out->data when the element
              size is the same, and on u8 images it is folded into a table of 256 entries */
    MILL_RANDOM =
        2, /* draws random numbers; with MILL_POINTWISE: run() is called for each sample, with ctx, and
              on u8 images for the table of that sample (256 values of each channel, as a chw image) */
    MILL_IN_PLACE = 4, /* run() keeps the type, and in->data may equal out->data */
    MILL_BATCHED =
        8 /* where shapes are fixed, run() takes in->n samples in one call, one behind the other, and
             gives as many. Of ctx only mill_context_scratch is of use then. Not with MILL_RANDOM */
};

/* All callbacks but plan may be NULL; exactly one of view and run is needed (both: view is used on images
 * that are not rendered yet, run otherwise). Callbacks other than start/run/stop/view are called on the
 * opening thread; start/run/stop are called on compute threads, several at once for different states. They
 * must not block, print or exit. On failure they fill err (status, kind, message; the engine adds shard and
 * key). */
typedef struct mill_transform_ops {
    size_t struct_nbytes; /* sizeof(mill_transform_ops) */
    const char *name;
    const char *summary; /* one line */
    const char *example; /* a working use in a pipeline */
    const mill_param *params;
    int nparams;
    unsigned flags;
    /* Check values against the input type, give the output type (preset to the input's), make *self. */
    mill_status (*plan)(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                        void **self, mill_error *err);
    void (*drop)(void *self);
    mill_status (*view)(const void *self, const mill_context *ctx, mill_view *view, mill_error *err);
    /* Per-thread state, made and ended on its thread. */
    mill_status (*start)(const void *self, void **state, mill_error *err);
    /* Fill out. out->data is NULL when the output shape varies: set out->type.shape and out->data (from
     * mill_context_scratch). Otherwise out->data has the planned size. ctx is NULL for
     * batched calls of MILL_POINTWISE. */
    mill_status (*run)(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                       mill_tensor *out, mill_error *err);
    void (*stop)(const void *self, void *state);
} mill_transform_ops;

/* Helpers that fill err and return status. printf-style; err may be NULL. */
MILL_API mill_status mill_fail(mill_error *err, mill_status status, const char *kind, const char *format, ...)
    MILL_PRINTF(4, 5);

/* ---- sources ---------------------------------------------------------------------------------------------
 */

/* A file within a shard that is a folder. The folder's bytes are its members', one after another. */
typedef struct mill_member {
    const char *name; /* relative to the shard, '/'-separated */
    uint64_t offset;  /* in the shard's bytes */
    uint64_t nbytes;
    int32_t os_error; /* errno of a member that could not be read, else 0; its bytes then are zeros */
} mill_member;

typedef struct mill_shard_info {
    uint64_t nbytes;
    int64_t mtime_ns;           /* 0: unknown */
    size_t nmembers;            /* 0: a plain stream of bytes */
    const mill_member *members; /* owned by the handle; sorted as they are to be visited */
    const void *layout;         /* NULL; the library's own */
} mill_shard_info;

/* Where the bytes of shards come from. open, read and close run on I/O threads and may block; read may be
 * called by several threads at once on one handle. */
typedef struct mill_source_ops {
    size_t struct_nbytes; /* sizeof(mill_source_ops) */
    const char *name;
    const char *summary;
    mill_status (*open)(void *user, const char *locator, void **handle, mill_shard_info *info,
                        mill_error *err);
    /* Read up to n bytes at offset; *got < n only at the end of the shard. */
    mill_status (*read)(void *handle, uint64_t offset, void *data, size_t n, size_t *got, mill_error *err);
    /* A descriptor on which pread at offset gives the same bytes, so that reads need no thread; NULL or < 0:
     * none. */
    int (*fd)(void *handle);
    void (*close)(void *handle);
} mill_source_ops;

#ifdef __cplusplus
}
#endif
#endif
