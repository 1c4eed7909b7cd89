/* SPDX-License-Identifier: Apache-2.0 */
/* api/options.h: the caller's options with every default filled in. */
#ifndef MILL_API_OPTIONS_H
#define MILL_API_OPTIONS_H

#include "engine/engine.h"
#include <shardmill/run.h>

/* Copies options (NULL: none), checks them, fills defaults. */
mill_status mill__options_fill(mill_options *o, const mill_options *options, mill_error *err);
/* What the engine takes from them; plan, shards, sinks' wishes are the caller's to add. *format is where the
 * format that is asked for by name stays while the engine is open. */
mill_status mill__options_engine(const mill_options *options, mill__format_ops *format,
                                 mill__engine_config *config, mill_error *err);
/* A format and its arguments (format_text.c). */
mill_status mill__format_parse(const char *text, mill__format_ops *format, mill_error *err);
/* The shards that spec names, with the extensions of all built-in formats, and those that files of the format
 * that is asked for usually have. */
mill_status mill__options_expand(const mill_options *options, const char *spec, mill__shard_name **shards,
                                 size_t *n, mill_error *err);
/* What the engine has measured. */
void mill__options_stats(mill_stats *stats, mill__engine *engine);

/* Where things are kept that can be made again: $XDG_CACHE_HOME/shardmill or ~/.cache/shardmill; malloc'd, or
 * NULL when there is no such place. */
char *mill__options_cache(void);

#endif
