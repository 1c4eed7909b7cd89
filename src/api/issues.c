/* SPDX-License-Identifier: Apache-2.0 */
#include "api/issues.h"
#include <stdlib.h>
#include <string.h>

static const char *keep(mill__issues *issues, const char *text)
{
    return mill__arena_copy(&issues->strings, text ? text : "", text ? strlen(text) : 0);
}

bool mill__issues_add(mill__issues *issues, const mill_issue *issue, const char *shard)
{
    if (issues->n == issues->capacity) {
        size_t capacity = issues->capacity ? 2 * issues->capacity : 8;
        mill_issue *list = realloc(issues->list, capacity * sizeof *list);
        if (!list)
            return false;
        issues->list = list;
        issues->capacity = capacity;
    }
    mill_issue *copy = &issues->list[issues->n];
    *copy = *issue;
    copy->shard = keep(issues, shard);
    copy->key = keep(issues, issue->key);
    copy->kind = keep(issues, issue->kind);
    copy->reason = keep(issues, issue->reason);
    if (!copy->shard || !copy->key || !copy->kind || !copy->reason)
        return false;
    issues->n++;
    return true;
}

bool mill__issues_add_batch(mill__issues *issues, const mill__batch *batch, const char *shard)
{
    for (size_t i = 0; i < batch->nissues; i++)
        if (!mill__issues_add(issues, &batch->issues[i], shard))
            return false;
    for (size_t i = 0; i < batch->n; i++) {
        const mill__row *row = &batch->rows[i];
        if (!row->status)
            continue;
        const mill_error *error = row->error;
        mill_issue issue = {.severity = MILL_ERROR,
                            .key = row->key,
                            .kind = error ? error->kind : "memory",
                            .reason = error ? error->message : "out of memory",
                            .sample = row->sample,
                            .offset = error && error->offset != MILL_NO_OFFSET ? error->offset : row->offset,
                            .nbytes = row->nbytes};
        if (!mill__issues_add(issues, &issue, shard))
            return false;
    }
    return true;
}

static int in_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_issues(const void *a, const void *b)
{
    const mill_issue *x = a, *y = b;
    int order = in_order(x->offset, y->offset);
    order = order ? order : in_order((uint64_t)x->sample, (uint64_t)y->sample);
    order = order ? order : strcmp(x->key, y->key);
    order = order ? order : strcmp(x->kind, y->kind);
    return order ? order : strcmp(x->reason, y->reason);
}

void mill__issues_sort(mill__issues *issues)
{
    if (issues->n > 1)
        qsort(issues->list, issues->n, sizeof *issues->list, compare_issues);
}

void mill__issues_free(mill__issues *issues)
{
    free(issues->list);
    mill__arena_free(&issues->strings);
    *issues = (mill__issues){0};
}

mill_status mill__issue_order_open(mill__issue_order *order, size_t nshards,
                                   void (*show)(void *user, const mill_issue *issue), void *user)
{
    *order = (mill__issue_order){.n = nshards, .last = SIZE_MAX, .show = show, .user = user};
    order->waiting = calloc(nshards + 1, sizeof *order->waiting);
    return order->waiting ? MILL_OK : MILL_NO_MEMORY;
}

static void show_one(mill__issue_order *order, size_t shard)
{
    mill__issues *issues = order->waiting[shard];
    if (!issues)
        return;
    for (size_t i = 0; i < issues->n && order->show && shard <= order->last; i++)
        order->show(order->user, &issues->list[i]);
    mill__issues_free(issues);
    free(issues);
    order->waiting[shard] = NULL;
}

bool mill__issue_order_end(mill__issue_order *order, size_t shard, mill__issues *issues)
{
    order->waiting[shard] = malloc(sizeof *issues);
    if (!order->waiting[shard])
        return false;
    *order->waiting[shard] = *issues;
    *issues = (mill__issues){0};
    while (order->next < order->n && order->waiting[order->next])
        show_one(order, order->next++);
    return true;
}

void mill__issue_order_close(mill__issue_order *order)
{
    for (; order->waiting && order->next < order->n; order->next++)
        show_one(order, order->next);
    free(order->waiting);
    *order = (mill__issue_order){0};
}
