/* SPDX-License-Identifier: Apache-2.0 */
/* api/run_open.c: from the caller's words to a running engine. What is wrong with them is found before the
 * output folder is touched. */
#include "api/output_folder.h"
#include "api/run_state.h"
#include "base/error.h"
#include <stdio.h>
#include <stdlib.h>

/* Asked on I/O threads, once a shard. */
static bool is_finished(void *user, size_t shard, const mill_shard_info *info)
{
    const mill__run *r = user;
    const mill__shard_name *name = &r->shards[shard];
    return mill__manifest_finished(r->manifest, name->name, name->locator, info->nbytes, info->mtime_ns);
}

/* Everything that shapes the output is a setting: another value is another run. */
static mill_status open_manifest(mill__run *r, const char *spec, mill_error *err)
{
    static const char *const policies[] = {"fail", "skip", "substitute"};
    char seed[24], epoch[24], quality[24], pixels[24];
    const mill_options *o = &r->options;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    snprintf(epoch, sizeof epoch, "%llu", (unsigned long long)o->epoch);
    snprintf(quality, sizeof quality, "%d", o->jpeg_quality);
    snprintf(pixels, sizeof pixels, "%llu", (unsigned long long)o->max_pixels);
    const char *const settings[][2] = {
        {"spec", spec},
        {"source", o->source && o->source->name ? o->source->name : "file"},
        {"format", o->format ? o->format : "by extension"},
        {"pipeline", r->plan.text},
        {"pipeline_files", r->plan.files},
        {"sink", r->sink->name},
        {"on_error", policies[o->policy]},
        {"seed", seed},
        {"epoch", epoch},
        {"jpeg_quality", quality},
        {"jpeg_subsampling", o->jpeg_subsampling},
        {"max_pixels", pixels},
        {NULL, NULL},
    };
    mill_status status = mill__manifest_open(&r->manifest, r->folder, &settings[0][0], err);
    if (!status && mill__manifest_found(r->manifest))
        status = mill__output_folder_clean(r->folder, r->sink, r->shards, r->nshards, err);
    return status;
}

static mill_status open_sink(mill__run *r, mill_error *err)
{
    const mill_options *o = &r->options;
    r->sink = mill__sink_named(o->sink);
    if (!r->folder && r->sink != &mill__sink_null)
        return mill_fail(err, MILL_USAGE, "argument", "the sink \"%s\" needs an output folder", o->sink);
    r->sink_config = (mill__sink_config){.folder = r->folder,
                                         .fixed = r->plan.fixed,
                                         .policy = o->policy,
                                         .jpeg_quality = o->jpeg_quality,
                                         .jpeg_subsampling = atoi(o->jpeg_subsampling)};
    if (r->plan.has_tensor)
        r->sink_config.type = r->plan.output;
    return r->sink->check(&r->sink_config, err);
}

static mill_status open_folder(mill__run *r, const char *spec, mill_error *err)
{
    mill_status status = MILL_OK;
    if (!r->options.source) /* locators of a source of the caller's are no paths */
        status = mill__output_folder_check(r->folder, r->shards, r->nshards, err);
    if (!status)
        status = mill__output_folder_open(r->folder, &r->folder_lock, err);
    return status ? status : open_manifest(r, spec, err);
}

static void fill_config(mill__run *r, mill__engine_config *config)
{
    config->job.plan = &r->plan;
    config->job.encode = r->sink->wants_encoded;
    config->job.quality = r->options.jpeg_quality;
    config->job.subsampling = r->sink_config.jpeg_subsampling;
    config->job.carry = r->sink->wants_encoded ? "*" : r->sink->carries_json ? "json" : NULL;
    config->keep = r->folder ? is_finished : NULL;
    config->user = r;
}

static mill_status prepare(mill__run *r, mill__engine_config *config, const char *spec,
                           const mill_pipeline *pipeline, mill_error *err)
{
    mill_status status = mill__options_expand(&r->options, spec, &r->shards, &r->nshards, err);
    config->shards = r->shards;
    config->nshards = r->nshards;
    if (!status)
        status = mill__spec_check_names(r->shards, r->nshards, err);
    if (!status)
        status = mill__engine_compile(config, pipeline, &r->plan, err);
    if (!status)
        status = open_sink(r, err);
    if (!status) {
        fill_config(r, config);
        status = mill__engine_check(config, err);
    }
    if (!status && r->folder)
        status = open_folder(r, spec, err);
    if (!status && r->options.trace)
        status = mill__trace_open(&r->trace, r->options.trace, err);
    if (!status && mill__issue_order_open(&r->order, r->nshards, r->options.on_issue, r->options.user))
        status = mill__no_memory(err, r->nshards * sizeof *r->order.waiting, "the list of shards");
    return status;
}

mill_status mill__run_open(mill__run *r, const char *spec, const mill_pipeline *pipeline, mill_error *err)
{
    mill__engine_config config;
    mill_status status = mill__options_engine(&r->options, &r->format, &config, err);
    if (!status)
        status = prepare(r, &config, spec, pipeline, err);
    if (status)
        return status;
    config.trace = r->trace;
    r->stats.shards = (int64_t)r->nshards;
    r->stats.memory_nbytes = r->options.memory_nbytes;
    return mill__engine_open(&r->engine, &config, err);
}
