/* SPDX-License-Identifier: Apache-2.0 */
/* api/output_folder.h: the folder that a run writes to: made, locked against other runs, kept apart from the
 * inputs. */
#ifndef MILL_API_OUTPUT_FOLDER_H
#define MILL_API_OUTPUT_FOLDER_H

#include "sink/sink.h"
#include "source/source.h"

/* Refuse a folder in which outputs would be taken for inputs, or take their place: one that a shard lies in,
 * or one inside a shard that is a folder (or inside the folder whose subfolders are the classes). The folder
 * need not be there yet. */
mill_status mill__output_folder_check(const char *path, const mill__shard_name *shards, size_t nshards,
                                      mill_error *err);
/* Make the folder, with those above it, and lock it. *lock ends the lock by mill__output_folder_close, or by
 * the end of the process, however that comes. Another run has it: MILL_USAGE. */
mill_status mill__output_folder_open(const char *path, int *lock, mill_error *err);
void mill__output_folder_close(int lock); /* -1 is fine */
/* Remove what a killed run left under temporary names: files of these shards, by the sink's suffixes. */
mill_status mill__output_folder_clean(const char *path, const mill__sink_ops *sink,
                                      const mill__shard_name *shards, size_t nshards, mill_error *err);

#endif
