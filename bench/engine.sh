#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench-engine: the engine's overhead under libgomp and, where clang is, under libomp.
set -eu
worst=0
measure() {
    echo "== $1"
    "$2" >table
    cat table
    worst=$(awk -v a="$worst" '/^worst/ { print (($NF > a) ? $NF : a) }' table)
}

[ -x "$BUILD/bench/engine" ] || make -s -C "$SRC" BUILD="$BUILD" "${BUILD#"$SRC"/}/bench/engine" >&2
measure "the build in use" "$BUILD/bench/engine"
if command -v clang >/dev/null && ! ldd "$BUILD/bench/engine" | grep -q libomp; then
    clang=${PWD#"$SRC"/}/clang # as the Makefile calls it
    make -s -C "$SRC" CC=clang BUILD="$clang" "$clang/bench/engine" >&2
    measure "clang, libomp" "$PWD/clang/bench/engine"
else
    echo "no clang: the other runtime is not measured"
fi
echo "ratio below: the worst of (wall time / ideal) / its target; targets 1.10, 1.10, 1.10, 1.10 and 1.20"
echo "engine ratio=$worst target=1.00"
