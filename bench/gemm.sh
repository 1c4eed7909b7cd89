#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make bench-gemm: products of matrices beside one-threaded OpenBLAS, on one core; and what is known of OpenBLAS's
# flavours that speaks against calling them within tasks.
set -eu
for flavour in pthread openmp serial; do
    for file in /usr/lib/*/openblas-$flavour/libopenblas.so.0 /usr/lib64/openblas-$flavour/libopenblas.so.0; do
        if [ -e "$file" ]; then
            echo "OpenBLAS, $flavour:"
            BLAS=$file OMP_NUM_THREADS=4 OPENBLAS_NUM_THREADS=4 "$BUILD/bench/gemm" traits
        fi
    done
done
exec "$BUILD/bench/gemm"
