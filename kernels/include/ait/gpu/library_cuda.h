#pragma once
#include "driver_cuda.h"
#include "gpu_device.h"

#define AIT_ENGINE_DEVICE GpuDevice
#include "../library.h"
#include "starts.h"
