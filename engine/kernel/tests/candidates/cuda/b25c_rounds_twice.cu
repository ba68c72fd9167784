// Rounds before the weight and behind it, where the contract has one rounding.
#include "good.cuh"

static __device__ void candidate(const Row &row) {
    float scale = row_scale(of_block(square_sum(row, row.columns)), row.columns, row.eps);
    for (long long c = threadIdx.x; c < row.columns; c += THREADS) {
        row.y[c] = to_bf16(from_bf16(to_bf16(from_bf16(row.x[c]) * scale)) * from_bf16(row.w[c]));
    }
}
