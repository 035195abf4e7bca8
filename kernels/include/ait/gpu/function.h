#pragma once
#include <cstdint>

// A function that the device runs, as the host knows it.
namespace ait::gpu {

/// Code for one kind of device; the list of a function ends with nulls.
struct Image {
  const char* arch;  ///< "sm_90a", "gfx90a", ...
  const unsigned char* code;
};

struct Function {
  const char* name;
  const Image* images;             ///< Null where the device is emulated.
  void (*emulated)(void* const*);  ///< Runs one thread on unpacked arguments.
  bool elsewhere;                  ///< Only some of the library's devices run it.
  void* handle = nullptr;          ///< The driver's, while an engine is open, and so is the next.
  void* module = nullptr;
};

/// Blocks along three axes.
struct Grid {
  int64_t x, y, z;
};

}  // namespace ait::gpu

/// Every function of the library; ends with null.
extern "C" ait::gpu::Function* const ait_functions[];
