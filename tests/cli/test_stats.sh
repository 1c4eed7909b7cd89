#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stats: against NumPy and exact fractions, the same to the last bit however it is run, merged, and used by transforms.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no Python with NumPy'; exit 77; }

"$python" - <<'END'
import numpy as np
r = np.random.default_rng(7)
for name, rows in ("a", 3000), ("b", 1), ("c", 1777), ("d", 1024):
    x = r.normal(size=(rows, 5)) * [1, 2, 1e-3, 400, 1] + [0, 1e8, 3, -4, 1e-30]
    np.save(f"wide-{name}.npy", x)
    np.save(f"narrow-{name}.npy", x[:, [0, 3]].astype("f4"))
    np.save(f"word-{name}.npy", r.integers(0, 60000, size=(rows, 3, 4)).astype("u2"))
    np.save(f"scalar-{name}.npy", r.exponential(size=rows).astype("f4"))
    # Many features, of which products are summed in float over short runs: all with a part of the first; far from 0;
    # too large and too small for float products; constant; in order, so that the mean moves from unit to unit.
    y = r.normal(size=(rows, 40)) + 2 * r.normal(size=(rows, 1))
    y[:, 1] += 1e4
    y[:, 2] = y[:, 2] * 1e-3 + 7
    y[:, 4] = 3.25
    y[:, 5] += np.arange(rows)
    np.save(f"many-{name}.npy", y.astype("f4"))
    np.save(f"bytes-{name}.npy", np.clip(y * 20 + 100, 0, 255).astype("u1"))
    y[:, 6] *= 1e25
    y[:, 7] *= 1e-25
    np.save(f"scales-{name}.npy", y.astype("f4"))
    y[:, 8] += 1e8
    np.save(f"double-{name}.npy", y)
    y[rows // 3 :: 500, 9] = np.nan
    np.save(f"holes-{name}.npy", y.astype("f4"))
odd = r.normal(size=(2500, 3))
odd[5, 0], odd[6, 0], odd[7, 2], odd[2400, 2] = np.nan, np.inf, -np.inf, np.nan
odd[:, 1] = np.nan
np.save("odd.npy", odd)
END

check() { # NAME: NAME.json against the arrays NAME-*.npy
    "$python" - "$1" "${2:-1e-13}" <<'END' || fail "$1: the statistics are wrong"
import glob, json, math, sys
import numpy as np
name, tolerance = sys.argv[1], float(sys.argv[2])
x = np.concatenate([np.load(f) for f in sorted(glob.glob(name + "-*.npy"))]).astype("f8")
n = len(x)
x = x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1)
s = json.load(open(name + ".json"))
assert s["samples"] == n and s["count"] == [len(x)] * x.shape[1] and s["unlabelled"] == n
assert s["min"] == x.min(0).tolist() and s["max"] == x.max(0).tolist()
for k in range(x.shape[1]):
    mean = math.fsum(x[:, k]) / len(x)  # fsum is exact
    std = math.sqrt(math.fsum((x[:, k].astype(np.longdouble) - np.longdouble(mean)) ** 2) / len(x))
    assert abs(s["mean"][k] - mean) <= tolerance * max(abs(mean), std), (k, s["mean"][k], mean)
    assert abs(s["std"][k] / std - 1) <= 1e-12, (k, s["std"][k], std)
assert np.allclose(s["mean"], x.mean(0), rtol=1e-12) and np.allclose(s["std"], x.std(0), rtol=1e-8)
if "covariance" in s:
    scale = np.sqrt(np.outer(x.var(0), x.var(0)))
    assert np.abs((s["covariance"] - np.cov(x, rowvar=False)) / scale).max() < 1e-7 # NumPy's own error at mean 1e8
    rest = [k for k in range(x.shape[1]) if k != 1]
    exact = np.cov(x[:, rest], rowvar=False)
    assert np.abs((np.array(s["covariance"])[np.ix_(rest, rest)] - exact) / scale[np.ix_(rest, rest)]).max() < 1e-13
if "quantiles" in s:
    want = np.quantile(x, s["quantile_shares"], axis=0, method="lower").T
    assert (np.abs(s["quantiles"] - want) <= np.abs(want) / 128 * (1 + 1e-12)).all()
END
}
expect 0 "$MILL" stats 'wide-*.npy' --covariance --quantiles --out wide.json
silent stderr
says stdout '5802 samples of f64'
check wide
expect 0 "$MILL" stats 'narrow-*.npy' --covariance --quantiles --out narrow.json
check narrow
expect 0 "$MILL" stats 'word-*.npy' --quantiles --out word.json
check word
expect 0 "$MILL" stats 'scalar-*.npy' --quantiles --out scalar.json
check scalar

# Covariances of many features: the error, in products of deviations, against sums in long double. Products of floats
# within a run of 256 are summed in float; docs/statistics.md says what that can cost.
covariance() { # NAME TOLERANCE
    expect 0 "$MILL" stats "$1-*.npy" --covariance --out "$1.json" -q
    "$python" - "$@" <<'END' || fail "$1: the covariance is wrong"
import glob, json, sys
import numpy as np
name, tolerance = sys.argv[1], float(sys.argv[2])
x = np.concatenate([np.load(f) for f in sorted(glob.glob(name + "-*.npy"))]).astype(np.longdouble)
s = json.load(open(name + ".json"))
x = x[np.isfinite(x).all(1)]
assert s["covariance_count"] == len(x)
d = x - x.mean(0)
exact = d.T @ d / (len(x) - 1)
std = np.sqrt(np.diag(exact))
error = np.abs(np.array(s["covariance"]) - exact) / np.outer(std, std).clip(1e-300)
assert np.isfinite(error).all() and error.max() <= tolerance, error.max()
print(f"{name}: largest error {error.max():.1e}")
END
}
covariance many 1e-6
covariance bytes 1e-5
covariance scales 1e-12
covariance double 1e-12
covariance holes 1e-6

# The same bytes for any number of threads, executor, way of reading, batch size (it follows from the budget), level.
for name in wide word scalar many holes; do
    more=--covariance
    for how in '--threads 1 --executor loop' '--threads 3' '--threads 8 --memory 22M' '--io threads --io-depth 1 --threads 2' \
        '--threads 2 --executor loop --memory 48M'; do
        expect 0 "$MILL" stats "$name-*.npy" $more --quantiles --out again.json $how -q
        [ -e first-$name.json ] || cp again.json first-$name.json
        cmp -s again.json first-$name.json || fail "$name: $how gives other bytes"
    done
    expect 0 env SHARDMILL_CPU=c "$MILL" stats "$name-*.npy" $more --quantiles --out again.json -q
    cmp -s again.json first-$name.json || fail "$name: another level of instruction sets gives other bytes"
done

# Merging parts; a single file comes back as it was.
expect 0 "$MILL" stats --merge wide.json --out again.json -q
cmp -s again.json wide.json || fail 'a file that was read and written differs'
expect 0 "$MILL" stats 'wide-{a,b}.npy' --covariance --quantiles --out part1.json -q
expect 0 "$MILL" stats 'wide-{c,d}.npy' --covariance --quantiles --out part2.json -q
expect 0 "$MILL" stats --merge part1.json part2.json --out merged.json
says stdout '5802 samples'
"$python" - <<'END' || fail 'merged parts are not the whole'
import json
import numpy as np
a, b = json.load(open("merged.json")), json.load(open("wide.json"))
assert a.keys() == b.keys()
for key in a:
    if key in ("mean_rest", "covariance_mean_rest"):
        continue
    if key in ("mean", "std", "m2", "covariance", "covariance_mean", "products"):
        assert np.allclose(a[key], b[key], rtol=1e-14, atol=1e-14 * np.abs(b[key]).max()), key
    else:
        assert a[key] == b[key], key
END
expect 2 "$MILL" stats --merge wide.json narrow.json
says stderr 'do not go together'
expect 2 "$MILL" stats --merge wide.json --covariance
expect 1 "$MILL" stats --merge odd.npy
says stderr 'not one JSON object'
echo '{"count": [1]}' >poor.json
expect 1 "$MILL" stats --merge poor.json
says stderr 'holds no statistics'
head -c 300 wide.json >cut.json
expect 1 "$MILL" stats --merge cut.json

# NaN and infinities are counted, told, and in nothing else.
expect 0 "$MILL" stats odd.npy --covariance --quantiles --out odd.json
says stderr '2502 NaN and 2 infinite values in 3 of 3 features'
"$python" - <<'END' || fail 'NaN and infinities'
import json
import numpy as np
x, s = np.load("odd.npy"), json.load(open("odd.json"))
assert (s["nan"], s["above"], s["below"]) == ([1, 2500, 1], [1, 0, 0], [0, 0, 1]) and s["count"] == [2498, 0, 2498]
assert s["mean"][1] is None and s["std"][1] is None and s["min"][1] is None and s["quantiles"][1] == [None] * 7
for k in 0, 2:
    v = x[:, k][np.isfinite(x[:, k])]
    assert np.allclose([s["mean"][k], s["std"][k]], [v.mean(), v.std()], rtol=1e-13, atol=1e-15)
    assert [s["min"][k], s["max"][k]] == [v.min(), v.max()]
assert s["covariance_count"] == 0 and s["covariance"] is None
END
"$python" -c 'import numpy as np; np.save("some.npy", np.load("odd.npy")[:, [0, 2]])'
expect 0 "$MILL" stats some.npy --covariance --json
"$python" - <<'END' || fail 'vectors that are not finite'
import json
import numpy as np
x, s = np.load("some.npy"), json.loads(open("stdout").read())
v = x[np.isfinite(x).all(1)]
assert s["covariance_count"] == len(v) == 2496 and np.allclose(s["covariance"], np.cov(v, rowvar=False), rtol=1e-13)
END

# A shard without samples adds nothing.
"$python" -c 'import numpy as np; np.save("none.npy", np.zeros((0, 5)))'
expect 0 "$MILL" stats 'wide-*.npy' none.npy --covariance --quantiles --out again.json -q
cmp -s again.json wide.json || fail 'an empty shard changes the result'
expect 0 "$MILL" stats none.npy --json
json_holds stdout 'total["count"] == [0] * 5 and total["mean"] == [None] * 5 and total["samples"] == 0'

# What the transforms make of it.
expect 0 "$MILL" run 'wide-*.npy' --pipe 'standardize wide.json' --out std -q
expect 0 "$MILL" run 'narrow-*.npy' --pipe 'standardize narrow.json' --out std32 -q
"$python" - <<'END' || fail 'standardize FILE'
import glob
import numpy as np
for folder, tolerance in ("std", 1e-6), ("std32", 1e-5):
    x = np.concatenate([np.load(f) for f in sorted(glob.glob(folder + "/*.data.npy"))]).astype("f8")
    assert np.abs(x.mean(0)).max() < tolerance and np.abs(x.std(0) - 1).max() < tolerance, (x.mean(0), x.std(0))
END
expect 2 "$MILL" run 'wide-*.npy' --pipe 'standardize odd.json' --as null
says stderr 'lists "mean" and "std"'
expect 2 "$MILL" run 'wide-*.npy' --pipe 'standardize narrow.json' --as null
says stderr 'mean has 2 numbers'
expect 2 "$MILL" run 'wide-*.npy' --pipe 'standardize wide.json std=1' --as null
expect 2 "$MILL" stats 'wide-*.npy' --max-errors 3
expect 3 "$MILL" stats 'wide-*.npy' --out no/such/folder.json
expect 3 "$MILL" run 'wide-*.npy' --pipe 'standardize missing.json' --as null

# Images: channels, classes, sizes that vary, and the way to normalize.
photos=$(photographs)
if [ -n "$photos" ]; then
    shards=("$photos"/train-*.tar)
    shards=("${shards[@]:0:2}")
    pipe='decode | resize 40 | center_crop 32'
    expect 0 "$MILL" run "${shards[@]}" --pipe "$pipe" --out pixels -q
    expect 0 "$MILL" stats "${shards[@]}" --pipe "$pipe" --covariance --out pixels.json
    expect 0 "$MILL" run "${shards[@]}" --pipe "$pipe | normalize pixels.json" --out normal -q
    expect 0 "$MILL" stats "${shards[@]}" --pipe "$pipe | layout chw" --out planes.json
    "$python" - <<'END' || fail 'images'
import glob, json
import numpy as np
load = lambda what: np.concatenate([np.load(f) for f in sorted(glob.glob(what))])
x, y, labels = load("pixels/*.image.npy"), load("normal/*.image.npy"), load("pixels/*.label.npy")
s, p = json.load(open("pixels.json")), json.load(open("planes.json"))
flat = x.reshape(-1, 3).astype("f8")
assert s["of"] == "channels" and s["dtype"] == "u8" and s["samples"] == len(x)
for t in s, p:
    assert np.allclose(t["mean"], flat.mean(0), rtol=1e-13) and np.allclose(t["std"], flat.std(0), rtol=1e-12)
    assert t["min"] == flat.min(0).tolist() and t["max"] == flat.max(0).tolist() and t["count"] == [len(flat)] * 3
assert np.allclose(s["covariance"], np.cov(flat, rowvar=False), rtol=1e-11)
assert {int(k): n for k, n in s["classes"].items()} == dict(zip(*map(np.ndarray.tolist, np.unique(labels, return_counts=True))))
flat = y.reshape(-1, 3).astype("f8")
assert np.abs(flat.mean(0)).max() < 1e-5 and np.abs(flat.std(0) - 1).max() < 1e-5
END
    for threads in 1 2 5; do
        expect 0 "$MILL" stats "${shards[@]}" --pipe decode --quantiles --threads $threads --out sizes-$threads.json
        cmp -s sizes-$threads.json sizes-1.json || fail "images that vary: $threads threads give other bytes"
    done
    expect 2 "$MILL" stats "${shards[@]}"
    says stderr 'put decode into the pipeline'
    expect 2 "$MILL" stats "${shards[@]}" --pipe "$pipe | layout chw" --covariance
    says stderr 'leave out layout chw'
    expect 0 "$MILL" stats "${shards[@]}" --pipe "$pipe | cast f32" --out float.json -q
    expect 2 "$MILL" run "${shards[@]}" --pipe "$pipe | normalize float.json" --as null
    says stderr 'needs statistics of u8 images'
else
    echo 'images were not tried: there are no photographs'
fi

# Bad samples: they end the run, or are left out and counted; the same for any number of threads.
not_photographs bad
expect 1 "$MILL" stats bad --pipe 'decode | resize 8x8'
expect 0 "$MILL" stats bad --pipe 'decode | resize 8x8' --on-error skip --json
json_holds stdout 'total["skipped"] == 10 and total["samples"] == 0 and total["count"] == [0, 0, 0] and total["errors"] == 10 == len(by("issue"))'
expect 1 "$MILL" stats bad --pipe 'decode | resize 8x8' --on-error skip --max-errors 3
finish
