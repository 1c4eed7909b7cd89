#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Augmentations in pipelines: however colour steps are folded, stored, or done in the batch's own memory, the
# bytes are the same, for any number of threads.
. "$SRC/tests/cli/common.sh"
data=$SRC/data/demo
ls "$data"/train-*.tar >/dev/null 2>&1 || { echo "skip: no $data"; exit 77; }

made() { # FOLDER PIPELINE OPTIONS...: runs, prints a checksum of the tensors
    local folder=$1 text=$2
    shift 2
    "$MILL" run "$data/train-000000.tar" --pipe "$text" --out "$folder" --as npy "$@" >/dev/null 2>stderr ||
        { fail "$text: $(head -c 400 stderr)"; return; }
    cksum <"$folder/train-000000.image.npy"
}
n=0
same() { # PIPELINE PIPELINE: transforms that do nothing (p=0) keep the places, and so the random numbers, equal
    n=$((n + 1))
    local one other threads
    one=$(made "a$n" "$1" --threads 1)
    other=$(made "b$n" "$2" --threads 2)
    [ -n "$one" ] && [ "$one" = "$other" ] || fail "differ: $1 ## $2"
    threads=$(made "c$n" "$1" --threads 2)
    [ "$one" = "$threads" ] || fail "differs with two threads: $1"
}
other() { # PIPELINE PIPELINE
    n=$((n + 1))
    [ "$(made "a$n" "$1")" != "$(made "b$n" "$2")" ] || fail "do not differ: $1 ## $2"
}
begin='decode | resize 48x48'

# A table of the sample's own, or a pass over pixels that a run stage has ended.
for end in '' '| normalize imagenet' '| normalize imagenet | layout chw' '| layout chw' '| layout chw | cast f16' \
    '| layout chw | normalize imagenet | cast f64' '| cast f64 | layout chw'; do
    same "$begin | hflip p=0 | invert p=0.5 | solarize 90 p=0.5 $end" \
         "$begin | equalize p=0 | invert p=0.5 | solarize 90 p=0.5 $end"
    same "$begin | invert p=0.5 | hflip p=0 | posterize 2 p=0.3 $end" \
         "$begin | invert p=0.5 | sharpness 2 p=0 | posterize 2 p=0.3 $end"
    other "$begin | invert p=0.5 $end" "$begin $end"
done

# In place at the end, once or more, or with something behind.
chw='normalize imagenet | layout chw'
same "$begin | hflip p=0 | hflip p=0 | $chw | random_erasing p=0.9" \
     "$begin | hflip p=0 | equalize p=0 | $chw | random_erasing p=0.9"
other "$begin | $chw | random_erasing p=0.9" "$begin | $chw"
same "$begin | color_jitter 0.4 0.4 0.4 0.1 | equalize p=0.5" \
     "$begin | color_jitter 0.4 0.4 0.4 0.1 | equalize p=0.5 | hflip p=0"
same "$begin | color_jitter 0.4 | $chw | random_erasing p=0.5 noise=true | cast f32" \
     "$begin | color_jitter 0.4 | $chw | random_erasing p=0.5 noise=true"

# The example of every transform works as it stands.
"$MILL" transforms --json >transforms.json || fail 'transforms --json'
"${PYTHON:-python3}" - <<'END' >examples || fail 'examples'
import json
for line in open("transforms.json"):
    print(json.loads(line)["example"])
END
grep -q rand_augment examples || fail 'no example of rand_augment'
while read -r example; do
    case $example in decode*) ;; *) continue ;; esac
    "$MILL" run "$data/train-000000.tar" --pipe "$example | cast f32" --out "example-$n" --as null >/dev/null 2>stderr ||
        fail "example $example: $(head -c 300 stderr)"
    n=$((n + 1))
done <examples
finish
