#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The programs that docs/hpc.md shows, as they stand there: C, C++, Fortran and Python, on the demo data. And its batch
# script is at least one that a shell can parse.
. "$SRC/tests/cli/common.sh"
export XDG_CACHE_HOME=$PWD/cache
if [ ! -e "$SRC/data/demo/train-000003.tar" ]; then echo 'the demo data are not there'; exit 77; fi
if [ -n "${SAN:-}" ]; then echo 'programs against the shared library: skipped under sanitizers'; exit 77; fi
data=$SRC/data/demo/train-*.tar
block() { # LANGUAGE: what stands between ```LANGUAGE and ```
    awk -v begin="\`\`\`$1" '$0 == "```" {on = 0} on {print} $0 == begin {on = 1}' "$SRC/docs/hpc.md"
}
link=(-L "$BUILD" -lshardmill "-Wl,-rpath,$BUILD")
give_samples() { # NAME COMMAND...
    local name=$1
    shift
    expect 0 "$@" "$data"
    says stdout '192 samples'
    silent stderr
    [ "$failures" != 0 ] || echo "$name: tried"
}

block c >job.c
expect 0 $CC -std=c11 -Wall -Wextra -Werror -I"$SRC/include" job.c -o job-c "${link[@]}"
give_samples C ./job-c
block cpp >job.cc
if command -v "$CXX" >/dev/null; then
    expect 0 $CXX -std=c++14 -Wall -Wextra -Werror -I"$SRC/include" job.cc -o job-cc "${link[@]}"
    give_samples C++ ./job-cc
else
    echo 'C++: not tried, there is no compiler'
fi
block fortran >train.f90
block 'c shim' >shim.c
if command -v gfortran >/dev/null; then
    expect 0 $CC -std=c11 -Wall -Wextra -Werror -I"$SRC/include" -c shim.c -o shim.o
    expect 0 gfortran -Wall -Werror train.f90 shim.o -o job-fortran "${link[@]}"
    give_samples Fortran ./job-fortran
else
    echo 'Fortran: not tried, there is no gfortran'
fi
block python >job.py
python=$(numpy_python)
if [ -n "$python" ]; then
    LD_LIBRARY_PATH=$BUILD give_samples Python "$python" job.py
else
    echo 'Python: not tried, there is no NumPy'
fi
block bash >job.sbatch
grep -q '^#SBATCH' job.sbatch || fail 'there is no batch script'
expect 0 bash -n job.sbatch
finish
