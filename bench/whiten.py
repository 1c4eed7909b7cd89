# SPDX-License-Identifier: Apache-2.0
# bench/whiten.py FOLDER: the same whitening by NumPy and by scikit-learn, from the same shards: best of five.
import glob
import json
import sys
import time

import numpy

folder = sys.argv[1]
paths = sorted(glob.glob(folder + "/x-*.npy"))
model = json.load(open(folder + "/model.json"))
mean = numpy.array(model["mean"], dtype="f4")
matrix = numpy.array(model["matrix"], dtype="f4").reshape(model["components"], model["features"])


def report(name, what):
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        rows = sum(len(what(numpy.load(path))) for path in paths)
        seconds.append(time.perf_counter() - begin)
    flops = 2e-9 * rows * matrix.size
    print(f"{name:15s} {min(seconds):6.3f} s  {flops / min(seconds):6.1f} GFLOP/s  2 threads of its BLAS")


report("NumPy " + numpy.__version__, lambda x: (x - mean) @ matrix.T)
try:
    import sklearn
    from sklearn.decomposition import PCA
except ImportError:
    print("scikit-learn    not installed")
else:
    # Fitted on little: what it computes is as long as after a real fit.
    pca = PCA(whiten=True, svd_solver="full").fit(numpy.load(paths[0])[:2000])
    report("sklearn " + sklearn.__version__, pca.transform)
