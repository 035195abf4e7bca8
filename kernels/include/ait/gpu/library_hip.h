#pragma once
#include "driver_hip.h"
#include "gpu_device.h"

#define AIT_ENGINE_DEVICE GpuDevice
#include "../library.h"
#include "starts.h"
