/* tps_fleet_message.c -- messages that are written, and those of a server above */
#include "tps_fleet.h"

#include "tps_fleet_codec.h"

#include <stddef.h>

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
    for (uint32_t i = 0; i < tps_fleet_code_bytes(tensor); i++) {
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
        at = tps_fleet_write_u32(at, (uint32_t)change_of(fleet, from, i), width);
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
    if (room < tps_fleet_code_bytes(tensor)) {
        return NULL;
    }
    write_codes(fleet, tensor, from, first, at);
    if (tps_fleet_tensor_bytes(tensor, at, room) == 0u) {
        return NULL;
    }
    const uint8_t *codes = at;
    struct tps_fleet_place place = {1, 0};
    uint32_t row;
    at += tps_fleet_code_bytes(tensor);
    while (tps_fleet_next_row(tensor, codes, &place, &row)) {
        at = write_row(fleet, from, first + row * tensor->columns, tensor->columns,
                       tps_fleet_width_of(place.code), at);
    }
    return at;
}

static uint32_t write_message(const struct tps_fleet *fleet, const int32_t *from, uint32_t round,
                              uint32_t n, uint8_t *message, uint32_t room)
{
    uint8_t *at = message;
    uint32_t first = 0;

    if (room < TPS_FLEET_HEAD_BYTES + TPS_FLEET_CRC_BYTES) {
        return 0;
    }
    *at++ = (uint8_t)'t';
    *at++ = (uint8_t)'F';
    *at++ = TPS_FLEET_VERSION;
    *at++ = (uint8_t)(from == NULL ? TPS_FLEET_WHOLE : TPS_FLEET_DIFFERENCE);
    at = tps_fleet_write_u32(at, fleet->model_id, 4);
    at = tps_fleet_write_u32(at, round, 4);
    at = tps_fleet_write_u32(at, n, 4);
    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const uint32_t left = room - TPS_FLEET_CRC_BYTES - (uint32_t)(at - message);
        at = write_tensor(fleet, &fleet->tensors[t], from, first, at, left);
        if (at == NULL) {
            return 0;
        }
        first += fleet->tensors[t].rows * fleet->tensors[t].columns;
    }
    const uint32_t bytes = (uint32_t)(at - message);
    (void)tps_fleet_write_u32(at, tps_fleet_crc32_of(message, bytes), TPS_FLEET_CRC_BYTES);
    return bytes + TPS_FLEET_CRC_BYTES;
}

uint32_t tps_fleet_write(const struct tps_fleet *fleet, const int32_t *from, uint8_t *message,
                         uint32_t room)
{
    return write_message(fleet, from, fleet->round, 0, message, room);
}

uint32_t tps_fleet_write_update(const struct tps_fleet *fleet, const int32_t *before, uint32_t n,
                                uint8_t *update, uint32_t room)
{
    return write_message(fleet, before, fleet->round - 1u, n, update, room);
}

static bool is_within(const struct tps_fleet_tensor *tensor, int64_t value)
{
    return value >= tensor->low && value <= tensor->high;
}

/* Read all values into the sums; false where they are too few, too many or out of range. */
static bool read_values(struct tps_fleet *fleet, const uint8_t *at, uint32_t room)
{
    uint32_t i = 0;

    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const struct tps_fleet_tensor *tensor = &fleet->tensors[t];
        for (uint32_t left = tensor->rows * tensor->columns; left > 0u; left--, i++) {
            if (room < tensor->bytes) {
                return false;
            }
            fleet->sums[i] = tps_fleet_read_value(at, tensor->bytes);
            if (!is_within(tensor, fleet->sums[i])) {
                return false;
            }
            at += tensor->bytes;
            room -= tensor->bytes;
        }
    }
    return room == 0u;
}

/* Add the differences of a tensor to the sums; false where a value leaves its range. */
static bool follow_tensor(struct tps_fleet *fleet, const struct tps_fleet_tensor *tensor,
                          uint32_t first, const uint8_t *codes)
{
    const uint8_t *at = codes + tps_fleet_code_bytes(tensor);
    struct tps_fleet_place place = {1, 0};
    uint32_t row;

    while (tps_fleet_next_row(tensor, codes, &place, &row)) {
        int32_t *values = &fleet->sums[first + row * tensor->columns];
        const uint32_t width = tps_fleet_width_of(place.code);
        for (uint32_t column = 0; column < tensor->columns; column++, at += width) {
            const int64_t value = (int64_t)values[column] + tps_fleet_read_value(at, width);
            if (!is_within(tensor, value)) {
                return false;
            }
            values[column] = (int32_t)value;
        }
    }
    return true;
}

/* Make `before` and the differences of a message the sums; false where a value leaves its range. */
static bool follow(struct tps_fleet *fleet, const int32_t *before, const uint8_t *at)
{
    uint32_t first = 0;

    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const struct tps_fleet_tensor *tensor = &fleet->tensors[t];
        const uint32_t end = first + tensor->rows * tensor->columns;
        for (uint32_t i = first; i < end; i++) {
            fleet->sums[i] = before[i];
        }
        if (!follow_tensor(fleet, tensor, first, at)) {
            return false;
        }
        at += tps_fleet_tensor_bytes(tensor, at, UINT32_MAX);
        first = end;
    }
    return true;
}

bool tps_fleet_take(struct tps_fleet *fleet, const int32_t *before, const uint8_t *message,
                    uint32_t bytes)
{
    if (!tps_fleet_is_ours(fleet, message, bytes)) {
        return false;
    }
    const uint8_t *body = &message[TPS_FLEET_HEAD_BYTES];
    const uint32_t room = bytes - TPS_FLEET_HEAD_BYTES - TPS_FLEET_CRC_BYTES;
    const uint32_t round = tps_fleet_read_u32(&message[8]);
    bool is_good = false;

    if (message[3] == TPS_FLEET_WHOLE) {
        is_good = read_values(fleet, body, room);
    } else if (message[3] == TPS_FLEET_DIFFERENCE && round > 0u && round == fleet->round) {
        is_good = tps_fleet_is_complete(fleet, body, room) && follow(fleet, before, body);
    }
    if (!is_good) {
        return false;
    }
    uint32_t i = 0;
    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        for (uint32_t left = fleet->tensors[t].rows * fleet->tensors[t].columns; left > 0u;
             left--) {
            fleet->base[i] = fleet->sums[i];
            i++;
        }
    }
    fleet->round = round;
    return true;
}
