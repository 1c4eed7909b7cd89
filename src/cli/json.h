/* SPDX-License-Identifier: Apache-2.0 */
/* cli/json.h: JSON objects, one a line. Keys are ours; values may be any bytes: what is no UTF-8 becomes
 * U+FFFD. */
#ifndef MILL_CLI_JSON_H
#define MILL_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct cli_json {
    FILE *file;
    bool separate; /* a comma belongs before what comes next */
} cli_json;

/* {"type":TYPE ... }\n */
cli_json cli_json_begin(FILE *file, const char *type);
void cli_json_end(cli_json *json);

/* key NULL: within a list. text NULL: null. */
void cli_json_text(cli_json *json, const char *key, const char *text);
void cli_json_int(cli_json *json, const char *key, int64_t value);
void cli_json_uint(cli_json *json, const char *key, uint64_t value);
void cli_json_number(cli_json *json, const char *key, double value); /* null if it is none */
void cli_json_bool(cli_json *json, const char *key, bool value);
void cli_json_null(cli_json *json, const char *key);
void cli_json_open(cli_json *json, const char *key, char bracket); /* '{' or '[' */
void cli_json_close(cli_json *json, char bracket);                 /* '}' or ']' */

#endif
