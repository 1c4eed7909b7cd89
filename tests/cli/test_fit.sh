#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fit: against NumPy's eigh and scikit-learn's PCA, on data that are easy and data that are not; from files that were
# merged; the same bytes for any number of threads; and what it says of data that cannot be whitened.
. "$SRC/tests/cli/common.sh"
python=$(numpy_python)
[ -n "$python" ] || { echo 'skip: no Python with NumPy'; exit 77; }

"$python" - <<'END'
import numpy as np
r = np.random.default_rng(11)
mix = r.normal(size=(12, 12)) * np.logspace(0, -3, 12)
for name, rows in ("a", 2000), ("b", 1), ("c", 1500):
    x = r.normal(size=(rows, 12)) @ mix
    np.save(f"plain-{name}.npy", x)
    np.save(f"single-{name}.npy", x.astype("f4"))
    np.save(f"shifted-{name}.npy", r.normal(size=(rows, 6)) + 1e8)
    np.save(f"one-{name}.npy", r.normal(size=(rows, 1)) * 3 + 7)
    np.save(f"scalar-{name}.npy", r.normal(size=rows))
    np.save(f"grid-{name}.npy", r.integers(0, 200, size=(rows, 3, 4)).astype("u1"))
    dependent = r.normal(size=(rows, 5))
    dependent[:, 1], dependent[:, 3] = 0.1, dependent[:, 0] - 2 * dependent[:, 4]
    np.save(f"dependent-{name}.npy", dependent)
np.save("few.npy", r.normal(size=(8, 20)))
odd = r.normal(size=(900, 3))
odd[[3, 500, 501], [0, 2, 2]] = np.nan, np.inf, np.nan
np.save("odd.npy", odd)
odd[:, 1] = np.nan
np.save("nothing.npy", odd)
END

cat >check.py <<'END'
"""model.json against the arrays of a glob: check.py MODEL GLOB TOLERANCE"""
import glob, json, sys
import numpy as np
m, tolerance = json.load(open(sys.argv[1])), float(sys.argv[3])
x = np.concatenate([np.load(f) for f in sorted(glob.glob(sys.argv[2]))])
x = x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1)
x = x[np.isfinite(x).all(1)]
n, k, eps = m["features"], m["components"], m["regularisation"]
exact = x.astype(np.longdouble)  # at a mean of 1e8 float64 is not enough for the reference
mean = exact.mean(0)
d = (exact - mean).astype("f8")
d -= d.mean(0)
cov = d.T @ d / (len(x) - 1)
l, v = np.linalg.eigh(cov)
l, v = np.maximum(l[::-1], 0), v[:, ::-1].T
v *= np.sign(v[np.arange(n), np.argmax(np.abs(v), axis=1)])[:, None]
matrix, values = np.array(m["matrix"]).reshape(k, n), np.array(m["explained_variance"])
assert m["samples"] == len(x) and len(m["mean"]) == n == x.shape[1] and len(values) == k
assert np.abs(m["mean"] - mean.astype("f8")).max() <= 1e-14 * np.abs(mean).max() + 1e-15
assert np.abs(values - l[:k]).max() <= tolerance * l[0], (values, l)
assert abs(m["total_variance"] / np.trace(cov) - 1) < 1e-13
if m["model"] == "pca":
    want = v[:k]
elif m["method"] == "pca":
    want = v[:k] / np.sqrt(l[:k] + eps)[:, None]
else:
    want = v.T @ np.diag(1 / np.sqrt(l + eps)) @ v
    assert np.array_equal(matrix, matrix.T)
scale = np.abs(want).max(1, keepdims=True)
gaps = np.abs(l[:k, None] - l[None, :]) + np.eye(n)[:k] * l[0]
apart = gaps.min(1) > 1e-6 * l[0] if m.get("method") != "zca" else np.ones(n, bool)  # else any basis will do
assert np.abs((matrix - want) / scale)[apart].max() <= tolerance * 1e3, np.abs((matrix - want) / scale).max()
y = d @ matrix.T
got, expected = np.cov(y, rowvar=False).reshape(k, k), np.eye(k)
if m["model"] == "pca":
    expected = np.diag(l[:k])
elif m["method"] == "pca":
    expected = np.diag(l[:k] / (l[:k] + eps))
else:
    expected = v.T @ np.diag(l / (l + eps)) @ v
assert np.abs(got - expected).max() <= tolerance * 1e3 * np.abs(expected).max(), np.abs(got - expected).max()
if (m["model"] == "pca" or m["method"] == "pca") and k <= len(x):
    try:
        from sklearn.decomposition import PCA
    except ImportError:
        print("no scikit-learn")
        sys.exit()
    p = PCA(k, whiten=m["model"] == "whiten", svd_solver="full").fit((exact - mean).astype("f8"))
    assert np.abs(p.explained_variance_ - values).max() <= tolerance * 10 * l[0]
    total = l.sum()
    assert np.abs(p.explained_variance_ratio_ - values / total).max() <= tolerance * 10
    if eps == 0:  # its signs follow another rule
        theirs, ours = p.transform((exact - mean).astype("f8")), y
        signs = np.sign((theirs * ours).sum(0))
        error = np.abs(theirs * signs - ours).max(0) / np.abs(theirs).max(0)
        assert error[apart].max() <= tolerance * 1e4, error
END
sklearn_absent=
check() { # MODEL GLOB TOLERANCE
    "$python" check.py "$@" >said 2>&1 || fail "$1 of $2: $(tail -n 3 said)"
    grep -q 'no scikit-learn' said && sklearn_absent=yes
}

for name in plain single shifted grid one scalar; do
    expect 0 "$MILL" fit pca "$name-*.npy" --out "$name.pca.json"
    check "$name.pca.json" "$name-*.npy" 1e-13
    expect 0 "$MILL" fit whiten "$name-*.npy" --out "$name.zca.json"
    silent stderr
    check "$name.zca.json" "$name-*.npy" 1e-13
    expect 0 "$MILL" fit whiten "$name-*.npy" --method pca --out "$name.white.json"
    check "$name.white.json" "$name-*.npy" 1e-13
done
expect 0 "$MILL" fit pca 'plain-*.npy' --components 4 --out k.json
says stdout 'pca, fitted to 3501 vectors of 12 features'
check k.json 'plain-*.npy' 1e-13
expect 0 "$MILL" fit whiten 'plain-*.npy' --method pca --components 4 --regularise 0.01 --out k.json
check k.json 'plain-*.npy' 1e-13
expect 0 "$MILL" fit whiten 'plain-*.npy' --regularise 0.5 --out k.json
check k.json 'plain-*.npy' 1e-13
[ -z "$sklearn_absent" ] || echo 'scikit-learn was not compared with: it is not installed'

# Covariances without an inverse.
expect 2 "$MILL" fit whiten 'dependent-*.npy' --out none.json
says stderr 'has rank 3, so 2 of their combinations are constant and cannot be whitened: regularise'
[ ! -e none.json ] || fail 'a model that is none was written'
expect 0 "$MILL" fit whiten 'dependent-*.npy' --regularise 0.01 --out k.json
says stderr 'the last 2 of 5 components have no variance'
check k.json 'dependent-*.npy' 1e-13
expect 0 "$MILL" fit whiten 'dependent-*.npy' --method pca --components 3 --out k.json
! grep -q warning stderr || fail "a warning without a cause: $(cat stderr)"
check k.json 'dependent-*.npy' 1e-13
expect 2 "$MILL" fit whiten 'dependent-*.npy' --method pca --components 4
expect 0 "$MILL" fit pca 'dependent-*.npy' --json
json_holds stdout 'total["rank"] == 3 and min(total["explained_variance"]) >= 0 and abs(total["cumulative_ratio"][-1] - 1) < 1e-14'
expect 0 "$MILL" fit pca few.npy --out k.json
says stderr '8 vectors of 20 features: no more than 7 components can be told'
says stderr 'that rounding had made negative'
check k.json few.npy 1e-13
expect 2 "$MILL" fit whiten few.npy
says stderr 'keep at most 7 components'

# Vectors that have values that are none.
expect 0 "$MILL" fit pca odd.npy --out k.json
says stderr '3 of 900 vectors are left out: they have NaN or infinities, in 2 of 3 features'
check k.json odd.npy 1e-13
expect 2 "$MILL" fit pca nothing.npy
says stderr 'feature 1 has no value that is finite'

# Out of files: what one run over all gives, but for rounding; a file as it is gives the same bytes.
expect 0 "$MILL" stats 'plain-*.npy' --covariance --out all.json -q
expect 0 "$MILL" stats 'plain-{a,b}.npy' --covariance --out part1.json -q
expect 0 "$MILL" stats plain-c.npy --covariance --out part2.json -q
expect 0 "$MILL" stats --merge part1.json part2.json --out merged.json -q
expect 0 "$MILL" fit whiten --stats all.json --out k.json -q
cmp -s k.json plain.zca.json || fail 'statistics that went through a file give another model'
expect 0 "$MILL" fit whiten --stats merged.json --out k.json
check k.json 'plain-*.npy' 1e-13
"$python" - <<'END' || fail 'merged parts are not the whole'
import json
import numpy as np
a, b = json.load(open("k.json")), json.load(open("plain.zca.json"))
for key in "mean", "matrix", "explained_variance":
    x, y = np.array(a[key]), np.array(b[key])
    assert np.abs(x - y).max() <= 1e-12 * np.abs(y).max(), (key, np.abs(x - y).max() / np.abs(y).max())
END
expect 0 "$MILL" stats 'plain-*.npy' --out without.json -q
expect 2 "$MILL" fit pca --stats without.json
says stderr 'have no covariance'
expect 1 "$MILL" fit pca --stats k.json
says stderr 'holds no statistics'
expect 3 "$MILL" fit pca --stats missing.json

# The same bytes however it is run.
for name in plain grid; do
    for how in '--threads 1 --executor loop' '--threads 3' '--threads 8 --memory 22M' '--io threads --io-depth 1 --threads 2'; do
        expect 0 "$MILL" fit whiten "$name-*.npy" --out again.json $how -q
        silent stdout
        cmp -s again.json $name.zca.json || fail "$name: $how gives other bytes"
    done
done

# The table, the picture, JSON.
expect 0 "$MILL" fit pca 'plain-*.npy' --plot plot.svg --components 5
says stdout 'of the variance'
[ "$(grep -c '#$' stdout)" -ge 1 ] || fail 'there is no bar'
"$python" - <<'END' || fail 'plot.svg'
import os
import xml.dom.minidom
document = xml.dom.minidom.parse("plot.svg")
text = " ".join("".join(t.data for t in e.childNodes if t.nodeType == t.TEXT_NODE) for e in document.getElementsByTagName("text"))
assert "variance of each component" in text and "5 kept" in text and "100 %" in text and "99 %:" in text, text
assert os.path.getsize("plot.svg") < 20000
END
expect 0 "$MILL" fit whiten 'plain-*.npy' --json
json_holds stdout 'total["model"] == "whiten" and total["method"] == "zca" and len(total["explained_variance_ratio"]) == 12 and total["shards"] == 3'
json_holds stdout 'sum(r for r in total["explained_variance_ratio"][:total["components_95"]]) >= 0.95 > sum(total["explained_variance_ratio"][:total["components_95"] - 1])'

# Usage.
expect 2 "$MILL" fit
says stderr 'whiten or pca'
expect 2 "$MILL" fit lda 'plain-*.npy'
says stderr 'not "lda"'
expect 2 "$MILL" fit pca
says stderr 'needs SPEC'
expect 2 "$MILL" fit pca 'plain-*.npy' --method pca
expect 2 "$MILL" fit pca 'plain-*.npy' --regularise 1
expect 2 "$MILL" fit pca 'plain-*.npy' --components 13
says stderr '13 components were asked for, and there are 12 features'
expect 2 "$MILL" fit whiten 'plain-*.npy' --components 3
says stderr '--method pca'
expect 2 "$MILL" fit pca 'plain-*.npy' --stats all.json
expect 2 "$MILL" fit pca --stats all.json --pipe 'cast f32'
expect 3 "$MILL" fit pca 'plain-*.npy' --out no/such/folder.json
expect 3 "$MILL" fit pca 'plain-*.npy' --plot no/such/folder.svg

# Images: patches as vectors, and colours; damaged ones are left out if that is asked for.
photos=$(photographs)
if [ -n "$photos" ]; then
    pipe='decode | resize 12x12 | grayscale channels=1 | reshape 144'
    expect 0 "$MILL" fit whiten "$photos/train-000000.tar" --pipe "$pipe" --regularise 10 --out patches.json
    expect 0 "$MILL" run "$photos/train-000000.tar" --pipe "$pipe" --out patches -q
    check patches.json 'patches/*.data.npy' 1e-13
    expect 0 "$MILL" fit pca "$photos/train-000000.tar" --pipe 'decode | resize 16x16' --out colours.json
    says stdout 'of 3 features'
else
    echo 'images were not tried: there are no photographs'
fi
not_photographs bad
expect 1 "$MILL" fit pca bad --pipe 'decode | resize 8x8'
expect 2 "$MILL" fit pca bad --pipe 'decode | resize 8x8' --on-error skip
says stderr 'a covariance needs 2 vectors'
finish
