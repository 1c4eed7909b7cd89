/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h: monotonic time. */
#ifndef MILL_BASE_CLOCK_H
#define MILL_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t mill__now_ns(void);
struct timespec mill__deadline_in(int timeout_ms); /* on CLOCK_MONOTONIC */

#endif
