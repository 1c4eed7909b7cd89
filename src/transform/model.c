/* SPDX-License-Identifier: Apache-2.0 */
/* transform/model.c: fitted models, as whiten and project read them. */
#include "base/error.h"
#include "base/json_read.h"
#include "transform/linear.h"
#include <stdlib.h>

enum { VERSION = 1 };
static const double MOST = 1 << 30; /* features and components */

static mill_status bad_model(const char *transform, const char *path, const char *reason, mill_error *err)
{
    return mill_fail(err, MILL_USAGE, "pipeline", "%s: \"%.200s\" is no model as shardmill fit writes it: %s",
                     transform, path, reason);
}

static mill_status check_kind(const char *transform, const char *path, mill__json_piece object,
                              const char *kind, mill_error *err)
{
    mill__json_piece value;
    double version;
    if (!mill__json_member(object, "model", &value))
        return bad_model(transform, path, "it has no \"model\"", err);
    bool white = mill__json_is_text(value, "whiten"), pca = mill__json_is_text(value, "pca");
    if (!white && !pca)
        return bad_model(transform, path, "\"model\" is neither \"whiten\" nor \"pca\"", err);
    if (!mill__json_is_text(value, kind))
        return mill_fail(err, MILL_USAGE, "pipeline", "%s: \"%.200s\" is a model of %s: use %s %.200s",
                         transform, path, white ? "whitening" : "principal components",
                         white ? "whiten" : "project", path);
    if (mill__json_member(object, "version", &value) &&
        (!mill__json_number(value, &version) || version != VERSION))
        return bad_model(transform, path, "its \"version\" is not 1, the one that is read here", err);
    return MILL_OK;
}

static mill_status read_count(const char *transform, const char *path, mill__json_piece object,
                              const char *key, size_t *count, mill_error *err)
{
    mill__json_piece value;
    double number = 0;
    if (mill__json_member(object, key, &value) && mill__json_number(value, &number) && number >= 1 &&
        number <= MOST && number == (double)(size_t)number) {
        *count = (size_t)number;
        return MILL_OK;
    }
    return mill_fail(
        err, MILL_USAGE, "pipeline",
        "%s: \"%.200s\" is no model as shardmill fit writes it: \"%s\" is no number from 1 to 2^30",
        transform, path, key);
}

static mill_status read_list(const char *transform, const char *path, mill__json_piece object,
                             const char *key, size_t want, double **list, mill_error *err)
{
    size_t n = 0;
    mill_status status = mill__json_list(path, object, key, list, &n, err);
    if (!status && n != want)
        status =
            mill_fail(err, MILL_USAGE, "pipeline",
                      "%s: \"%s\" in \"%.200s\" has %zu numbers where its features and components make it "
                      "%zu",
                      transform, key, path, n, want);
    return status;
}

static mill_status read_map(const char *transform, const char *path, mill__json_piece object,
                            const char *kind, mill__map *map, mill_error *err)
{
    mill_status status = check_kind(transform, path, object, kind, err);
    if (!status)
        status = read_count(transform, path, object, "features", &map->depth, err);
    if (!status)
        status = read_count(transform, path, object, "components", &map->columns, err);
    if (!status)
        status = read_list(transform, path, object, "mean", map->depth, &map->mean, err);
    if (!status)
        status = read_list(transform, path, object, "matrix", map->depth * map->columns, &map->b, err);
    map->row_step = 1; /* a row of the model's matrix is a column of b */
    map->column_step = map->depth;
    return status;
}

mill_status mill__map_read_model(const char *transform, const char *path, const char *kind, mill__map *map,
                                 mill_error *err)
{
    mill__buffer text = {0};
    *map = (mill__map){0};
    mill_status status = mill__json_load(path, &text, err);
    if (status)
        return status;
    status = read_map(transform, path, (mill__json_piece){(char *)text.data, text.nbytes}, kind, map, err);
    mill__buffer_free(&text);
    if (status)
        mill__map_free(map);
    return status;
}
