/*
 * tps_fleet_codec.h -- bytes of a fleet's messages (ARITHMETIC.md of tpsgd-edge, section 27)
 *
 * Of tps_fleet.c and tps_fleet_message.c; nobody else needs it.
 */
#ifndef TPS_FLEET_CODEC_H
#define TPS_FLEET_CODEC_H

#include "tps_fleet.h"

#include <stdbool.h>
#include <stdint.h>

#define TPS_FLEET_HEAD_BYTES 16u
#define TPS_FLEET_CRC_BYTES 4u
#define TPS_FLEET_VERSION 1u
#define TPS_FLEET_WHOLE 0u
#define TPS_FLEET_DIFFERENCE 1u

static inline uint32_t tps_fleet_crc32_of(const uint8_t *bytes, uint32_t count)
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

static inline uint32_t tps_fleet_read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | ((uint32_t)at[1] << 8) | ((uint32_t)at[2] << 16) |
           ((uint32_t)at[3] << 24);
}

/* Little-endian, of 1, 2 or 4 bytes. */
static inline int32_t tps_fleet_read_value(const uint8_t *at, uint32_t bytes)
{
    if (bytes == 1u) {
        return (int8_t)at[0];
    }
    if (bytes == 2u) {
        return (int16_t)((uint32_t)at[0] | ((uint32_t)at[1] << 8));
    }
    return (int32_t)tps_fleet_read_u32(at);
}

static inline uint8_t *tps_fleet_write_u32(uint8_t *at, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        *at++ = (uint8_t)(value >> (8u * i));
    }
    return at;
}

/* Bytes of a row's values by its code. */
static inline uint32_t tps_fleet_width_of(uint32_t code)
{
    return code == 3u ? 4u : code;
}

static inline uint32_t tps_fleet_code_of(const uint8_t *codes, uint32_t row)
{
    return ((uint32_t)codes[row / 4u] >> (2u * (row % 4u))) & 3u;
}

/* A place among the rows that changed, which come by their codes; it begins at code 1, row 0. */
struct tps_fleet_place {
    uint32_t code;
    uint32_t row;
};

/* Find the next row that changed, and go behind it; its values take the place's width each. */
static inline bool tps_fleet_next_row(const struct tps_fleet_tensor *tensor, const uint8_t *codes,
                                      struct tps_fleet_place *place, uint32_t *row)
{
    for (; place->code <= 3u; place->code++) {
        while (place->row < tensor->rows) {
            *row = place->row++;
            if (tps_fleet_code_of(codes, *row) == place->code) {
                return true;
            }
        }
        place->row = 0;
    }
    return false;
}

static inline uint32_t tps_fleet_code_bytes(const struct tps_fleet_tensor *tensor)
{
    return (tensor->rows + 3u) / 4u;
}

/* Bytes of a tensor's differences, whose codes begin here; 0 where they are more than `room`. */
static inline uint32_t tps_fleet_tensor_bytes(const struct tps_fleet_tensor *tensor,
                                              const uint8_t *codes, uint32_t room)
{
    uint32_t bytes = tps_fleet_code_bytes(tensor);

    if (bytes > room) {
        return 0;
    }
    for (uint32_t row = 0; row < tensor->rows; row++) {
        bytes += tps_fleet_width_of(tps_fleet_code_of(codes, row)) * tensor->columns;
        if (bytes > room) {
            return 0;
        }
    }
    return bytes;
}

/* Whether these bytes are a message of this model, and as they were written. */
static inline bool tps_fleet_is_ours(const struct tps_fleet *fleet, const uint8_t *message,
                                     uint32_t bytes)
{
    if (bytes < TPS_FLEET_HEAD_BYTES + TPS_FLEET_CRC_BYTES) {
        return false;
    }
    const uint32_t end = bytes - TPS_FLEET_CRC_BYTES;
    return message[0] == (uint8_t)'t' && message[1] == (uint8_t)'F' &&
           message[2] == TPS_FLEET_VERSION && tps_fleet_read_u32(&message[4]) == fleet->model_id &&
           tps_fleet_crc32_of(message, end) == tps_fleet_read_u32(&message[end]);
}

/* Whether differences of all tensors take exactly so many bytes. */
static inline bool tps_fleet_is_complete(const struct tps_fleet *fleet, const uint8_t *at,
                                         uint32_t room)
{
    for (uint32_t t = 0; t < fleet->n_tensors; t++) {
        const uint32_t taken = tps_fleet_tensor_bytes(&fleet->tensors[t], at, room);
        if (taken == 0u) {
            return false;
        }
        at += taken;
        room -= taken;
    }
    return room == 0u;
}

#endif
