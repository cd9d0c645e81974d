"""Faults of a device: what is wrong, in which spec, and what a command must say of it."""

from dataclasses import dataclass

from tests.proof.devices import STEPS, Change, inside, only_predicting, when


@dataclass(frozen=True)
class Fault:
    """One fault in the C of a spec, and the words that the command says."""

    spec: str
    change: Change
    words: str


ONE_WEIGHT = "model->fc1_w[7] = (int16_t)(model->fc1_w[7] ^ 1);"
BEST = r"uint16_t best = 0;"
IN_TRAINING = {
    "in the last step only": Fault(
        "toy",
        when(f"model->step == {STEPS}", ONE_WEIGHT),
        f"mismatch: step {STEPS}, layer 'fc1', tensor 'w', index [1][1]: reference ",
    ),
    "in one late chunk": Fault(
        "toy",
        when("model->step == 270", ONE_WEIGHT),
        "mismatch: step 270, layer 'fc1', tensor 'w', index [1][1]: reference ",
    ),
    "in one tensor": Fault(
        "toy",
        when("model->step == 3", "model->fc2_b[2] += 1;"),
        "mismatch: step 3, layer 'fc2', tensor 'b', index [2]: reference ",
    ),
    "in the last answer of training": Fault(
        "toy",
        inside("last_output", "return ", r"return 1 + "),
        "mismatch: step 1, tensor 'output', index [2]: reference 0, device ",
    ),
    "in the order of lessons on the way": Fault(
        "stream",
        inside("train_step", r"% 2 == 0", "% 2 == 1"),
        "mismatch: step 1, ",
    ),
    "in a value": Fault(
        "values",
        when("model->step == 5", "model->fc2_b[0] -= 1;"),
        "mismatch: step 5, layer 'fc2', tensor 'b', index [0]: reference ",
    ),
}
IN_ANSWERS = {
    "class 0 is never answered": Fault(
        "toy",
        inside("predict", BEST, "uint16_t best = 1;"),
        "mismatch: in predict after 0 steps, sample ",
    ),
    "the last of equals": Fault(
        "toy",
        inside("predict", r"\] > work", "] >= work"),
        "mismatch: in predict after 0 steps, sample 0: reference 0, device 2",
    ),
    "the last class is never looked at": Fault(
        "toy",
        inside("predict", r"k < TOY_N_OUT", "k < TOY_N_OUT - 1"),
        "mismatch: in ",
    ),
    "predictions are wrong after some training": Fault(
        "toy",
        inside("predict", r"return best;", "return (uint16_t)(best ^ (model->step > 260));"),
        f"mismatch: in predict after {STEPS} steps, sample ",
    ),
    "evaluate looks at the first label": Fault(
        "toy",
        inside("evaluate", r"labels\[i\]", "labels[0]"),
        "mismatch: in evaluate after ",
    ),
    "evaluate does not go on": Fault(
        "toy",
        inside("evaluate", r", x \+= TOY_N_IN", ""),
        "mismatch: in evaluate after ",
    ),
    "confidence": Fault(
        "toy",
        inside("confidence", r"softmax\.max\)", "softmax.max - 64)"),
        "mismatch: in confidence after 0 steps, sample ",
    ),
    "outputs": Fault(
        "toy",
        inside("outputs", r"outputs\[k\] = ", "outputs[k] = (k == 2) + "),
        "mismatch: in outputs after 0 steps, sample 0: reference 0x",
    ),
    "outputs of values": Fault(
        "values",
        inside("outputs", r"outputs\[k\] = ", "outputs[k] = (k == 1) + "),
        "mismatch: in outputs after 0 steps, sample 0: reference 0x",
    ),
    "answer on the way": Fault(
        "stream",
        inside("answer", r"outputs\[k\] = ", r"outputs[k] = (work->stream.r1_h[0] > 3000) + "),
        "mismatch: in ",
    ),
    "class on the way": Fault(
        "stream",
        inside("answer_class", BEST, "uint16_t best = 1;"),
        "mismatch: in predict after 0 steps, sample ",
    ),
    "digest": Fault(
        "toy",
        inside("digest", r"return crc;", "return crc + (model->step > 300);"),
        f"mismatch: in digest after {STEPS} steps: reference 0x",
    ),
    "a class too many is taken": Fault(
        "toy",
        inside("train_step", r"label >= TOY_N_LABELS", "label > TOY_N_LABELS"),
        "mismatch: in bad labels taken after 0 steps: reference 0, device 1",
    ),
    "a class too many is taken on the way": Fault(
        "stream",
        inside("learn", r"label >= TOY_N_LABELS", "label > TOY_N_LABELS"),
        "mismatch: in bad labels taken after 0 steps: reference 0, device 1",
    ),
    "the self-test": Fault(
        "toy",
        inside("selftest", r"(toy_digest\(scratch\) != 0x)", r"\g<2>1"),
        f"mismatch: in selftest after {STEPS} steps",
    ),
    "raw samples": Fault(
        "toy",
        Change(r"raw - raw_inputs\[at\]\.mean", "raw + raw_inputs[at].mean", "toy_raw.c"),
        f"mismatch: in prepare after {STEPS} steps, sample 0: reference ",
    ),
    "raw samples that are no numbers": Fault(
        "toy",
        Change(r"raw\[i\] <= TPS_FLOAT_MAX", "raw[i] >= -TPS_FLOAT_MAX", "toy_raw.c"),
        f"mismatch: in prepare after {STEPS} steps, sample ",
    ),
    "values to learn": Fault(
        "values",
        Change(r"raw - raw_labels\[at\]\.mean", "raw", "toy_raw.c"),
        f"mismatch: in prepare_label after {STEPS} steps, sample 0: reference ",
    ),
    "values of outputs": Fault(
        "values",
        Change(r"\.unit \+ of\[k\]\.mean", ".unit", "toy_raw.c"),
        f"mismatch: in values after {STEPS} steps, sample 0: reference ",
    ),
    "firmware that only predicts": Fault(
        "toy",
        only_predicting("if (model->step > 0) {\n        x++;\n    }"),
        f"mismatch: in outputs after {STEPS} steps, firmware that only predicts, sample 0: ",
    ),
    "the self-test of firmware that only predicts": Fault(
        "toy",
        Change(
            r"(tps_status toy_selftest\([^;{]*\)\n\{)",
            "\\1\n#ifdef TOY_INFERENCE_ONLY\n    if (scratch != 0) {\n"
            "        return TPS_SELFTEST_FAILED;\n    }\n#endif",
        ),
        f"mismatch: in selftest after {STEPS} steps, firmware that only predicts",
    ),
}
WRONG = IN_TRAINING | IN_ANSWERS
ON_CORES = (
    "in one late chunk",
    "class 0 is never answered",
    "a class too many is taken",
    "the self-test",
    "firmware that only predicts",
)

EARLY = when("model->step == 3", "model->fc2_b[2] += 1;")
FOUND = "found: mismatch: step 3, layer 'fc2', tensor 'b', index [2]: reference "

# What only the self-test itself can tell of: each look of it is the only one that sees the fault.
SELFTEST_SEES = {
    "answers in the initial state": Fault(
        "toy",
        inside("predict", r"return best;", "return (uint16_t)(best ^ (model->step == 0));"),
        "mismatch: in predict after 0 steps",
    ),
    "confidence": Fault(
        "toy", IN_ANSWERS["confidence"].change, "mismatch: in confidence after 0 steps"
    ),
    "answers after training": Fault(
        "toy",
        inside("predict", r"return best;", "return (uint16_t)(best ^ (model->step > 7));"),
        "mismatch: in predict after 8 steps",
    ),
    "the state after training": Fault(
        "toy",
        when("model->step == 8", "model->fc1_w[0] ^= 1;"),
        "mismatch: step 8, layer 'fc1', tensor 'w', index [0][0]: reference ",
    ),
    "the initial state": Fault(
        "toy",
        inside("digest", r"return crc;", "return crc ^ (model->step == 0);"),
        "mismatch: in digest after 0 steps",
    ),
    "a class too many": Fault(
        "toy",
        IN_ANSWERS["a class too many is taken"].change,
        "mismatch: in bad labels taken after 0 steps",
    ),
    "a digest of its own": Fault(
        "toy", IN_ANSWERS["the self-test"].change, "mismatch: in selftest after 8 steps"
    ),
    "constants in flash": Fault(
        "toy",
        # What is learned from is the right array: only the sum over the wrong one tells.
        Change(r"(crc = crc_of_flash\(crc, (\w*fc1_projection), sizeof )\2\);", r"\1\2 - 1);"),
        "mismatch: in selftest after 8 steps",
    ),
}
