/*
 * tps_statistics.h -- statistics of a window of a signal
 *
 * ARITHMETIC.md of tpsgd-edge, section 28.
 */
#ifndef TPS_STATISTICS_H
#define TPS_STATISTICS_H

#include "tps_names.h"
#include "tps_window.h"

#include <stdint.h>

/* Each is limited to 16 bits. */
int16_t tps_window_mean(const struct tps_window *window);
int16_t tps_window_rms(const struct tps_window *window);
int16_t tps_window_deviation(const struct tps_window *window);
/* The largest distance from the mean. */
int16_t tps_window_peak(const struct tps_window *window);
/* How often the signal crosses its mean. */
int16_t tps_window_crossings(const struct tps_window *window);
/* The fourth moment over the square of the second, Q8. */
int16_t tps_window_kurtosis(const struct tps_window *window);
/* Maxima that are more than the deviation above the mean. */
int16_t tps_window_peaks(const struct tps_window *window);

#endif
