/* As much of CUDA's run-time library as a candidate needs that swallows the error of a launch: the error is remembered by thread. */
#include "api.h"

static __thread int last;

int cudaLaunchKernel(const void *function, uint64_t grid_xy, uint32_t grid_z, uint64_t block_xy, uint32_t block_z, void **params,
                     size_t shared, CUstream stream) {
    int error = cuLaunchKernel((CUfunction)(uintptr_t)function, (unsigned)grid_xy, (unsigned)(grid_xy >> 32), grid_z, (unsigned)block_xy,
                               (unsigned)(block_xy >> 32), block_z, (unsigned)shared, stream, params, NULL);
    if (error) last = error;
    return error;
}

int cudaPeekAtLastError(void) { return last; }

int cudaGetLastError(void) {
    int error = last;
    last = 0;
    return error;
}

const char *cudaGetErrorName(int error) { return error == 1 ? "cudaErrorInvalidValue" : error ? "cudaErrorUnknown" : "cudaSuccess"; }
