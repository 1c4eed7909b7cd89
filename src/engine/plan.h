/* SPDX-License-Identifier: Apache-2.0 */
/* engine/plan.h: a pipeline compiled for one type of sample: checked, immutable, shared by all threads.
 *
 * Transforms become segments. An image segment renders once: it decodes (or takes u8 pixels), composes the
 * view transforms of the segment for the sample at hand, and sends each pixel through one colour table, into
 * which all pointwise transforms that follow were folded; from the first random one on they are run over the
 * table for each sample. Anything else is a run segment: one transform, data
 * in, data out. The last run segments may take many samples at once. */
#ifndef MILL_ENGINE_PLAN_H
#define MILL_ENGINE_PLAN_H

#include "base/params.h"
#include <shardmill/pipeline.h>
#include <stdbool.h>

/* One transform of a pipeline, its arguments checked. */
typedef struct mill__item {
    const mill_transform_ops *ops;
    void *user;
    mill_value *values;
} mill__item;

struct mill_pipeline {
    mill__item *items;
    int nitems;
    struct {
        const mill_transform_ops *ops;
        void *user;
    } * custom;
    int ncustom;
    mill__buffer text; /* canonical; made on demand */
};

typedef struct mill__stage {
    const mill_transform_ops *ops;
    void *self;
    mill_type in, out;
} mill__stage;

typedef struct mill__segment {
    bool image; /* else a single run stage */
    int first,
        nviews;    /* image: stages first .. are its views (behind decode, if decodes); run: stage first */
    bool decodes;  /* image: begins with an encoded file, stage first - 1 being decode */
    void *table;   /* image: colour table or NULL */
    int live, end; /* image: stages live .. end - 1 are run over the table for each sample; live 0: none */
    mill_type out;
} mill__segment;

/* So many bytes of rows are taken through a batched plan by one thread in one go: they stay in its own cache.
 */
enum { MILL__QUICK_NBYTES = 512 << 10 };

typedef struct mill__plan {
    mill_type input, output;
    char *text;        /* of the pipeline, canonical */
    char files[20];    /* checksum of the files that it names; "none" */
    bool has_tensor;   /* false: samples stay what they are */
    bool fixed;        /* output shape fully known */
    size_t row_nbytes; /* of a fixed output */
    /* Segments tail .. nsegments - 1 take n samples in one call: run segments on fixed shapes, each pointwise
     * or MILL_BATCHED, none random. batched: there is nothing else, not even in front of them. gathers: it is
     * worth the while to put samples side by side for them, since one of them is MILL_BATCHED. */
    int tail;
    bool batched, gathers;
    size_t between_nbytes; /* the most that one sample takes between two stages of the tail, or in front of it
                              or behind it if it gathers */
    const struct mill__kernels *kernels;
    bool jpeg_by_library; /* Huffman codes too */
    mill__stage *stages;
    int nstages;
    mill__segment *segments;
    int nsegments;
} mill__plan;

/* input: the type of one sample; MILL_ENCODED for named fields. Errors name the transform and its place. */
mill_status mill__plan_compile(const mill_pipeline *pipeline, const mill_type *input, mill__plan *plan,
                               mill_error *err);
/* The pipeline's canonical text into out; 0, or -1 without memory. */
int mill__pipeline_print(const mill_pipeline *pipeline, mill__buffer *out);
/* The checksum of the files that arguments name (plan_files.c). */
mill_status mill__plan_hash_files(const mill_pipeline *pipeline, char text[20], mill_error *err);
void mill__plan_free(mill__plan *plan);
/* The level of instruction sets that its kernels use; NULL where nothing was compiled. */
const char *mill__plan_level(const mill__plan *plan);

/* Its result may take the place of its input. */
bool mill__stage_in_place(const mill__stage *stage);

/* Bytes of one sample of type; 0 when its shape varies. UINT64_MAX on overflow. */
uint64_t mill__type_nbytes(const mill_type *type);
/* "f32 chw 3x224x224", "?" for axes that vary. */
void mill__type_text(const mill_type *type, char *text, size_t nbytes);

#endif
