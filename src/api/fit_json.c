/* SPDX-License-Identifier: Apache-2.0 */
/* api/fit_json.c: a model as JSON, as the transforms whiten and project read it. */
#include "api/fit_state.h"
#include "api/text_file.h"
#include "base/error.h"
#include "base/json_read.h"
#include <stdlib.h>

static int put_named(mill__buffer *out, const char *name, const double *list, size_t n)
{
    return mill__buffer_printf(out, ",\"%s\":", name) || mill__json_append_numbers(out, list, n);
}

static int put_number(mill__buffer *out, const char *name, double number)
{
    return mill__buffer_printf(out, ",\"%s\":", name) || mill__json_append_number(out, number);
}

static int put_model(mill__buffer *out, const mill_model_view *v)
{
    int failed = mill__buffer_printf(out, "{\"version\":1,\"model\":\"%s\"", v->model) ||
                 (v->method && mill__buffer_printf(out, ",\"method\":\"%s\"", v->method)) ||
                 mill__buffer_printf(out, ",\"pipeline\":") || mill__buffer_json_string(out, v->pipeline) ||
                 mill__buffer_printf(out, ",\"samples\":%.0f,\"features\":%zu,\"components\":%zu", v->samples,
                                     v->features, v->components) ||
                 put_number(out, "regularisation", v->regularisation) ||
                 put_number(out, "total_variance", v->total_variance) ||
                 put_named(out, "explained_variance", v->variances, v->components) ||
                 put_named(out, "mean", v->mean, v->features) ||
                 put_named(out, "matrix", v->matrix, v->components * v->features);
    return failed || mill__buffer_append(out, "}", 1);
}

mill_status mill_model_save(const mill_model *model, const char *path, mill_error *err)
{
    mill__error_clear(err);
    if (!model || !path)
        return mill_fail(err, MILL_USAGE, "argument", "a model and the name of a file are needed");
    mill__buffer text = {0};
    mill_status status = put_model(&text, &model->view)
                             ? mill__no_memory(err, text.nbytes, "the text of the model")
                             : mill__text_file_write(path, (char *)text.data, text.nbytes, err);
    mill__buffer_free(&text);
    return status;
}
