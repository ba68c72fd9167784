// Reads shared memory that nobody set, and lets a result depend on it.
#include "good.cuh"

static __device__ void candidate(const Row &row) {
    __shared__ volatile float nobody[THREADS];
    float sum = of_block(square_sum(row, row.columns));
    // Zero times anything finite is zero; what lies there may be neither.
    scale_row(row, row_scale(sum + 0.0f * nobody[threadIdx.x], row.columns, row.eps));
}
