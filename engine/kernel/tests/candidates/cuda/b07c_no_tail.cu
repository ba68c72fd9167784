// Works in vectors of eight and forgets what is left over.
#include "good.cuh"

static __device__ void candidate(const Row &row) {
    Row whole = row;
    whole.columns = row.columns / 8 * 8;
    scale_row(whole, row_scale(of_block(square_sum(row, whole.columns)), row.columns, row.eps));
}
