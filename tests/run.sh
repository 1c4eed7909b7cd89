#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Run every test of a build: unit tests, examples, and the scripts that drive the command. `make check` calls
# this with BUILD, MILL, SRC, PYTHON and CC set. Each test runs in an empty folder of its own; what it printed
# stays in $BUILD/test-logs/. TESTS="name ..." runs only those.
set -u
logs=$BUILD/test-logs
rm -rf "$logs"
mkdir -p "$logs"
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-240} LC_ALL=C.UTF-8
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1} ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0}
unset OMP_NUM_THREADS OMP_PLACES OMP_PROC_BIND OMP_DYNAMIC OMP_WAIT_POLICY OMP_THREAD_LIMIT

run_one() {
    local name=$1 path=$2 log=$logs/$1.log scratch start status passed=0 failed=0 skipped=0 note=
    scratch=$(mktemp -d "$BUILD/test-logs/$name.XXXXXX")
    start=$SECONDS
    case $path in
    *.sh) (cd "$scratch" && timeout 900 bash "$path") >"$log" 2>&1 </dev/null ;;
    *) (cd "$scratch" && timeout 900 "$path") >"$log" 2>&1 </dev/null ;;
    esac
    status=$?
    local checks failures errors
    read -r checks failures errors < <(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$log" |
        awk '{c += $1; f += $2; e += $3} END {print c + 0, f + 0, e + 0}')
    if [ "$status" = 77 ]; then
        skipped=1 note=" ($(tail -n 1 "$log"))"
    elif [ "$checks" -gt 0 ]; then
        failed=$((failures + errors)) passed=$((checks - failures - errors))
        if [ "$status" != 0 ] && [ $failed = 0 ]; then failed=1; fi
    elif [ "$status" = 0 ]; then
        passed=1
    else
        failed=1
    fi
    local word=ok
    [ $skipped = 0 ] || word=skip
    [ $failed = 0 ] || word=FAIL
    printf '  %-5s %-34s %3d s%s\n' "$word" "$name" $((SECONDS - start)) "$note"
    if [ $failed != 0 ]; then
        echo "        exit $status; the end of $log:"
        tail -n 25 "$log" | sed 's/^/        | /'
    else
        rm -rf "$scratch"
    fi
    echo "$passed $failed $skipped" >"$logs/$name.count"
}
export -f run_one
export logs

TESTS=" ${TESTS:-} "
TESTS=${TESTS//.sh / }
wanted() { [ -z "${TESTS// /}" ] || [[ $TESTS == *" $1 "* ]]; }
list=() unknown=$TESTS
for path in "$BUILD"/tests/test_* "$BUILD"/examples/* "$SRC"/tests/cli/test_*.sh; do
    case $path in *.d | *.o) continue ;; esac
    [ -f "$path" ] || continue
    name=$(basename "$path")
    unknown=${unknown// ${name%.sh} / }
    wanted "${name%.sh}" && list+=("$name" "$path")
done
if [ -n "${unknown// /}" ]; then
    echo "no test is called:$unknown"
    exit 2
fi
echo "tests of $BUILD ($(nproc) at a time)"
printf '%s\0' "${list[@]}" | xargs -0 -n 2 -P "$(nproc)" bash -c 'run_one "$@"' _
totals=$(cat "$logs"/*.count | awk '{p += $1; f += $2; s += $3} END {printf "%d passed, %d failed, %d skipped", p, f, s}')
echo "$totals"
[[ $totals == *" 0 failed,"* && $totals != "0 passed"* ]]
