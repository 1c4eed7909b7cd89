/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill/shardmill.h: everything. */
#ifndef SHARDMILL_H
#define SHARDMILL_H

#include <shardmill/extend.h>
#include <shardmill/fit.h>
#include <shardmill/loader.h>
#include <shardmill/pipeline.h>
#include <shardmill/run.h>
#include <shardmill/stats.h>
#include <shardmill/types.h>

#endif
