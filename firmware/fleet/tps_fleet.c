/* tps_fleet.c -- see tps_fleet.h */
#include "tps_fleet.h"

#include "tps_fleet_codec.h"
#include "tps_random.h"

/* Purposes of random words: those that round averages, and the seeds of gateways. */
#define ROUNDING 6u
#define GATEWAYS 8u

/* Where the stream of a purpose starts, by what tells its streams apart. */
static uint32_t stream_of(uint32_t seed, uint32_t purpose, uint32_t number)
{
    return tps_mix(tps_mix(seed + TPS_PHI * (purpose + 1u)) + TPS_PHI * (number + 1u));
}

void tps_fleet_begin(struct tps_fleet *fleet)
{
    uint32_t i = 0;
    uint32_t wide = 0;

    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const struct tps_fleet_tensor *tensor = &fleet->tensors[t];
        for (uint32_t left = tensor->rows * tensor->columns; left > 0u; left--) {
            fleet->sums[i++] = 0;
            if (tensor->bytes == 4u) {
                fleet->wide_sums[wide++] = 0;
            }
        }
    }
    fleet->all = 0;
}

bool tps_fleet_check(const struct tps_fleet *fleet, const uint8_t *update, uint32_t bytes,
                     uint32_t *n)
{
    if (!tps_fleet_is_ours(fleet, update, bytes) || update[3] != TPS_FLEET_DIFFERENCE) {
        return false;
    }
    const uint32_t round = tps_fleet_read_u32(&update[8]);
    const bool is_timely =
        round == fleet->round || (fleet->round > 0u && round == fleet->round - 1u);

    if (!is_timely || !tps_fleet_is_complete(fleet, &update[TPS_FLEET_HEAD_BYTES],
                                             bytes - TPS_FLEET_HEAD_BYTES - TPS_FLEET_CRC_BYTES)) {
        return false;
    }
    *n = tps_fleet_read_u32(&update[12]);
    return true;
}

uint32_t tps_fleet_share(uint32_t n, uint8_t shift)
{
    const uint32_t share = n >> shift;

    return share > 0u ? share : 1u;
}

uint8_t tps_fleet_shift(const uint32_t *n, uint32_t count)
{
    for (uint8_t shift = 0; shift < 31u; shift++) {
        uint64_t all = 0;
        for (uint32_t i = 0; i < count; i++) {
            all += tps_fleet_share(n[i], shift);
        }
        if (all <= TPS_FLEET_MOST_SHARE) {
            return shift;
        }
    }
    return 31u;
}

uint32_t tps_fleet_samples(const uint32_t *n, uint32_t count)
{
    uint32_t all = 0;

    for (uint32_t i = 0; i < count; i++) {
        all = n[i] > UINT32_MAX - all ? UINT32_MAX : all + n[i];
    }
    return all;
}

/* What a difference moves a value by, within its range. */
static int64_t bounded(const struct tps_fleet_tensor *tensor, int32_t base, int32_t difference)
{
    int64_t value = (int64_t)base + difference;

    if (value < tensor->low) {
        value = tensor->low;
    }
    if (value > tensor->high) {
        value = tensor->high;
    }
    return value - base;
}

/* The differences of a tensor whose values begin at number `first`, and wide ones at `wide`. */
static void add_tensor(struct tps_fleet *fleet, const struct tps_fleet_tensor *tensor,
                       uint32_t first, uint32_t wide, const uint8_t *codes, uint32_t share)
{
    const uint8_t *at = codes + tps_fleet_code_bytes(tensor);
    struct tps_fleet_place place = {1, 0};
    uint32_t row;

    while (tps_fleet_next_row(tensor, codes, &place, &row)) {
        const uint32_t width = tps_fleet_width_of(place.code);
        for (uint32_t column = 0; column < tensor->columns; column++, at += width) {
            const uint32_t i = row * tensor->columns + column;
            const int64_t move =
                bounded(tensor, fleet->base[first + i], tps_fleet_read_value(at, width));
            if (tensor->bytes == 4u) {
                fleet->wide_sums[wide + i] += move * share;
            } else {
                fleet->sums[first + i] += (int32_t)move * (int32_t)share;
            }
        }
    }
}

void tps_fleet_add(struct tps_fleet *fleet, const uint8_t *update, uint32_t share)
{
    const uint8_t *at = update + TPS_FLEET_HEAD_BYTES;
    uint32_t first = 0;
    uint32_t wide = 0;

    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const struct tps_fleet_tensor *tensor = &fleet->tensors[t];
        add_tensor(fleet, tensor, first, wide, at, share);
        at += tps_fleet_tensor_bytes(tensor, at, UINT32_MAX);
        first += tensor->rows * tensor->columns;
        wide += tensor->bytes == 4u ? tensor->rows * tensor->columns : 0u;
    }
    fleet->all += share;
}

/* floor((sum + word * all / 2^32) / all): the mean, rounded up or down at random. */
static int32_t mean_of(int64_t sum, uint32_t all, uint32_t word)
{
    const int64_t raised = sum + (int64_t)(((uint64_t)word * all) >> 32);
    const int64_t quotient = raised / (int64_t)all;

    return (int32_t)(quotient - (raised % (int64_t)all < 0 ? 1 : 0));
}

void tps_fleet_finish(struct tps_fleet *fleet)
{
    const uint32_t words = stream_of(fleet->seed, ROUNDING, fleet->round);
    uint32_t i = 0;
    uint32_t wide = 0;

    for (uint32_t t = 0; t < fleet->n_tensors && fleet->all > 0u; t++) {
        const struct tps_fleet_tensor *tensor = &fleet->tensors[t];
        for (uint32_t left = tensor->rows * tensor->columns; left > 0u; left--, i++) {
            const bool is_wide = tensor->bytes == 4u;
            const int64_t sum = is_wide ? fleet->wide_sums[wide++] : fleet->sums[i];
            fleet->base[i] += mean_of(sum, fleet->all, tps_draw(words, i));
        }
    }
    fleet->round++;
}

uint32_t tps_fleet_gateway_seed(uint32_t seed, uint32_t gateway)
{
    return stream_of(seed, GATEWAYS, gateway);
}
