/* SPDX-License-Identifier: Apache-2.0 */
/* sink/manifest_json.h: entries and settings of the manifest as JSON text, and back. */
#ifndef MILL_SINK_MANIFEST_JSON_H
#define MILL_SINK_MANIFEST_JSON_H

#include "base/json_text.h"
#include "sink/sink.h"

/* text if it is UTF-8, else with the bytes that are not as \xNN: JSON holds Unicode only. malloc'd; NULL
 * without memory. */
char *mill__json_utf8(const char *text);

/* A shard as compact JSON; malloc'd, NULL without memory. Strings go through mill__json_utf8; numbers beyond
 * int64 are cut to its maximum. */
char *mill__manifest_text(const mill__manifest_shard *shard);

/* false: not what mill__manifest_text gives (or no memory); the entry is empty then. */
bool mill__manifest_parse(mill__json_piece text, mill__manifest_entry *entry);

/* NULL-terminated pairs key, value as one compact JSON object; malloc'd, NULL without memory. */
char *mill__settings_text(const char *const *settings);
/* Compare two such texts: 0 the same; 1 they differ, first in *difference; -1 then is damaged. */
typedef struct mill__difference {
    char key[48], then[96], now[96]; /* cut if too long */
} mill__difference;
int mill__settings_compare(mill__json_piece then, mill__json_piece now, mill__difference *difference);

#endif
