/* SPDX-License-Identifier: Apache-2.0 */
/* base/json_read.h: numbers out of a JSON file that holds one object. What is read is checked strictly; the
 * rest only as far as it takes to skip it. */
#ifndef MILL_BASE_JSON_READ_H
#define MILL_BASE_JSON_READ_H

#include "base/json_text.h"
#include <shardmill/types.h>

/* The whole file into text. */
mill_status mill__json_load(const char *path, mill__buffer *text, mill_error *err);
/* A member of an object. */
bool mill__json_member(mill__json_piece object, const char *key, mill__json_piece *value);
/* One number; null gives NaN. */
bool mill__json_number(mill__json_piece value, double *number);
/* A list of them, malloc'd. */
bool mill__json_numbers(mill__json_piece value, double **list, size_t *n);
/* A string without escapes. */
bool mill__json_is_text(mill__json_piece value, const char *text);

/* The member `key` of the object that a file is: a list of finite numbers, malloc'd. Errors say the file, the
 * element and its place. */
mill_status mill__json_list(const char *path, mill__json_piece object, const char *key, double **list,
                            size_t *n, mill_error *err);

/* Append the shortest text that reads back as the same number, whatever the locale; null if it is not finite.
 */
int mill__json_append_number(mill__buffer *out, double number);
/* A list of such, with its brackets. */
int mill__json_append_numbers(mill__buffer *out, const double *list, size_t n);

/* Its member "dtype"; 0: it has none. */
mill_dtype mill__json_dtype(mill__json_piece object);
/* mean and std of such a file, for transforms: *mean, n numbers, malloc'd, and behind them as many of std.
 * *dtype: what they are of, 0 if the file does not say. */
mill_status mill__json_mean_std(const char *path, double **mean, size_t *n, mill_dtype *dtype,
                                mill_error *err);

#endif
