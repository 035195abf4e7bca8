#pragma once
#include "both.h"

// Cells and activations of ONNX's recurrent operators.
namespace ait {

enum class Cell { Rnn, Gru, Lstm };
enum class ActivationKind {
  Relu,
  Tanh,
  Sigmoid,
  Affine,
  LeakyRelu,
  ThresholdedRelu,
  ScaledTanh,
  HardSigmoid,
  Elu,
  Softsign,
  Softplus
};

constexpr AIT_BOTH int gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

}  // namespace ait
