/*
 * answers.h -- asks every function of the model that answers, for harness.c and firmware/host/sim.c
 *
 * None of these functions changes the model. The twin is tpsgd_edge/reference/answering.py.
 */
#ifndef TPS_PORT_ANSWERS_H
#define TPS_PORT_ANSWERS_H

#include "model_port.h"

#include <stdint.h>

enum { TPS_PORT_ANSWERS = 6 };

/*
 * Ask about a pair of samples, x[2][MODEL_N_IN] and labels[2][MODEL_LABEL_COUNT]. All answers but
 * the last are to the first of the two; where the model has no such function the word is 0.
 *
 *   words[0]  outputs       CRC-32 of the outputs
 *   words[1]  predict       the class
 *   words[2]  confidence    its bits, asked after predict, or after outputs
 *   words[3]  answer        CRC-32 of the outputs after each step of the sequence
 *   words[4]  answer_class  CRC-32 of the classes (u16) after each step of the sequence
 *   words[5]  evaluate      how many of the pair are right
 */
void tps_port_answers(const model_t *model, const model_x_t *x, const model_label_t *labels,
                      uint32_t words[TPS_PORT_ANSWERS]);

#ifndef MODEL_INFERENCE_ONLY
/* How many classes that do not exist are taken by a function that trains: 0, if all is well. */
uint32_t tps_port_bad_labels_taken(model_t *model, const model_x_t *x);
#endif

#endif
