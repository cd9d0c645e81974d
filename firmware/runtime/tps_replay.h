/*
 * tps_replay.h -- which samples are kept, and which of them are learned from again
 *
 * ARITHMETIC.md of tpsgd-edge, section 24. A slot is the place of a kept sample; one that lies
 * behind the last says that a sample is not kept.
 */
#ifndef TPS_REPLAY_H
#define TPS_REPLAY_H

#include <stdint.h>

#include "tps_random.h"

/* Whether all labels of what came from outside are those of classes. */
static inline int tps_all_below(const uint16_t *labels, uint32_t n, uint16_t n_labels)
{
    for (uint32_t i = 0; i < n; i++) {
        if (labels[i] >= n_labels) {
            return 0;
        }
    }
    return 1;
}

/* A whole number from 0 to n - 1, from a random word. */
static inline uint32_t tps_below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

/* The slot of the sample that is learned from again. Requires kept > 0. */
static inline uint32_t tps_slot_again(uint32_t base, uint32_t kept)
{
    return tps_below(tps_draw(base, 0), kept);
}

/* How many samples have come, one more than before. */
static inline uint32_t tps_one_more(uint32_t seen)
{
    return seen == UINT32_MAX ? seen : seen + 1;
}

/*
 * Every sample that ever came is kept with the same probability.
 * Requires: size slots are taken, seen counts the new sample too.
 */
static inline uint32_t tps_slot_of_reservoir(uint32_t base, uint32_t size, uint32_t seen)
{
    const uint32_t pick = tps_below(tps_draw(base, 1), seen);

    return pick < size ? pick : size;
}

/* How many kept samples have a label. */
static inline uint32_t tps_count_label(const uint16_t *labels, uint32_t size, uint16_t label)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < size; i++) {
        count += labels[i] == label;
    }
    return count;
}

/* The slot of number pick, from 0 on, among those with a label; size if there are not so many. */
static inline uint32_t tps_find_label(const uint16_t *labels, uint32_t size, uint16_t label,
                                      uint32_t pick)
{
    uint32_t slot = 0;

    while (slot < size && (labels[slot] != label || pick > 0)) {
        pick -= labels[slot] == label;
        slot++;
    }
    return slot;
}

/*
 * As many samples of each class, of a class each that came with the same probability: a class with
 * few takes the place of one with most, else a sample that of one of its own.
 * Requires: size slots are taken, seen counts the samples of this label, the new one too.
 */
static inline uint32_t tps_slot_of_balanced(uint32_t base, const uint16_t *labels, uint32_t size,
                                            uint16_t n_labels, uint16_t label, uint32_t seen)
{
    const uint32_t word = tps_draw(base, 1);
    uint16_t largest = 0;
    uint32_t most = 0;

    for (uint16_t k = 0; k < n_labels; k++) {
        const uint32_t count = tps_count_label(labels, size, k);
        if (count > most) {
            most = count;
            largest = k;
        }
    }
    if (tps_count_label(labels, size, label) + 1 < most) {
        return tps_find_label(labels, size, largest, tps_below(word, most));
    }
    return tps_find_label(labels, size, label, tps_below(word, seen));
}

#endif
