#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# data/generate.sh SYNTH OUT: makes the data sets committed here anew, byte for byte, under OUT.
set -eu
synth=$1
out=$2
mkdir -p "$out"
"$synth" "$out/demo" --shards 4 --samples-per-shard 24 --classes 4 --size 320x240 --seed 8
"$synth" "$out/demo" --npy 16 --shards 2 --samples-per-shard 100 --prefix numbers --digits 1 --seed 8
"$synth" "$out/corrupt" --spoil --shards 1 --samples-per-shard 8 --classes 4 --size 160x120 --seed 3 --prefix bad
