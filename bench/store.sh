#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bench/store.sh: `make bench-store`: pixels to normalised f32 planes, against memcpy, on one core.
set -eu
for level in c x86-64-v3 x86-64-v4; do
    "$BUILD/bench/store" $level | grep -v ratio=
done
"$BUILD/bench/store"
