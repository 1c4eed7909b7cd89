#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGINT, SIGTERM and SIGKILL in the middle of a run; then the same command ends with the bytes of an undisturbed run.
. "$SRC/tests/cli/common.sh"
arrays in 40 4000
P='sin | scale 3 | log1p | clip -1 1 | sin | add 1 | mul 2 | sin'

expect 0 "$MILL" run in --pipe "$P" --out whole

# stopped SIGNAL FOLDER: run until some shards are finished, then send the signal. Prints the status, 0 if it was too
# late. Python, because a shell's background jobs ignore SIGINT.
stopped() {
    "${PYTHON:-python3}" - "$1" "$MILL" run in --pipe "$P" --out "$2" --threads 1 <<'END'
import glob, signal, subprocess, sys, time
folder = sys.argv[sys.argv.index("--out") + 1]
with open("stopped.err", "w") as err, open("stopped.out", "w") as out:
    child = subprocess.Popen(sys.argv[2:], stdout=out, stderr=err)
    while child.poll() is None and len(glob.glob(folder + "/*.data.npy")) < 3:
        time.sleep(0.001)
    if child.poll() is None:
        child.send_signal(getattr(signal, sys.argv[1]))
    print(child.wait())
END
}
for number in SIGINT SIGTERM SIGHUP SIGKILL; do
    code=0
    for _ in 1 2 3 4 5; do
        rm -rf part
        code=$(stopped $number part)
        [ "$code" = 0 ] || break
    done
    case $number in
    SIGKILL) want=-9 ;;
    *)
        want=75
        says stopped.err 'run the same command again'
        [ -z "$(find part -name '*.partial')" ] || fail "$number leaves $(ls part/*.partial)"
        ;;
    esac
    [ "$code" = "$want" ] || fail "$number: exit $code instead of $want: $(cat stopped.err)"
    [ "$(ls part/*.data.npy | wc -l)" -lt 40 ] || fail "$number came too late to tell"
    for file in part/*.npy; do # what has its final name is whole
        cmp -s "$file" "whole/${file#part/}" || fail "$number: $file is not whole"
    done
    expect 0 "$MILL" run in --pipe "$P" --out part --json
    json_holds stdout 'total["shards_kept"] >= 1 and total["shards_done"] == 40 and total["samples"] == 160000 == total["written"]'
    diff -r whole part >difference || fail "$number, then run again: $(head -5 difference)"
done

# Run again when all is done: nothing is read, nothing changes.
before=$(ls -l --time-style=full-iso part/*.npy)
expect 0 "$MILL" run in --pipe "$P" --out part --json
json_holds stdout 'total["shards_kept"] == 40 and total["bytes_in"] == 0'
[ "$before" = "$(ls -l --time-style=full-iso part/*.npy)" ] || fail 'a finished run was done again'
finish
