/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_names.h -- what the linker calls the kernels of "plane"
 *
 * Kernels are made for one model. Under these names those of several models can be in one firmware.
 */
#ifndef PLANE_TPS_NAMES_H
#define PLANE_TPS_NAMES_H

#ifdef __cplusplus
#error "compile the .c files of plane as C11; plane.h is for C++ too"
#endif

#define tps_crc32 plane_tps_crc32
#define tps_dense_forward_linear_f32 plane_tps_dense_forward_linear_f32
#define tps_dense_forward_relu_f32 plane_tps_dense_forward_relu_f32
#define tps_dense_grad_relu_f32 plane_tps_dense_grad_relu_f32
#define tps_dense_init_f32 plane_tps_dense_init_f32
#define tps_dense_steps_f32 plane_tps_dense_steps_f32
#define tps_dense_update_f32 plane_tps_dense_update_f32
#define tps_error_huber_hidden_f32 plane_tps_error_huber_hidden_f32
#define tps_error_l2_last_f32 plane_tps_error_l2_last_f32
#define tps_fc1_projection plane_tps_fc1_projection

#endif
