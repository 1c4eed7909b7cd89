/* SPDX-License-Identifier: Apache-2.0 */
/* api/inspect.c: mill_inspect(): walk every shard, look at every image's header, or decode it all. */
#include "api/issues.h"
#include "api/options.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/trace.h"
#include "registry.h"
#include <stdlib.h>
#include <string.h>

/* A shard that is being looked at. What it has to say waits until its turn has come. */
typedef struct found {
    mill_shard_summary summary;
    mill_type type;
    mill__issues issues;
    mill__issues bare; /* samples without an image: wrong if the others have one */
    size_t nimages;    /* samples that have one, sound or not */
    mill__arena arena;
    mill_sample_info *samples;
    size_t nsamples, capacity;
    bool ended;
} found;

typedef struct inspection {
    mill_inspect_options options;
    mill__format_ops format; /* that is asked for by name */
    mill__shard_name *shards;
    size_t nshards, next; /* next: the first shard that was not shown yet */
    found **found;
    mill__engine_config config;
    mill__plan plan;
    mill_type type; /* of the first shard */
    mill__trace *trace;
    mill__engine *engine;
    mill_stats stats;
    int64_t begin_ns, progress_ns;
} inspection;

static const char *format_name(const inspection *in, size_t shard)
{
    if (in->options.run.format)
        return in->options.run.format;
    const mill__format_ops *format = mill__format_for_path(in->shards[shard].locator);
    return in->shards[shard].is_folder ? "folder" : format ? format->name : "";
}

static const mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};

/* A shard that cannot even be peeked at is a finding, not a failure. */
static mill_type peek(const inspection *in, size_t shard, size_t n)
{
    mill__engine_config config = in->config;
    mill_type type;
    config.shards = &in->shards[shard];
    config.nshards = n;
    return mill__engine_peek(&config, &type, NULL) ? encoded : type;
}

/* Each array has a dtype and shape of its own, and a data set may mix formats. A format that once gave
 * encoded files always does. */
static mill_type type_of(const inspection *in, size_t shard)
{
    if (in->type.layout == MILL_ENCODED && !strcmp(format_name(in, shard), format_name(in, 0)))
        return in->type;
    return peek(in, shard, 1);
}

static found *find(inspection *in, const mill__batch *batch)
{
    if (in->found[batch->shard])
        return in->found[batch->shard];
    found *f = in->found[batch->shard] = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->type = type_of(in, batch->shard);
    f->summary = (mill_shard_summary){.shard = in->shards[batch->shard].locator,
                                      .format = format_name(in, batch->shard)};
    return f;
}

static bool add_sample(inspection *in, found *f, const mill__row *row)
{
    if (!in->options.on_sample)
        return true;
    if (f->nsamples == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 64;
        mill_sample_info *samples = realloc(f->samples, capacity * sizeof *samples);
        if (!samples)
            return false;
        f->samples = samples;
        f->capacity = capacity;
    }
    mill_field_info *fields = mill__arena_alloc(&f->arena, (size_t)row->nfields * sizeof *fields);
    const char *key = mill__arena_copy(&f->arena, row->key, strlen(row->key));
    if (!fields || !key)
        return false;
    for (int i = 0; i < row->nfields; i++) {
        const mill__field *field = &row->fields[i];
        fields[i] = (mill_field_info){.name = mill__arena_copy(&f->arena, field->name, field->name_nbytes),
                                      .nbytes = field->nbytes,
                                      .offset = field->offset};
        if (!fields[i].name)
            return false;
    }
    f->samples[f->nsamples++] = (mill_sample_info){.shard = f->summary.shard,
                                                   .key = key,
                                                   .sample = row->sample,
                                                   .offset = row->offset,
                                                   .label = row->label,
                                                   .nfields = row->nfields,
                                                   .fields = fields,
                                                   .width = row->width,
                                                   .height = row->height,
                                                   .channels = row->channels};
    if (f->type.layout != MILL_ENCODED)
        f->samples[f->nsamples - 1].type = f->type;
    return true;
}

static void free_found(found *f)
{
    if (!f)
        return;
    mill__issues_free(&f->issues);
    mill__issues_free(&f->bare);
    mill__arena_free(&f->arena);
    free(f->samples);
    free(f);
}

static void show(inspection *in, found *f)
{
    const mill_inspect_options *o = &in->options;
    void *user = o->run.user;
    for (size_t i = 0; i < f->nsamples; i++)
        o->on_sample(user, &f->samples[i]);
    for (size_t i = 0; i < f->issues.n && o->run.on_issue; i++)
        o->run.on_issue(user, &f->issues.list[i]);
    if (o->on_shard)
        o->on_shard(user, &f->summary);
}

static void count_issues(inspection *in, found *f, size_t first)
{
    for (size_t i = first; i < f->issues.n; i++) {
        bool error = f->issues.list[i].severity == MILL_ERROR;
        f->summary.errors += error;
        f->summary.warnings += !error;
        in->stats.errors += error;
        in->stats.warnings += !error;
    }
}

static bool note_image(found *f, const mill__row *row)
{
    if (f->type.layout != MILL_ENCODED)
        return true;
    bool bare = row->status == MILL_OK && !row->width;
    f->nimages += !bare;
    if (!bare)
        return true;
    const mill_issue issue = {.severity = MILL_ERROR,
                              .key = row->key,
                              .kind = "field",
                              .reason = "the sample has no image, and most others of the shard have one",
                              .sample = row->sample,
                              .offset = row->offset,
                              .nbytes = row->nbytes};
    return mill__issues_add(&f->bare, &issue, f->summary.shard);
}

/* Now it is known what the samples of the shard are like. */
static bool end_images(inspection *in, found *f)
{
    size_t before = f->issues.n;
    bool fits = true;
    for (size_t i = 0; i < f->bare.n && f->nimages > f->bare.n && fits; i++) {
        fits = mill__issues_add(&f->issues, &f->bare.list[i], f->summary.shard);
        f->summary.bad_samples++;
    }
    count_issues(in, f, before);
    return fits;
}

static mill_status take(inspection *in, const mill__batch *batch, mill_error *err)
{
    found *f = find(in, batch);
    if (!f)
        return mill__no_memory(err, sizeof *f, "a shard's findings");
    size_t before = f->issues.n;
    bool fits = mill__issues_add_batch(&f->issues, batch, f->summary.shard);
    for (size_t i = 0; i < batch->n && fits; i++) {
        f->summary.bad_samples += batch->rows[i].status != MILL_OK;
        fits = add_sample(in, f, &batch->rows[i]) && note_image(f, &batch->rows[i]);
    }
    if (!fits)
        return mill__no_memory(err, sizeof *f, "a shard's findings");
    count_issues(in, f, before);
    f->summary.samples += (int64_t)batch->n;
    in->stats.samples += (int64_t)batch->n;
    if (!in->stats.first_sample_ns && batch->n)
        in->stats.first_sample_ns = mill__now_ns() - in->begin_ns;
    in->stats.bytes_in += batch->walked - f->summary.nbytes_walked;
    f->summary.nbytes_walked = batch->walked;
    if (!batch->last)
        return MILL_OK;
    if (!end_images(in, f))
        return mill__no_memory(err, f->bare.n * sizeof *f->bare.list, "a shard's findings");
    f->ended = true;
    f->summary.nbytes = batch->shard_nbytes;
    in->stats.shards_done++;
    for (; in->next < in->nshards && in->found[in->next] && in->found[in->next]->ended; in->next++) {
        show(in, in->found[in->next]);
        free_found(in->found[in->next]);
        in->found[in->next] = NULL;
    }
    return MILL_OK;
}

static bool wants_to_go_on(inspection *in)
{
    int64_t now = mill__now_ns();
    const mill_options *o = &in->options.run;
    if (!o->on_progress || now - in->progress_ns < 100000000)
        return true;
    in->progress_ns = now;
    in->stats.elapsed_ns = now - in->begin_ns;
    mill__options_stats(&in->stats, in->engine);
    return !o->on_progress(o->user, &in->stats);
}

static mill_status work(inspection *in, mill_error *err)
{
    for (;;) {
        mill__batch *batch;
        mill_status status = mill__engine_next(in->engine, &batch, 100, err);
        if (status == MILL_END)
            return MILL_OK;
        if (status == MILL_OK) {
            status = take(in, batch, err);
            mill__engine_release(in->engine, batch);
        }
        if (status && status != MILL_AGAIN)
            return status;
        if (!wants_to_go_on(in))
            return mill_fail(err, MILL_CANCELED, "canceled", "stopped on request");
    }
}

/* Looking deeply is decoding wholly, into an output so small that it costs nothing. */
static mill_status compile(inspection *in, const mill_type *type, mill_error *err)
{
    mill_pipeline *pipeline = mill_pipeline_new();
    mill_status status = pipeline ? MILL_OK : mill__no_memory(err, sizeof(void *), "a pipeline");
    if (!status && in->options.deep && type->layout == MILL_ENCODED)
        status = mill_pipeline_parse(pipeline, "decode | resize 8x8 filter=box", err);
    if (!status)
        status = mill__plan_compile(pipeline, type, &in->plan, err);
    mill_pipeline_free(pipeline);
    return status;
}

/* The plan is made for files if there are any: arrays have nothing to be decoded. */
static mill_type type_for_plan(const inspection *in)
{
    for (size_t i = 1; in->type.layout != MILL_ENCODED && i < in->nshards; i++)
        if (strcmp(format_name(in, i), format_name(in, i - 1)) != 0 && peek(in, i, 1).layout == MILL_ENCODED)
            return encoded;
    return in->type;
}

static mill_status open_inspection(inspection *in, const char *spec, mill_error *err)
{
    mill__engine_config *config = &in->config;
    mill_options *o = &in->options.run;
    mill_status status = mill__options_engine(o, &in->format, config, err);
    if (!status)
        status = mill__options_expand(o, spec, &in->shards, &in->nshards, err);
    config->shards = in->shards;
    config->nshards = in->nshards;
    if (status)
        return status;
    in->found = calloc(in->nshards + 1, sizeof *in->found);
    if (!in->found)
        return mill__no_memory(err, in->nshards * sizeof *in->found, "the list of shards");
    in->type = peek(in, 0, in->nshards);
    const mill_type type = type_for_plan(in);
    status = compile(in, &type, err);
    if (!status && o->trace)
        status = mill__trace_open(&in->trace, o->trace, err);
    if (status)
        return status;
    config->job.plan = &in->plan;
    config->job.probe = in->options.deep ? 2 : 1;
    config->trace = in->trace;
    in->stats.shards = (int64_t)in->nshards;
    in->stats.memory_nbytes = o->memory_nbytes;
    return mill__engine_open(&in->engine, config, err);
}

mill_status mill_inspect(const char *spec, const mill_inspect_options *options, mill_stats *stats,
                         mill_error *err)
{
    inspection in = {.begin_ns = mill__now_ns(), .options = mill_inspect_options_default()};
    mill__error_clear(err);
    if (stats)
        *stats = (mill_stats){0};
    if (!spec)
        return mill_fail(err, MILL_USAGE, "argument", "a spec is needed");
    if (options && (options->struct_nbytes == 0 || options->struct_nbytes > sizeof in.options))
        return mill_fail(err, MILL_USAGE, "option", "options come from mill_inspect_options_default()");
    if (options)
        memcpy(&in.options, options, options->struct_nbytes);
    mill_options given = in.options.run;
    mill_status status = mill__options_fill(&in.options.run, &given, err);
    if (status)
        return status;
    status = open_inspection(&in, spec, err);
    if (!status)
        status = work(&in, err);
    if (in.engine)
        mill__options_stats(&in.stats, in.engine);
    mill__engine_close(in.engine);
    mill_status traced = mill__trace_close(in.trace, status ? NULL : err);
    status = status ? status : traced;
    for (size_t i = 0; in.found && i < in.nshards; i++)
        free_found(in.found[i]);
    free(in.found);
    mill__plan_free(&in.plan);
    mill__spec_free(in.shards, in.nshards);
    in.stats.elapsed_ns = mill__now_ns() - in.begin_ns;
    if (stats)
        *stats = in.stats;
    return status;
}
