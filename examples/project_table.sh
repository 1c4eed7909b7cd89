#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Normalise a table and project it to its principal components, as if its shards lay on two machines:
#
#   sh examples/project_table.sh [OUT]
#
# OUT is a folder that is made (default: project-table). MILL names the command, if it is not found as shardmill; PYTHON a
# Python with NumPy, which makes the table and looks at the result.
set -eu
mill=${MILL:-shardmill}
python=${PYTHON:-python3}
out=${1:-project-table}
mkdir -p "$out/table"

echo '1. A table of 24 columns in units of their own, pressures in Pa beside ratios, made of 3 hidden causes and noise.'
"$python" - "$out" <<'END'
import sys
import numpy as np
r = np.random.default_rng(2026)
mix, unit, offset = r.normal(size=(3, 24)), 10.0 ** r.integers(-4, 6, 24), r.normal(size=24) * 50
causes = r.normal(size=(80000, 3))
table = (offset + causes @ mix + 0.3 * r.normal(size=(80000, 24))) * unit
for i in range(8):
    np.save(f"{sys.argv[1]}/table/part-{i}.npy", table[i * 10000 : (i + 1) * 10000].astype("f4"))
np.save(f"{sys.argv[1]}/causes.npy", causes)
END

echo '2. Mean and deviation of each column. Each machine looks at its own shards, and what they say is merged.'
"$mill" stats "$out/table/part-{0..3}.npy" --out "$out/stats-1.json" --quiet
"$mill" stats "$out/table/part-{4..7}.npy" --out "$out/stats-2.json" --quiet
"$mill" stats --merge "$out/stats-1.json" "$out/stats-2.json" --out "$out/stats.json"

echo '3. Principal components of the normalised table: likewise, by the covariance of each part.'
for machine in 1 2; do
    [ $machine = 1 ] && shards="$out/table/part-{0..3}.npy" || shards="$out/table/part-{4..7}.npy"
    "$mill" stats "$shards" --pipe "standardize $out/stats.json" --covariance --out "$out/covariance-$machine.json" --quiet
done
"$mill" stats --merge "$out/covariance-1.json" "$out/covariance-2.json" --out "$out/covariance.json" --quiet
"$mill" fit pca --stats "$out/covariance.json" --out "$out/pca.json" --plot "$out/pca.svg"

echo '4. The table in 3 columns instead of 24.'
"$mill" run "$out/table/part-*.npy" --pipe "standardize $out/stats.json | project $out/pca.json k=3" --out "$out/reduced"

"$python" - "$out" <<'END'
import sys
import numpy as np
out = sys.argv[1]
y = np.concatenate([np.load(f"{out}/reduced/part-{i}.data.npy") for i in range(8)]).astype("f8")
causes = np.load(f"{out}/causes.npy")
print("shape", y.shape, "covariance", *np.cov(y, rowvar=False).round(3).tolist(), sep="\n")
fitted = y @ np.linalg.lstsq(y, causes, rcond=None)[0]
print("share of the hidden causes that the 3 columns tell:", (1 - (causes - fitted).var(0) / causes.var(0)).round(3))
END
