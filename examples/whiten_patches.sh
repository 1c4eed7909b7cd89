#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whiten the patches of an image data set by ZCA, as is done before sparse coding, ICA or k-means on patches:
#
#   sh examples/whiten_patches.sh [SPEC [OUT]]
#
# SPEC is any data set of images (default: the demo data), OUT a folder that is made (default: whiten-patches). MILL
# names the command, if it is not found as shardmill. OUT/index.html shows the images before and after.
set -eu
mill=${MILL:-shardmill}
spec=${1:-$(dirname "$0")/../data/demo/train-*.tar}
out=${2:-whiten-patches}
mkdir -p "$out"

# Grey squares of 192 pixels. Each is cut into 12 x 12 patches of 16 x 16 pixels: its axes are (row of patches, row in
# the patch, column of patches, column in the patch), and what belongs to one patch has to come last. So a sample is 144
# vectors of 256 numbers; statistics and models are of the last axis, whatever stands before it.
grey='decode | resize 192 | center_crop 192 | grayscale channels=1'
cut='reshape 12x16x12x16 | transpose 0,2,1,3 | reshape 144x256'
join='reshape 12x12x16x16 | transpose 0,2,1,3 | reshape 192x192x1 layout=hwc'

echo '1. Fit. The variances of natural images fall steeply, and the last ones are noise: 10 grey levels squared are added'
echo '   to each, so that noise is not blown up to the size of everything else.'
"$mill" fit whiten "$spec" --pipe "$grey | $cut" --regularise 10 --out "$out/whiten.json" --plot "$out/variances.svg"

echo '2. The whitened patches, to train on: arrays of (images, 144, 256) float32.'
"$mill" run "$spec" --pipe "$grey | $cut | whiten $out/whiten.json" --out "$out/patches"

echo '3. Are they white? Their variances are all nearly 1, but where they were of the size of 10 or less.'
"$mill" fit pca "$out/patches/*.data.npy" --out "$out/after.json" --plot "$out/variances-after.svg"

echo '4. Pictures: the patches put together again, three standard deviations from black to grey and from grey to white.'
"$mill" run "$spec" --pipe "$grey" --out "$out/before" --as tar --quiet
"$mill" run "$spec" --pipe "$grey | $cut | whiten $out/whiten.json | $join | mul 42.5 | add 127.5 | cast u8" \
    --out "$out/after" --as tar --quiet
for side in before after; do
    for shard in "$out/$side"/*.tar; do
        (cd "$out/$side" && tar -xf "$(basename "$shard")")
        break
    done
done
{
    echo '<!doctype html><meta charset="utf-8"><title>Whitened patches</title>'
    echo '<p>Variances of the patches before and after<p><img src="variances.svg"><p><img src="variances-after.svg">'
    echo '<p>Images, and the same after their patches were whitened:'
    for picture in "$out"/before/*.jpg; do
        name=$(basename "$picture")
        echo "<p><img src=\"before/$name\"> <img src=\"after/$name\">"
    done
} >"$out/index.html"
echo "Now look at $out/index.html"
