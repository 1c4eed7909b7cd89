/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/batch.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

mill_status mill__batch_open(mill__batch *batch, size_t capacity)
{
    *batch = (mill__batch){0};
    batch->rows = calloc(capacity, sizeof *batch->rows);
    return batch->rows ? MILL_OK : MILL_NO_MEMORY;
}

bool mill__carries(const char *carry, const mill__field *field)
{
    if (!carry || !strcmp(carry, "*"))
        return carry != NULL;
    for (size_t n; *carry; carry += n + (carry[n] == ' ')) {
        n = strcspn(carry, " ");
        if (n == field->name_nbytes && !strncasecmp(carry, field->name, n))
            return true;
    }
    return false;
}

/* Field names and keys move into the arena; data pointers stay valid until the sample is transformed. */
bool mill__batch_put(mill__batch *batch, size_t i, const mill__sample *sample, const char *carry)
{
    mill__row *row = &batch->rows[i];
    mill__buffer blob = row->blob;
    blob.nbytes = 0;
    free(row->error);
    *row = (mill__row){.shard = batch->shard,
                       .epoch = batch->epoch,
                       .sample = batch->first + (int64_t)i,
                       .label = sample->label,
                       .offset = sample->offset,
                       .nbytes = sample->nbytes,
                       .blob = blob,
                       .status = sample->status,
                       .nfields = sample->nfields};
    row->key = mill__arena_copy(&batch->arena, sample->key, strlen(sample->key));
    mill__field *fields = mill__arena_alloc(&batch->arena, (size_t)sample->nfields * sizeof *fields);
    if (!row->key || !fields)
        return false;
    row->fields = fields;
    int ncarried = 0;
    for (int f = 0; f < sample->nfields; f++) {
        fields[f] = sample->fields[f];
        fields[f].name =
            mill__arena_copy(&batch->arena, sample->fields[f].name, sample->fields[f].name_nbytes);
        if (!fields[f].name)
            return false;
        ncarried += mill__carries(carry, &fields[f]);
    }
    if (ncarried) {
        row->carried = mill__arena_alloc(&batch->arena, (size_t)ncarried * sizeof *row->carried);
        if (!row->carried)
            return false;
    }
    if (sample->status) {
        row->error = malloc(sizeof *row->error);
        if (!row->error)
            return false;
        *row->error = sample->error;
    }
    return true;
}

bool mill__batch_add(mill__batch *batch, const mill__sample *sample, const char *carry)
{
    if (!mill__batch_put(batch, batch->n, sample, carry))
        return false;
    batch->source_nbytes += sample->nbytes;
    batch->n++;
    return true;
}

/* One more than a number of n digits, with its leading zeros; how many digits it has. */
static size_t next_key(char *key, const char *before, size_t n)
{
    size_t i = n;
    memcpy(key, before, n + 1);
    while (i && key[i - 1] == '9')
        key[--i] = '0';
    if (i) {
        key[i - 1]++;
        return n;
    }
    memmove(key + 1, key, n + 1);
    key[0] = '1';
    return n + 1;
}

bool mill__batch_put_more(mill__batch *batch, size_t first, size_t n, size_t stride)
{
    enum { KEY = 24 };
    const mill__row *last = &batch->rows[first];
    const size_t nfields = (size_t)last->nfields;
    size_t ndigits = strlen(last->key);
    char *keys = ndigits < KEY - 4 ? mill__arena_alloc(&batch->arena, n * KEY) : NULL;
    mill__field *fields = mill__arena_alloc(&batch->arena, n * nfields * sizeof *fields);
    if (!keys || !fields)
        return false;
    for (size_t i = 0; i < n; i++, fields += nfields, keys += KEY, last++) {
        mill__row *row = &batch->rows[first + 1 + i];
        const mill__buffer own = row->blob;
        free(row->error);
        *row = *last;
        row->blob = own;
        row->sample++;
        row->offset += stride;
        row->key = keys;
        row->fields = fields;
        ndigits = next_key(keys, last->key, ndigits);
        for (size_t f = 0; f < nfields; f++) {
            fields[f] = last->fields[f];
            fields[f].data += stride;
            fields[f].offset += stride;
        }
    }
    return true;
}

bool mill__batch_more(mill__batch *batch, size_t n, size_t stride)
{
    const mill__row *last = &batch->rows[batch->n - 1];
    if (!mill__batch_put_more(batch, batch->n - 1, n, stride))
        return false;
    batch->source_nbytes += n * last->nbytes;
    batch->n += n;
    return true;
}

bool mill__batch_issue(mill__batch *batch, const mill_issue *issue)
{
    if (batch->nissues == batch->issue_capacity) {
        size_t capacity = batch->issue_capacity ? 2 * batch->issue_capacity : 8;
        mill_issue *issues = realloc(batch->issues, capacity * sizeof *issues);
        if (!issues)
            return false;
        batch->issues = issues;
        batch->issue_capacity = capacity;
    }
    mill_issue *copy = &batch->issues[batch->nissues];
    *copy = *issue;
    const char *key = issue->key ? issue->key : "";
    copy->shard = NULL;
    copy->key = mill__arena_copy(&batch->arena, key, strlen(key));
    copy->kind = mill__arena_copy(&batch->arena, issue->kind, strlen(issue->kind));
    copy->reason = mill__arena_copy(&batch->arena, issue->reason, strlen(issue->reason));
    if (!copy->key || !copy->kind || !copy->reason)
        return false;
    batch->nissues++;
    return true;
}

void mill__batch_reset(mill__batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        free(batch->rows[i].error);
        batch->rows[i].error = NULL;
        if (batch->rows[i].blob.data)
            mill__buffer_free(&batch->rows[i].blob);
    }
    mill__arena_reset(&batch->arena);
    batch->n = 0;
    batch->nissues = 0;
    batch->source_nbytes = 0;
    batch->last = batch->kept = false;
    batch->shard_nbytes = batch->stored_nbytes = batch->walked = 0;
    batch->shard_mtime_ns = 0;
}

void mill__batch_free(mill__batch *batch)
{
    if (batch->rows)
        mill__batch_reset(batch);
    mill__arena_free(&batch->arena);
    mill__free(batch->slab);
    mill__free(batch->partials);
    free(batch->done);
    free(batch->issues);
    free(batch->rows);
    *batch = (mill__batch){0};
}
