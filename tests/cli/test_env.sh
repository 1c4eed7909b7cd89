#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The engine's environment matrix: what an OpenMP runtime may be told, and what a kernel may forbid, changes
# speed at most. Runs the quick cases of test_engine under each; CHECK names the cases to run.
set -u
run() {
    if ! env CK_RUN_CASE="$CASE" CK_DEFAULT_TIMEOUT=60 "$@" "$TEST" >log 2>&1; then
        echo "under $*:"
        cat log
        failed=1
    fi
}

failed=0
TEST=$BUILD/tests/test_engine
CASE=quick
[ -x "$TEST" ] || { echo "skip: no $TEST"; exit 77; }
[ -x "$BUILD/tests/test_io_refused" ] || { echo "skip: no test_io_refused"; exit 77; }

run OMP_WAIT_POLICY=active
run OMP_WAIT_POLICY=passive
run KMP_BLOCKTIME=0
run KMP_BLOCKTIME=infinite
run OMP_THREAD_LIMIT=1
run OMP_THREAD_LIMIT=2
run OMP_PROC_BIND=true
run OMP_PROC_BIND=spread OMP_PLACES=cores
run OMP_PLACES='{0}'
run OMP_DYNAMIC=true
run OMP_NUM_THREADS=1
run OMP_NUM_THREADS=2,2 OMP_MAX_ACTIVE_LEVELS=2
run GOMP_SPINCOUNT=0
run OMP_STACKSIZE=512k

# a build by gcc on the runtime of LLVM, as when a Python program has loaded that one first
omp=$(ls /usr/lib/*/libomp.so.5 /usr/lib/llvm-*/lib/libomp.so.5 2>/dev/null | head -n 1)
if [ -n "$omp" ] && ldd "$TEST" | grep -q libgomp && ! nm -D "$TEST" 2>/dev/null | grep -q __asan; then
    run LD_PRELOAD="$omp"
    run LD_PRELOAD="$omp" OMP_THREAD_LIMIT=2
else
    echo "no gcc build or no libomp: not run over a preloaded one"
fi
exit $failed
