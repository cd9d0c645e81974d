/* tps_store.h -- checkpoints of any model in any storage (docs/STORE.md) */
#ifndef TPS_STORE_H
#define TPS_STORE_H

#include "tps_compiler.h"
#include "tps_names.h"
#include "tps_slots.h"
#include "tps_storage.h"

#include <stdint.h>

/*
 * Read the newest whole checkpoint into state, and find out where the next one goes.
 * Returns TPS_OK or TPS_STORE_OLDER where there is one. Else state holds anything.
 */
tps_status tps_store_load(struct tps_store *store, const struct tps_storage *storage,
                          const struct tps_store_model *model, void *state);

/*
 * Write a checkpoint, and read it back.
 * Returns TPS_OK where it is there to stay. Else the one before is still the newest.
 */
tps_status tps_store_save(struct tps_store *store, const struct tps_storage *storage,
                          const struct tps_store_model *model, const void *state, uint32_t step);

/* The CRC-32 of model, store without its seal, and state. */
uint32_t tps_store_seal(const struct tps_store *store, const struct tps_store_model *model,
                        const void *state);

#endif
