/* SPDX-License-Identifier: Apache-2.0 */
/* cli/screen.h: what goes to standard error and whether standard output took what it was given. */
#ifndef MILL_CLI_SCREEN_H
#define MILL_CLI_SCREEN_H

#include <shardmill/types.h>
#include <stdarg.h>
#include <stdbool.h>

typedef enum cli_say { CLI_SAY_NOTE, CLI_SAY_WARNING, CLI_SAY_ERROR } cli_say;

bool cli_stderr_is_terminal(void); /* one that can move its cursor */
int cli_width(int fd);             /* columns of the terminal; 80 if it is none */

/* "shardmill: error: ...", in colour where that is wanted (a terminal, and no NO_COLOR). */
void cli_complain(cli_say say, const char *format, va_list list) MILL_PRINTF(2, 0);
void cli_warn(cli_say say, const char *format, ...) MILL_PRINTF(2, 3);
/* The word alone, coloured likewise. */
void cli_word(cli_say say);

/* Flush standard output. CLI_OK, also when its reader has gone away; CLI_SYSTEM after a message if it could
 * not be written. */
int cli_stdout_check(void);

#endif
