/* SPDX-License-Identifier: Apache-2.0 */
/* cli/place.h: --state FILE: where a loader is, kept between runs. */
#ifndef MILL_CLI_PLACE_H
#define MILL_CLI_PLACE_H

#include <shardmill/loader.h>
#include <stdbool.h>

/* An exit code, after a message if it is not CLI_OK. *found: there is such a file, and state holds its text.
 */
int cli_place_load(const char *path, char state[MILL_STATE_NBYTES], bool *found);
/* The file has either its old text or the new one, whenever the machine stops. */
int cli_place_save(const char *path, const char *state);

#endif
