#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# data/demo.sh: the main job, shown on the demo data; `make demo` calls it with BUILD, MILL, SRC and PYTHON set.
# Everything it makes is in DEMO_OUT (build/demo), index.html there shows what went in and what came out. Each
# command is shown as it is run, from the top folder of the repository.
set -eu
cd "$SRC"
here=$PWD
out=${DEMO_OUT:-$here/build/demo}
rm -rf "$out"
mkdir -p "$out"
transcript=$out/transcript.txt
short() { case $1 in "$here"/*) echo "${1#"$here"/}" ;; *) echo "$1" ;; esac; }
mill=$(short "$MILL")
synth=$(short "$BUILD/synth")
dir=$(short "$out")
shards='data/demo/train-{000000..000003}.tar'

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
title() {
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
    printf '\n# %s\n' "$1" >>"$transcript"
}
# Shows a command, then runs it; a failure ends the demo.
run() {
    printf '$ %s\n' "$1" | tee -a "$transcript"
    { eval "$1" 2>&1 && status=0 || status=$?; echo "$status" >"$out/.status"; } | tee -a "$transcript"
    status=$(cat "$out/.status")
    [ "$status" = 0 ] || { echo "demo: exit status $status"; exit 1; }
}

title '1. What is in these shards?'
run "$mill inspect '$shards' | tail -n 4"

title '2. Photographs in, normalised float32 tensors out: what an evaluation reads'
run "$mill run '$shards' --out $dir/tensors --as npy --trace $dir/trace.json \\
    --pipe 'decode orient=true | resize 256 | center_crop 224 | normalize imagenet | layout chw'"
python=
for candidate in "${PYTHON:-python3}" python3 /usr/bin/python3; do
    if [ -z "$python" ] && "$candidate" -c 'import numpy' 2>/dev/null; then python=$candidate; fi
done
if [ -n "$python" ]; then
    run "$python -c '
import numpy
image = numpy.load(\"$dir/tensors/train-000000.image.npy\", mmap_mode=\"r\")
label = numpy.load(\"$dir/tensors/train-000000.label.npy\")
print(image.dtype, image.shape, \"mean\", image.mean().round(3), \"deviation\", image.std().round(3))
print(label.dtype, label.shape, label[:12])'"
else
    run "head -c 128 $dir/tensors/train-000000.image.npy | tail -c +11"
fi

title '3. The same shards as smaller JPEGs, and three epochs of random crops'
run "$mill run '$shards' --out $dir/crops --as tar \\
    --pipe 'decode orient=true | resize 256 | center_crop 224'"
run "for epoch in 0 1 2; do
    $mill run '$shards' --out $dir/epoch-\$epoch --as tar --epoch \$epoch --quiet \\
        --pipe 'decode orient=true | random_resized_crop 224 | hflip'
done"

title '4. A damaged shard: every loss is named, nothing is lost silently'
run "$mill run data/corrupt/bad-000000.tar --out $dir/rescued --as tar --on-error skip \\
    --pipe 'decode | resize 128x96'"

title '5. Killed in the middle, run again: finished shards are kept, the result is the same'
run "$synth $dir/more --shards 24 --samples-per-shard 40 --reuse 96 --size 320x240"
again="$mill run '$dir/more/*.tar' --as tar --pipe 'decode | resize 128'"
echo "\$ $again --out $dir/resumed &" | tee -a "$transcript"
eval "$again --out '$dir/resumed' --quiet &"
job=$!
until [ "$(find "$out/resumed" -name 'train-*.tar' 2>/dev/null | wc -l)" -ge 4 ] || ! kill -0 $job 2>/dev/null; do
    sleep 0.02
done
kill -9 $job 2>/dev/null || true
wait $job 2>/dev/null || true
echo "\$ kill -9 \$!" | tee -a "$transcript"
run "ls $dir/resumed/*.tar | wc -l"
run "$again --out $dir/resumed"
run "$again --out $dir/undisturbed --quiet"
run "diff -r $dir/resumed $dir/undisturbed && echo 'byte for byte the same'"
rm -rf "$out/more" "$out/resumed" "$out/undisturbed" "$out/.status"

sh data/page.sh "$out" >"$out/index.html"
title 'Now look'
cat <<END
  $dir/index.html       the pictures that went in and came out; open it in a browser
  $dir/trace.json       what each thread did and when: drop it on https://ui.perfetto.dev
  $dir/tensors/         numpy.load() them
END
