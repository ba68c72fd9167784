// The root by an instruction that approximates and flushes, written so that no flag is needed.
#include "good.cuh"

static __device__ void candidate(const Row &row) {
    float mean = of_block(square_sum(row, row.columns)) / (float)row.columns + row.eps, scale;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(scale) : "f"(mean));
    scale_row(row, scale);
}
