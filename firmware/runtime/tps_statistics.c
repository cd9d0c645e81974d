/*
 * tps_statistics.c -- see tps_statistics.h
 */
#include "tps_statistics.h"

#include "tps_fixed.h"

static uint32_t size_of(const struct tps_window *window)
{
    return UINT32_C(1) << window->log_size;
}

static uint64_t sum_of_squares(const struct tps_window *window)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < size_of(window); i++) {
        const int32_t sample = tps_window_sample(window, i);
        sum += (uint32_t)(sample * sample);
    }
    return sum;
}

/* The floor of the square root of v. */
static uint32_t whole_root(uint32_t v)
{
    uint32_t made = 0;

    for (uint32_t bit = UINT32_C(1) << 30; bit != 0; bit >>= 2) {
        if (v >= made + bit) {
            v -= made + bit;
            made += 2 * bit;
        }
        made >>= 1;
    }
    return made;
}

static uint32_t deviation(const struct tps_window *window)
{
    const uint64_t squares = sum_of_squares(window) << window->log_size;
    const int64_t total = window->total;

    return whole_root((uint32_t)((squares - (uint64_t)(total * total)) >> (2 * window->log_size)));
}

static int16_t limited(uint32_t v)
{
    return (int16_t)(v > INT16_MAX ? INT16_MAX : v);
}

int16_t tps_window_mean(const struct tps_window *window)
{
    return (int16_t)(window->total >> window->log_size);
}

int16_t tps_window_rms(const struct tps_window *window)
{
    return limited(whole_root((uint32_t)(sum_of_squares(window) >> window->log_size)));
}

int16_t tps_window_deviation(const struct tps_window *window)
{
    return limited(deviation(window));
}

int16_t tps_window_peak(const struct tps_window *window)
{
    int32_t most = 0;

    for (uint32_t i = 0; i < size_of(window); i++) {
        const int32_t moved = tps_window_moved(window, i);
        const int32_t far = moved < 0 ? -moved : moved;
        most = far > most ? far : most;
    }
    return limited((uint32_t)most >> window->log_size);
}

int16_t tps_window_crossings(const struct tps_window *window)
{
    int was_below = tps_window_moved(window, 0) < 0;
    uint32_t count = 0;

    for (uint32_t i = 1; i < size_of(window); i++) {
        const int is_below = tps_window_moved(window, i) < 0;
        count += is_below != was_below;
        was_below = is_below;
    }
    return limited(count);
}

int16_t tps_window_kurtosis(const struct tps_window *window)
{
    uint64_t second = 0;
    uint64_t fourth = 0;

    for (uint32_t i = 0; i < size_of(window); i++) {
        const int32_t full = tps_window_full(window, i);
        const uint32_t square = (uint32_t)tps_rshift_round(full * full, 14);
        second += square;
        fourth += (uint64_t)square * square;
    }
    if (second == 0) {
        return 0;
    }
    const uint64_t ratio = (fourth << (window->log_size + 8)) / (second * second);
    return limited(ratio > INT16_MAX ? INT16_MAX : (uint32_t)ratio);
}

int16_t tps_window_peaks(const struct tps_window *window)
{
    const int64_t level = (int64_t)deviation(window) << window->log_size;
    int32_t before = tps_window_moved(window, 0);
    int has_risen = 0;
    uint32_t count = 0;

    for (uint32_t i = 1; i < size_of(window); i++) {
        const int32_t moved = tps_window_moved(window, i);
        count += moved < before && has_risen && before > level;
        has_risen = moved > before || (moved == before && has_risen);
        before = moved;
    }
    return limited(count);
}
