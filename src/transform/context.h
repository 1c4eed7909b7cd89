/* SPDX-License-Identifier: Apache-2.0 */
/* transform/context.h: what stands behind mill_context. The engine fills one a sample. */
#ifndef MILL_TRANSFORM_CONTEXT_H
#define MILL_TRANSFORM_CONTEXT_H

#include "base/random.h"
#include "sample/sample.h"
#include <shardmill/extend.h>

struct mill_context {
    const mill__sample *sample;
    int64_t label;
    mill__random random;                          /* transform is set before each call */
    void *(*scratch)(void *owner, size_t nbytes); /* of the thread */
    void *owner;
};

#endif
