#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ThreadSanitizer over the engine, both executors. Archer, which comes with LLVM's OpenMP runtime and is loaded
# by it, tells ThreadSanitizer of tasks and barriers; without it every report would be false. gcc's
# ThreadSanitizer knows nothing of libgomp. See docs/design.md.
set -eu
command -v clang >/dev/null || { echo "skip: no clang"; exit 77; }
ls /usr/lib/llvm-*/lib/libarcher.so >/dev/null 2>&1 || { echo "skip: no libarcher"; exit 77; }
echo 'int main(void) { return 0; }' >probe.c
clang -fsanitize=thread probe.c -o probe 2>/dev/null && ./probe || { echo "skip: no ThreadSanitizer here"; exit 77; }
tsan=${PWD#"$SRC"/}/tsan # as the Makefile calls it
make -s -j2 -C "$SRC" CC=clang SAN=thread CFLAGS="-O1 -g" DEPS=no BUILD="$tsan" \
    "$tsan/tests/test_engine" "$tsan/tests/test_engine_life" >build.log 2>&1 || {
    cat build.log
    exit 1
}
# libomp gives the memory of an ended task to the next one; what keeps the two apart is inside libomp, unseen. The
# only writes there are the arguments that team.c's spawn() copies into a new task; nothing else is kept silent.
echo 'race_top:^spawn$' >suppressions
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 exitcode=66 die_after_fork=0 suppressions=$PWD/suppressions"
export ARCHER_OPTIONS=verbose=1 OMP_TOOL=enabled CK_DEFAULT_TIMEOUT=120
failed=0
check() {
    if ! env CK_RUN_CASE="$2" "tsan/tests/$1" >"$1.log" 2>&1 || grep -q "WARNING: ThreadSanitizer" "$1.log"; then
        head -n 100 "$1.log"
        failed=1
    fi
}
check test_engine quick
grep -q "Archer detected" test_engine.log || { echo "skip: Archer was not loaded"; exit 77; }
check test_engine_life life
exit $failed
