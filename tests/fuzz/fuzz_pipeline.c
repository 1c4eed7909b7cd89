/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pipeline.c: any text is a pipeline or is refused; the canonical text of one stands for the same. */
#include "base/error.h"
#include "engine/plan.h"
#include "fuzz.h"
#include <shardmill/pipeline.h>

static void compile(const mill_pipeline *pipeline)
{
    static const mill_type types[] = {{.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}},
                                      {.dtype = MILL_F32, .rank = 2, .shape = {3, 5}}};
    for (int i = 0; i < 2; i++) {
        mill__plan plan;
        mill_error err;
        mill__error_clear(&err);
        mill_status status = mill__plan_compile(pipeline, &types[i], &plan, &err);
        PROMISE(!status || (err.kind[0] && err.message[0]));
        if (!status)
            mill__plan_free(&plan);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    char *text = fuzz_text(data, nbytes);
    mill_pipeline *first = mill_pipeline_new(), *second = mill_pipeline_new();
    PROMISE(first && second);
    mill_error err;
    mill__error_clear(&err);
    mill_status status = mill_pipeline_parse(first, text, &err);
    PROMISE(!status || (err.kind[0] && err.message[0]));
    if (!status) {
        const char *canonical = mill_pipeline_text(first);
        PROMISE(canonical);
        PROMISE(mill_pipeline_parse(second, canonical, &err) == MILL_OK);
        PROMISE(!strcmp(canonical, mill_pipeline_text(second)));
        compile(first);
    }
    mill_pipeline_free(first);
    mill_pipeline_free(second);
    free(text);
    return 0;
}
