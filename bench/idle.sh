#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench/idle.sh: `make bench-idle`: CPU time of a loader that waits, as a share of a core, under the runtime of this
# build and, where libomp is there and this build is gcc's, under it as well. ratio: the worst over 1 %.
set -eu
lines=$(mktemp)
trap 'rm -f "$lines"' EXIT
own=libgomp
ldd "$BUILD/bench/idle" | grep -q libgomp || own=libomp
"$BUILD/bench/idle" "${SECONDS_EACH:-3}" "$own" | tee -a "$lines"
if [ $own = libgomp ]; then
    for path in /usr/lib/llvm-*/lib/libomp.so.5 /usr/lib/*/libomp.so.5; do
        [ -e "$path" ] || continue
        LD_PRELOAD=$path "$BUILD/bench/idle" "${SECONDS_EACH:-3}" "$(basename "$path") preloaded" | tee -a "$lines"
        break
    done
fi
awk '{share = $NF > share ? $NF : share} END {printf "idle ratio=%.3f target=1.0\n", share / 0.01}' "$lines"
