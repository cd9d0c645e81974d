/*
 * tps_spectrum.c -- see tps_spectrum.h
 *
 * A real transform of 2^n samples in half as many complex numbers, radix 2, in place. All numbers
 * of a window are s16 and share one exponent: before each stage they are halved where it could
 * make more of them than 16 bits hold.
 */
#include "tps_spectrum.h"

#include "tps_fixed.h"

/* log2(1 + i / 32), Q15. */
static const TPS_FLASH uint16_t log_table[33] = {
    0,     1455,  2866,  4236,  5568,  6863,  8124,  9352,  10549, 11716, 12855,
    13968, 15055, 16117, 17156, 18173, 19168, 20143, 21098, 22034, 22952, 23852,
    24736, 25604, 26455, 27292, 28114, 28922, 29717, 30498, 31267, 32024, 32768,
};

/* The place after one, in the order of numbers whose bits, below top, are read in reverse. */
static uint32_t next_reversed(uint32_t place, uint32_t top)
{
    uint32_t bit = top >> 1;

    while (place & bit) {
        place ^= bit;
        bit >>= 1;
    }
    return place | bit;
}

static int32_t taper(const struct tps_window *window, uint32_t i, int32_t cosine)
{
    return tps_rshift_round(tps_window_full(window, i) * (16384 - cosine), 15);
}

/* The samples under a Hann window, two in a number, in the order of the first stage. */
static uint32_t fill(const struct tps_window *window, const TPS_FLASH int16_t *cosines,
                     union tps_bin *bins)
{
    const uint32_t count = UINT32_C(1) << (window->log_size - 1);
    uint32_t place = 0;
    uint32_t reach = 0;

    for (uint32_t i = 0; i < 2 * count; i += 2) {
        const int32_t real = taper(window, i, cosines[i <= count ? i : 2 * count - i]);
        const int32_t imag = taper(window, i + 1, cosines[i < count ? i + 1 : 2 * count - i - 1]);
        bins[place].point = (struct tps_point){(int16_t)real, (int16_t)imag};
        reach |= tps_magnitude_bits(real) | tps_magnitude_bits(imag);
        place = next_reversed(place, count);
    }
    return reach;
}

/* What crosses over from the second number of a pair, Q14. */
struct turned {
    int32_t real;
    int32_t imag;
};

/* first + turned and first - turned in place of both numbers. Returns their bits. */
static inline uint32_t cross(union tps_bin *first, union tps_bin *second, struct turned turned,
                             uint8_t shift)
{
    const int32_t half = INT32_C(1) << (shift - 1);
    const int32_t real = first->point.real * INT32_C(16384) + half;
    const int32_t imag = first->point.imag * INT32_C(16384) + half;
    const int32_t sum_real = (real + turned.real) >> shift;
    const int32_t sum_imag = (imag + turned.imag) >> shift;
    const int32_t rest_real = (real - turned.real) >> shift;
    const int32_t rest_imag = (imag - turned.imag) >> shift;

    first->point = (struct tps_point){(int16_t)sum_real, (int16_t)sum_imag};
    second->point = (struct tps_point){(int16_t)rest_real, (int16_t)rest_imag};
    return tps_magnitude_bits(sum_real) | tps_magnitude_bits(sum_imag) |
           tps_magnitude_bits(rest_real) | tps_magnitude_bits(rest_imag);
}

/* One stage over count numbers; pairs are half apart. Returns the bits of what it made. */
static uint32_t stage(union tps_bin *bins, uint32_t count, uint32_t half,
                      const TPS_FLASH int16_t *cosines, uint8_t shift)
{
    const uint32_t quarter = count / 2;
    uint32_t reach = 0;

    for (uint32_t at = 0; at < count; at += 2 * half) {
        const struct tps_point second = bins[at + half].point;
        const struct turned turned = {second.real * INT32_C(16384), second.imag * INT32_C(16384)};
        reach |= cross(&bins[at], &bins[at + half], turned, shift);
    }
    for (uint32_t k = 1; k < half; k++) {
        const uint32_t step = k * (count / half);
        const int32_t cosine = cosines[step];
        const int32_t sine = cosines[step < quarter ? quarter - step : step - quarter];
        for (uint32_t at = k; at < count; at += 2 * half) {
            const struct tps_point second = bins[at + half].point;
            const struct turned turned = {
                cosine * second.real + sine * second.imag,
                cosine * second.imag - sine * second.real,
            };
            reach |= cross(&bins[at], &bins[at + half], turned, shift);
        }
    }
    return reach;
}

static uint32_t power_of(int32_t real, int32_t imag, uint8_t shift)
{
    const int32_t bin_real = tps_rshift_round(real, shift);
    const int32_t bin_imag = tps_rshift_round(imag, shift);

    return (uint32_t)(bin_real * bin_real) + (uint32_t)(bin_imag * bin_imag);
}

/* The power of a bin of the real samples: its number, and the mirrored one, are of both halves. */
static uint32_t bin_power(struct tps_point point, struct tps_point mirrored, int32_t cosine,
                          int32_t sine, uint8_t last)
{
    const int32_t even_real = (int32_t)point.real + mirrored.real;
    const int32_t even_imag = (int32_t)point.imag - mirrored.imag;
    const int32_t odd_real = (int32_t)point.real - mirrored.real;
    const int32_t odd_imag = (int32_t)point.imag + mirrored.imag;

    return power_of(even_real * 16384 + cosine * odd_imag - sine * odd_real,
                    even_imag * 16384 - sine * odd_imag - cosine * odd_real, (uint8_t)(15 + last));
}

/* Powers in place of the numbers of the transform. */
static void take_powers(union tps_bin *bins, uint32_t count, const TPS_FLASH int16_t *cosines,
                        uint8_t last)
{
    const uint32_t quarter = count / 2;
    const struct tps_point first = bins[0].point;

    for (uint32_t k = 1; k <= quarter; k++) {
        const struct tps_point low = bins[k].point;
        const struct tps_point high = bins[count - k].point;
        const int32_t sine = cosines[quarter - k];
        bins[k].power = bin_power(low, high, cosines[k], sine, last);
        bins[count - k].power = bin_power(high, low, cosines[count - k], sine, last);
    }
    bins[0].power = power_of((int32_t)first.real + first.imag, 0, last);
    bins[count].power = power_of((int32_t)first.real - first.imag, 0, last);
}

/* How often numbers are halved so that they have no more than so many bits. */
static uint8_t down_to(uint8_t bits, uint32_t reach)
{
    const uint8_t found = tps_bit_length(reach);

    return found > bits ? (uint8_t)(found - bits) : 0;
}

int32_t tps_spectrum_power(const struct tps_window *window, const TPS_FLASH int16_t *cosines,
                           union tps_bin *bins)
{
    const uint32_t count = UINT32_C(1) << (window->log_size - 1);
    uint32_t reach = fill(window, cosines, bins);
    int32_t halvings = -(window->up + window->log_size);

    for (uint32_t half = 1; half < count; half *= 2) {
        const uint8_t down = down_to(13, reach);
        reach = stage(bins, count, half, cosines, (uint8_t)(14 + down));
        halvings += down;
    }
    const uint8_t last = down_to(14, reach);
    take_powers(bins, count, cosines, last);
    return 2 * (halvings + last);
}

/* The logarithm to base 2 of band / 2^15 * 2^scale in Q9. */
static int16_t logarithm(uint64_t band, int32_t scale)
{
    const uint32_t high = (uint32_t)(band >> 32);
    const int32_t whole =
        (high != 0 ? 32 + tps_bit_length(high) : tps_bit_length((uint32_t)band)) - 1;
    uint32_t part;

    if (band == 0) {
        return 0;
    }
    part = whole > 16 ? (uint32_t)(band >> (whole - 16)) : (uint32_t)band << (16 - whole);
    part &= 0xFFFF;
    const uint32_t place = part >> 11;
    const int32_t width = (int32_t)log_table[place + 1] - (int32_t)log_table[place];
    const int32_t log =
        (int32_t)log_table[place] + tps_rshift_round(width * (int32_t)(part & 2047), 11);
    const int32_t feature = tps_rshift_round((whole + scale - 15) * 32768 + log, 6);
    return (int16_t)tps_clip(feature, 0, INT16_MAX);
}

void tps_spectrum_bands(const union tps_bin *bins, int32_t scale, const struct tps_bands *bands,
                        int16_t *features)
{
    const TPS_FLASH uint16_t *rise = bands->rise;
    uint64_t before = 0; /* of the band that rose to this edge */

    for (uint32_t edge = 0; edge <= bands->count; edge++) {
        uint64_t all = 0;
        uint64_t rising = 0;
        for (uint32_t k = bands->starts[edge]; k < bands->starts[edge + 1]; k++) {
            all += bins[k].power;
            rising += (uint64_t)bins[k].power * *rise++;
        }
        if (edge > 0) {
            features[edge - 1] = logarithm(before + (all * 32768 - rising), scale);
        }
        before = rising;
    }
}
