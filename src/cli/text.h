/* SPDX-License-Identifier: Apache-2.0 */
/* cli/text.h: words and numbers for people. */
#ifndef MILL_CLI_TEXT_H
#define MILL_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "64M", "1.5GiB", "200kB", "4096": M and MiB are 2^20, MB is 10^6. false: not a size. */
bool cli_size_parse(const char *text, uint64_t *nbytes);

/* Each fills and answers text. */
typedef struct cli_text {
    char s[32];
} cli_text;
cli_text cli_size(uint64_t nbytes);   /* "4.7 MB", by powers of 1000 */
cli_text cli_memory(uint64_t nbytes); /* "256 MiB", by powers of 1024 */
cli_text cli_rate(double a_second);   /* "163", "8.31" */
cli_text cli_duration(int64_t ns);    /* "43 ms", "1.83 s", "2 min 07 s" */
cli_text cli_clock(double seconds);   /* "0:07", "1:02:03" */
const char *cli_plural(int64_t n);    /* "" or "s" */

/* The candidate that word may have been meant to be, or NULL. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* Write text with lines no longer than width, each begun by indent blanks; the first begins at column. */
void cli_wrap(FILE *file, const char *text, int column, int indent, int width);
/* Bytes from a shard, made fit for a terminal: control characters and broken UTF-8 become '?'. */
void cli_plain(FILE *file, const char *text);
/* Likewise; of a long text the beginning and the end. */
void cli_short(FILE *file, const char *text);
/* Length of the UTF-8 sequence that begins s, 0 if it is not a sound one. */
size_t cli_utf8(const char *s);

#endif
