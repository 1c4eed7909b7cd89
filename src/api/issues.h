/* SPDX-License-Identifier: Apache-2.0 */
/* api/issues.h: the issues of each shard, shown to the caller in data-set order whatever order shards end in.
 */
#ifndef MILL_API_ISSUES_H
#define MILL_API_ISSUES_H

#include "base/arena.h"
#include "engine/batch.h"
#include <shardmill/run.h>

/* The issues of one shard. {0} is an empty one. */
typedef struct mill__issues {
    mill_issue *list;
    size_t n, capacity;
    mill__arena strings;
} mill__issues;

bool mill__issues_add(mill__issues *issues, const mill_issue *issue, const char *shard);
/* Those of a batch: structural ones, then one for each bad row. */
bool mill__issues_add_batch(mill__issues *issues, const mill__batch *batch, const char *shard);
/* By offset: the order in which they were found depends on how the samples fell into batches. */
void mill__issues_sort(mill__issues *issues);
void mill__issues_free(mill__issues *issues);

/* Holds back what later shards have to say until the earlier ones have spoken. */
typedef struct mill__issue_order {
    mill__issues **waiting; /* one a shard; NULL: not ended yet */
    size_t n, next;
    size_t last; /* what shards behind this one have to say is not shown; SIZE_MAX at first */
    void (*show)(void *user, const mill_issue *issue); /* may be NULL */
    void *user;
} mill__issue_order;

mill_status mill__issue_order_open(mill__issue_order *order, size_t nshards,
                                   void (*show)(void *user, const mill_issue *issue), void *user);
/* Shard has ended; takes over the contents of issues. */
bool mill__issue_order_end(mill__issue_order *order, size_t shard, mill__issues *issues);
/* Shows what is still held back, and frees. */
void mill__issue_order_close(mill__issue_order *order);

#endif
