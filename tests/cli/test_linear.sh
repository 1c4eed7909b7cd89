#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# matmul, project and whiten against NumPy, and the same bytes however samples come together: threads, shards, ways of
# reading, levels of instruction sets, a loader's order. Tolerance: a sum of d products in a type of unit roundoff u is
# within 2 d u of sum |x - mean| |w| (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1; twice for
# the rounding of difference and matrix).
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no NumPy'; exit 77; }

"$python" - <<'END' || fail 'making arrays'
import json, numpy
rng = numpy.random.default_rng(5)
n, d = 3000, 37
mix = rng.standard_normal((d, d))
x = rng.standard_normal((n, d)) @ mix
def model(name, x, white):
    mean = x.mean(axis=0, dtype="f8")
    values, vectors = numpy.linalg.eigh(numpy.cov((x - mean).T))
    order = numpy.argsort(-values)
    values, rows = values[order], vectors.T[order]
    matrix = rows.T @ numpy.diag(values ** -0.5) @ rows if white else rows
    json.dump(dict(version=1, model="whiten" if white else "pca", method="zca", features=d, components=d,
                   mean=mean.tolist(), matrix=matrix.ravel().tolist(), explained_variance=values.tolist()),
              open(name, "w"))
numpy.save("x.npy", x.astype("f4"))
numpy.save("far.npy", x + 1e8)
numpy.save("far32.npy", (x * 50 + 1e4).astype("f4"))
numpy.save("cube.npy", x.astype("f4").reshape(100, 5, 6, d))
numpy.save("bytes.npy", rng.integers(0, 256, (500, d), dtype="u1"))
model("x.json", x, True)
model("pca.json", x, False)
model("far.json", x + 1e8, True)
model("far32.json", (x * 50 + 1e4).astype("f4").astype("f8"), True)
numpy.save("w.npy", rng.standard_normal((d, 70)))
numpy.save("w-fortran.npy", numpy.asfortranarray(numpy.load("w.npy")).astype(">f8"))
numpy.save("pixels.npy", rng.standard_normal((192, 50)).astype("f4"))
END

# check OUT ARRAY KIND...: the output is x minus mean times a matrix, within the tolerance.
check() {
    "$python" - "$@" <<'END' || fail "$*"
import glob, json, sys, numpy
out, array, kind = sys.argv[1:4]
(path,) = glob.glob(f"{out}/*.npy")
got, x = numpy.load(path), numpy.load(array + ".npy")
assert got.dtype == ("f8" if x.dtype == "f8" else "f4"), got.dtype
if kind == "matmul":
    mean, w = 0.0, numpy.load("w.npy")
else:
    m = json.load(open(sys.argv[4]))
    mean, w = numpy.array(m["mean"]), numpy.array(m["matrix"]).reshape(m["components"], m["features"]).T
    w = w[:, :int(sys.argv[5])] if len(sys.argv) > 5 else w
centred = x.astype("f8") - mean
want = centred @ w
assert got.shape == want.shape, (got.shape, want.shape)
bound = 2 * len(w) * numpy.finfo(got.dtype).eps / 2 * (abs(centred) @ abs(w))
worst = (abs(got - want) / bound).max()
assert worst <= 1, worst
if kind == "whiten" and array != "bytes":
    flat = got.reshape(-1, got.shape[-1]).astype("f8")
    off = abs(numpy.cov(flat.T) - numpy.eye(flat.shape[1])).max()
    assert off < (1e-6 if array == "far" else 1e-3), off
END
}
run() { # ARRAY PIPELINE OUT OPTIONS...
    local array=$1 pipe=$2 out=$3
    shift 3
    expect 0 "$MILL" run "$array" --pipe "$pipe" --out "$out" --quiet "$@"
}

run x.npy 'whiten x.json' white && check white x whiten x.json
run x.npy 'project pca.json' pca && check pca x project pca.json
run x.npy 'project pca.json k=5' pca5 && check pca5 x project pca.json 5
run x.npy 'matmul w.npy' product && check product x matmul
run x.npy 'matmul w-fortran.npy' fortran && cmp product/x.data.npy fortran/x.data.npy
run far.npy 'whiten far.json' far && check far far whiten far.json
run far32.npy 'whiten far32.json' far32 && check far32 far32 whiten far32.json
run cube.npy 'matmul w.npy' cube && check cube cube matmul
run bytes.npy 'matmul w.npy' bytes && check bytes bytes matmul
run bytes.npy 'cast f32 | matmul w.npy' floats && cmp bytes/bytes.data.npy floats/bytes.data.npy

# Threads, ways of reading, executors, memory, levels.
chain='clip -30 30 | matmul w.npy | sin | reshape 7x10 | transpose | reshape 70 | select ::2'
run x.npy "$chain" chain-1 --threads 1
for threads in 2 3 8; do
    run x.npy 'whiten x.json' "white-$threads" --threads $threads
    cmp white/x.data.npy "white-$threads/x.data.npy" || fail "$threads threads"
    run x.npy "$chain" "chain-$threads" --threads $threads --executor loop --io threads
    cmp chain-1/x.data.npy "chain-$threads/x.data.npy" || fail "$threads threads, a chain"
done
run x.npy "$chain" chain-small --memory 32M --threads 8
cmp chain-1/x.data.npy chain-small/x.data.npy || fail 'little memory'
for level in c x86-64-v3 x86-64-v4; do
    SHARDMILL_CPU=$level run x.npy 'whiten x.json | matmul w.npy' "level-$level"
    SHARDMILL_CPU=$level run far.npy 'whiten far.json' "far-$level"
    cmp level-c/x.data.npy "level-$level/x.data.npy" || fail "level $level"
    cmp far/far.data.npy "far-$level/far.data.npy" || fail "level $level, f64"
done

# Samples one by one, and shards of every small size.
"$python" - <<'END' || fail 'cutting'
import numpy
x, at = numpy.load("x.npy"), 0
for n in range(1, 40):
    numpy.save(f"cut-{n:02}.npy", x[at:at + n])
    at += n
END
expect 0 "$MILL" run 'cut-{01..39}.npy' --pipe 'whiten x.json' --out cut --quiet
"$python" - <<'END' || fail 'shards of other sizes'
import glob, numpy
cut = numpy.concatenate([numpy.load(path) for path in sorted(glob.glob("cut/*.data.npy"))])
assert cut.tobytes() == numpy.load("white/x.data.npy")[:len(cut)].tobytes()
END

# A loader, whose samples lie nowhere side by side: the bytes of a pipeline that was run before.
digest() { # SPEC PIPELINE OPTIONS...
    local spec=$1 pipe=$2
    shift 2
    expect 0 "$MILL" load "$spec" --pipe "$pipe" --shuffle global --index none --digest --json "$@"
    "$python" -c 'import json, sys; print([json.loads(l) for l in open("stdout")][-1]["digest"])' || fail 'no digest'
}
want=$(digest white/x.data.npy 'scale 1' --batch 64)
for threads in 1 3; do
    got=$(digest x.npy 'whiten x.json' --batch 64 --threads $threads)
    [ "$got" = "$want" ] || fail "a loader with $threads threads: $got, not $want"
done

# Images are put together behind decode; broken ones among them change nothing for the others.
photos=$(photographs)
if [ -n "$photos" ]; then
    [ -f "$SRC/data/corrupt/bad-000000.tar" ] && bad=$SRC/data/corrupt/bad-000000.tar || bad=
    for shard in "$photos/train-000000.tar" $bad; do
        name=$(basename "$shard" .tar)
        for pipe in 'cast f32' 'cast f32 | matmul pixels.npy'; do
            expect 0 "$MILL" run "$shard" --pipe "decode | resize 8x8 | reshape 192 | $pipe" --on-error skip --quiet \
                --out "photos-$name-${#pipe}"
        done
        expect 0 "$MILL" run "photos-$name-8/*.data.npy" --pipe 'matmul pixels.npy' --out "numbers-$name" --quiet
        cmp numbers-"$name"/*.data.npy photos-"$name"-28/*.data.npy || fail "images of $name"
    done
else
    echo 'skip: no photographs'
fi

# Errors name the file and both numbers.
expect 2 "$MILL" run bytes.npy --pipe 'select 3: | whiten x.json' --as null
says stderr '"x.json" is made for 37 features, but there are 34 numbers'
echo '{"model":"pca","features":2,"components":1,"mean":[0,oops]}' >bad.json
"$MILL" run bytes.npy --pipe 'project bad.json' --as null 2>stderr && fail 'a bad model was taken'
says stderr '"mean" in "bad.json"'

# A model that was fitted anew makes other output: a run is not continued with it, nor is a loader.
cp x.json kept.json
expect 0 "$MILL" run bytes.npy --pipe 'whiten kept.json' --out kept --quiet
expect 0 "$MILL" run bytes.npy --pipe 'whiten kept.json' --out kept --quiet
expect 0 "$MILL" load bytes.npy --pipe 'whiten kept.json' --max-batches 1 --batch 4 --state kept.state
echo >>kept.json
expect 2 "$MILL" run bytes.npy --pipe 'whiten kept.json' --out kept --quiet
says stderr 'pipeline_files'
expect 2 "$MILL" load bytes.npy --pipe 'whiten kept.json' --batch 4 --state kept.state
expect 0 "$MILL" transforms whiten
says stdout 'shardmill fit whiten'
finish
