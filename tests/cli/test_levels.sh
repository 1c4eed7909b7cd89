#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whole pipelines at every level of instruction sets that the machine has give the same bytes; so they do on an emulated
# processor without the wide ones, and the kernels do on another kind of processor.
. "$SRC/tests/cli/common.sh"
PIXELS='decode | random_resized_crop 96 filter=bicubic | hflip | normalize imagenet | layout chw'
CHANGES='decode | resize 90x70 | rotate 20 filter=bilinear | affine 9 shear=5 | color_jitter 0.4 0.4 0.4 0.1 | gaussian_blur 5'
NUMBERS='scale 0.01 | sin | log1p | clip 0 1 | cast f16'
photos=$(photographs)
[ -n "$photos" ] || { echo 'skip: no photographs'; exit 77; }
photo=$(ls "$photos"/train-*.tar | head -n 1)
arrays numbers 1 500

# run_both NAME COMMAND...: pixels and numbers into NAME; prints nothing.
run_both() {
    local name=$1
    shift
    expect 0 "$@" run "$photo" --pipe "$PIXELS" --out "$name-pixels" --io threads --seed 3 -v
    cp stderr "$name-said"
    expect 0 "$@" run "$photo" --pipe "$CHANGES" --out "$name-changes" --io threads
    expect 0 "$@" run numbers/part-000.npy --pipe "$NUMBERS" --out "$name-numbers" --io threads
}
same() {
    local kind file
    for kind in pixels changes; do
        file=$(cd c-$kind && echo *.image.npy)
        cmp "c-$kind/$file" "$1-$kind/$file" || fail "the $kind of $1 differ from those of c"
    done
    cmp c-numbers/part-000.data.npy "$1-numbers/part-000.data.npy" ||
        fail "the numbers of $1 differ from those of c"
}

SHARDMILL_CPU=c run_both c "$MILL"
says c-said 'kernels: c;'
best=$("$MILL" run "$photo" --pipe "$PIXELS" --as null -v 2>&1 | sed -n 's/.*kernels: \([^;]*\);.*/\1/p')
echo "levels: c, and up to $best"
for level in x86-64-v3 x86-64-v4 x86-64-v4-vbmi; do
    if [[ $level > $best || $best = c ]]; then
        echo "skip: no $level here"
        continue
    fi
    SHARDMILL_CPU=$level run_both $level "$MILL"
    says $level-said "kernels: $level;"
    same $level
done

# A name that is no level is an error of the caller; an empty one is none at all.
SHARDMILL_CPU=avx9 expect 2 "$MILL" run "$photo" --pipe 'decode | resize 8x8' --as null
says stderr 'SHARDMILL_CPU is "avx9"'
says stderr 'x86-64-v3'
SHARDMILL_CPU=avx9 expect 2 "$MILL" load "$photo" --pipe 'decode | resize 8x8' --max-batches 1
says stderr 'SHARDMILL_CPU is "avx9"'
SHARDMILL_CPU='' expect 0 "$MILL" run "$photo" --pipe 'decode | resize 8x8' --as null

# The two Huffman decoders.
SHARDMILL_JPEG=library run_both library "$MILL"
same library
SHARDMILL_JPEG=libjpeg expect 2 "$MILL" run "$photo" --pipe 'decode | resize 8x8' --as null
says stderr 'SHARDMILL_JPEG is "libjpeg"'
SHARDMILL_JPEG='' expect 0 "$MILL" run "$photo" --pipe 'decode | resize 8x8' --as null

# A processor of 2008, which has none of the wide instructions: one that slips through ends the command.
if command -v qemu-x86_64 >/dev/null && [ "$(uname -m)" = x86_64 ] && [ -z "${SAN:-}" ]; then
    run_both emulated qemu-x86_64 -cpu Nehalem "$MILL"
    says emulated-said 'kernels: c;'
    same emulated
else
    echo 'skip: no qemu-x86_64 for this machine or build, so no processor without AVX2'
fi

# The kernels alone, for ARM: they need no library.
if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
    flags='-std=gnu17 -D_GNU_SOURCE -O2 -ffp-contract=off -fno-math-errno -DMILL__LEVEL=base -w'
    # shellcheck disable=SC2086
    aarch64-linux-gnu-gcc $flags -static -I"$SRC/include" -I"$SRC/src" "$SRC/tests/cli/levels.c" "$SRC"/src/kernel/*.c \
        "$SRC/src/base/types.c" -lm -o levels-arm || fail 'the kernels do not build for aarch64'
    # shellcheck disable=SC2086
    ${CC:-cc} $flags -I"$SRC/include" -I"$SRC/src" "$SRC/tests/cli/levels.c" "$BUILD/libshardmill.a" -lm \
        ${SAN:+-fsanitize=$SAN} -o levels-here || fail 'tests/cli/levels.c does not build'
    qemu-aarch64 ./levels-arm >arm 2>/dev/null || fail 'the kernels do not run on aarch64'
    for level in c x86-64-v3 x86-64-v4 x86-64-v4-vbmi; do
        ./levels-here $level >here 2>level || fail "the kernels of $level do not run"
        cmp arm here || fail "aarch64 differs from $(cat level): $(diff arm here | head -n 4)"
    done
    [ "$(wc -l <arm)" -gt 100 ] || fail 'the kernels gave too few checksums'
else
    echo 'skip: no aarch64-linux-gnu-gcc or qemu-aarch64'
fi
finish
