#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Words that are wrong: exit 2, a message on standard error that names the wrong word, nothing on standard output.
. "$SRC/tests/cli/common.sh"
arrays in 1 4

wrong() { # wrong "text of the message" ARGUMENTS...
    local text=$1
    shift
    expect 2 "$MILL" "$@"
    silent stdout
    says stderr "$text"
}
wrong 'did you mean "run"' rnu
wrong 'did you mean "inspect"' help inspcet
wrong 'did you mean "--version"' --vers
wrong 'usage: shardmill COMMAND'
wrong 'needs SPEC' run
wrong 'needs SPEC' inspect --json
wrong 'needs --pipe' run in
wrong 'needs --out' run in --pipe sin
wrong 'needs a value' run in --out o --pipe
wrong 'did you mean --threads?' run in --thread 2
wrong 'there is no option -z' run in -z
wrong '--threads is "0"' run in --threads 0
wrong '--threads is "two"' run in --threads=two
wrong '--memory is "5x"' run in --memory 5x
wrong '--memory is "-1"' run in --memory -1
wrong '--memory is ""' inspect in --memory ''
wrong '--as is "nyp"' run in --as nyp
wrong 'npy|npz|null|raw|safetensors|tar' run in --as nyp
wrong '--json takes no value' inspect in --json=yes
wrong '--seed is "1.5"' run in --seed 1.5
wrong '--jpeg-quality is "101"' run in --jpeg-quality 101
wrong '--max-errors needs --on-error' run in --pipe sin --out o --max-errors 3
wrong 'use --on-error fail' run in --pipe sin --out o --on-error skip --max-errors 0%
wrong '--max-errors is "101%"' run in --pipe sin --out o --on-error skip --max-errors 101%
wrong '--max-errors is "1.5"' run in --pipe sin --out o --on-error skip --max-errors 1.5
wrong 'cifar|folder|idx|npy|npz|raw|tar|tokens' inspect in --format tat
wrong 'contradict' inspect in -vq
wrong 'did you mean "scale"' run in --pipe 'sin | scal 2' --out o
wrong '         ^' run in --pipe 'sin | scal 2' --out o
wrong 'in/part-000.npy: transform 1, decode' run in --pipe decode --out o
wrong 'no-such.tar' run no-such.tar --pipe sin --out o
wrong 'nothing matches' inspect '*.zip'
wrong 'did you mean resize?' transforms rezise
wrong '"x" is too much' formats x
[ ! -e o ] || fail 'a usage error made the output folder'

# Another pipeline into the same folder is refused, and nothing there is touched.
expect 0 "$MILL" run in --pipe sin --out o
before=$(cksum o/*)
wrong 'another pipeline' run in --pipe log1p --out o
[ "$before" = "$(cksum o/*)" ] || fail 'a refused run changed the folder'

# Ways to write the same thing.
for words in '--out=p1 --pipe=sin' '-o p2 --pipe sin' '-op3 --pipe sin' '--pipe sin -q -o p4' '-vop5 --pipe=sin'; do
    expect 0 "$MILL" run $words -- in
done
expect 0 "$MILL" run in --pipe sin --out p6
for i in 1 2 3 4 5; do
    cmp p$i/part-000.data.npy p6/part-000.data.npy || fail "p$i differs"
done

# A file whose name holds what means something in a spec, as a shell's glob hands it over.
mkdir odd
cp in/part-000.npy 'odd/a {0..3}, "b".npy'
expect 0 "$MILL" inspect odd/*.npy
says stdout '4 samples'
finish
