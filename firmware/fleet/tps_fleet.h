/*
 * tps_fleet.h -- the average of what the devices of a fleet learned, on a server or a gateway
 *
 * ARITHMETIC.md of tpsgd-edge, section 27: the weighted mean, in integers. A round:
 *
 *     tps_fleet_begin(&fleet);
 *     for each update that came, in any order:  if (tps_fleet_check(&fleet, update, bytes, &n)) ...
 *     shift = tps_fleet_shift(every n, their count);
 *     for each of them:  tps_fleet_add(&fleet, update, tps_fleet_share(n, shift));
 *     tps_fleet_finish(&fleet);
 *     for each device:  bytes = tps_fleet_write(&fleet, NULL, message, room);
 *
 * A gateway is a server of its own devices and a device of the server above. It has another array
 * of values, `before`, and a seed of its own, tps_fleet_gateway_seed(). Its round begins and ends
 * with the server above:
 *
 *     tps_fleet_take(&fleet, before, message, bytes);
 *     for each device:  bytes = tps_fleet_write(&fleet, NULL, message, room);
 *     copy base to before;
 *     a round as above, from tps_fleet_begin to tps_fleet_finish
 *     bytes = tps_fleet_write_update(&fleet, before, tps_fleet_samples(every n, count), ...);
 *
 * NAME_fleet.h has the tensors of a model and the number of its values. What is taken from outside
 * is checked before anything is read of it; nothing is allocated.
 */
#ifndef TPS_FLEET_H
#define TPS_FLEET_H

#include <stdbool.h>
#include <stdint.h>

/* All shares of a round together: sums of 17-bit differences then stay below 2^30. */
#define TPS_FLEET_MOST_SHARE 16384u

/* A tensor that is shared: a row for each unit, the range of its values, and their size. */
struct tps_fleet_tensor {
    uint32_t rows;
    uint32_t columns;
    int32_t low;
    int32_t high;
    uint8_t bytes; /* of a value: 1, 2 or 4 */
};

/*
 * A server. The caller fills in the first six members once, `base` with what all devices begin
 * with, and round with 0.
 */
struct tps_fleet {
    const struct tps_fleet_tensor *tensors;
    uint32_t n_tensors;
    uint32_t model_id;
    uint32_t seed;
    int32_t *base;      /* one for each value */
    int32_t *sums;      /* one for each value */
    int64_t *wide_sums; /* one for each value of 4 bytes */
    uint32_t round;
    uint32_t all; /* shares of this round */
};

/* Begin to add. */
void tps_fleet_begin(struct tps_fleet *fleet);

/*
 * Whether these bytes are an update of this model, of this round or the one before. n gets the
 * number of samples that it was learned from.
 */
bool tps_fleet_check(const struct tps_fleet *fleet, const uint8_t *update, uint32_t bytes,
                     uint32_t *n);

/* The share of a device that learned n samples. */
uint32_t tps_fleet_share(uint32_t n, uint8_t shift);

/*
 * The least shift with which the shares of devices, that learned n[0], n[1], ... samples, are at
 * most TPS_FLEET_MOST_SHARE together. Requires at most so many devices.
 */
uint8_t tps_fleet_shift(const uint32_t *n, uint32_t count);

/* The samples of all devices, at most 2^32 - 1: what a gateway's update says. */
uint32_t tps_fleet_samples(const uint32_t *n, uint32_t count);

/*
 * Add an update.
 * Requires that it was checked, and that all shares together are at most TPS_FLEET_MOST_SHARE.
 */
void tps_fleet_add(struct tps_fleet *fleet, const uint8_t *update, uint32_t share);

/* Make the average of what was added the new base, or leave it where nothing was; end the round. */
void tps_fleet_finish(struct tps_fleet *fleet);

/*
 * Write a message: base less `from`, an older base, or all of base where that is NULL.
 * Returns its bytes; 0 where there is no room.
 */
uint32_t tps_fleet_write(const struct tps_fleet *fleet, const int32_t *from, uint8_t *message,
                         uint32_t room);

/* The seed of gateway 0, 1, ... below a server with a seed: each rounds by words of its own. */
uint32_t tps_fleet_gateway_seed(uint32_t seed, uint32_t gateway);

/*
 * Take a message of the server above over: its values become base, its round becomes round.
 * `before` is base as it was after this function in the round before, which differences start from.
 * Returns false, and leaves base and round as they are, where the bytes are no message to this
 * model, where a round is missing between, or where a value is out of its range. Changes the sums:
 * call it before tps_fleet_begin.
 */
bool tps_fleet_take(struct tps_fleet *fleet, const int32_t *before, const uint8_t *message,
                    uint32_t bytes);

/*
 * Write what a finished round has changed since `before` as an update for the server above, with
 * the samples of all devices. Returns its bytes; 0 where there is no room. A gateway without any
 * update (fleet->all is 0) sends none.
 */
uint32_t tps_fleet_write_update(const struct tps_fleet *fleet, const int32_t *before, uint32_t n,
                                uint8_t *update, uint32_t room);

#endif
