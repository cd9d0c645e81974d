/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_names.h -- what the linker calls the kernels of "petals"
 *
 * Kernels are made for one model. Under these names those of several models can be in one firmware.
 */
#ifndef PETALS_TPS_NAMES_H
#define PETALS_TPS_NAMES_H

#ifdef __cplusplus
#error "compile the .c files of petals as C11; petals.h is for C++ too"
#endif

#define tps_crc32 petals_tps_crc32
#define tps_dense_forward_s16_s8_s16 petals_tps_dense_forward_s16_s8_s16
#define tps_dense_forward_s16_s8_s8 petals_tps_dense_forward_s16_s8_s8
#define tps_dense_grad_tanh_s8 petals_tps_dense_grad_tanh_s8
#define tps_dense_init_s16 petals_tps_dense_init_s16
#define tps_dense_steps petals_tps_dense_steps
#define tps_dense_update_s16_s8 petals_tps_dense_update_s16_s8
#define tps_error_projected_cross_entropy_s8 petals_tps_error_projected_cross_entropy_s8
#define tps_error_softmax_cross_entropy petals_tps_error_softmax_cross_entropy
#define tps_exp2_table petals_tps_exp2_table
#define tps_read_out_s8 petals_tps_read_out_s8
#define tps_softmax_s16 petals_tps_softmax_s16
#define tps_softmax_s32 petals_tps_softmax_s32
#define tps_spread petals_tps_spread
#define tps_tanh_table_s8 petals_tps_tanh_table_s8

#endif
