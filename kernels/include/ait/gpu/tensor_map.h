#pragma once

namespace ait::gpu {

/// A descriptor of a tensor in global memory for the copy engine (CUtensorMap).
struct alignas(64) TensorMap {
  unsigned char bytes[128];
};

}  // namespace ait::gpu
