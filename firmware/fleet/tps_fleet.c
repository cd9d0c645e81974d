/* tps_fleet.c -- see tps_fleet.h */
#include "tps_fleet.h"

#include "tps_random.h"

#include <stddef.h>

#define HEAD_BYTES 16u
#define CRC_BYTES 4u
#define VERSION 1u
#define WHOLE 0u
#define DIFFERENCE 1u
/* The purpose of the random words that round averages. */
#define PURPOSE 6u

static uint32_t crc32_of(const uint8_t *bytes, uint32_t count)
{
    uint32_t crc = 0xFFFFFFFFu;

    for (uint32_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = (crc >> 1) ^ ((crc & 1u) != 0u ? 0xEDB88320u : 0u);
        }
    }
    return ~crc;
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | ((uint32_t)at[1] << 8) | ((uint32_t)at[2] << 16) |
           ((uint32_t)at[3] << 24);
}

/* Little-endian, of 1, 2 or 4 bytes. */
static int32_t read_value(const uint8_t *at, uint32_t bytes)
{
    if (bytes == 1u) {
        return (int8_t)at[0];
    }
    if (bytes == 2u) {
        return (int16_t)((uint32_t)at[0] | ((uint32_t)at[1] << 8));
    }
    return (int32_t)read_u32(at);
}

static uint8_t *write_u32(uint8_t *at, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        *at++ = (uint8_t)(value >> (8u * i));
    }
    return at;
}

/* Bytes of a row's values by its code. */
static uint32_t width_of(uint32_t code)
{
    return code == 3u ? 4u : code;
}

static uint32_t code_of(const uint8_t *codes, uint32_t row)
{
    return ((uint32_t)codes[row / 4u] >> (2u * (row % 4u))) & 3u;
}

static uint32_t code_bytes(const struct tps_fleet_tensor *tensor)
{
    return (tensor->rows + 3u) / 4u;
}

/* Bytes of a tensor's differences, whose codes begin here; 0 where they are more than `room`. */
static uint32_t tensor_bytes(const struct tps_fleet_tensor *tensor, const uint8_t *codes,
                             uint32_t room)
{
    uint32_t bytes = code_bytes(tensor);

    if (bytes > room) {
        return 0;
    }
    for (uint32_t row = 0; row < tensor->rows; row++) {
        bytes += width_of(code_of(codes, row)) * tensor->columns;
        if (bytes > room) {
            return 0;
        }
    }
    return bytes;
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
    if (bytes < HEAD_BYTES + CRC_BYTES) {
        return false;
    }
    const uint32_t end = bytes - CRC_BYTES;
    const uint32_t round = read_u32(&update[8]);
    const bool is_ours = update[0] == (uint8_t)'t' && update[1] == (uint8_t)'F' &&
                         update[2] == VERSION && update[3] == DIFFERENCE &&
                         read_u32(&update[4]) == fleet->model_id;
    const bool is_timely =
        round == fleet->round || (fleet->round > 0u && round == fleet->round - 1u);

    if (!is_ours || !is_timely || crc32_of(update, end) != read_u32(&update[end])) {
        return false;
    }
    uint32_t at = HEAD_BYTES;
    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const uint32_t taken = tensor_bytes(&fleet->tensors[t], &update[at], end - at);
        if (taken == 0u) {
            return false;
        }
        at += taken;
    }
    *n = read_u32(&update[12]);
    return at == end;
}

uint32_t tps_fleet_share(uint32_t n, uint8_t shift)
{
    const uint32_t share = n >> shift;

    return share > 0u ? share : 1u;
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
    const uint8_t *at = codes + code_bytes(tensor);

    for (uint32_t code = 1; code <= 3u; code++) {
        const uint32_t width = width_of(code);
        for (uint32_t row = 0; row < tensor->rows; row++) {
            if (code_of(codes, row) != code) {
                continue;
            }
            for (uint32_t column = 0; column < tensor->columns; column++, at += width) {
                const uint32_t i = row * tensor->columns + column;
                const int64_t move = bounded(tensor, fleet->base[first + i], read_value(at, width));
                if (tensor->bytes == 4u) {
                    fleet->wide_sums[wide + i] += move * share;
                } else {
                    fleet->sums[first + i] += (int32_t)move * (int32_t)share;
                }
            }
        }
    }
}

void tps_fleet_add(struct tps_fleet *fleet, const uint8_t *update, uint32_t share)
{
    const uint8_t *at = update + HEAD_BYTES;
    uint32_t first = 0;
    uint32_t wide = 0;

    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const struct tps_fleet_tensor *tensor = &fleet->tensors[t];
        add_tensor(fleet, tensor, first, wide, at, share);
        at += tensor_bytes(tensor, at, UINT32_MAX);
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
    const uint32_t of_purpose = tps_mix(fleet->seed + TPS_PHI * (PURPOSE + 1u));
    const uint32_t words = tps_mix(of_purpose + TPS_PHI * (fleet->round + 1u));
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

static int32_t change_of(const struct tps_fleet *fleet, const int32_t *from, uint32_t i)
{
    return from == NULL ? fleet->base[i] : fleet->base[i] - from[i];
}

/* The least code that holds a row of differences, which begins at number `first`. */
static uint32_t least_code(const struct tps_fleet *fleet, const int32_t *from, uint32_t first,
                           uint32_t columns)
{
    uint32_t code = 0;

    for (uint32_t i = first; i < first + columns; i++) {
        const int32_t change = change_of(fleet, from, i);
        if (change < INT16_MIN || change > INT16_MAX) {
            return 3;
        }
        if (change < INT8_MIN || change > INT8_MAX) {
            code = 2;
        } else if (change != 0 && code == 0u) {
            code = 1;
        }
    }
    return code;
}

/* The codes of a tensor's rows: all the size of its values where all of base is written. */
static void write_codes(const struct tps_fleet *fleet, const struct tps_fleet_tensor *tensor,
                        const int32_t *from, uint32_t first, uint8_t *codes)
{
    for (uint32_t i = 0; i < code_bytes(tensor); i++) {
        codes[i] = 0;
    }
    for (uint32_t row = 0; row < tensor->rows; row++) {
        const uint32_t code =
            least_code(fleet, from, first + row * tensor->columns, tensor->columns);
        codes[row / 4u] = (uint8_t)(codes[row / 4u] | (code << (2u * (row % 4u))));
    }
}

static uint8_t *write_row(const struct tps_fleet *fleet, const int32_t *from, uint32_t first,
                          uint32_t columns, uint32_t width, uint8_t *at)
{
    for (uint32_t i = first; i < first + columns; i++) {
        at = write_u32(at, (uint32_t)change_of(fleet, from, i), width);
    }
    return at;
}

/* Where the values of a tensor end that begin at `at`; NULL where there is no room for them. */
static uint8_t *write_tensor(const struct tps_fleet *fleet, const struct tps_fleet_tensor *tensor,
                             const int32_t *from, uint32_t first, uint8_t *at, uint32_t room)
{
    const uint32_t count = tensor->rows * tensor->columns;

    if (from == NULL) {
        if (room < count * tensor->bytes) {
            return NULL;
        }
        return write_row(fleet, NULL, first, count, tensor->bytes, at);
    }
    if (room < code_bytes(tensor)) {
        return NULL;
    }
    write_codes(fleet, tensor, from, first, at);
    if (tensor_bytes(tensor, at, room) == 0u) {
        return NULL;
    }
    const uint8_t *codes = at;
    at += code_bytes(tensor);
    for (uint32_t code = 1; code <= 3u; code++) {
        for (uint32_t row = 0; row < tensor->rows; row++) {
            if (code_of(codes, row) == code) {
                at = write_row(fleet, from, first + row * tensor->columns, tensor->columns,
                               width_of(code), at);
            }
        }
    }
    return at;
}

uint32_t tps_fleet_write(const struct tps_fleet *fleet, const int32_t *from, uint32_t n,
                         uint8_t *message, uint32_t room)
{
    uint8_t *at = message;
    uint32_t first = 0;

    if (room < HEAD_BYTES + CRC_BYTES) {
        return 0;
    }
    *at++ = (uint8_t)'t';
    *at++ = (uint8_t)'F';
    *at++ = VERSION;
    *at++ = (uint8_t)(from == NULL ? WHOLE : DIFFERENCE);
    at = write_u32(at, fleet->model_id, 4);
    at = write_u32(at, fleet->round, 4);
    at = write_u32(at, n, 4);
    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const uint32_t left = room - CRC_BYTES - (uint32_t)(at - message);
        at = write_tensor(fleet, &fleet->tensors[t], from, first, at, left);
        if (at == NULL) {
            return 0;
        }
        first += fleet->tensors[t].rows * fleet->tensors[t].columns;
    }
    const uint32_t bytes = (uint32_t)(at - message);
    (void)write_u32(at, crc32_of(message, bytes), CRC_BYTES);
    return bytes + CRC_BYTES;
}
