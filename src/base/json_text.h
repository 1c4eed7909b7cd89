/* SPDX-License-Identifier: Apache-2.0 */
/* base/json_text.h: JSON as text: cutting a long document into values that are parsed one by one, so that the
 * whole of it never stands in memory as a tree; and indenting. */
#ifndef MILL_BASE_JSON_TEXT_H
#define MILL_BASE_JSON_TEXT_H

#include "base/memory.h"
#include <stdbool.h>

/* A piece of text; what is within a value is not checked. */
typedef struct mill__json_piece {
    const char *text;
    size_t nbytes;
} mill__json_piece;

/* Go through an object or array. Begin: true if text is one, of kind '{' or '['. Next: 1 with the next member
 * (key, quotes removed, and value) or element (value), 0 after the last, -1 if the text is malformed. */
typedef struct mill__json_walk {
    const char *at, *end;
    char close;
    bool begun;
} mill__json_walk;
bool mill__json_begin(mill__json_walk *walk, mill__json_piece text, char kind);
int mill__json_next(mill__json_walk *walk, mill__json_piece *key, mill__json_piece *value);
/* After the last: whether nothing but blanks follows. */
bool mill__json_ended(const mill__json_walk *walk);

/* Append compact JSON (a piece of a document at a time) indented by two blanks a level. */
typedef struct mill__json_indent {
    int depth;
    bool in_string, escaped;
    bool opened; /* a bracket was opened and nothing is in it yet */
} mill__json_indent;
int mill__json_append_indented(mill__buffer *out, mill__json_indent *state, const char *text, size_t nbytes);

#endif
