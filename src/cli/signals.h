/* SPDX-License-Identifier: Apache-2.0 */
/* cli/signals.h: the first SIGINT, SIGTERM or SIGHUP asks for a clean end, the second one ends at once. */
#ifndef MILL_CLI_SIGNALS_H
#define MILL_CLI_SIGNALS_H

void cli_signals_catch(void); /* those that the caller had set to be ignored stay so */
int cli_signals_caught(void); /* the signal that came, or 0 */

#endif
