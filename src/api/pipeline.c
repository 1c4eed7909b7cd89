/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "engine/plan.h"
#include "registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mill_pipeline *mill_pipeline_new(void)
{
    return calloc(1, sizeof(mill_pipeline));
}

static void drop_items(mill_pipeline *p, int keep)
{
    while (p->nitems > keep)
        mill__free(p->items[--p->nitems].values);
    mill__buffer_free(&p->text);
}

void mill_pipeline_free(mill_pipeline *p)
{
    if (!p)
        return;
    drop_items(p, 0);
    free(p->items);
    free(p->custom);
    free(p);
}

mill_status mill_pipeline_register(mill_pipeline *p, const mill_transform_ops *ops, void *user,
                                   mill_error *err)
{
    if (!p || !ops || !ops->name || !ops->name[0] || ops->struct_nbytes != sizeof *ops)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "a pipeline and a transform are needed, the latter with a name and struct_nbytes = "
                         "sizeof(mill_transform_ops)");
    if (!ops->plan || (!ops->run && !ops->view))
        return mill_fail(err, MILL_USAGE, "pipeline", "transform %s needs plan(), and view() or run()",
                         ops->name);
    if (ops->nparams < 0 || (ops->nparams && !ops->params))
        return mill_fail(err, MILL_USAGE, "pipeline", "transform %s says nparams = %d without params",
                         ops->name, ops->nparams);
    for (int i = 0; i < ops->nparams; i++)
        if (!ops->params[i].name || (ops->params[i].type == MILL_PARAM_CHOICE && !ops->params[i].choices))
            return mill_fail(err, MILL_USAGE, "pipeline",
                             "parameter %d of transform %s needs a name, and choices if it is a choice", i,
                             ops->name);
    void *custom = realloc(p->custom, (size_t)(p->ncustom + 1) * sizeof *p->custom);
    if (!custom)
        return mill__no_memory(err, sizeof *p->custom, "a transform");
    p->custom = custom;
    p->custom[p->ncustom].ops = ops;
    p->custom[p->ncustom++].user = user;
    return MILL_OK;
}

static const mill_transform_ops *find(const mill_pipeline *p, const char *name, void **user)
{
    for (int i = p->ncustom; i-- > 0;)
        if (!strcmp(p->custom[i].ops->name, name)) {
            *user = p->custom[i].user;
            return p->custom[i].ops;
        }
    *user = NULL;
    return mill__transform_named(name);
}

static mill_status unknown(const mill_pipeline *p, const mill__clause *clause, mill_error *err)
{
    const char *names[128];
    int n = 0;
    for (int i = 0; i < p->ncustom && n < 60; i++)
        names[n++] = p->custom[i].ops->name;
    for (int i = 0; mill__transforms[i] && n < 127; i++)
        names[n++] = mill__transforms[i]->name;
    names[n] = NULL;
    const char *nearest = mill__nearest(clause->name, names);
    return mill_fail(err, MILL_USAGE, "pipeline", "column %zu: there is no transform \"%s\"%s%s%s",
                     clause->column, clause->name, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                     nearest ? "\"?" : "");
}

static mill_status append(mill_pipeline *p, const mill__clause *clause, mill_error *err)
{
    mill__item item = {0};
    item.ops = find(p, clause->name, &item.user);
    if (!item.ops)
        return unknown(p, clause, err);
    mill_status status = mill__params_check(clause, item.ops->params, item.ops->nparams, &item.values, err);
    if (status)
        return status;
    mill__item *items = realloc(p->items, (size_t)(p->nitems + 1) * sizeof *items);
    if (!items) {
        mill__free(item.values);
        return mill__no_memory(err, sizeof *items, "a pipeline");
    }
    p->items = items;
    items[p->nitems++] = item;
    mill__buffer_free(&p->text);
    return MILL_OK;
}

mill_status mill_pipeline_parse(mill_pipeline *p, const char *text, mill_error *err)
{
    mill__clause *clauses;
    if (!p || !text)
        return mill_fail(err, MILL_USAGE, "argument", "a pipeline and a text are needed");
    int n, before = p->nitems;
    mill_status status = mill__clauses_parse(text, &clauses, &n, err);
    if (status)
        return status;
    for (int i = 0; i < n && !status; i++)
        status = append(p, &clauses[i], err);
    mill__clauses_free(clauses, n);
    if (status)
        drop_items(p, before);
    return status;
}

mill_status mill_pipeline_add(mill_pipeline *p, const char *name, const char *arguments, mill_error *err)
{
    mill__buffer text = {0};
    mill_status status;
    if (!p)
        return mill_fail(err, MILL_USAGE, "argument", "a pipeline is needed");
    if (!name || !name[0] || strpbrk(name, "| \t\n"))
        return mill_fail(err, MILL_USAGE, "pipeline", "a transform's name is one word");
    if (mill__buffer_printf(&text, "%s %s", name, arguments ? arguments : "")) {
        status = mill__no_memory(err, strlen(name), "a pipeline");
    } else {
        int before = p->nitems;
        status = mill_pipeline_parse(p, (char *)text.data, err);
        if (!status && p->nitems != before + 1) {
            drop_items(p, before);
            status = mill_fail(err, MILL_USAGE, "pipeline",
                               "mill_pipeline_add takes one transform; use mill_pipeline_parse");
        }
    }
    mill__buffer_free(&text);
    return status;
}

const char *mill_pipeline_text(mill_pipeline *p)
{
    if (p->text.data)
        return (const char *)p->text.data;
    if (mill__pipeline_print(p, &p->text)) {
        mill__buffer_free(&p->text);
        return NULL;
    }
    return (const char *)p->text.data;
}
