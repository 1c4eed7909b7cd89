#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Windows of tokens across shards, beside NumPy's on all tokens in one row: run, resumed and changed, and the loader,
# for any number of threads.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

cat >data.py <<'END'
import numpy, os, sys
def write(path, tokens, dtype, header):
    with open(path, "wb") as file:
        if header:
            head = numpy.zeros(256, dtype="i4")
            head[:3] = (20240520, 1, len(tokens)) if dtype == "u2" else (20240801, 7, len(tokens))
            file.write(head.tobytes())
        file.write(tokens.astype(dtype).tobytes())
def read(path, dtype, header):
    return numpy.fromfile(path, dtype=dtype, offset=1024 if header else 0)
sets = {  # lengths of shards: odd, shorter than a window, empty
    "odd": [701, 333, 1000, 57],
    "short": [5, 0, 3, 64, 1, 1, 1, 0, 2, 40, 17, 0],
    "empty": [0, 0, 90, 0],
    "large": [700_001, 3, 1_300_013],
    "one": [777],
    "none": [3, 4, 5],
}
END
"$python" - <<'END' || fail 'making shards'
from data import *
rng = numpy.random.default_rng(11)
for name, lengths in sets.items():
    for dtype, header in ("u2", False), ("u2", True), ("u4", False), ("u4", True):
        folder = f"in/{name}-{dtype}{'h' if header else ''}"
        os.makedirs(folder)
        for i, n in enumerate(lengths):
            write(f"{folder}/s{i:02}.bin", rng.integers(0, 50257, n), dtype, header)
END

# same FOLDER OUT T STRIDE: what NumPy makes of the shards; a window is the shard's in which it begins.
cat >same.py <<'END'
from data import *
folder, out, T, stride = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
kind = folder.split("-")[1]
dtype, header = kind[:2], kind.endswith("h")
names = sorted(os.listdir(folder))
shards = [read(f"{folder}/{name}", dtype, header) for name in names]
tokens = numpy.concatenate(shards)
starts = numpy.arange(0, max(len(tokens) - T, 0), stride)
begin = 0
for name, shard in zip(names, shards):
    mine = starts[(starts >= begin) & (starts < begin + len(shard))]
    begin += len(shard)
    want = tokens[mine[:, None] + numpy.arange(T + 1)]
    got = numpy.load(f"{out}/{name[:-4]}.data.npy")
    assert got.dtype == want.dtype and got.shape == want.shape, (name, got.dtype, got.shape, want.dtype, want.shape)
    assert (got == want).all(), name
END

try() { # NAME T STRIDE [ARGUMENTS...]: all kinds of shards, all numbers of threads
    local name=$1 T=$2 stride=$3 kind format threads first
    shift 3
    for kind in u2 u2h u4 u4h; do
        format=tokens:T=$T:stride=$stride
        case $kind in u2) format+=:dtype=u16 ;; u4) format+=:dtype=u32 ;; esac
        for threads in 1 2 3 8; do
            rm -rf out-$threads
            expect 0 "$MILL" run "in/$name-$kind" --format "$format" --pipe '' --out out-$threads -q \
                --threads $threads "$@"
            diff -r out-1 out-$threads || fail "$name-$kind, $format: $threads threads make something else"
            case $threads in 2 | 8) continue ;; esac
            digest=$("$MILL" load "in/$name-$kind" --format "$format" --pipe '' --batch 5 --shuffle --digest -q \
                --threads $threads 2>&1)
            [ $threads = 1 ] && first=$digest
            [[ $digest == digest\ * && $digest = "$first" ]] || fail "the loader: $digest, $first"
        done
        "$python" same.py "in/$name-$kind" out-1 "$T" "$stride" || fail "$name-$kind, $format"
    done
}
try odd 64 64
try odd 64 65
try odd 64 1
try short 8 8
try short 8 3
try short 30 31
try empty 16 16
try one 10 10
try large 1024 1024 --memory 24MiB
try large 1000 999 --io threads --io-depth 1
rm -rf out
expect 0 "$MILL" run in/none-u2 --format tokens:T=16:dtype=u16 --pipe '' --out out -q
"$python" same.py in/none-u2 out 16 16 || fail 'fewer tokens than a window'
expect 1 "$MILL" load in/none-u2 --format tokens:T=16:dtype=u16 --pipe '' -q
says stderr 'no samples'
expect 2 "$MILL" run in/odd-u2 --format tokens:T=16:stride=18:dtype=u16 --pipe '' --out out2 -q
says stderr 'stride is at most T + 1'

# Within shards, as llm.c has it.
rm -rf out
expect 0 "$MILL" run in/odd-u2 --format tokens:T=64:dtype=u16:within=shard --pipe '' --out out -q
"$python" - <<'END' || fail 'within shards'
from data import *
for i in range(4):
    tokens = read(f"in/odd-u2/s{i:02}.bin", "u2", False)
    want = numpy.stack([tokens[k : k + 65] for k in range(0, len(tokens) - 64, 64)] or [tokens[:0]])
    got = numpy.load(f"out/s{i:02}.data.npy")
    assert len(tokens) < 65 and len(got) == 0 or (got == want).all()
END

# A run that was interrupted is finished by the next one; shards of which samples have changed are made again.
cp -r in/odd-u2 work-u2
rm -rf out whole
format=tokens:T=64:dtype=u16
go() { expect 0 "$MILL" run work-u2 --format $format --pipe '' --out "$1" --json; }
go whole
go out
go out # nothing to do
json_holds stdout 'total["shards_kept"] == 4'
stamp() { stat -c %i out/s0$1.data.npy; }
files=("$(stamp 0)" "$(stamp 1)" "$(stamp 2)" "$(stamp 3)")
"$python" - <<'END'
from data import *
write("work-u2/s02.bin", read("in/odd-u2/s02.bin", "u2", False)[:-7], "u2", False)
END
go out
"$python" same.py work-u2 out 64 64 || fail 'a shard has changed'
[ "$(stamp 0)" = "${files[0]}" ] || fail 's00 depends on s01 only, and was made again'
[ "$(stamp 1)" != "${files[1]}" ] || fail 's01 reaches into s02, which has changed'
[ "$(stamp 3)" != "${files[3]}" ] || fail 's03 has other windows now'
rm -rf fresh && go fresh
for file in fresh/*; do cmp "$file" "out/${file##*/}" || fail "${file##*/} differs from an undisturbed run's"; done

# A shard that cannot be read: what reaches into it is lost, and both shards are named.
printf 'x' >>work-u2/s02.bin
rm -rf out
expect 1 "$MILL" run work-u2 --format $format --pipe '' --out out
says stderr 's01.bin'
says stderr '1 of its windows reach into "work-u2/s02.bin": 1 bytes behind the 993 tokens'
expect 1 "$MILL" load work-u2 --format $format --pipe '' --batch 3
says stderr 'reach into "work-u2/s02.bin"'
rm -rf out
expect 0 "$MILL" run work-u2 --format $format --pipe '' --out out --on-error skip --report report
says report 's01.bin'
says report '"next"'
says report '"size"'
"$python" - <<'END' || fail 'what is left beside a broken shard'
from data import *
a, b, d = (read(f"in/odd-u2/s{i:02}.bin", "u2", False) for i in (0, 1, 3))
ab = numpy.concatenate([a, b])
want = numpy.stack([ab[k : k + 65] for k in range(0, len(ab) - 64, 64)])
assert (numpy.concatenate([numpy.load(f"out/s0{i}.data.npy") for i in (0, 1)]) == want).all()
assert numpy.load("out/s03.data.npy").shape == (0, 65)  # 57 tokens, begun anew
END
expect 1 "$MILL" inspect work-u2 --format $format
says stdout 'reach into'
expect 1 "$MILL" index work-u2 --format $format
expect 0 "$MILL" index in/odd-u2 --format $format

# Compressed shards: refused before anything is made, or each a text of its own.
head -c 2000 /dev/zero | gzip >packed.bin.gz
expect 2 "$MILL" run packed.bin.gz --format tokens:T=64:dtype=u16 --pipe '' --out packed
says stderr 'within=shard'
[ ! -e packed ] || fail 'a refused run made its folder'
expect 2 "$MILL" load packed.bin.gz --format tokens:T=64:dtype=u16 --pipe '' --batch 2
expect 0 "$MILL" run packed.bin.gz --format tokens:T=64:dtype=u16:within=shard --pipe '' --out packed
finish
