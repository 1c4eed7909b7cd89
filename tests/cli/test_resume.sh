#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Into a folder that is not new: other settings, other inputs, another run at work, inputs mixed up with outputs.
. "$SRC/tests/cli/common.sh"
arrays in 4 200
P='scale 0.5 | add 1'
expect 0 "$MILL" run in --pipe "$P" --out out
cp -a out before

# Another run is refused by what differs, and changes nothing.
refused() { # WHAT ARGUMENT...
    local what=$1
    shift
    expect 2 "$MILL" run "$@" --out out
    says stderr "another $what"
    diff -r before out >difference || fail "another $what: $(head -3 difference)"
}
refused pipeline in --pipe 'scale 0.5 | add 2'
refused seed in --pipe "$P" --seed 3
refused spec in/part-000.npy --pipe "$P"
refused on_error in --pipe "$P" --on-error skip
refused sink in --pipe "$P" --as null

# The same once more keeps all, however it is run.
expect 0 "$MILL" run in --pipe "scale 0.5|add   1" --out out --threads 3 --memory 64M --json
json_holds stdout 'total["shards_kept"] == 4 and total["samples"] == 800'
diff -r before out >difference || fail "the same again: $(head -3 difference)"

# An input that changed is done again, alone; a file that was lost too.
sleep 0.01
touch in/part-002.npy
expect 0 "$MILL" run in --pipe "$P" --out out --json
json_holds stdout 'total["shards_kept"] == 3'
rm out/part-001.keys.txt
echo more >>out/part-003.data.npy
expect 0 "$MILL" run in --pipe "$P" --out out --json
json_holds stdout 'total["shards_kept"] == 2'
for file in before/*.npy before/*.txt; do cmp -s "$file" "out/${file##*/}" || fail "$file was not made again"; done

# What a killed run left is cleared away, and a foreign file is not.
touch out/part-001.data.npy.partial out/manifest.json.partial out/notes.txt.partial
expect 0 "$MILL" run in --pipe "$P" --out out
[ "$(cd out && echo *.partial)" = notes.txt.partial ] || fail "left: $(cd out && echo *.partial)"

# Two runs into one folder: one of them is refused at once.
arrays many 200 300
"$MILL" run many --pipe "$P" --out two -q &
child=$!
while [ ! -e two/manifest.journal ]; do
    kill -0 $child 2>/dev/null || break
    sleep 0.002
done
code=0
"$MILL" run many --pipe "$P" --out two >stdout 2>stderr || code=$?
if kill -0 $child 2>/dev/null; then
    [ $code = 2 ] || fail "a second run into the folder: exit $code"
    says stderr 'another run is writing'
else
    echo 'the first of two runs was too quick to be met'
fi
wait $child || fail 'the first of two runs'
expect 0 "$MILL" run many --pipe "$P" --out alone
diff -r alone two >difference || fail "two runs: $(head -3 difference)"

# Outputs never go among the inputs.
cp -a in kept
for out in in in/ ./in in/../in; do
    expect 2 "$MILL" run in --pipe "$P" --out $out
    says stderr 'among the inputs'
done
diff -r kept in >difference || fail "the inputs: $(head -3 difference)"

# A manifest.json that is not ours is left alone.
mkdir theirs
echo '{"manifest_version": 3}' >theirs/manifest.json
expect 2 "$MILL" run in --pipe "$P" --out theirs
says stderr 'left as it is'
[ "$(ls theirs)" = manifest.json ] && [ "$(cat theirs/manifest.json)" = '{"manifest_version": 3}' ] || fail 'it was not'

# Equal names in two folders are told apart.
mkdir a b
cp in/part-000.npy a/x.npy
cp in/part-001.npy b/x.npy
expect 0 "$MILL" run a/x.npy b/x.npy --pipe "$P" --out told
[ -e told/a_x.data.npy ] && [ -e told/b_x.data.npy ] || fail "outputs: $(ls told)"
finish
