/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "petals_tps_softmax.h"

const TPS_FLASH uint16_t tps_exp2_table[64] = {
    32768, 32415, 32066, 31720, 31379, 31041, 30706, 30376,
    30048, 29725, 29405, 29088, 28774, 28464, 28158, 27855,
    27554, 27258, 26964, 26674, 26386, 26102, 25821, 25543,
    25268, 24995, 24726, 24460, 24196, 23936, 23678, 23423,
    23170, 22921, 22674, 22430, 22188, 21949, 21713, 21479,
    21247, 21019, 20792, 20568, 20347, 20127, 19911, 19696,
    19484, 19274, 19066, 18861, 18658, 18457, 18258, 18061,
    17867, 17674, 17484, 17296, 17109, 16925, 16743, 16562,
};

struct tps_softmax tps_softmax_s32(const int32_t *scores, uint16_t count)
{
    struct tps_softmax softmax = {.max = scores[0]};
    for (uint16_t k = 1; k < count; k++) {
        if (scores[k] > softmax.max) {
            softmax.max = scores[k];
        }
    }
    uint32_t sum = 0;
    for (uint16_t k = 0; k < count; k++) {
        sum += tps_power((uint32_t)(softmax.max - scores[k]));
    }
    softmax.reciprocal = (UINT32_C(1) << 31) / sum;
    return softmax;
}

struct tps_softmax tps_softmax_s16(const int16_t *scores, uint16_t count)
{
    struct tps_softmax softmax = {.max = scores[0]};
    for (uint16_t k = 1; k < count; k++) {
        if (scores[k] > softmax.max) {
            softmax.max = scores[k];
        }
    }
    uint32_t sum = 0;
    for (uint16_t k = 0; k < count; k++) {
        sum += tps_power((uint32_t)(softmax.max - scores[k]));
    }
    softmax.reciprocal = (UINT32_C(1) << 31) / sum;
    return softmax;
}
