/* SPDX-License-Identifier: Apache-2.0 */
/* bench/eval.c: the evaluation pipeline of image classifiers (see against_bare.h). */
#include "against_bare.h"

int main(int argc, char **argv)
{
    against_bare b = {.name = "eval",
                      .text = "decode | resize 256 | center_crop 224 | normalize imagenet | layout chw",
                      .target = 0.95};
    return against_bare_main(&b, argc, argv);
}
