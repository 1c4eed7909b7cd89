#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is on the screen: a bar on a terminal only, no escape codes elsewhere, NO_COLOR, the width of the terminal.
. "$SRC/tests/cli/common.sh"
arrays in 60 3000
not_photographs bad
P='sin | log1p | sin | log1p | sin | log1p | sin | log1p | sin | log1p'
escape=$(printf '\033')

# No terminal: no bar, no escape codes.
expect 0 "$MILL" run in --pipe "$P" --as null -v
expect 0 "$MILL" run bad --pipe 'decode | resize 8x8' --as null --on-error skip
! cat stdout stderr | grep -q "[$escape$(printf '\r')]" || fail 'escape codes or carriage returns without a terminal'

command -v script >/dev/null || { echo 'skip: there is no script(1) to make a terminal'; exit 77; }
# on_terminal COLUMNS COMMAND: what a terminal would show, in ./screen
on_terminal() {
    script -qec "stty cols $1; TERM=xterm $2" /dev/null >screen </dev/null
}
on_terminal 100 "$MILL run in --pipe '$P' --as null --threads 1"
tr '\r' '\n' <screen >lines
grep -q '^\[.*\] *[0-9]*%  [0-9]* samples  ' lines || fail "no bar: $(head -c 400 screen | cat -v)"
! grep -q "$escape" screen || fail 'the bar needs escape codes'
says lines '180000 samples = 180000 written + 0 skipped'
tail -n 6 lines | grep -q '%' && ! tail -n 6 lines | grep -q 'busy' && fail 'the bar is not wiped away at the end'
for columns in 20 41 77; do
    on_terminal $columns "$MILL run in --pipe '$P' --as null --threads 1"
    tr '\r' '\n' <screen | awk -v most=$((columns - 1)) '/^\[|^ *[0-9]+%/ && length > most' >long
    silent long
done
on_terminal 80 "TERM=dumb $MILL run in --pipe '$P' --as null --threads 1 2>&1"
on_terminal 100 "$MILL run in --pipe '$P' --as null --threads 1 -q"
! grep -q '%' screen || fail 'a bar in spite of --quiet'

# Colours.
on_terminal 100 "$MILL run bad --pipe 'decode | resize 8x8' --as null --on-error skip"
grep -q "$escape\[" screen || fail 'no colours on a terminal'
on_terminal 100 "NO_COLOR=1 $MILL run bad --pipe 'decode | resize 8x8' --as null --on-error skip"
! grep -q "$escape" screen || fail 'colours in spite of NO_COLOR'
says screen 'error: bad/bad-0.tar: sample 0-1'
on_terminal 100 "$MILL run bad --pipe 'decode | resize 8x8' --as null --on-error skip 2>errors"
! grep -q "$escape" errors || fail 'colours in a file'
finish
