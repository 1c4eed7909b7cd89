/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/types.h: the words that every other header uses: status, error, dtype, layout, tensor, issue. */
#ifndef SHARDMILL_TYPES_H
#define SHARDMILL_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define MILL_VERSION_MAJOR 0
#define MILL_VERSION_MINOR 1
#define MILL_VERSION_PATCH 0
#define MILL_VERSION       "0.1.0"

#if defined(__GNUC__)
#define MILL_API               __attribute__((visibility("default")))
#define MILL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MILL_API
#define MILL_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a call answers. MILL_OK is 0; everything that is not MILL_OK, MILL_END or MILL_AGAIN is a failure. */
typedef enum mill_status {
    MILL_OK = 0,
    MILL_END,          /* nothing more will come */
    MILL_AGAIN,        /* not now: more input, room or time is needed */
    MILL_USAGE,        /* the caller's arguments, pipeline or spec are wrong */
    MILL_NO_MEMORY,    /* an allocation failed */
    MILL_IO,           /* the operating system refused a read, write, open, ...; see os_error */
    MILL_BAD_DATA,     /* the bytes of a shard or sample are not what their format demands */
    MILL_LIMIT,        /* sound perhaps, but beyond a stated limit (memory budget, dimensions, scans) */
    MILL_UNSUPPORTED,  /* known, and not handled */
    MILL_CANCELED,     /* stopped on request; a run can be resumed */
    MILL_TOO_MANY_BAD, /* more bad samples than the policy allows */
    MILL_INTERNAL      /* a defect of shardmill: please report */
} mill_status;

/* One short English word or phrase for a status; never NULL. */
MILL_API const char *mill_status_name(mill_status status);

#define MILL_NO_OFFSET UINT64_MAX

/* What went wrong and where. Belongs to the caller, who may pass NULL wherever one is taken. Only written on
 * failure. Strings are NUL-terminated, cut if too long, empty where unknown. */
typedef struct mill_error {
    mill_status status;
    int os_error;    /* errno, or 0 */
    uint64_t offset; /* byte offset in the shard, or MILL_NO_OFFSET */
    char shard[256]; /* path or locator of the shard */
    char key[256];   /* key of the sample */
    char kind[24];   /* short stable class, such as "truncated", "checksum", "decode"; see docs/formats.md */
    char message[512]; /* one sentence, no newline */
} mill_error;

/* Element types. f16 is IEEE 754 binary16, bf16 the upper half of a binary32. Memory order is the machine's.
 */
typedef enum mill_dtype {
    MILL_U8 = 1,
    MILL_I8,
    MILL_U16,
    MILL_I16,
    MILL_U32,
    MILL_I32,
    MILL_U64,
    MILL_I64,
    MILL_F16,
    MILL_BF16,
    MILL_F32,
    MILL_F64
} mill_dtype;

MILL_API size_t mill_dtype_nbytes(mill_dtype dtype);
MILL_API const char *mill_dtype_name(mill_dtype dtype); /* "u8", "bf16", ... */

/* What the axes of one sample mean. */
typedef enum mill_layout {
    MILL_PLAIN = 0, /* axes without a meaning of their own */
    MILL_ENCODED,   /* rank 1, u8: the bytes of an encoded file, e.g. a JPEG */
    MILL_HWC,       /* (height, width, channel) */
    MILL_CHW        /* (channel, height, width) */
} mill_layout;

#define MILL_MAX_RANK 8

/* The type of one sample's tensor: as much as is known before a sample is read. */
typedef struct mill_type {
    mill_dtype dtype;
    mill_layout layout;
    int rank;                     /* 0: a scalar */
    int64_t shape[MILL_MAX_RANK]; /* -1: varies from sample to sample */
} mill_type;

/* Elements, dense in row-major order. For functions marked "batched" the data hold n samples one after
 * another. */
typedef struct mill_tensor {
    mill_type type;
    int64_t n; /* samples in data; 1 unless said otherwise */
    void *data;
} mill_tensor;

typedef enum mill_severity { MILL_WARNING = 1, MILL_ERROR } mill_severity;

/* One thing that is wrong with a shard or a sample. Strings live as long as the callback that shows them. */
typedef struct mill_issue {
    mill_severity severity;
    const char *shard;  /* path or locator */
    const char *key;    /* sample key, or "" when it is not about one sample */
    const char *kind;   /* short stable class; see docs/formats.md */
    const char *reason; /* one sentence */
    int64_t sample;     /* ordinal in the shard, or -1 */
    uint64_t offset;    /* where in the shard, or MILL_NO_OFFSET */
    uint64_t nbytes;    /* bytes concerned, 0 if unknown */
} mill_issue;

#ifdef __cplusplus
}
#endif
#endif
