/* SPDX-License-Identifier: Apache-2.0 */
/* source/spec.h: the parts of spec expansion. Words travel in one canonical form: what was quoted or escaped
 * in the spec has a backslash before each character that could mean something, and nothing else has one;
 * glob(3) reads that form as it stands. */
#ifndef MILL_SOURCE_SPEC_H
#define MILL_SOURCE_SPEC_H

#include "base/memory.h"
#include "source/source.h"

#define MILL__SHARDS_MOST 10000000

/* ---- spec_word.c ---- */

/* Cut the next word off *text and put its canonical form, NUL-terminated, into out; empty: there is none.
 * whole: blanks do not end it (a line of a list). */
mill_status mill__word_next(const char **text, bool whole, mill__buffer *out, mill_error *err);
int mill__word_protect(mill__buffer *out,
                       const char *text); /* append text, all of it meant literally; 0 or -1 */
void mill__word_plain(char *word);        /* canonical form to what it means, in place */
bool mill__word_has_glob(const char *word);

/* ---- spec_braces.c ---- */

/* Call visit for each word that the braces of a canonical word stand for, from left to right. Refused before
 * the first call if they are more than MILL__SHARDS_MOST. */
mill_status mill__braces_expand(const char *word,
                                mill_status (*visit)(void *self, const char *word, mill_error *err),
                                void *self, mill_error *err);

/* ---- spec_folder.c ---- */

typedef struct mill__shard_list {
    mill__shard_name *items;
    size_t n, capacity;
} mill__shard_list;
mill_status mill__shards_add(mill__shard_list *shards, const char *locator, int64_t class_index,
                             bool is_folder, mill_error *err);

/* The shards of a folder: its files with one of extensions, or its subfolders, or itself. */
mill_status mill__shards_add_folder(mill__shard_list *shards, const char *path, const char *extensions,
                                    mill_error *err);

/* ---- spec_name.c ---- */

size_t mill__extension_nbytes(const char *path, const char *extensions); /* of the one it ends with, or 0 */
/* Give all shards their names. */
mill_status mill__shards_name(mill__shard_list *shards, const char *extensions, mill_error *err);

#endif
