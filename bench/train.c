/* SPDX-License-Identifier: Apache-2.0 */
/* bench/train.c: the training pipeline of image classifiers (see against_bare.h); another epoch, and so other
 * crops, in each round. */
#include "against_bare.h"

int main(int argc, char **argv)
{
    against_bare b = {.name = "train",
                      .text = "decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw",
                      .target = 1.10};
    return against_bare_main(&b, argc, argv);
}
